"""Tables in files, column by column: delimiter, encoding, header and missing values are found out and announced."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ganglion.errors import DataError, MissingExtraError, ShapeError
from ganglion.settings import unknown_name

MISSING = frozenset({"", "?", "-", "na", "n/a", "nan", "null", "none", "missing"})
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
SAMPLE_ROWS = 50
MOSTLY = 0.9
"""Share of cells that must be numbers for a column to be numeric; the others count as missing then."""
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
        raise DataError("this table has no rows", where=str(path))
    return table


def read_rows(path: Path, columns: Sequence[str], kind: Literal["tabular", "series"]) -> np.ndarray:
    """Read rows for a trained network, putting the columns in its order by their names."""
    if path.suffix.lower() in (".npz", ".npy"):
        from ganglion.data.npz import read_array

        rows = read_array(path)
        return rows[:, None] if rows.ndim == 1 else rows
    if kind == "series":
        from ganglion.data.series import read_series
        from ganglion.data.settings import DataSettings

        return np.asarray(read_series(path, DataSettings(columns=tuple(columns))).inputs)
    table = read_table(path)
    by_position = not table.named and len(table.names) == len(columns)
    if not columns or by_position:
        return table.rows()
    absent = [name for name in columns if name not in table.names]
    if absent:
        raise ShapeError(
            "this table lacks columns that the network was trained on",
            where=str(path),
            expected=", ".join(columns),
            found=", ".join(table.names),
        )
    return table.only(columns).rows()


def decode_text(path: Path) -> tuple[str, str]:
    """Return the text of a file and the encoding it was in: UTF-8, UTF-16 with its mark, or else Windows-1252."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError("this file cannot be read", where=str(path), found=str(error)) from error
    marked = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, "utf-8" if encoding == "utf-8-sig" else encoding
    raise DataError("this is not a text file", where=str(path))


def _read_csv(path: Path) -> Table:
    text, encoding = decode_text(path)
    delimiter = _delimiter(text)
    rows, lines = _cells(text, delimiter, path)
    if not rows:
        raise DataError("this file is empty", where=str(path))
    _refuse_ragged(rows, lines, path)
    columns = [list(column) for column in zip(*rows, strict=True)]
    named = _has_header(columns)
    names = _unique([column.pop(0).strip() for column in columns]) if named else []
    names = names or [f"column {number + 1}" for number in range(len(columns))]
    notes = [f"{DELIMITERS[delimiter]}-separated {encoding} text {'with a header' if named else 'without a header'}"]
    typed = []
    for name, column in zip(names, columns, strict=True):
        values, note = _typed(column, decimal_comma=delimiter != ",")
        typed.append(values)
        if note:
            notes.append(f"column {name!r}: {note}")
    return Table(tuple(names), tuple(typed), named, str(path), tuple(notes))


def _delimiter(text: str) -> str:
    """Return the delimiter that cuts the first rows into the most columns, equally many in each."""
    lines = [line.strip(" ") for line in text[:1_000_000].splitlines() if line.strip()][:SAMPLE_ROWS]
    best, most = ",", 1  # The comma also for a table of one column.
    for delimiter in DELIMITERS:
        try:
            counts = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if row)
        except csv.Error:
            continue
        width, rows = counts.most_common(1)[0] if counts else (1, 0)
        # Words between spaces are no columns unless every row agrees; of other delimiters a stray row may not.
        agreed = rows >= (1.0 if delimiter == " " else MOSTLY) * sum(counts.values())
        if agreed and width > most and (delimiter != " " or most == 1):
            best, most = delimiter, width
    return best


def _cells(text: str, delimiter: str, path: Path) -> tuple[list[list[str]], list[int]]:
    """Return the cells of all rows that are not blank, and the line each row ends at."""
    if delimiter == " ":
        text = "\n".join(line.strip(" ") for line in text.splitlines())
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows, lines = [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(
            "this table cannot be read", where=f"{path}, line {reader.line_num}", found=str(error)
        ) from error
    if rows and len(rows[0]) > 1 and all(not row[-1].strip() and len(row) == len(rows[0]) for row in rows):
        rows = [row[:-1] for row in rows]  # Every line ended in a delimiter.
    return rows, lines


def _refuse_ragged(rows: list[list[str]], lines: list[int], path: Path) -> None:
    width = Counter(map(len, rows)).most_common(1)[0][0]
    for row, line in zip(rows, lines, strict=True):
        if len(row) != width:
            raise DataError(
                "a row of this table has another number of cells than the others",
                where=f"{path}, line {line}",
                expected=f"{width} cells",
                found=f"{len(row)} cells",
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
    result: list[str] = []
    for number, name in enumerate(names, start=1):
        name = name or f"column {number}"
        result.append(f"{name} ({number})" if name in result else name)
    return result


def _number(cell: str) -> float | None:
    """Return the number in a cell; `1_000` is none, although Python reads it."""
    if "_" in cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return float(cell.replace(",", "")) if GROUPED.fullmatch(cell.strip()) else None


def _typed(cells: list[str], decimal_comma: bool) -> tuple[np.ndarray, str]:
    """Return a column as numbers or texts, and what had to be assumed."""
    if not any("_" in cell for cell in cells):
        try:
            return _finite(np.array(cells, dtype=np.float64)), ""
        except ValueError:
            pass  # Something is missing or is no number: look at every cell.
    stripped = [cell.strip() for cell in cells]
    present = [cell for cell in stripped if cell.lower() not in MISSING]
    if decimal_comma and any("," in cell for cell in present):
        swapped = [cell.replace(".", "").replace(",", ".") for cell in present]
        if all(_number(cell) is not None for cell in swapped):
            values = iter(swapped)
            stripped = ["" if cell.lower() in MISSING else next(values) for cell in stripped]
            return _finite(np.array([np.nan if not cell else float(cell) for cell in stripped])), "decimal commas"
    numbers = [None if cell.lower() in MISSING else _number(cell) for cell in stripped]
    strange = [
        cell for cell, number in zip(stripped, numbers, strict=True) if number is None and cell.lower() not in MISSING
    ]
    if present and len(strange) <= (1 - MOSTLY) * len(present):
        note = f"{len(strange)} cells that are no numbers count as missing, such as {strange[0]!r}" if strange else ""
        return _finite(np.array([np.nan if number is None else number for number in numbers])), note
    if not present:
        return np.full(len(cells), np.nan), ""
    return np.array([None if cell.lower() in MISSING else cell for cell in stripped], dtype=object), ""


def _finite(values: np.ndarray) -> np.ndarray:
    values[~np.isfinite(values)] = np.nan
    return values


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError(
            "reading Parquet needs pyarrow", where=str(path), remedy="pip install 'ganglion[tables]'"
        ) from error
    try:
        content = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError("this Parquet file cannot be read", where=str(path), found=str(error)) from error
    columns = []
    for column in content.columns:
        kind = column.type
        if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind):
            values = [np.nan if value is None else float(value) for value in column.to_pylist()]
            columns.append(_finite(np.array(values)))
        else:
            texts = [None if value is None else str(value) for value in column.to_pylist()]
            columns.append(np.array(texts, dtype=object))
    return Table(tuple(content.column_names), tuple(columns), True, str(path))
