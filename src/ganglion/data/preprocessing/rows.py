"""Rows of a table as tensors: numbers standardised, categories as one feature each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.mixed_rows import MixedRows
from ganglion.data.preprocessing.numbers import as_numbers, moments, standardised
from ganglion.errors import ShapeError


@final
@dataclass(frozen=True, kw_only=True)
class TabularPreprocessing:
    """Rows as `(samples, features)`: numbers standardised, categories as one feature each.

    `x' = (x - mean) / deviation`, so a missing number, which becomes the mean, is 0; a constant column becomes 0. A
    category is 1 in its own feature; one that training did not have is 0 in all of them.

    >>> rows = np.array([[1.0, "red"], [3.0, "blue"]], dtype=object)
    >>> TabularPreprocessing.fit(rows)(np.array([[None, "blue"], [3.0, "green"]], dtype=object)).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """

    means: tuple[float, ...]
    """Mean of every numeric column over the training part; 0 for a column of categories."""
    deviations: tuple[float, ...]
    """Standard deviation likewise, 1 where it is nothing."""
    categories: tuple[tuple[str, ...], ...] = ()
    """The categories of every column, none for a numeric one."""
    columns: tuple[str, ...] = ()
    """Names of the columns, by which rows of a file are put in order."""

    @classmethod
    def fit(cls, rows: np.ndarray | MixedRows, columns: Sequence[str] = ()) -> Self:
        """Measure the training rows `(samples, columns)`, numeric or with text in some columns (dtype object)."""
        measured = []
        for column in rows.T:
            texts = () if column.dtype != object else tuple(sorted({one for one in column if isinstance(one, str)}))
            measured.append((*((0.0, 1.0) if texts else moments(column)), texts))
        return cls.of(measured, columns)

    @classmethod
    def of(cls, measured: Sequence[tuple[float, float, tuple[str, ...]]], columns: Sequence[str] = ()) -> Self:
        """Scale by the mean and the deviation of each column, or tell its categories apart where it has some."""
        means, deviations, categories = zip(*measured, strict=True) if measured else ((), (), ())
        return cls(
            means=means,
            deviations=deviations,
            categories=categories if any(categories) else (),
            columns=tuple(columns),
        )

    @property
    def features(self) -> tuple[str, ...]:
        """What the columns of the result are called: `age`, `colour=red`."""
        names = self.columns or tuple(f"column {number + 1}" for number in range(len(self.means)))
        kinds = self.categories or ((),) * len(self.means)
        return tuple(
            feature
            for name, texts in zip(names, kinds, strict=True)
            for feature in ([f"{name}={text}" for text in texts] if texts else [name])
        )

    def __call__(self, raw: np.ndarray | Sequence | MixedRows) -> Tensor:
        rows = raw if isinstance(raw, np.ndarray | MixedRows) else np.asarray(raw, dtype=object)
        if rows.ndim != 2 or rows.shape[1] != len(self.means):
            raise ShapeError(
                "these rows do not have the columns of the training data",
                expected=f"{len(self.means)} columns" + (f": {', '.join(self.columns)}" if self.columns else ""),
                found=f"shape {rows.shape}",
            )
        if not self.categories:
            return standardised(as_numbers(np.asarray(rows), self.columns), self.means, self.deviations)
        parts = []
        names = self.columns or ("",) * len(self.means)
        kinds = zip(rows.T, names, self.categories, self.means, self.deviations, strict=True)
        for column, name, texts, mean, deviation in kinds:
            if texts:
                parts.append(_one_hot(column, texts))
            else:
                parts.append(standardised(as_numbers(column[:, None], (name,)), (mean,), (deviation,)))
        return torch.cat(parts, dim=1)

    def inverse(self, values: Tensor) -> list[dict[str, float | str]]:
        """Return rows by the names of their columns, in the user's units, of values `(samples, features)`.

        A category is the one with the largest value.

        >>> TabularPreprocessing(means=(2.0,), deviations=(4.0,), columns=("age",)).inverse(torch.tensor([[0.5]]))
        [{'age': 4.0}]
        """
        kinds = self.categories or ((),) * len(self.means)
        parts = values.split([len(texts) or 1 for texts in kinds], dim=1)
        columns: dict[str, list[float] | list[str]] = {}
        names = self.columns or tuple(f"column {number + 1}" for number in range(len(self.means)))
        for name, part, texts, mean, deviation in zip(names, parts, kinds, self.means, self.deviations, strict=True):
            if texts:
                columns[name] = [texts[place] for place in part.argmax(dim=1).tolist()]
            else:
                columns[name] = (part[:, 0].double() * deviation + mean).tolist()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _one_hot(column: np.ndarray, categories: Sequence[str]) -> Tensor:
    known = {category: place for place, category in enumerate(categories)}
    places = np.fromiter((known.get(item, -1) for item in column), dtype=np.int64, count=len(column))
    return torch.from_numpy((places[:, None] == np.arange(len(categories))).astype(np.float32))
