"""Writing one text after reading another: in blocks, each answer as if it were alone, unknown words copied."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.data.preprocessing import TextPreprocessing
from ganglion.data.preprocessing.vocabulary import UNKNOWN
from ganglion.nn.language.decoding import Decoding, Written, decode
from ganglion.tasks.shared.evaluation import evaluating, filled_length

PADDING, UNKNOWN_NUMBER, BEGIN, END = range(4)
BLOCK = 64
"""Texts that are written side by side; fewer where several beams are followed."""


@dataclass(frozen=True)
class Translation:
    """What was written for one text."""

    text: str
    tokens: tuple[str, ...]
    """What it is made of."""
    weights: np.ndarray | None
    """How much each token of the source, its marks among them, counted for each token that was written, and for the
    end `(tokens, source tokens)`; None without attention."""


def translate(
    network: Any,
    sources: Sequence[str],
    source: TextPreprocessing,
    target: TextPreprocessing,
    *,
    beams: int,
    length_penalty: float = 1.0,
    no_repeated: int = 0,
) -> list[Translation]:
    """Return what a network that can `remember` and `read` writes for each of some texts.

    Args:
        source, target: how texts are read and written.
        beams, length_penalty, no_repeated: `Decoding` says what they mean; with one beam the likeliest is taken.
    """
    numbers = [torch.from_numpy(source.encode(text)) for text in sources]
    looks = getattr(network, "attention", None) is not None
    forbidden = (PADDING, BEGIN) if looks else (PADDING, UNKNOWN_NUMBER, BEGIN)
    filled = np.array([filled_length(len(one)) for one in numbers], dtype=np.int64)
    found: dict[int, Translation] = {}
    for length in np.unique(filled).tolist():
        places = np.flatnonzero(filled == length)
        decoding = Decoding(
            longest=3 * length // 2 + 10,
            temperature=0 if beams == 1 else 1.0,
            beams=beams,
            length_penalty=length_penalty,
            no_repeated=no_repeated,
            end=END,
            forbidden=forbidden,
        )
        size = max(1, BLOCK // beams)
        for first in range(0, len(places), size):
            block = places[first : first + size].tolist()
            inputs = torch.zeros(size, length, dtype=torch.int64)
            for row, place in enumerate(block + block[-1:] * (size - len(block))):
                inputs[row, : len(numbers[place])] = numbers[place]
            written, weights = _written(network, inputs, decoding)
            for row, place in enumerate(block):
                steps = len(written[row].tokens) + written[row].ended
                looked = None if weights is None else weights[row, :steps, : len(numbers[place])].numpy()
                found[place] = _finished(written[row], looked, sources[place], source, target)
    return [found[place] for place in range(len(sources))]


def _written(network: Any, inputs: Tensor, decoding: Decoding) -> tuple[list[Written], Tensor | None]:
    """Return what is written for inputs (texts, steps), and where was looked (texts, written, steps)."""
    assert isinstance(network, nn.Module)

    def following(tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        logits, state = network.read(tokens, state)  # type: ignore[operator]
        return logits[:, -1], state

    with evaluating(network) as device:
        inputs = inputs.to(device)
        begun = torch.full_like(inputs[:, :1], BEGIN)
        written = decode(following, begun, network.remember(inputs), decoding=decoding)  # type: ignore[operator]
        read = torch.zeros(len(inputs), decoding.longest + 1, dtype=torch.int64, device=device)
        read[:, 0] = BEGIN
        for row, one in enumerate(written):
            read[row, 1 : 1 + len(one.tokens)] = torch.tensor(one.tokens, dtype=torch.int64)
        weights = network.attended(inputs, read)  # type: ignore[operator]
        return written, None if weights is None else weights.float().cpu()


def _finished(
    written: Written, weights: np.ndarray | None, text: str, source: TextPreprocessing, target: TextPreprocessing
) -> Translation:
    tokens = target.named(written.tokens)
    if weights is not None and UNKNOWN in tokens:
        read = source.split(text)
        strange = [token not in source.vocabulary for token in read]
        tokens = [
            token if token != UNKNOWN else _copied(row[1 : 1 + len(read)], read, strange)
            for token, row in zip(tokens, weights, strict=False)
        ]
    return Translation(target.joined(tokens), tuple(tokens), weights)


def _copied(weights: np.ndarray, read: Sequence[str], strange: Sequence[bool]) -> str:
    """Return the source token that is looked at most, an unknown one where there is any.

    Source: Luong, Sutskever, Le, Vinyals and Zaremba, Addressing the rare word problem in neural machine translation
    (2015), whose positions are those of attention here.
    """
    if not len(read):
        return UNKNOWN
    among = np.where(strange, weights, -1.0) if any(strange) else weights
    return read[int(among.argmax())]
