"""The grammar of ABC: fields and signs, each with the line and column where it stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from ganglion.errors import DataError

FIELD = re.compile(r"(?P<name>[A-Za-z]):\s*(?P<words>.*)")
LENGTH = r"\d{0,6}/{0,6}\d{0,6}"
PITCH = r"(?:\^\^|\^|__|_|=)?[A-Ga-g][,']*"
SIGN = re.compile(
    rf"""
    (?P<blank>[ \t`]+|y\d{{0,3}})
  | (?P<bar>(?:\[?:*\|[|\]]*:*|::)(?:\[?[1-9][0-9,.\-]*)?)
  | (?P<ending>\[[1-9][0-9,.\-]*)
  | (?P<field>\[[A-Za-z]:[^\]]*\])
  | (?P<chord>\[(?:[ ]*{PITCH}{LENGTH}-?)+[ ]*\]{LENGTH})
  | (?P<note>{PITCH}{LENGTH})
  | (?P<rest>[zx]{LENGTH})
  | (?P<rests>Z\d{0, 4})
  | (?P<symbol>"[^"]*")
  | (?P<grace>\{{[^}}]*\}})
  | (?P<decoration>![^!\s]+!|\+[a-z]+\+|[.~HLMOPSTuv])
  | (?P<tuplet>\([2-9](?::\d?){{0,2}})
  | (?P<tie>-)
  | (?P<slur>[()])
  | (?P<broken>>+|<+)
    """,
    re.VERBOSE,
)
NOT_MEANT = {"blank", "grace", "decoration", "slur"}
"""Signs that change neither pitch nor length."""


@dataclass(frozen=True)
class Sign:
    """A sign of the body of a tune."""

    kind: str
    words: str
    line: int
    """From 1 on."""
    column: int


def signs(text: str, line: int) -> Iterator[Sign]:
    """Yield the signs of a line of music; raise `DataError` for what is none.

    >>> [sign.kind for sign in signs('"G"G2 (3ABc|', 1)]
    ['symbol', 'note', 'blank', 'tuplet', 'note', 'note', 'note', 'bar']
    """
    place = 0
    while place < len(text):
        found = SIGN.match(text, place)
        if found is None:
            raise fault("this is no ABC", line, place + 1, text[place : place + 12], "notes, lengths and bar lines")
        assert found.lastgroup is not None
        yield Sign(found.lastgroup, found.group(), line, place + 1)
        place = found.end()


def fault(message: str, line: int, column: int | None, found: str, expected: str = "") -> DataError:
    """Return the error for something at a place of a file."""
    where = f"line {line}" + (f", column {column}" if column else "")
    return DataError(message, where=where, found=repr(found), expected=expected)


def length_of(words: str) -> Fraction:
    """Return a length such as 2, 3/2, / or //, in units.

    >>> [str(length_of(words)) for words in ("", "2", "3/2", "/", "//", "/4")]
    ['1', '2', '3/2', '1/2', '1/4', '1/4']
    """
    times, slashes, parts = re.fullmatch(r"(\d*)(/*)(\d*)", words).groups()  # type: ignore[union-attr]
    below = int(parts) if parts else 2 ** len(slashes)
    return Fraction(int(times or 1), max(1, below))


def metre_of(words: str) -> Fraction | None:
    """Return the length of a bar that a field M: names, in whole notes; None for a free one.

    >>> metre_of("6/8"), metre_of("C|"), metre_of("none")
    (Fraction(3, 4), Fraction(1, 1), None)
    """
    known = {"C": Fraction(1), "C|": Fraction(1), "none": None, "": None}
    if words.strip() in known:
        return known[words.strip()]
    found = re.fullmatch(r"\(?(\d{1,2}(?:\+\d{1,2})*)\)?/(\d{1,2})", words.replace(" ", ""))
    beats = sum(map(int, found[1].split("+"))) if found else 0
    if found is None or not beats or not int(found[2]):
        raise DataError("this is no metre", expected="a metre such as 4/4 or 6/8", found=repr(words[:40]))
    return Fraction(beats, int(found[2]))


def unit_of(words: str) -> Fraction:
    """Return the length of a note without a number that a field L: names, in whole notes."""
    found = re.fullmatch(r"(\d{1,3})/(\d{1,3})", words.replace(" ", ""))
    if found is None or not int(found[1]) or not int(found[2]):
        raise DataError("this is no length", expected="a length such as 1/8", found=repr(words[:40]))
    return Fraction(int(found[1]), int(found[2]))
