"""Rows that a trained network is asked about, read as the rows were that it learnt from, and what stands beside."""

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.formats.npz import read_array
from ganglion.data.formats.roles import names_rows
from ganglion.data.formats.tables import Table, read_table
from ganglion.data.formats.tables.columns import ColumnType
from ganglion.data.formats.tables.table import few
from ganglion.data.formats.tables.words import words_for_missing
from ganglion.data.settings import WRITTEN, DataSettings
from ganglion.errors import GanglionError, ShapeError

FLAG = re.compile(r"--([a-z]+)")
BOOLEANS = ({"true", "t", "yes", "y", "1", "1.0"}, {"false", "f", "no", "n", "0", "0.0"})
"""Spellings of what is true and of what is not."""


@dataclass(frozen=True)
class AskedRows:
    """Rows in the order of columns that a network takes, and what stood beside them."""

    rows: np.ndarray
    """`(rows, columns)`: numbers, or objects where some columns are text."""
    ids: list[Any] | None = None
    """What a column of the file calls the rows."""
    own: Sequence[Mapping[str, Any]] = ()
    """All columns of the file as they stand there, a mapping for each row."""
    notes: tuple[str, ...] = ()


@contextmanager
def with_flags_of_training() -> Iterator[None]:
    """Say of flags that an error names, and that a question does not have, that they belong to training."""
    try:
        yield
    except GanglionError as error:
        if set(FLAG.findall(error.remedy)) - set(WRITTEN):
            error.remedy = f"write this file as the training data is written, or train again: {error.remedy}"
        raise


@with_flags_of_training()
def read_rows(
    path: Path,
    columns: Sequence[str],
    categories: Sequence[Sequence[str]] = (),
    settings: DataSettings | None = None,
) -> AskedRows:
    """Read the rows of a table or of an array.

    Args:
        columns: Those that the network takes, in its order; any others are carried along.
        categories: The texts that training had in each, nothing for a column of numbers; nothing at all if all are.
        settings: What the user said of the training data, and so of this.

    Raises:
        ShapeError: The table lacks a column.
        DataError: A column of numbers has something else in it.
    """
    if path.suffix.lower() in (".npz", ".npy"):
        rows = read_array(path)
        return AskedRows(rows[:, None] if rows.ndim == 1 else rows)
    settings = settings or DataSettings()
    texts = read_table(path, settings, as_text=True)
    named = _named(texts, columns, path)
    own = [
        {name: "" if cell is None else cell for name, cell in zip(texts.names, row, strict=True)}
        for row in zip(*texts.columns, strict=True)
    ]
    if not columns:
        return AskedRows(np.asarray(read_table(path, settings).rows()), None, own)
    levels = dict(zip(columns, categories, strict=True)) if categories else {}
    types: dict[str, ColumnType] = {
        found: "text" if levels.get(column) else "number" for column, found in named.items()
    }
    table = read_table(path, settings, types)
    renamed = [(name, found) for name, found in named.items() if texts.named and found != name]
    notes = [f"column {found!r} is taken for {name!r}" for name, found in renamed]
    rows = np.asarray(table.only(list(named.values())).rows())
    for place, (column, known) in enumerate(levels.items()):
        if known:
            rows[:, place], note = as_known(rows[:, place], known, column, words_for_missing(settings))
            notes += [note] if note else []
    return AskedRows(rows, _ids(table, named), own, tuple(notes))


def _named(table: Table, columns: Sequence[str], path: Path) -> dict[str, str]:
    """Return which column of the file is which of the network: by name, small and capital letters being alike, or by
    place where the file names none.
    """
    if not table.named and len(table.names) == len(columns):
        return dict(zip(columns, table.names, strict=True))
    plain = Counter(name.casefold().strip() for name in table.names)
    alike = {name.casefold().strip(): name for name in table.names if plain[name.casefold().strip()] == 1}
    found = {name: name if name in table.names else alike.get(name.casefold().strip()) for name in columns}
    absent = [name for name, there in found.items() if there is None]
    if absent:
        raise ShapeError(
            "this table lacks columns that the network was trained on",
            where=str(path),
            expected=", ".join(columns),
            found=f"{', '.join(table.names)}; without {', '.join(absent)}",
            remedy="give all of them, with gaps where a value is not known",
        )
    return {name: there for name, there in found.items() if there is not None}


def _ids(table: Table, named: Mapping[str, str]) -> list[Any] | None:
    """Return what the rows are called by a column that the network does not look at."""
    others = [name for name in table.names if name not in named.values() and table.named]
    called = next((name for name in others if name.casefold() == "id"), None)
    called = called or next((name for name in others if names_rows(name)), None)
    return None if called is None or called in table.doubts else [_whole(cell) for cell in table[called]]


def as_known(column: np.ndarray, known: Sequence[str], name: str, missing: Container[str]) -> tuple[np.ndarray, str]:
    """Return a column of texts `(rows,)` as training spelt them, and a note on those that it did not have.

    Args:
        missing: Words for a missing value, in small letters.
    """
    meant = {cell: _meant(cell, known) for cell in set(column) if cell is not None}
    unknown = [cell for cell in column if cell is not None and meant[cell] is None and cell.lower() not in missing]
    note = ""
    if unknown:
        texts = [text for text, _ in Counter(unknown).most_common()]
        note = (
            f"column {name!r}: {len(unknown)} of {len(column)} cells are of no category that training had "
            f"({few(texts)}; it had {few(known)}), and count as none of them"
        )
    return np.array([None if cell is None else meant[cell] for cell in column], dtype=object), note


def _meant(cell: str, known: Sequence[str]) -> str | None:
    """Return the category that a text means: itself, one that differs in its capitals, the same number or truth.

    >>> _meant("TRUE", ["False", "True"]), _meant("1", ["False", "True"]), _meant("2.0", ["1", "2", "A"])
    ('True', 'True', '2')
    >>> _meant("purple", ["blue", "red"])
    """
    if cell in known:
        return cell
    alike = [one for one in known if one.casefold() == cell.casefold()]
    if not alike and {one.casefold() for one in known} <= {"true", "false"}:
        alike = [one for one in known for same in BOOLEANS if {one.casefold(), cell.casefold()} <= same]
    if not alike and (number := _number(cell)) is not None:
        alike = [one for one in known if _number(one) == number and not one.startswith("0")]
    return alike[0] if len(alike) == 1 else None


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _whole(cell: Any) -> Any:
    """Return a cell, a whole number as such, though columns of numbers are read as fractions."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
