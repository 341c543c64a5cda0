"""Writing a text about something: in blocks, each answer as if it were alone; and how likely texts are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.data.preprocessing import TextPreprocessing
from ganglion.data.preprocessing.texts import Unit
from ganglion.data.preprocessing.vocabulary import UNKNOWN
from ganglion.nn.language.decoding import Decoding, Written, decode
from ganglion.settings import at_least, settings
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import evaluating, filled_length
from ganglion.tasks.shared.texts.reading_on import next_logits

PADDING, UNKNOWN_NUMBER, BEGIN, END = range(4)
UNITS: dict[str, Unit] = {"words": "joined", "pieces": "pieces", "characters": "characters"}
"""How the preprocessing calls what a configuration of a network that writes calls `unit`."""
BLOCK = 64
"""Texts that are written side by side; fewer where several beams are followed."""
JUDGED = 64
"""Texts whose likelihood is computed at once."""


def text_options(config: Any, **more: Any) -> dict[str, Any]:
    """Return what the preprocessing of texts is told that a network of this configuration reads or writes."""
    return {
        "unit": UNITS[config.unit],
        "window": config.window,
        "most": config.most_tokens,
        "lower": config.lower_case,
        "marked": True,
        **more,
    }


@settings
class Search:
    """What is asked of a network that writes the likeliest text about each of some inputs."""

    inputs: Given
    """What is written about."""
    beams: Annotated[int, at_least(1)] = 1
    """Beginnings that are followed at once; with 1 the likeliest token is taken at each step."""
    length_penalty: Annotated[float, at_least(0)] = 1.0
    """How much longer answers of several beams are preferred."""
    no_repeated: Annotated[int, at_least(0)] = 0
    """Write no run of this many tokens twice; 0 allows all."""


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
    question: Search,
) -> list[Translation]:
    """Return what a network that can `remember` and `read` writes for each of some texts.

    Args:
        source, target: how texts are read and written.
        question: how is searched.
    """
    looks = getattr(network, "attention", None) is not None
    forbidden = (PADDING, BEGIN) if looks else (PADDING, UNKNOWN_NUMBER, BEGIN)

    def decoding(length: int) -> Decoding:
        return searching(question, 3 * length // 2 + 10, forbidden)

    found = write(network, [torch.from_numpy(source.encode(text)) for text in sources], decoding)
    return [_finished(*one, text, source, target) for one, text in zip(found, sources, strict=True)]


def searching(
    question: Search, longest: int, forbidden: tuple[int, ...] = (PADDING, UNKNOWN_NUMBER, BEGIN)
) -> Decoding:
    """Return how texts with marks are written along beams, or with one by taking the likeliest token each time."""
    return Decoding(
        longest=longest,
        temperature=0 if question.beams == 1 else 1.0,
        beams=question.beams,
        length_penalty=question.length_penalty,
        no_repeated=question.no_repeated,
        end=END,
        forbidden=forbidden,
    )


def write(
    network: Any, samples: Sequence[Tensor], decoding: Callable[[int], Decoding], seeds: Sequence[int] = ()
) -> list[tuple[Written, np.ndarray | None]]:
    """Return what a network writes about each sample, and how much each step of its memory counted for each token.

    The weights are (tokens and the end, steps); None without attention.

    Args:
        samples: tokens (steps,), which are filled up to a length that follows from their own; or pictures of one size
            (channels, height, width).
        decoding: how tokens are chosen, by that length.
        seeds: one for each sample, where tokens are drawn.
    """
    filled = np.array([filled_length(len(one)) if one.dim() == 1 else 0 for one in samples], dtype=np.int64)
    found: dict[int, tuple[Written, np.ndarray | None]] = {}
    for length in np.unique(filled).tolist():
        places = np.flatnonzero(filled == length)
        chosen = decoding(length)
        size = max(1, BLOCK // chosen.beams)
        for first in range(0, len(places), size):
            block = places[first : first + size].tolist()
            rows = block + block[-1:] * (size - len(block))
            inputs = _together([samples[place] for place in rows], length)
            written, weights = _written(network, inputs, chosen, [seeds[place] for place in rows] if seeds else ())
            for row, place in enumerate(block):
                steps = len(written[row].tokens) + written[row].ended
                read = len(samples[place]) if length else None
                found[place] = written[row], None if weights is None else weights[row, :steps, :read].numpy()
    return [found[place] for place in range(len(samples))]


def _together(samples: Sequence[Tensor], length: int) -> Tensor:
    """Return samples as one tensor; tokens are filled up to a length."""
    if not length:
        return torch.stack(list(samples))
    inputs = torch.zeros(len(samples), length, dtype=torch.int64)
    for row, sample in enumerate(samples):
        inputs[row, : len(sample)] = sample
    return inputs


def _written(
    network: Any, inputs: Tensor, decoding: Decoding, seeds: Sequence[int]
) -> tuple[list[Written], Tensor | None]:
    """Return what is written for inputs (samples, ...), and where was looked (samples, written, memory steps)."""
    assert isinstance(network, nn.Module)
    with evaluating(network) as device:
        inputs = inputs.to(device)
        begun = torch.full((len(inputs), 1), BEGIN, device=device)
        state = network.remember(inputs)  # type: ignore[operator]
        written = decode(next_logits(network), begun, state, decoding=decoding, seeds=seeds)
        read = torch.zeros(len(inputs), decoding.longest + 1, dtype=torch.int64, device=device)
        read[:, 0] = BEGIN
        for row, one in enumerate(written):
            read[row, 1 : 1 + len(one.tokens)] = torch.tensor(one.tokens, dtype=torch.int64)
        weights = network.attended(inputs, read)  # type: ignore[operator]
        return written, None if weights is None else weights.float().cpu()


def surprises(network: Any, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return -log p in nats of each token of targets (texts, steps) but the first, 0 past the end: (texts, steps - 1).

    Args:
        inputs: what each is about (texts, ...).
        targets: tokens with their marks.
    """
    wanted = targets[:, 1:]
    found = []
    with evaluating(network) as device:
        for first in range(0, len(targets), JUDGED):
            part = slice(first, first + JUDGED)
            judged, tokens = (wanted[part] != PADDING).to(device), wanted[part].to(device)
            logits = network.led(inputs[part].to(device), targets[part].to(device))
            losses = nn.functional.cross_entropy(logits.float(), tokens[judged], reduction="none")
            found.append(torch.zeros(judged.shape, device=device).masked_scatter(judged, losses).cpu())
    return torch.cat(found)


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
