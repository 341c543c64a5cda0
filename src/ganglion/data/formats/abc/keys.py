"""Keys: a keynote, a mode, and which notes they make sharp or flat."""

import re
from dataclasses import dataclass
from typing import Self, final

from ganglion.errors import DataError

LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Half tones above C."""
FIFTHS = "FCGDAEB"
"""Letters in the order in which they become sharp."""
MODES = {"lyd": 1, "maj": 0, "ion": 0, "": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "loc": -5}
"""Sharps that a mode has more than the major scale on the same keynote."""
WRITTEN = re.compile(r"(?P<note>[A-G][#b]?)[ \t]*(?P<mode>[A-Za-z]*)")
MOST_SHARPS = 7


@final
@dataclass(frozen=True)
class Key:
    """A key such as G, Am, Bb or Ddor.

    >>> key = Key.named("Edor")
    >>> key.sharps, sorted(key.altered.items()), key.scale == Key.named("D").scale
    (2, [('C', 1), ('F', 1)], True)
    """

    name: str
    keynote: int
    """Half tones above C."""
    sharps: int
    """Sharps in front of the staff; flats count below 0."""

    @classmethod
    def named(cls, words: str) -> Self:
        """Return the key that a field K: names; what follows it there, such as a clef, is not read.

        Raises `DataError` for what is no key.
        """
        found = WRITTEN.match(words.strip())
        mode = found["mode"].lower() if found else ""
        mode = "" if found and mode.startswith(("clef", "treble", "bass")) else mode if mode == "m" else mode[:3]
        if words.strip().lower() in ("", "none"):
            return cls("C", 0, 0)
        if found is None or mode not in MODES:
            raise DataError("this is no key", expected="a key such as G, Am, Bb or Ddor", found=words.strip()[:40])
        letter, sign = found["note"][0], found["note"][1:]
        shift = {"#": 1, "b": -1, "": 0}[sign]
        sharps = FIFTHS.index(letter) - 1 + MOST_SHARPS * shift + MODES[mode]
        if abs(sharps) > MOST_SHARPS:
            raise DataError("no key has so many signs", expected=f"at most {MOST_SHARPS}", found=words.strip()[:40])
        return cls(
            found["note"] + {"min": "m", "aeo": "m", "maj": "", "ion": ""}.get(mode, mode),
            (LETTERS[letter] + shift) % 12,
            sharps,
        )

    @property
    def altered(self) -> dict[str, int]:
        """Half tones by which letters are raised."""
        if self.sharps >= 0:
            return dict.fromkeys(FIFTHS[: self.sharps], 1)
        return dict.fromkeys(FIFTHS[self.sharps :], -1)

    @property
    def scale(self) -> frozenset[int]:
        """Half tones above C of the notes of the key."""
        return frozenset((LETTERS[letter] + self.altered.get(letter, 0)) % 12 for letter in LETTERS)
