"""The cells of a file, column by column and block by block, so that a large file does not fill the memory as text."""

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from ganglion.data.formats.tables.column import Column
from ganglion.data.formats.tables.cutting import PRINTED, cut
from ganglion.data.formats.tables.dialect import Dialect
from ganglion.errors import DataError

ROWS_PER_BLOCK = 1 << 15
FIRST_BLOCK, BLOCK = 1 << 16, 1 << 21
"""Bytes that are cut into cells together."""
LONGEST_LINE = 4 << 20
LONGEST_CELL = 1 << 17
MOST_COLUMNS = 10_000


def lines_of(file: TextIO, path: Path, before: int = 0) -> Iterator[str]:
    """Yield the lines of a file, none of which may fill the memory.

    Args:
        before: Lines that stand before these.
    """
    for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), ""), start=before + 1):
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
            if len(row) > MOST_COLUMNS:
                raise _monster(row, f"{self._path}, line {self.line}")
            if row and (row[0].strip() or any(map(str.strip, row))):
                yield row, self.line

    def blocks(self) -> Iterator[tuple[list[list[str]], np.ndarray]]:
        """Yield many rows at a time, and the lines that they end at `(rows,)`."""
        reader = self._reader
        while numbered := [(row, reader.line_num) for row in islice(reader, ROWS_PER_BLOCK)]:
            kept = [one for one in numbered if one[0] and (one[0][0].strip() or any(map(str.strip, one[0])))]
            lines = np.fromiter((line for _, line in kept), dtype=np.int32, count=len(kept))
            yield [row for row, _ in kept], lines + np.int32(self._skipped)

    @property
    def line(self) -> int:
        """The line that the last row ended at."""
        return int(self._reader.line_num) + self._skipped


class Columns:
    """The columns of a file, as its rows are read."""

    def __init__(self, names: Sequence[str], header: int, path: Path) -> None:
        self.columns = [Column() for _ in names]
        self._names, self._header, self._path = names, header, path
        self._lines: list[np.ndarray] = []

    @property
    def lines(self) -> np.ndarray:
        """The line that each row ends at `(rows,)`."""
        return np.concatenate([np.empty(0, dtype=np.int32), *self._lines])

    def read(self, rows: Rows) -> None:
        """Read rows that the dialect cuts. Raises `DataError` for one that has not as many cells as there are names."""
        width = len(self._names)
        for block, lines in rows.blocks():
            skipped, self._header = min(self._header, len(block)), max(0, self._header - len(block))
            block, lines = block[skipped:], lines[skipped:]
            if not block:
                continue
            if set(map(len, block)) != {width}:
                block = [row if len(row) == width else _without_ends(row, width) for row in block]
                for row, line in zip(block, lines.tolist(), strict=True):
                    if len(row) != width:
                        raise _ragged(row, line, self._names, self._path)
            for column, cells in zip(self.columns, zip(*block, strict=True), strict=True):
                column.add(cells)
            self._lines.append(lines)

    def read_plain(self, encoding: str, dialect: Dialect, skipped: int) -> bool:
        """Read a file without quotation marks block by block; return whether that was possible.

        Lines of plain letters are cut at once. All others are cut as the dialect has it.
        """
        line = 0
        with self._path.open("rb") as file:
            while block := file.read(BLOCK if line else FIRST_BLOCK):
                block += file.readline(LONGEST_LINE)
                if not block.endswith(b"\n") and file.read(1):
                    return False  # a line that is too long, or lines that end in another way
                cells = cut(block, dialect.delimiter, len(self._names)) if line else None
                if cells is None:
                    lines = io.StringIO(
                        block.decode(encoding if not line else encoding.removesuffix("-sig")), newline=""
                    )
                    rows = Rows(
                        islice(lines_of(lines, self._path, line), 0 if line else skipped, None),
                        dialect,
                        self._path,
                        line or skipped,
                    )
                    self.read(rows)
                    line = rows.line
                else:
                    count = len(cells[0])
                    self._lines.append(np.arange(line + 1, line + 1 + count, dtype=np.int32))
                    for column, part in zip(self.columns, cells, strict=True):
                        column.add(part)
                    line += count
        return True


def is_plain(encoding: str, dialect: Dialect) -> bool:
    """Whether lines of plain letters may be cut at the bytes of an encoding: ASCII is a part of it, and never else.

    >>> is_plain("cp1252", Dialect(",")), is_plain("utf-16", Dialect(",")), is_plain("utf-8", Dialect(" "))
    (True, False, False)
    >>> is_plain("iso2022_jp", Dialect(","))  # whose bytes mean other letters behind a sign that switches
    False
    """
    printed = PRINTED + b"\r\n\t"
    return (
        dialect.delimiter.isascii()
        and dialect.delimiter != " "
        and not dialect.escaped
        and not encoding.startswith("iso2022")
        and (printed.decode(encoding, "replace") == printed.decode())
    )


def width_of(rows: Sequence[list[str]]) -> int:
    """Return how many cells most rows have, one less where all lines end in a delimiter."""
    width = Counter(map(len, rows)).most_common(1)[0][0]
    ends = [row for row in rows if len(row) == width]
    return width - 1 if width > 1 and all(not row[-1].strip() for row in ends) else width


def _without_ends(row: list[str], width: int) -> list[str]:
    """Return a row without the blank cell behind a delimiter at the end of the line."""
    return row[:-1] if len(row) == width + 1 and not row[-1].strip() else row


def _monster(row: list[str], where: str) -> DataError:
    return DataError(
        "this table has too many columns",
        where=where,
        expected=f"at most {MOST_COLUMNS:,}",
        found=f"{len(row):,}",
        remedy="save numbers as a plain array with numpy.save",
    )


def _ragged(row: list[str], line: int, names: Sequence[str], path: Path) -> DataError:
    width = len(names)
    if len(row) > MOST_COLUMNS:
        return _monster(row, f"{path}, line {line}")
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
