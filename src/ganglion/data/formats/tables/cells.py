"""The cells of a file, column by column and block by block, so that a large file does not fill the memory as text."""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from ganglion.data.formats.tables.dialect import Dialect
from ganglion.errors import DataError

ROWS_PER_BLOCK = 1 << 15
LONGEST_LINE = 4 << 20
LONGEST_CELL = 1 << 17
LONGEST_PACKED = 24
"""Characters of the longest cell of a block that is kept as an array of bytes."""
MOST_COLUMNS = 10_000
MOST_KNOWN = 200_000
"""Different cells of a column that are remembered, so that each is kept once."""
VARIETY = 10_000
"""Cells by which it is judged whether a column has few different ones."""
MANY = 1_000
PLAIN = np.zeros(256, dtype=bool)
"""Bytes that plain numbers are made of."""
PLAIN[[0, *b"0123456789.-"]] = True
LARGEST_EXACT = 2.0**53
"""Up to here a number tells every whole one from the next."""
GROUPED = re.compile(rb"-?[1-9]\d{0,2}\.\d{3}")
"""A number whose point may group its digits as well as part them from a fraction."""


class Column:
    """The cells of one column."""

    def __init__(self) -> None:
        self._blocks: list[np.ndarray | list[str]] = []
        self._known: dict[str, str] = {}

    def add(self, cells: Sequence[str]) -> None:
        """Add some rows, as bytes where they are short and ASCII, otherwise with equal cells kept once."""
        if max(map(len, cells)) <= LONGEST_PACKED and all(map(str.isascii, cells)):
            self._blocks.append(np.array(cells, dtype=np.bytes_))
        else:
            self._blocks.append([self._known.setdefault(cell, cell) for cell in cells])

    def texts(self) -> list[str]:
        """Return all cells without spaces around them; of those that recur only one is kept."""
        known: dict[str | bytes, str] = {}
        texts: list[str] = []
        for block in self._blocks:
            if len(known) > MOST_KNOWN:
                known = {}
            for cell in block if isinstance(block, list) else block.tolist():
                if cell not in known:
                    known[cell] = (cell if isinstance(cell, str) else cell.decode()).strip()
                texts.append(known[cell])
        return texts

    def plain(self, missing: Collection[str] = (), points: bool = True) -> np.ndarray | None:
        """Return numbers `(rows,)` if all cells are digits with points and minus signs that nothing else could mean.

        Zeros in front, points that may group digits, more digits than a number holds, words for missing
        values, or few different cells of which some may be codes, are left to a closer look.

        Args:
            missing: Words that stand for a missing value.
            points: Whether points may part numbers from their fractions.
        """
        blocks = [block for block in self._blocks if not isinstance(block, list)]
        if not blocks or len(blocks) < len(self._blocks) or len(set(blocks[0][:VARIETY].tolist())) < MANY:
            return None
        numbers = [word.encode() for word in missing if word.isascii() and any(map(str.isdigit, word))]
        if numbers and any(np.isin(block, numbers).any() for block in blocks):
            return None
        if any(b"." in block.tobytes() for block in blocks) and not (points and _have_fractions(blocks)):
            return None
        found = []
        for block in blocks:
            values = _plain(block)
            if values is None:
                return None
            found.append(values)
        return np.concatenate(found)


def _have_fractions(blocks: Sequence[np.ndarray]) -> bool:
    """Whether a point in some cell can part a number from nothing but its fraction."""
    return any(b"." in cell and not GROUPED.fullmatch(cell) for block in blocks for cell in block.tolist())


def _plain(block: np.ndarray) -> np.ndarray | None:
    cells = block.view(np.uint8).reshape(len(block), -1)
    if not PLAIN[cells].all():
        return None
    padded = np.pad(cells, ((0, 0), (0, 3)))
    minus = padded[:, 0] == ord("-")
    first, second = (np.where(minus, padded[:, place + 1], padded[:, place]) for place in (0, 1))
    if ((first == ord("0")) & (second >= ord("0")) & (second <= ord("9"))).any():
        return None
    try:
        values: np.ndarray = block.astype(np.float64)
    except ValueError:
        return None
    return None if (np.abs(values) > LARGEST_EXACT).any() else values


def lines_of(file: TextIO, path: Path) -> Iterator[str]:
    """Yield the lines of a file, none of which may fill the memory."""
    number = 0
    while line := file.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE:
            raise DataError(
                "this table has a line that is too long",
                where=f"{path}, line {number}",
                expected=f"at most {LONGEST_LINE:,} characters",
                remedy="look whether its lines end as they should; save many columns of numbers with numpy.save",
            )
        yield line


class Rows:
    """Rows of cells that are not blank, one after the other, with the line that each ends at.

    Raises `DataError` for rows, cells and numbers of columns without measure, and `csv.Error` for quotation marks that
    stand where the dialect has none.
    """

    def __init__(self, lines: Iterator[str], dialect: Dialect, path: Path, skipped: int = 0) -> None:
        self._reader, self._path, self._skipped = dialect.cells(lines), path, skipped

    def __iter__(self) -> Iterator[tuple[list[str], int]]:
        for row in self._reader:
            if len(row) > MOST_COLUMNS or sum(map(len, row)) > LONGEST_CELL:
                _refuse_monsters(row, f"{self._path}, line {self.line}")
            if row and (row[0].strip() or any(cell.strip() for cell in row)):
                yield row, self.line

    @property
    def line(self) -> int:
        """The line that the last row ended at."""
        return int(self._reader.line_num) + self._skipped


def columns_of(
    rows: Iterator[tuple[list[str], int]], names: Sequence[str], path: Path
) -> tuple[list[Column], np.ndarray]:
    """Return the columns of all rows, and the line each row ends at `(rows,)`.

    Raises `DataError` for a row that has not as many cells as there are names.
    """
    width = len(names)
    columns = [Column() for _ in names]
    numbers: list[int] = []
    block: list[list[str]] = []
    for row, line in rows:
        if len(row) != width:
            row = _without_ends(row, width)
        if len(row) != width:
            raise _ragged(row, line, names, path)
        block.append(row)
        numbers.append(line)
        if len(block) == ROWS_PER_BLOCK:
            _add(columns, block)
            block = []
    if block:
        _add(columns, block)
    return columns, np.array(numbers, dtype=np.int64)


def _add(columns: list[Column], block: list[list[str]]) -> None:
    for column, cells in zip(columns, zip(*block, strict=True), strict=True):
        column.add(cells)


def width_of(rows: Sequence[list[str]]) -> int:
    """Return how many cells most rows have, one less where all lines end in a delimiter."""
    width = Counter(map(len, rows)).most_common(1)[0][0]
    ends = [row for row in rows if len(row) == width]
    return width - 1 if width > 1 and all(not row[-1].strip() for row in ends) else width


def _without_ends(row: list[str], width: int) -> list[str]:
    """Return a row without the blank cell behind a delimiter at the end of the line."""
    return row[:-1] if len(row) == width + 1 and not row[-1].strip() else row


def _refuse_monsters(row: list[str], where: str) -> None:
    if len(row) > MOST_COLUMNS:
        raise DataError(
            "this table has too many columns",
            where=where,
            expected=f"at most {MOST_COLUMNS:,}",
            found=f"{len(row):,}",
            remedy="save numbers as a plain array with numpy.save",
        )
    if sum(map(len, row)) > LONGEST_CELL and (longest := max(map(len, row))) > LONGEST_CELL:
        raise DataError(
            "this table has a cell that is too long",
            where=f"{where}, column {max(range(len(row)), key=lambda place: len(row[place])) + 1}",
            expected=f"at most {LONGEST_CELL:,} characters",
            found=f"{longest:,}",
            remedy="look for a quotation mark that is not closed",
        )


def _ragged(row: list[str], line: int, names: Sequence[str], path: Path) -> DataError:
    width = len(names)
    column = min(len(row), width) + 1
    name = f" ({names[column - 1]!r:.60})" if column <= width and names[column - 1] else ""
    return DataError(
        "a row of this table has another number of cells than the others",
        where=f"{path}, line {line}, column {column}{name}",
        expected=f"{width} cells",
        found=f"{len(row)} cells, " + ("this one missing" if len(row) < width else f"here {row[width]!r:.60}"),
        remedy="quote cells that contain the delimiter, or mend the row",
    )


def unreadable_row(error: csv.Error, line: int, path: Path) -> DataError:
    """Return the error for a quotation mark out of place, or for a cell without end."""
    long = "limit" in str(error)
    return DataError(
        "this table has a cell that is too long" if long else "the quotation marks of this table do not fit",
        where=f"{path}, line {line}",
        expected=f"at most {LONGEST_CELL:,} characters" if long else "a mark at each end of a cell, doubled within it",
        found=str(error),
        remedy="look for a quotation mark that is not closed; --quoting no takes all marks as they stand",
    )
