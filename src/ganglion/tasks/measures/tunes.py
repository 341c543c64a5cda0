"""How good tunes are that a network writes: whether they can be read and counted, keep their key, and are new."""

from collections.abc import Iterable, Sequence

import numpy as np

from ganglion.core import Measure
from ganglion.data.formats.abc import Tune

GRAM = 8
"""Notes in a row that count as copied."""
PARSE_RATE = Measure(
    name="parse_rate", higher_is_better=True, meaning="Share of written tunes that are whole and valid ABC."
)
RIGHT_BARS = Measure(
    name="right_bars",
    higher_is_better=True,
    meaning="Share of their bars that are as long as the metre says, or an upbeat and what makes it whole.",
)
IN_KEY = Measure(name="in_key", higher_is_better=True, meaning="Share of their notes that belong to their key.")
COPIED = Measure(
    name="copied_8_grams",
    higher_is_better=False,
    meaning="Share of their rows of eight notes, by pitch and length, that stand in a training tune.",
)
OF_TUNES = (PARSE_RATE, RIGHT_BARS, IN_KEY, COPIED)

Gram = tuple[tuple[int, float], ...]


def judge_tunes(tunes: Sequence[Tune | None], known: set[Gram]) -> dict[str, float]:
    """Return the measures of tunes, None where one could not be read; those of no notes at all are 0.

    Args:
        known: rows of notes in the training part.
    """
    read = [tune for tune in tunes if tune is not None]
    own = [gram for tune in read for gram in grams(tune)]
    return {
        "parse_rate": len(read) / max(1, len(tunes)),
        "right_bars": _share(right for tune in read for right in tune.right),
        "in_key": _share(pitch % 12 in tune.key.scale for tune in read for pitch in tune.pitches),
        "copied_8_grams": _share(gram in known for gram in own),
    }


def grams(tune: Tune) -> list[Gram]:
    """Return all rows of eight notes of a tune, each note by its pitch and its length in whole notes."""
    notes = [(note.pitch, float(note.length)) for bar in tune.bars for note in bar.notes]
    return [tuple(notes[at : at + GRAM]) for at in range(len(notes) - GRAM + 1)]


def _share(found: Iterable[bool]) -> float:
    values = list(found)
    return float(np.mean(values)) if values else 0.0
