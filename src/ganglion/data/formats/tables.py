"""Tables in files, column by column: delimiter, encoding, header and missing values are found out and announced."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ganglion.data.formats.encodings import find_encoding
from ganglion.errors import DataError, MissingExtraError
from ganglion.files import refuse_bomb, regular, unreadable
from ganglion.settings import unknown_name

MISSING = frozenset({"", "?", "-", "na", "n/a", "nan", "null", "none", "missing"})
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
SAMPLE_ROWS = 50
MOSTLY = 0.9
"""Share of cells that must be numbers for a column to be numeric; the others count as missing then."""
LONGEST_LINE = 4 << 20
LONGEST_CELL = 1 << 17
MOST_COLUMNS = 10_000
BLOCK = 1 << 20
LARGEST = float(np.finfo(np.float32).max)
EXAMPLES = 3
"""Cells that a note or an error quotes."""
GROUPED = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?")
SUFFIXES = (".csv", ".tsv", ".tab", ".data", ".parquet")


@dataclass(frozen=True)
class Table:
    """Columns of equal length: numbers as float64 with NaN for missing ones, texts as objects with None."""

    names: tuple[str, ...]
    columns: tuple[np.ndarray, ...]
    named: bool
    """The names stood in the file; otherwise they are `column 1`, `column 2`, ..."""
    source: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.names:
            raise unknown_name("column", name, list(self.names), where=self.source)
        return self.columns[self.names.index(name)]

    def without(self, names: Sequence[str]) -> "Table":
        """Return the table without some columns."""
        kept = [number for number, name in enumerate(self.names) if name not in names]
        return self._with(kept)

    def only(self, names: Sequence[str]) -> "Table":
        """Return the named columns in the given order."""
        for name in names:
            self[name]
        return self._with([self.names.index(name) for name in names])

    def rows(self) -> np.ndarray:
        """Return `(rows, columns)`: float32, or objects where some columns are text."""
        if all(is_numeric(column) for column in self.columns):
            return np.stack(self.columns, axis=1).astype(np.float32)
        rows = np.empty((len(self), len(self.columns)), dtype=object)
        for number, column in enumerate(self.columns):
            rows[:, number] = column
        return rows

    def _with(self, kept: list[int]) -> "Table":
        names, columns = tuple(self.names[k] for k in kept), tuple(self.columns[k] for k in kept)
        return Table(names, columns, self.named, self.source, self.notes)


def is_numeric(column: np.ndarray) -> bool:
    return column.dtype != object


def read_table(path: Path) -> Table:
    """Read a CSV file of any common dialect, or a Parquet file."""
    table = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    if not table.columns or not len(table):
        found = f"a header of {', '.join(table.names[:10])}" if table.names else "nothing"
        raise DataError("this table has no rows", where=str(path), expected="rows below the header", found=found)
    return table


def _read_csv(path: Path) -> Table:
    encoding = find_encoding(path)
    try:
        with path.open(encoding=encoding.name, newline="") as file:
            delimiter = _delimiter(file.read(BLOCK))
            file.seek(0)
            rows, lines = _cells(_lines(file, path), delimiter, path)
    except OSError as error:
        raise unreadable(path, error) from error
    if not rows:
        raise DataError("this file is empty", where=str(path), expected="rows of cells")
    _refuse_ragged(rows, lines, path)
    columns = [list(column) for column in zip(*rows, strict=True)]
    named = _has_header(columns)
    head = [column.pop(0).strip() for column in columns] if named else [""] * len(columns)
    names = _unique(head)
    said = f"{DELIMITERS[delimiter]}-separated {encoding.said} text"
    notes = [f"{said} {'with a header' if named else 'without a header'}", *filter(None, [encoding.reason])]
    renamed = [name for name, found in zip(names, head, strict=True) if name != found]
    if named and renamed:
        notes.append(f"columns without a name, or with that of another one, are called {_few(renamed)}")
    typed = []
    for name, column in zip(names, columns, strict=True):
        values, note = _typed(column, decimal_comma=delimiter != ",", lines=lines[named:])
        typed.append(values)
        if note:
            notes.append(f"column {name!r}: {note}")
    return Table(tuple(names), tuple(typed), named, str(path), tuple(notes))


def _lines(file: TextIO, path: Path) -> Iterator[str]:
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


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts the first rows into the most columns, equally many in each if any does."""
    lines = [line.strip(" ") for line in text[:1_000_000].splitlines() if line.strip()][:SAMPLE_ROWS]
    best, rank = ",", (False, 1, 0)  # The comma also for a table of one column.
    for delimiter in DELIMITERS:
        try:
            counts = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if row)
        except csv.Error:
            continue
        width, rows = counts.most_common(1)[0] if counts else (1, 0)
        whole = rows == sum(counts.values())
        # Words between spaces are no columns unless every row agrees; of other delimiters a stray row may not.
        if delimiter == " " and (rank[1] > 1 or not whole):
            continue
        if width > 1 and rows >= MOSTLY * sum(counts.values()) and (whole, width, rows) > rank:
            best, rank = delimiter, (whole, width, rows)
    return best


def _cells(lines: Iterator[str], delimiter: str, path: Path) -> tuple[list[list[str]], list[int]]:
    """Return the cells of all rows that are not blank, and the line each row ends at."""
    if delimiter == " ":
        lines = (line.strip(" ") for line in lines)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    rows: list[list[str]] = []
    numbers: list[int] = []
    try:
        for row in reader:
            _refuse_monsters(row, f"{path}, line {reader.line_num}")
            if any(cell.strip() for cell in row):
                rows.append(row)
                numbers.append(reader.line_num)
    except csv.Error as error:
        raise DataError(
            "this table has a cell that is too long" if "limit" in str(error) else "this table cannot be read",
            where=f"{path}, line {reader.line_num}",
            found=str(error),
            remedy="look for a quotation mark that is not closed, or save the table again",
        ) from error
    if rows and len(rows[0]) > 1 and all(not row[-1].strip() and len(row) == len(rows[0]) for row in rows):
        rows = [row[:-1] for row in rows]  # Every line ended in a delimiter.
    return rows, numbers


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


def _refuse_ragged(rows: list[list[str]], lines: list[int], path: Path) -> None:
    width = Counter(map(len, rows)).most_common(1)[0][0]
    for row, line in zip(rows, lines, strict=True):
        if len(row) == width:
            continue
        column = min(len(row), width) + 1
        known = column <= len(rows[0]) and len(rows[0]) == width and _number(rows[0][column - 1]) is None
        name = f" ({rows[0][column - 1].strip()!r:.60})" if known else ""
        raise DataError(
            "a row of this table has another number of cells than the others",
            where=f"{path}, line {line}, column {column}{name}",
            expected=f"{width} cells",
            found=f"{len(row)} cells, " + ("this one missing" if len(row) < width else f"here {row[width]!r:.60}"),
            remedy="quote cells that contain the delimiter, or mend the row",
        )


def _has_header(columns: list[list[str]]) -> bool:
    """Judge whether the first row names the columns: all texts, where numbers follow or nothing recurs below."""
    first = [column[0].strip() for column in columns]
    if any(_number(cell) is not None for cell in first) or not any(first):
        return False
    if len(set(first)) == len(first) and any(
        any(_number(cell) is not None for cell in column[1:SAMPLE_ROWS]) for column in columns
    ):
        return True
    recurring = sum(cell in column[1:] for cell, column in zip(first, columns, strict=True))
    return recurring < len(columns) / 2


def _unique(names: list[str]) -> list[str]:
    """Return the names with a number behind those that are empty or occur again."""
    result: dict[str, None] = {}
    for number, name in enumerate(names, start=1):
        name = name or f"column {number}"
        result[f"{name} ({number})" if name in result else name] = None
    return list(result) if len(result) == len(names) else [f"column {number + 1}" for number in range(len(names))]


def _few(texts: Sequence[str]) -> str:
    """Return the first of some texts in quotes."""
    return ", ".join(f"{text!r:.60}" for text in texts[:EXAMPLES]) + (", ..." if len(texts) > EXAMPLES else "")


def _number(cell: str) -> float | None:
    """Return the number in a cell; `1_000` is none, although Python reads it."""
    if "_" in cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return float(cell.replace(",", "")) if GROUPED.fullmatch(cell.strip()) else None


def _typed(cells: list[str], decimal_comma: bool, lines: Sequence[int] = ()) -> tuple[np.ndarray, str]:
    """Return a column as numbers or texts, and what had to be assumed."""
    if not any("_" in cell for cell in cells):
        try:
            return _finite(np.array(cells, dtype=np.float64)), ""
        except ValueError:
            pass  # Something is missing or is no number: look at every cell.
    stripped = [cell.strip() for cell in cells]
    present = [cell for cell in stripped if cell.lower() not in MISSING]
    if not present:
        return np.full(len(cells), np.nan), ""
    if decimal_comma and any("," in cell for cell in present):
        swapped = [cell.replace(".", "").replace(",", ".") for cell in present]
        if all(_number(cell) is not None for cell in swapped):
            values = iter(swapped)
            stripped = ["" if cell.lower() in MISSING else next(values) for cell in stripped]
            return _finite(np.array([np.nan if not cell else float(cell) for cell in stripped])), "decimal commas"
    numbers = [None if cell.lower() in MISSING else _number(cell) for cell in stripped]
    strange = [place for place, cell in enumerate(stripped) if numbers[place] is None and cell.lower() not in MISSING]
    said = _places(strange, stripped, lines)
    if len(strange) <= (1 - MOSTLY) * len(present):
        note = f"{len(strange)} cells that are no numbers count as missing: {said}" if strange else ""
        return _finite(np.array([np.nan if number is None else number for number in numbers])), note
    texts = np.array([None if cell.lower() in MISSING else cell for cell in stripped], dtype=object)
    mixed = len(strange) < len(present) / 2
    return texts, f"{len(strange)} of {len(present)} cells are no numbers, so all are text: {said}" if mixed else ""


def _places(places: Sequence[int], cells: Sequence[str], lines: Sequence[int]) -> str:
    """Return the first of some cells, and the lines they stand in."""
    first = places[:EXAMPLES]
    named = (f"{cells[place]!r:.60}" + (f" in line {lines[place]}" if lines else "") for place in first)
    return ", ".join(named) + (", ..." if len(places) > EXAMPLES else "")


def _finite(values: np.ndarray) -> np.ndarray:
    """Return numbers with NaN for those that single precision cannot hold."""
    values[~(np.abs(values) <= LARGEST)] = np.nan
    return values


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            "reading Parquet needs pyarrow", where=str(path), remedy="pip install 'ganglion[tables]'"
        ) from error
    packed = regular(path).stat().st_size
    try:
        file = parquet.ParquetFile(path)
        groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
        refuse_bomb(path, packed, sum(group.total_byte_size for group in groups))
        if file.metadata.num_columns > MOST_COLUMNS:
            raise DataError("this table has too many columns", where=str(path), expected=f"at most {MOST_COLUMNS}")
        content = file.read()
        columns = tuple(_from_arrow(column, pyarrow.types) for column in content.columns)
    except DataError:
        raise
    except Exception as error:  # Arrow raises anything for files that are cut off, damaged or made to harm.
        raise DataError(
            "this Parquet file cannot be read", where=str(path), found=str(error), remedy="write it again, or give CSV"
        ) from error
    return Table(tuple(_unique(content.column_names)), columns, True, str(path))


def _from_arrow(column: Any, types: Any) -> np.ndarray:
    """Return a column of Arrow as numbers or as texts."""
    kind = column.type
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        return _finite(np.array([np.nan if value is None else float(value) for value in column.to_pylist()]))
    return np.array([None if value is None else str(value) for value in column.to_pylist()], dtype=object)
