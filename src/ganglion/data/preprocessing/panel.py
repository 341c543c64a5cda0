"""Several series as numbers of one scale: each standardised by its own mean and deviation, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.preprocessing.numbers import SeriesPreprocessing
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.errors import ShapeError


@final
@dataclass(frozen=True, kw_only=True)
class PanelPreprocessing:
    """Series `(time, columns)`, each standardised by its own moments, so that large and small ones are learnt alike.

    `x' = (x - mean) / deviation`, by the series and the column; a missing value becomes the mean.

    >>> scale = PanelPreprocessing.fit([np.array([[1.0], [3.0]]), np.array([[100.0], [300.0]])])
    >>> scale([np.array([[3.0]]), np.array([[100.0], [200.0]])]).values.ravel().tolist()
    [1.0, -1.0, 0.0]
    """

    means: tuple[tuple[float, ...], ...]
    """Mean of every column of every series over its training part."""
    deviations: tuple[tuple[float, ...], ...]
    """Standard deviation, likewise; 1 where it is nothing."""
    names: tuple[str, ...] = ()
    """What the columns are called."""

    @classmethod
    def fit(cls, series: Sequence[np.ndarray], names: Sequence[str] = ()) -> Self:
        """Measure the training part of each series `(time, columns)`."""
        scales = [SeriesPreprocessing.fit(values) for values in series]
        means, deviations = tuple(one.means for one in scales), tuple(one.deviations for one in scales)
        return cls(means=means, deviations=deviations, names=tuple(names))

    def of(self, place: int) -> SeriesPreprocessing:
        """Return the scale of one series."""
        return SeriesPreprocessing(means=self.means[place], deviations=self.deviations[place], names=self.names)

    def __call__(self, raw: Sequence[np.ndarray]) -> Ragged:
        """Return every series standardised `(time, columns)`, one after the other."""
        if len(raw) != len(self.means):
            raise ShapeError(
                "these are not the series of the training data",
                expected=f"{len(self.means)} series",
                found=f"{len(raw)} series",
            )
        return Ragged.of([self.of(place)(np.asarray(values)) for place, values in enumerate(raw)])

    def inverse(self, scaled: Tensor, places: np.ndarray, column: int) -> np.ndarray:
        """Return values of one column in units of the series that each is of.

        Args:
            scaled: `(samples, ...)`.
            places: number of the series of each sample `(samples,)`.
        """
        wide = (len(places), *(1,) * (scaled.dim() - 1))
        means, deviations = (np.array(part)[places, column].reshape(wide) for part in (self.means, self.deviations))
        units: np.ndarray = scaled.detach().cpu().to(torch.float64).numpy() * deviations + means
        return units
