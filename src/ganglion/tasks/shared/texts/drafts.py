"""Tunes that a network or a chain has written: read again, put into a file, drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ganglion import figures
from ganglion.data.formats.abc import Tune, read_tune
from ganglion.errors import DataError
from ganglion.tasks.measures.counted import KneserNey


@dataclass(frozen=True)
class Draft:
    """What was written for one tune."""

    text: str
    """Fields and music, without number and title."""
    tune: Tune | None
    """The same read; None where it is no valid ABC, or was cut off."""
    fault: str = ""
    """Why it could not be read."""

    @property
    def is_sound(self) -> bool:
        return self.tune is not None and all(self.tune.right)


def read_draft(text: str, ended: bool) -> Draft:
    if not ended:
        return Draft(text, None, "it found no end")
    try:
        return Draft(text, read_tune(text.split("\n")))
    except DataError as error:
        return Draft(text, None, f"{error.where}: {error.what}, found {error.found}")


def wandered(
    chain: KneserNey, begin: list[int], end: int, longest: int, temperature: float, seed: int
) -> tuple[list[int], bool]:
    """Return the signs that a chain writes until an end, `longest` at most, and whether it came to one."""
    chances, numbers = np.random.default_rng(seed).random(longest), list(begin)
    for chance in chances:
        shares = chain.over_all(np.array(numbers[-chain.order :])) ** (1 / temperature)
        number = int(np.searchsorted(shares.cumsum(), chance * shares.sum()))
        if number == end:
            return numbers[len(begin) :], True
        numbers.append(number)
    return numbers[len(begin) :], False


def fields_of(text: str) -> str:
    """Return the fields that a tune begins with, up to its key.

    >>> fields_of("M:4/4\\nL:1/8\\nK:G\\nGAB|")
    'M:4/4\\nL:1/8\\nK:G\\n'
    """
    before, sign, after = text.partition("K:")
    return f"{before}{sign}{after.partition(chr(10))[0]}\n"


def as_file(drafts: Sequence[Draft]) -> str:
    """Return tunes as a file, each with its number and a title."""
    return "\n".join(
        f"X:{number}\nT:Tune {number}{_in_key(draft)}\n{draft.text.rstrip()}\n"
        for number, draft in enumerate(drafts, 1)
    )


def _in_key(draft: Draft) -> str:
    return f" in {draft.tune.key.name}" if draft.tune else ""


def roll(draft: Draft, number: int) -> "figures.Roll":
    """Return a tune as it is written, without its repeats, to be drawn."""
    tune = draft.tune
    assert tune is not None
    begins = [Fraction(0)]
    for bar in tune.bars:
        begins.append(begins[-1] + bar.length)
    placed = list(zip(begins, tune.bars, strict=False))
    right = f"{np.mean(tune.right):.0%} of bars right"
    return figures.Roll(
        f"Tune {number}: {tune.key.name}, {draft.text.partition(chr(10))[0].removeprefix('M:')}, {right}",
        np.array([(at + note.start, note.length, note.pitch) for at, bar in placed for note in bar.notes], dtype=float),
        np.array([float(at) for at, _ in placed]),
        ~np.array(tune.right),
        [(float(at + start), name) for at, bar in placed for start, name in bar.chords],
    )
