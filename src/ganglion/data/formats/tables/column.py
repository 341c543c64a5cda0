"""The cells of one column, as they stand in a file: as texts, or as numbers where nothing else could be meant."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from ganglion.data.formats.tables.cutting import Block, packed

MOST_KNOWN = 200_000
"""Different cells of a column that are remembered, so that each is kept once."""
VARIETY = 10_000
"""Cells by which it is judged whether a column has few different ones."""
MANY = 1_000
SIGN, DIGIT = 1, 3
"""What a byte can be in a plain number; one bit is common to both."""
KINDS = np.zeros(256, dtype=np.uint8)
KINDS[[0, *b".-"]] = SIGN
KINDS[list(b"0123456789")] = DIGIT
LARGEST_EXACT = 2.0**53
"""Up to here a number tells every whole one from the next."""
GROUPED = re.compile(rb"-?[1-9]\d{0,2}[.,]\d{3}")
"""A number whose point or comma may group its digits as well as part them from a fraction."""
SCIENTIFIC = re.compile(rb"-?(?:0|[1-9]\d*)(?:\.\d+)?[eE][-+]?\d{1,3}")


@dataclass(frozen=True)
class Plain:
    """Numbers that nothing else could mean."""

    values: np.ndarray
    """`(rows,)` float64, NaN where a value is missing."""
    missing: Counter[str]
    """How often each text occurs that stands for a missing value, the blank one among them."""
    first: dict[str, int]
    """The first row of each of these texts."""
    decimal: str = "."
    """What parts the numbers from their fractions."""


class Column:
    """The cells of one column."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._known: dict[str, str] = {}

    def add(self, cells: Sequence[str] | Block) -> None:
        """Add some rows, as bytes where they are short and ASCII, otherwise with equal cells kept once."""
        block = cells if isinstance(cells, np.ndarray) else packed(cells)
        if isinstance(block, list):
            if len(self._known) > MOST_KNOWN:
                self._known = {}
            block = [self._known.setdefault(cell, cell) for cell in block]
        self._blocks.append(block)

    def texts(self) -> np.ndarray:
        """Return all cells `(rows,)` as objects without spaces around them; of those that recur only one is kept."""
        texts = np.empty(sum(map(len, self._blocks)), dtype=object)
        known: dict[str | bytes, str] = {}
        start = 0
        for block in self._blocks:
            if len(known) > MOST_KNOWN:
                known = {}
            cells = block if isinstance(block, list) else block.tolist()
            for cell in set(cells).difference(known):
                known[cell] = (cell if isinstance(cell, str) else cell.decode()).strip()
            texts[start : start + len(cells)] = [known[cell] for cell in cells]
            start += len(cells)
        return texts

    def plain(self, missing: Collection[str] = (), decimals: str = ".,") -> Plain | None:
        """Return numbers if all cells are digits with decimal and minus signs, or words for missing values.

        Zeros in front, signs that may group digits, more digits than a number holds, or few different cells of which
        some may be codes, are left to a closer look.

        Args:
            missing: Words that stand for a missing value, in small letters.
            decimals: Signs that may part numbers from their fractions.
        """
        blocks = [block for block in self._blocks if not isinstance(block, list)]
        if not blocks or len(blocks) < len(self._blocks) or not _vary(blocks):
            return None
        numbers = [word.encode() for word in missing if word.isascii() and any(map(str.isdigit, word))]
        if numbers and any(np.isin(block, numbers).any() for block in blocks):
            return None
        signs = [sign for sign in ".," if any((block.view(np.uint8) == ord(sign)).any() for block in blocks)]
        if len(signs) > 1 or not all(sign in decimals and _have_fractions(blocks, sign.encode()) for sign in signs):
            return None
        found = Plain(np.empty(sum(map(len, blocks))), Counter(), {}, *signs)
        start = 0
        for block in blocks:
            if not _read(block, start, found, missing, bool(signs)):
                return None
            start += len(block)
        return found


def _vary(blocks: Sequence[np.ndarray]) -> bool:
    """Whether many different cells stand among the first ones."""
    first = islice(chain.from_iterable(block[:VARIETY].tolist() for block in blocks), VARIETY)
    return len(set(first)) >= MANY


def _have_fractions(blocks: Sequence[np.ndarray], sign: bytes) -> bool:
    """Whether a point or comma in some cell can part a number from nothing but its fraction."""
    return any(sign in cell and not GROUPED.fullmatch(cell) for block in blocks for cell in block.tolist())


def _read(block: np.ndarray, start: int, found: Plain, missing: Collection[str], scientific: bool) -> bool:
    """Read the cells of a block `(rows,)` into the rows from `start` on; return whether all were plain.

    Args:
        scientific: Whether numbers may have exponents: they may be codes where no other number has a fraction.
    """
    if found.decimal == ",":
        letters = block.view(np.uint8)
        block = np.where(letters == ord(","), np.uint8(ord(".")), letters).view(block.dtype)
    letters = np.ascontiguousarray(block.view(np.uint8).reshape(len(block), -1).T)  # (letters, rows)
    kinds = KINDS[letters]
    plain = (np.bitwise_and.reduce(kinds, axis=0) & SIGN).astype(bool)
    plain &= np.bitwise_or.reduce(kinds, axis=0) == DIGIT
    others = np.flatnonzero(~plain)
    words = {}
    for place, cell in zip(others.tolist(), block[others].tolist(), strict=True):
        if (word := cell.decode()).lower() in missing:
            found.missing[word] += 1
            found.first.setdefault(word, start + place)
            words[place] = np.nan
        elif scientific and SCIENTIFIC.fullmatch(cell):
            words[place] = float(cell)
        else:
            return False
    if _padded(letters[:, plain]):
        return False
    try:
        values = block[plain].astype(np.float64)
    except ValueError:
        return False
    here = found.values[start : start + len(block)]
    here[plain], here[others] = values, list(words.values())
    return not (np.abs(values) > LARGEST_EXACT).any()


def _padded(letters: np.ndarray) -> bool:
    """Whether zeros stand before some numbers, whose letters are `(letters, numbers)`."""
    three = np.zeros((3, letters.shape[1]), dtype=np.uint8)
    three[: len(letters)] = letters[:3]
    minus = three[0] == ord("-")
    first, second = (np.where(minus, three[place + 1], three[place]) for place in (0, 1))
    return bool(((first == ord("0")) & (second >= ord("0")) & (second <= ord("9"))).any())
