"""Many short series as tensors: filled, standardised by the channel, all of one length."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, final

import numpy as np
from torch import Tensor

from ganglion.data.preprocessing.numbers import as_numbers, moments, standardised
from ganglion.errors import ShapeError


@final
@dataclass(frozen=True, kw_only=True)
class ShortSeriesPreprocessing:
    """Series (samples, steps, channels), or (samples, steps) of one channel, standardised over all samples and steps.

    `x' = (x - mean) / deviation` by the channel. A missing value becomes the last one known before it, and where there
    is none the mean.

    >>> scale = ShortSeriesPreprocessing.fit(np.array([[1.0, 3.0], [3.0, 1.0]]))
    >>> scale(np.array([[1.0, np.nan]])).flatten().tolist()
    [-1.0, -1.0]
    """

    means: tuple[float, ...]
    """Mean of every channel over the training part."""
    deviations: tuple[float, ...]
    """Standard deviation of every channel over the training part, 1 where it is nothing."""
    steps: int
    """Length of every series."""
    columns: tuple[str, ...] = ()
    """What a table calls the steps; none where the series came from arrays."""
    categories: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Tables of series have no texts."""

    @classmethod
    def fit(cls, series: np.ndarray, *, columns: Sequence[str] = ()) -> Self:
        """Measure training series (samples, steps, channels), or (samples, steps)."""
        values = _in_channels(np.asarray(series))
        measured = [moments(values[..., channel].ravel()) for channel in range(values.shape[2])]
        means, deviations = (tuple(pair[part] for pair in measured) for part in (0, 1))
        return cls(means=means, deviations=deviations, steps=values.shape[1], columns=tuple(columns))

    def __call__(self, raw: np.ndarray) -> Tensor:
        """Return standardised series (samples, steps, channels) float32; raise `ShapeError` for others."""
        values = _in_channels(as_numbers(np.asarray(raw)))
        if values.shape[1:] != (self.steps, len(self.means)):
            raise ShapeError(
                "these series do not have the shape of the training data",
                expected=f"(samples, {self.steps} steps, {len(self.means)} channels)",
                found=str(values.shape),
                remedy="cut or resample them to that length",
            )
        return standardised(_filled(values), self.means, self.deviations)

    def inverse(self, scaled: Tensor) -> np.ndarray:
        """Return series (samples, steps, channels) float64 in their own units."""
        return scaled.detach().cpu().double().numpy() * np.array(self.deviations) + np.array(self.means)


def _in_channels(series: np.ndarray) -> np.ndarray:
    """Return series with an axis of channels."""
    return series[..., None] if series.ndim == 2 else series


def _filled(series: np.ndarray) -> np.ndarray:
    """Return series (samples, steps, channels) with the last known value where one is missing, if there is one."""
    known = np.isfinite(series)
    latest = np.maximum.accumulate(np.where(known, np.arange(series.shape[1])[None, :, None], 0), axis=1)
    return np.take_along_axis(series, latest, axis=1)
