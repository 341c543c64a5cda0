"""Numbers as tensors and back: the columns of a series, quantities to predict, ratings, sample weights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.errors import DataError, ShapeError
from ganglion.settings import above, settings

LARGEST = float(np.finfo(np.float32).max)


@final
@dataclass(frozen=True, kw_only=True)
class SeriesPreprocessing:
    """Columns of numbers as `(time, columns)`, standardised, and back: a series, or the targets of a regression.

    `x' = (x - mean) / deviation`; a missing value becomes the mean.

    >>> scale = SeriesPreprocessing.fit(np.array([[1.0], [3.0]]))
    >>> scale(np.array([[1.0], [2.0]])).tolist(), scale.inverse(torch.tensor([[1.0]])).tolist()
    ([[-1.0], [0.0]], [[3.0]])
    """

    means: tuple[float, ...]
    """Mean of every column over the training part."""
    deviations: tuple[float, ...]
    """Standard deviation of every column over the training part, 1 where it is nothing."""
    names: tuple[str, ...] = ()
    """What the columns are called, where they have names."""

    @classmethod
    def fit(cls, values: np.ndarray, names: Sequence[str] = ()) -> Self:
        """Measure the training values `(time, columns)`, or `(time,)` for a single column."""
        return cls.of([moments(column) for column in np.asarray(values).reshape(len(values), -1).T], names)

    @classmethod
    def of(cls, measured: Sequence[tuple[float, float]], names: Sequence[str] = ()) -> Self:
        """Scale by the mean and the deviation of each column."""
        means, deviations = (tuple(pair[part] for pair in measured) for part in (0, 1))
        return cls(means=means, deviations=deviations, names=tuple(names))

    def __call__(self, raw: np.ndarray) -> Tensor:
        """Return standardised values `(time, columns)`."""
        values = as_numbers(np.asarray(raw))
        values = values[:, None] if values.ndim == 1 else values
        if values.shape[-1] != len(self.means):
            raise ShapeError(
                "these values do not have the columns of the training data",
                expected=f"{len(self.means)} columns",
                found=f"shape {values.shape}",
            )
        return standardised(values, self.means, self.deviations)

    def inverse(self, scaled: Tensor) -> np.ndarray:
        """Return values in their own units `(..., columns)`."""
        return scaled.detach().cpu().double().numpy() * np.array(self.deviations) + np.array(self.means)


@final
@settings
class RatingPreprocessing:
    """Ratings on a scale, centred on the mean of the training part; answers come back within the scale.

    `x' = (x - mean) / (highest - lowest)`.

    >>> scale = RatingPreprocessing.fit(np.array([1.0, 2.0, 5.0, 4.0]))
    >>> scale(np.array([5.0])).tolist(), scale.inverse(torch.tensor([0.5, 9.0])).tolist()
    ([0.5], [5.0, 5.0])
    """

    lowest: float
    """Worst rating there is."""
    highest: float
    """Best rating there is."""
    mean: float
    """Mean rating over the training part."""

    def __post_init__(self) -> None:
        if not self.lowest < self.highest:
            raise DataError(
                "ratings must differ",
                expected="at least two different ones in the training part",
                found=f"all from {self.lowest:g} to {self.highest:g}",
            )

    @classmethod
    def fit(cls, ratings: np.ndarray, *, lowest: float | None = None, highest: float | None = None) -> Self:
        """Measure training ratings `(samples,)`; the scale is what occurs in them where its ends are not given."""
        values = as_numbers(np.asarray(ratings))
        return cls(
            lowest=float(values.min()) if lowest is None else lowest,
            highest=float(values.max()) if highest is None else highest,
            mean=float(values.mean()),
        )

    def __call__(self, raw: np.ndarray) -> Tensor:
        """Return centred ratings `(samples,)`."""
        return standardised(as_numbers(np.asarray(raw)), (self.mean,), (self.highest - self.lowest,))

    def inverse(self, scaled: Tensor) -> np.ndarray:
        """Return ratings `(samples,)` float64 within the scale."""
        ratings = scaled.detach().cpu().double().numpy() * (self.highest - self.lowest) + self.mean
        return ratings.clip(self.lowest, self.highest)


@final
@settings
class WeightPreprocessing:
    """How much each sample counts, 1 on average over the training part.

    >>> WeightPreprocessing.fit(np.array([1.0, 3.0]))(np.array([2.0, 0.0])).tolist()
    [1.0, 0.0]
    """

    mean: Annotated[float, above(0)]
    """Mean weight over the training part."""

    @classmethod
    def fit(cls, weights: np.ndarray) -> Self:
        """Measure training weights `(samples,)`. Raises `DataError` for a negative one, or if all are 0."""
        values = as_numbers(np.asarray(weights))
        if not (values >= 0).all() or not values.any():
            found = f"{values.min():g} to {values.max():g}"
            raise DataError("these cannot be weights of samples", expected="numbers from 0 on, not all 0", found=found)
        return cls(mean=float(values.mean()))

    def __call__(self, raw: np.ndarray) -> Tensor:
        """Return weights `(samples,)`."""
        return standardised(as_numbers(np.asarray(raw)), (0.0,), (self.mean,))


def moments(column: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation of the numbers in a column, (rows,); one without any is taken as constant 0.

    Numbers beyond single precision, whose squares may overflow, are left out: whoever converts them is told.
    """
    numbers = as_numbers(column)
    numbers = numbers[np.abs(numbers) <= LARGEST]
    if not len(numbers):
        return 0.0, 1.0
    return _worth(float(numbers.mean()), float(numbers.std()))


def _worth(mean: float, deviation: float) -> tuple[float, float]:
    """Return both; rounding leaves a trace of deviation in a constant column of large numbers."""
    return mean, deviation if deviation > 1e-12 * max(1.0, abs(mean)) else 1.0


class Moments:
    """Mean and deviation of numbers that are seen some at a time, as `moments` has them of all at once.

    Of two sets of n and m numbers whose means are d apart, squares add up to `S = S_n + S_m + d^2 n m / (n + m)`.

    Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances, 1979.

    >>> seen = Moments()
    >>> for some in ([1.0, 2.0], [6.0, np.nan]):
    ...     seen.add(np.array(some))
    >>> np.allclose(seen.moments, moments(np.array([1.0, 2.0, 6.0])))
    True
    """

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0

    def add(self, column: np.ndarray) -> None:
        """Take some more numbers `(rows,)` into account."""
        numbers = as_numbers(column)
        numbers = numbers[np.abs(numbers) <= LARGEST]
        if not len(numbers):
            return
        more, mean = len(numbers), float(numbers.mean())
        apart, total = mean - self.mean, self.count + more
        self.squares += float(np.square(numbers - mean).sum()) + apart**2 * self.count * more / total
        self.mean += apart * more / total
        self.count = total

    @property
    def moments(self) -> tuple[float, float]:
        """Mean and standard deviation."""
        return _worth(self.mean, float(np.sqrt(self.squares / self.count))) if self.count else (0.0, 1.0)


def as_numbers(values: np.ndarray, columns: Sequence[str] = ()) -> np.ndarray:
    """Return float64 values of the same shape, NaN where one is missing."""
    if values.dtype.kind in "iufb":
        return values.astype(np.float64)
    try:
        return np.where(values == None, np.nan, values).astype(np.float64)  # noqa: E711
    except (TypeError, ValueError) as error:
        raise _text_among(values, columns) from error


def _text_among(values: np.ndarray, columns: Sequence[str]) -> DataError:
    """Return the error for numbers that are none, naming the column and three of them."""
    for number, column in enumerate(values.T if values.ndim == 2 else [values.reshape(-1)], start=1):
        strange = [cell for cell in column.tolist() if isinstance(cell, str | bytes) and not _reads_as_number(cell)]
        if strange:
            name = columns[number - 1] if len(columns) >= number else f"column {number}"
            found = ", ".join(f"{cell!r:.60}" for cell in strange[:3])
            break
    else:
        name, found = "", str(values.dtype)
    return DataError("a numeric column has text in it", where=name, expected="numbers", found=found)


def _reads_as_number(cell: str | bytes) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def standardised(values: np.ndarray, means: Sequence[float], deviations: Sequence[float]) -> Tensor:
    """Return (x - mean) / deviation in single precision, of rows (rows, columns).

    Raises `DataError` for a number that is too large to compute with.
    """
    # In double until here: a column of large numbers with a small spread would lose it in single precision.
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (values - np.array(means).reshape(-1)) / np.array(deviations).reshape(-1)
    if (np.abs(scaled) > LARGEST).any():
        worst = values.reshape(len(values), -1)[np.nonzero((np.abs(scaled) > LARGEST).reshape(len(values), -1))][0]
        raise DataError(
            "a value is too large to compute with",
            expected=f"at most {LARGEST:.3g}",
            found=f"{worst:g}",
            remedy="leave the row out, or give nothing for a value that is missing",
        )
    return torch.from_numpy(np.nan_to_num(scaled, nan=0.0).astype(np.float32))
