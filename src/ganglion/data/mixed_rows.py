"""Rows of numbers and texts, kept column by column, so that each number takes eight bytes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

TOGETHER = 1 << 14
"""Rows that are made at a time where all are looked at."""


class MixedRows(Sequence):
    """Rows `(rows, columns)` of which some columns are numbers and some texts, None where one is missing.

    They are indexed, compared and converted as the array of objects that they stand for.

    >>> rows = MixedRows([np.array([1.5, 2.0]), np.array(["red", None], dtype=object)])
    >>> rows.shape, rows.take(np.array([1, 0])).columns[1].tolist()
    ((2, 2), [None, 'red'])
    """

    dtype = np.dtype(object)
    ndim = 2

    def __init__(self, columns: Sequence[np.ndarray]) -> None:
        self.columns = tuple(columns)
        """Each `(rows,)` of float64 or of objects."""
        self.known: dict[int, np.ndarray] = {}
        """What told the rows apart under each seed that was asked for `(rows,)` uint64."""

    def __len__(self) -> int:
        return len(self.columns[0])

    @property
    def shape(self) -> tuple[int, int]:
        return len(self), len(self.columns)

    @property
    def T(self) -> tuple[np.ndarray, ...]:
        """The columns."""
        return self.columns

    def __getitem__(self, key: Any) -> Any:
        """Return one row `(columns,)`, the rows of a slice or of places, or whatever an array of objects returns."""
        if isinstance(key, slice) or (isinstance(key, np.ndarray) and key.ndim == 1):
            return MixedRows([column[key] for column in self.columns])
        if isinstance(key, tuple) and len(key) == 2 and key[0] == slice(None) and isinstance(key[1], list):
            return MixedRows([self.columns[place] for place in key[1]])
        if isinstance(key, int | np.integer):
            return np.array([column[key] for column in self.columns], dtype=object)
        return np.asarray(self)[key]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[place] for place in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        rows = np.empty(self.shape, dtype=object)
        for place, column in enumerate(self.columns):
            rows[:, place] = column
        return rows if dtype is None else rows.astype(dtype)

    def take(self, places: np.ndarray) -> "MixedRows":
        """Return the rows at some places `(rows,)`."""
        return self[places]

    def tolist(self) -> list[list[Any]]:
        return [list(row) for row in zip(*(column.tolist() for column in self.columns), strict=True)]

    def contents(self) -> Iterator[bytes]:
        """Yield the bytes that tell rows apart, as those of an array of objects."""
        for start in range(0, len(self), TOGETHER):
            for row in self[start : start + TOGETHER].tolist():
                yield repr(row).encode()
