"""How equal the recurrent layers are to torch's: `python -m benchmarks.equality` writes docs/recurrent-equality.md.

Both sides get the same weights and inputs in single precision, and are compared with torch in double precision; what
torch's own single precision differs by is the yardstick.
"""

import copy
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ganglion.nn.recurrent import GRU, LSTM, ElmanRNN

TABLE = Path(__file__).parents[1] / "docs" / "recurrent-equality.md"
BATCH, TIME, INPUT, HIDDEN = 16, 60, 32, 64
HEAD = f"""# Equality of the recurrent layers with torch's

Written by `benchmarks/equality.py`. The largest absolute difference from torch in double precision, over outputs, last
states and the gradients of all weights and of the input; gradients in shares of the largest one. Batch {BATCH}, {TIME}
steps, input {INPUT}, hidden {HIDDEN}, the same weights on all sides.

| layer | compiled | reference | torch's single | compiled, gradients | reference, gradients | torch's, gradients |
|---|---:|---:|---:|---:|---:|---:|"""


def main() -> None:
    torch.manual_seed(0)
    lines = [HEAD, *(line(name, *sides) for name, *sides in rows())]
    TABLE.write_text("\n".join(lines) + "\n")
    print(TABLE.read_text())


def rows() -> Iterator[tuple[str, type, nn.RNNBase, Tensor | None]]:
    """Yield names, our class, their layer, and lengths of sequences."""
    lengths = torch.randint(1, TIME + 1, (BATCH,)).sort(descending=True).values
    kinds: list[tuple[str, type, type[nn.RNNBase], dict[str, Any]]] = [
        ("Elman, tanh", ElmanRNN, nn.RNN, {}),
        ("Elman, ReLU", ElmanRNN, nn.RNN, {"nonlinearity": "relu"}),
        ("LSTM", LSTM, nn.LSTM, {}),
        ("GRU", GRU, nn.GRU, {}),
    ]
    forms: list[tuple[str, dict[str, Any], Tensor | None]] = [
        ("one layer", {}, None),
        ("two layers, both directions", {"num_layers": 2, "bidirectional": True}, None),
        ("two layers, both directions, ragged", {"num_layers": 2, "bidirectional": True}, lengths),
    ]
    for kind, ours, theirs, options in kinds:
        for form, more, ragged in forms:
            yield f"{kind}, {form}", ours, theirs(INPUT, HIDDEN, batch_first=True, **options, **more), ragged


def line(name: str, ours: Any, theirs: nn.RNNBase, lengths: Tensor | None) -> str:
    inputs = torch.randn(BATCH, TIME, INPUT)
    slopes = torch.randn(BATCH, TIME, HIDDEN * (2 if theirs.bidirectional else 1))
    truth = of_theirs(copy.deepcopy(theirs).double(), inputs.double(), slopes.double(), lengths)
    sides = [of_ours(ours.from_torch(theirs), inputs, slopes, lengths)]
    os.environ["GANGLION_FAST"] = "0"
    sides.append(of_ours(ours.from_torch(theirs), inputs, slopes, lengths))
    del os.environ["GANGLION_FAST"]
    sides.append(of_theirs(theirs, inputs, slopes, lengths))
    values = [f"{difference(side[0], truth[0]):.1e}" for side in sides]
    gradients = [f"{difference(side[1], truth[1]) / float(truth[1].abs().max()):.1e}" for side in sides]
    return f"| {name} | {' | '.join(values)} | {' | '.join(gradients)} |"


def of_ours(layer: Any, inputs: Tensor, slopes: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return outputs and last hidden states, and the gradients of the input and of all weights, each as one vector."""
    inputs = inputs.clone().requires_grad_()
    outputs, states = layer(inputs, lengths=lengths)
    (outputs * slopes).sum().backward()
    weights = [(cell.input_weight.grad, cell.recurrent_weight.grad, cell.bias.grad) for cell in layer.cells]
    return flat([outputs, *(state[0] for state in states)]), flat([inputs.grad, *chain.from_iterable(weights)])


def of_theirs(layer: nn.RNNBase, inputs: Tensor, slopes: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the same of torch, whose second biases have the gradients of the first or are part of none of ours."""
    inputs = inputs.clone().requires_grad_()
    if lengths is None:
        outputs, state = layer(inputs)
    else:
        packed, state = layer(pack_padded_sequence(inputs, lengths, batch_first=True))
        outputs, _ = pad_packed_sequence(packed, batch_first=True, total_length=TIME)
    (outputs * slopes).sum().backward()
    hidden = state[0] if isinstance(state, tuple) else state
    weights = [[weight.grad for weight in cell[:3]] for cell in layer.all_weights]
    return flat([outputs, *hidden]), flat([inputs.grad, *chain.from_iterable(weights)])


def flat(tensors: Iterable[Tensor | None]) -> Tensor:
    return torch.cat([tensor.detach().flatten().double() for tensor in tensors if tensor is not None])


def difference(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


if __name__ == "__main__":
    main()
