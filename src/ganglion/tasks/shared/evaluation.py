"""Putting questions to a network: in evaluation mode, without gradients, wherever it is, and each on its own.

Arithmetic on many samples at once is not, bit for bit, that on fewer: libraries choose other kernels. An answer must
not depend on what else is asked with it, so networks are always asked in blocks of the same size, filled up where
samples are too few, and a sequence is filled up to a length that is a function of its own. Libraries also add in
another order where a row of numbers begins at another remainder of 64 bytes, so that follows from the sample, too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.core import Batch, Judge, LearningRule
from ganglion.data.loaders.windows import Windows
from ganglion.nn.modes import evaluation_mode

EVALUATION_BATCH = 512
"""Samples that a loader hands out at once for evaluation; a multiple of every size of block."""
LARGEST_BLOCK = 128
BLOCK_BYTES = 1 << 20
"""Samples that a block may hold, in bytes."""
WEIGHT_BYTES = 1 << 28
"""Bytes of weights times samples of a block: a network with more is slow, and is asked about fewer at once."""
ALIKE = 16
"""Rows after which numbers of 4 bytes begin at an address like that of the first, as products see it (64 bytes)."""
GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
"""An odd number whose products spread over all bits."""
FINEST = 8
"""Steps that short sequences are filled up to a multiple of."""

Call = Callable[[Tensor], Tensor]


@contextmanager
def evaluating(network: nn.Module) -> Iterator[torch.device]:
    """Switch to evaluation mode without gradients, give the network's device, and switch back."""
    with evaluation_mode(network), torch.inference_mode():
        yield next(network.parameters()).device


Asked = Tensor | Windows
"""Inputs `(samples, ...)` in memory, or windows of a long series."""


def block_size(network: nn.Module, sample: Tensor) -> int:
    """Return how many samples a network is asked about at once, from the size of one and of its weights alone.

    >>> block_size(nn.Linear(64, 10), torch.zeros(64)), block_size(nn.Linear(64, 10), torch.zeros(3, 224, 224))
    (128, 1)
    """
    weights = sum(parameter.numel() * parameter.element_size() for parameter in network.parameters())
    most = min(BLOCK_BYTES // max(1, sample.nbytes), WEIGHT_BYTES // max(1, weights), LARGEST_BLOCK)
    return 1 << max(1, most).bit_length() - 1


def in_blocks(call: Call, inputs: Asked, size: int, device: torch.device, places: Tensor | None = None) -> Tensor:
    """Return the outputs of `call` for inputs, all or those at `places`, on the CPU; it sees `size` of them at a time.

    Each sample stands at a row of its block that begins at an address which follows from the sample itself.

    >>> in_blocks(lambda part: part + len(part), torch.zeros(5), 4, torch.device("cpu"))
    tensor([4., 4., 4., 4., 4.])
    """
    asked = torch.arange(len(inputs)) if places is None else places
    outputs: Tensor | None = None
    for chosen, rows in _arranged(inputs, asked, size):
        filled = asked[chosen[:1]].repeat(size)
        filled[rows] = asked[chosen]
        answers = call(inputs[filled].to(device)).float().cpu()[rows]
        outputs = answers.new_empty(len(asked), *answers.shape[1:]) if outputs is None else outputs
        outputs[chosen] = answers
    assert outputs is not None
    return outputs


def _arranged(inputs: Asked, asked: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield for each block which of the asked samples are in it, and at which rows (samples of the block,) both.

    With n = min(`ALIKE`, size) a sample may stand at every n-th row, from one on that is a digest of its content.
    """
    alike = min(ALIKE, size)
    start = torch.cat([_digests(inputs[part]) for part in asked.split(EVALUATION_BATCH)]) % alike
    order = start.argsort(stable=True)
    counts = torch.bincount(start, minlength=alike)
    before = (torch.arange(len(order)) - (counts.cumsum(0) - counts)[start[order]]) * alike + start[order]
    for block in range(int(before.max()) // size + 1):
        here = (before >= block * size) & (before < (block + 1) * size)
        yield order[here], before[here] - block * size


def _digests(samples: Tensor) -> Tensor:
    """Return a whole number from 0 on of the content of each of samples (samples, ...)."""
    rows = samples.detach().cpu().reshape(len(samples), -1).contiguous()
    words = rows.view(torch.int32) if rows.is_floating_point() and rows.element_size() >= 4 else rows
    weights = torch.arange(1, words.shape[1] + 1) * GOLDEN  # wraps
    mixed = (words.long() * weights).sum(1) * GOLDEN
    return (mixed >> 40) & 0xFFFF


def ask(network: nn.Module, inputs: Asked, by: Call | None = None, places: Tensor | None = None) -> Tensor:
    """Return the outputs of a network, or of one of its methods, for inputs in memory, on the CPU.

    Args:
        by: the method; the network itself when not given.
        places: of the inputs that it is asked about; all when not given. There must be one at least.

    >>> ask(nn.Linear(3, 2), torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """
    with evaluating(network) as device:
        return in_blocks(by or network, inputs, block_size(network, inputs[0]), device, places)


def answers(network: nn.Module, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """Return the outputs of a network for all batches, (samples, ...), and their targets, on the CPU."""
    pairs = [(ask(network, batch["inputs"]), batch["targets"].cpu()) for batch in batches]
    outputs, targets = zip(*pairs, strict=True)
    return torch.cat(outputs), torch.cat(targets)


def judged(rule: LearningRule, outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Return what a rule measures of outputs `(batch, ...)` beside targets `(batch, ...)`."""
    assert isinstance(rule, Judge)
    return {name: float(value) for name, value in rule.judge(outputs, targets).items()}


def ask_sequences(
    network: nn.Module, sequences: Sequence[Tensor], padding: float = 0, by: Call | None = None
) -> list[Tensor]:
    """Return the output of a network for each sequence of numbers `(steps,)`, which is filled up at its end.

    The outputs of a network that answers at every step are `(tokens, ...)`, without those past the end.

    >>> embedding = nn.Embedding(9, 2)
    >>> [tuple(output.shape) for output in ask_sequences(embedding, [torch.tensor([1, 2, 3]), torch.tensor([4])])]
    [(3, 2), (1, 2)]
    """
    lengths = np.array([len(sequence) for sequence in sequences])
    filled = np.array([filled_length(length) for length in lengths.tolist()])
    kind = sequences[0].dtype if sequences[0].is_floating_point() else torch.int64
    found: dict[int, Tensor] = {}
    for length in np.unique(filled):
        places = np.flatnonzero(filled == length)
        inputs = torch.full((len(places), int(length)), padding, dtype=kind)
        for row, place in enumerate(places.tolist()):
            inputs[row, : lengths[place]] = sequences[place]
        outputs = ask(network, inputs, by)
        found |= dict(zip(places.tolist(), outputs, strict=True))
    by_step = all(len(found[place].shape) > 1 for place in found)
    return [found[place][:length] if by_step else found[place] for place, length in enumerate(lengths.tolist())]


def filled_length(length: int) -> int:
    """Return the length that a sequence is filled up to: a multiple of 8, or four lengths from each power of two on.

    >>> [filled_length(length) for length in (1, 9, 33, 65, 129)]
    [8, 16, 40, 80, 160]
    """
    step = max(FINEST, 1 << max(0, (length - 1).bit_length() - 3))
    return -(-length // step) * step


def is_file(text: str) -> bool:
    """Whether a text is the path of a file."""
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or with signs that no name has
        return False
