"""Tables of text, with whatever separates their cells: the evidence of the whole file decides how they are read."""

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path

import numpy as np

from ganglion.data.formats.tables.cells import (
    BLOCK,
    LONGEST_CELL,
    Columns,
    Rows,
    is_plain,
    lines_of,
    unreadable_row,
    width_of,
)
from ganglion.data.formats.tables.column import Column
from ganglion.data.formats.tables.columns import ColumnType, Place, Read, plain_numbers, read_column
from ganglion.data.formats.tables.dialect import (
    DELIMITERS,
    Dialect,
    find_dialect,
    lines_before,
    named_delimiter,
    title_lines,
)
from ganglion.data.formats.tables.evidence import Evidence
from ganglion.data.formats.tables.header import header_rows, joined, unique
from ganglion.data.formats.tables.table import Table, few
from ganglion.data.formats.tables.words import words_for_missing
from ganglion.data.formats.texts.encodings import find_encoding
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.files import unreadable

MOST_BYTES = 2 << 30
"""Largest file of text that is read as a table."""
FIRST_LINES = 1000
"""Lines by which the dialect and the header are found; all others must fit to them."""
JSON_START = re.compile(r'[\[{]\s*[\[{"]')
MARKUP = ("<!doctype", "<html", "<?xml", "<table")
csv.field_size_limit(LONGEST_CELL)


def read_csv(path: Path, settings: DataSettings, types: Mapping[str, ColumnType], as_text: bool = False) -> Table:
    """Read a table of text.

    Args:
        types: What columns must be, by name; the evidence decides on all others.
        as_text: All columns are wanted as they stand.
    """
    found = find_encoding(path, MOST_BYTES, settings.encoding)
    encoding = found.name
    try:
        with path.open(encoding=encoding, newline="") as file:
            first = list(islice(lines_of(file, path), FIRST_LINES))
        _refuse_markup(first, path)
        skipped, dialect, commented = _dialect(first, path, settings)
        marked = _has_marks(path, encoding, skipped)
        whole = _fitting(path, encoding, skipped, dialect, settings) if marked else dialect
        names, header, notes = _names(first[skipped:], whole, commented, path, settings)
        columns, lines = _columns(path, encoding, skipped, whole, header, names, marked and whole.quoted)
    except OSError as error:
        raise unreadable(path, error) from error
    kind = f"{DELIMITERS.get(whole.delimiter, repr(whole.delimiter))}-separated {found.said} text"
    if not whole.quoted or settings.quoting == "no":
        notes.append("quotation marks are taken as they stand")
    notes += filter(None, [found.reason])
    if as_text:
        types = dict.fromkeys(names, "text")
    read = _typed(columns, names, Place("", str(path), lines, whole.delimiter, frozenset(), settings), types)
    return Table(
        names=tuple(names),
        columns=tuple(one.values for one in read),
        named=bool(header) or bool(commented),
        source=str(path),
        notes=(f"{kind} {notes[0]}", *notes[1:], *chain.from_iterable(one.notes for one in read)),
        doubts={name: one.doubt for name, one in zip(names, read, strict=True) if one.doubt is not None},
        words={name: one.words for name, one in zip(names, read, strict=True) if one.words},
        measures=frozenset(name for name, one in zip(names, read, strict=True) if one.measures),
        lines=lines,
    )


def _refuse_markup(first: Sequence[str], path: Path) -> None:
    """Raise where the lines are a web page, XML or JSON, which cutting would make a table of nonsense."""
    start = next((line.strip().lstrip("\ufeff").lower() for line in first if line.strip()), "")
    is_json = JSON_START.match(start) or (start in ("[", "{") and len(first) > 1)
    if is_json or start.startswith(MARKUP):
        raise DataError(
            "this is JSON, and no table of cells" if is_json else "this is a web page or XML, and no table of cells",
            where=str(path),
            expected="lines of cells with a sign between them",
            found=f"{start:.60}",
            remedy="save its records as CSV, as pandas.DataFrame(records).to_csv does"
            if is_json
            else "look at it with an editor: a download that failed leaves such a page",
        )


def _dialect(first: Sequence[str], path: Path, settings: DataSettings) -> tuple[int, Dialect, str]:
    """Return how many lines stand before the table, its dialect, and a header that stands in a comment."""
    skipped, named, comment = lines_before(first)
    if not any(line.strip() for line in first[skipped:]):
        skipped, named, comment = 0, "", ""
    asked = named_delimiter(settings.delimiter) if settings.delimiter else named or None
    dialect = find_dialect(first[skipped:], path, asked)
    skipped += title_lines(first[skipped:], dialect)
    return skipped, find_dialect(first[skipped:], path, asked), comment


def _has_marks(path: Path, encoding: str, skipped: int) -> bool:
    """Whether a quotation mark stands in a table."""
    with path.open(encoding=encoding, newline="") as file:
        for _ in islice(lines_of(file, path), skipped):
            pass
        return any('"' in part for part in iter(partial(file.read, BLOCK), ""))


def _fitting(path: Path, encoding: str, skipped: int, dialect: Dialect, settings: DataSettings) -> Dialect:
    """Return the dialect with the use of quotation marks that fits to all lines of a file in which there are some.

    Quoted cells may hold line ends, so a mark that opens by chance swallows lines without a trace. Marks are therefore
    believed only where each of them fits; where they do not, they are taken as they stand if all lines are then of
    equally many cells.

    Raises:
        DataError: Neither fits, or both do and read different rows.
    """
    plain = Dialect(dialect.delimiter, quoted=False)
    if settings.quoting == "no":
        return plain
    quoted, trouble = _shape(path, encoding, skipped, dialect)
    if trouble is None and quoted.rows == quoted.lines:
        return dialect
    bare, _ = _shape(path, encoding, skipped, plain, even=True)
    if settings.quoting == "yes" or (trouble is None and not bare.even):
        if isinstance(trouble, DataError):
            raise trouble
        return dialect
    if not isinstance(trouble, DataError):
        raise DataError(
            "this table can be read with and without quoted cells",
            where=str(path),
            expected="quotation marks around cells, or none that begin a cell",
            found=f"{quoted.rows} rows with quoted cells, {bare.rows} rows if the marks are taken as they stand",
            remedy="say which with --quoting yes or --quoting no",
        )
    escaped = Dialect(dialect.delimiter, escaped=True)
    if _shape(path, encoding, skipped, escaped)[1] is None and not bare.even:
        return escaped
    if bare.even and bare.whole <= bare.open:
        return plain
    raise trouble


class _Shape:
    """What a reading of a file makes of it: lines, rows, whether these are of equally many cells, and their marks."""

    def __init__(self) -> None:
        self.lines = self.rows = self.open = self.whole = 0
        self.widths: set[int] = set()

    @property
    def even(self) -> bool:
        return len(self.widths) == 1

    def add(self, rows: Sequence[Sequence[str]]) -> None:
        self.rows += len(rows)
        self.widths |= set(map(len, rows))
        for cell in chain.from_iterable(rows):
            if cell[:1] == '"':
                closed = len(cell) > 1 and cell.rstrip().endswith('"')
                self.whole, self.open = self.whole + closed, self.open + (not closed)


def _shape(
    path: Path, encoding: str, skipped: int, dialect: Dialect, even: bool = False
) -> tuple[_Shape, DataError | None]:
    """Return the shape that a dialect gives a file, and why it does not fit if it does not.

    Args:
        even: Rows of another number of cells than those before end the reading.
    """
    shape = _Shape()

    def counted(lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            shape.lines += bool(line.strip())
            yield line

    with path.open(encoding=encoding, newline="") as file:
        rows = Rows(counted(_after(lines_of(file, path), skipped)), dialect, path, skipped)
        try:
            for block, _ in rows.blocks():
                shape.add(block)
                if even and not shape.even:
                    break
        except csv.Error as error:
            return shape, unreadable_row(error, rows.line, path)
    return shape, None


def _after(lines: Iterator[str], skipped: int) -> Iterator[str]:
    return islice(lines, skipped, None)


def _names(
    first: Sequence[str], dialect: Dialect, commented: str, path: Path, settings: DataSettings
) -> tuple[list[str], int, list[str]]:
    """Return the names of the columns, how many rows of header they stood in, and what to say of it."""
    rows = _first_rows(first, dialect, path)
    if not rows:
        raise DataError(
            "this file is empty", where=str(path), expected="rows of cells", found="none", remedy="give another file"
        )
    width = width_of(rows)
    if len(rows) > 1 and len(rows[0]) == width - 1 and all(len(row) == width for row in rows[1:]):
        _refuse_single_marks(rows, path)
        rows[0] = ["", *rows[0]]  # as R writes a table with names of rows
        return unique(rows[0]), 1, ["with a header that lacks the name of the first column"]
    even = [row[:width] for row in rows if len(row) in (width, width + 1)]
    if settings.header == "auto":
        words = next(iter(_first_rows([commented.lstrip("#%/ ")], dialect, path)), []) if commented else []
        if len(words) == width > 1 and not header_rows(even, str(path)):
            return unique([word.strip() for word in words]), 0, ["with a header in a comment"]
        count = header_rows(even, str(path))
    else:
        count = 0 if settings.header == "none" else settings.header
    head = joined(even[:count]) if count else [""] * width
    names = unique(head)
    notes = ["without a header"] if not count else ["with a header" if count == 1 else f"with {count} rows of header"]
    renamed = [name for name, found in zip(names, head, strict=True) if name != found]
    if count and renamed:
        notes.append(f"columns without a name, or with that of another one, are called {few(renamed)}")
    return names, count, notes


def _refuse_single_marks(rows: Sequence[Sequence[str]], path: Path) -> None:
    """Raise where what seems to be one cell more than there are names is one that single marks hold together."""
    opened = [cell for row in rows[1:] for cell in row if cell.startswith("'") and not cell.endswith("'")]
    if len(opened) >= len(rows) - 1:
        raise DataError(
            "the cells of this table stand between single quotation marks",
            where=str(path),
            expected='cells in marks of two strokes, "like this", or none that hold the delimiter',
            found=f"{opened[0]!r:.60} as a cell",
            remedy="write double quotation marks, or another delimiter",
        )


def _first_rows(lines: Sequence[str], dialect: Dialect, path: Path) -> list[list[str]]:
    """Return the rows of the first lines, without one that goes on behind them."""
    rows: list[list[str]] = []
    try:
        for row, _ in Rows(iter(lines), dialect, path):
            rows.append(row)
    except csv.Error as error:
        if "unexpected end" not in str(error) or len(lines) < FIRST_LINES:
            raise unreadable_row(error, len(rows) + 1, path) from error
    return rows


def _columns(
    path: Path, encoding: str, skipped: int, dialect: Dialect, header: int, names: Sequence[str], marked: bool
) -> tuple[list[Column], np.ndarray]:
    """Return the cells of all columns, and the line that each row ends at `(rows,)`.

    Args:
        marked: Whether quotation marks hold cells together.
    """
    columns = Columns(names, header, path)
    rows = None
    try:
        if not marked and is_plain(encoding, dialect) and columns.read_plain(encoding, dialect, skipped):
            return columns.columns, columns.lines
        columns = Columns(names, header, path)
        with path.open(encoding=encoding, newline="") as file:
            rows = Rows(_after(lines_of(file, path), skipped), dialect, path, skipped)
            columns.read(rows)
    except csv.Error as error:
        raise unreadable_row(error, rows.line if rows else 0, path) from error
    return columns.columns, columns.lines


def _typed(columns: list[Column], names: Sequence[str], place: Place, types: Mapping[str, ColumnType]) -> list[Read]:
    """Return all columns as numbers or texts, the decimal sign of each by the evidence of all."""
    settings = place.settings
    words = words_for_missing(settings)
    wanted: dict[str, ColumnType] = {
        **types,
        **dict.fromkeys(settings.text, "text"),
        **dict.fromkeys(settings.numbers, "number"),
    }
    decimals = "".join(sign for sign in ".," if settings.decimal in ("auto", sign) and settings.thousands != sign)
    found: list[Read | tuple[np.ndarray, Evidence]] = []
    for name in names:
        column = columns.pop(0)  # what was read of a column is not needed as text any more
        plain = column.plain(words, decimals) if wanted.get(name) != "text" else None
        if plain is not None:
            found.append(plain_numbers(plain, replace(place, name=name)))
        else:
            cells = column.texts()
            found.append((cells, Evidence.of(cells, words)))
    proven = {one[1].proven for one in found if not isinstance(one, Read)} - {""}
    proven |= {one.proven for one in found if isinstance(one, Read)} - {""}
    read = []
    for name, one in zip(names, found, strict=True):
        if isinstance(one, Read):
            read.append(one)
        else:
            here = replace(place, name=name, proven=frozenset(proven), wanted=wanted.get(name))
            read.append(read_column(*one, here))
    return read
