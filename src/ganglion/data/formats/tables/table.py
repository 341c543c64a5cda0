"""A table as it was read: columns of numbers or texts, and what could not be decided about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ganglion.data.mixed_rows import MixedRows
from ganglion.errors import DataError
from ganglion.findings import Finding
from ganglion.settings import unknown_name

EXAMPLES = 3
"""Places that are named of many."""


@dataclass(frozen=True)
class Table:
    """Columns of equal length: numbers as float64 with NaN for missing ones, texts as objects with None."""

    names: tuple[str, ...]
    columns: tuple[np.ndarray, ...]
    named: bool
    """The names stood in the file; otherwise they are `column 1`, `column 2`, ..."""
    source: str
    notes: tuple[str, ...] = ()
    doubts: Mapping[str, DataError] = field(default_factory=dict)
    """Why some columns cannot be read as one thing; raised when such a column is used."""
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Words of text columns that stand for a missing value, unless the column holds labels."""
    measures: frozenset[str] = frozenset()
    """Columns whose numbers are written as quantities are, in a unit or in groups of digits."""
    lines: np.ndarray | None = None
    """The line of the file that each row ends at `(rows,)`; None where there are no lines."""

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.names:
            raise unknown_name("column", name, list(self.names), where=self.source)
        doubt = self.doubts.get(name)
        if isinstance(doubt, DataError):
            raise doubt
        return self.columns[self.names.index(name)]

    def without(self, names: Sequence[str]) -> "Table":
        """Return the table without some columns."""
        return self._with([number for number, name in enumerate(self.names) if name not in names])

    def only(self, names: Sequence[str]) -> "Table":
        """Return the named columns in the given order."""
        for name in names:
            self[name]
        return self._with([self.names.index(name) for name in names])

    def inputs(self, name: str) -> np.ndarray:
        """Return a column, (rows,), whose words for a missing value are None."""
        column, words = self[name], self.words.get(name)
        if not words:
            return column
        return np.array([None if cell in words else cell for cell in column], dtype=object)

    def rows(self) -> np.ndarray | MixedRows:
        """Return `(rows, columns)`: float64, or those of numbers and texts where some columns are text."""
        columns = [self.inputs(name) for name in self.names]
        if all(is_numeric(column) for column in columns):
            return np.stack(columns, axis=1)
        return MixedRows(columns)

    def line(self, row: int) -> int:
        """Return the line of the file that a row ends at, or its number where there are no lines."""
        return row + 1 if self.lines is None else int(self.lines[row])

    def left_out(self, places: np.ndarray, name: str, what: str) -> Finding:
        """Return the finding that rows at some places, (rows,), lack what they need."""
        return Finding(
            name=name,
            level="stop",
            message=f"{len(places)} rows without {what} are left out",
            measure="rows",
            value=float(len(places)),
            where=tuple(f"line {self.line(place)}" for place in places[:EXAMPLES]),
            remedy="complete them or remove them; --allow-problems goes on without them",
        )

    def _with(self, kept: list[int]) -> "Table":
        names, columns = tuple(self.names[k] for k in kept), tuple(self.columns[k] for k in kept)
        return replace(self, names=names, columns=columns)


def is_numeric(column: np.ndarray) -> bool:
    """Return whether a column, (rows,), holds numbers."""
    return column.dtype != object


def missing_in(column: np.ndarray) -> np.ndarray:
    """Return which values of a column are missing `(rows,)`."""
    return np.isnan(column) if is_numeric(column) else np.array([cell is None for cell in column], dtype=bool)


def few(texts: Sequence[str], examples: int = 3) -> str:
    """Return the first of some texts in quotes.

    >>> few(["a", "b", "c", "d"])
    "'a', 'b', 'c', ..."
    """
    return ", ".join(f"{text!r:.60}" for text in texts[:examples]) + (", ..." if len(texts) > examples else "")
