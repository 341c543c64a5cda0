"""Waveforms as tensors, and back."""

from collections.abc import Sequence
from typing import Annotated, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.formats.sounds.files import mixed
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.errors import DataError
from ganglion.settings import above, at_least, settings

PAST_END = float("nan")
"""What stands past the end of a sound in a batch: no number, since 0 is silence."""


@final
@settings
class WaveformPreprocessing:
    """One channel of amplitudes for each sample, scaled to a deviation of 1 over the training part.

    Whole numbers count as fractions of the largest of their type; several channels are averaged.

    >>> sound = WaveformPreprocessing.fit([np.array([-0.5, 0.5]), np.array([0.5, -0.5, 0.5])], rate=8000)
    >>> sound([np.array([[0.5, 0.0], [1.0, 1.0]])])[0].tolist()
    [0.5, 2.0]
    """

    deviation: Annotated[float, above(0)]
    """Root of the mean square amplitude over the training part, 1 being the loudest there is."""
    rate: Annotated[int, at_least(0)] = 0
    """Amplitudes a second; 0 where unknown."""
    most: Annotated[int, at_least(1)] | None = None
    """Amplitudes of a sound that are heard; the rest of a longer one is left out."""

    @classmethod
    def fit(cls, waveforms: Sequence[np.ndarray], *, rate: int = 0, window: float | None = None) -> Self:
        """Measure the training waveforms, each `(time,)` or `(time, channels)`.

        Args:
            rate: amplitudes a second.
            window: seconds of a sound that are heard.
        """
        squares, count = 0.0, 0
        for waveform in waveforms:
            amplitudes = _fractions(waveform)
            squares, count = squares + float(np.square(amplitudes, dtype=np.float64).sum()), count + len(amplitudes)
        most = max(1, round(window * rate)) if window and rate else None
        return cls(deviation=float(np.sqrt(squares / count)) if squares else 1.0, rate=rate, most=most)

    def __call__(self, raw: Sequence[np.ndarray]) -> Ragged:
        """Return the amplitudes of every sample `(time,)`, not a number past the end of each."""
        samples = [torch.from_numpy(_fractions(waveform[: self.most])) / self.deviation for waveform in raw]
        return Ragged.of(samples, padding=PAST_END)

    def inverse(self, waveforms: Tensor) -> np.ndarray:
        """Return amplitudes `(..., time)` from -1 to 1."""
        return (waveforms.detach().cpu() * self.deviation).clamp(-1, 1).numpy()


def _fractions(waveform: np.ndarray) -> np.ndarray:
    """Return amplitudes `(time,)` float32 from -1 to 1; raise `DataError` where there are none."""
    if not len(waveform):
        raise DataError("a sound has no length", expected="at least one amplitude", found="none")
    amplitudes = mixed(np.asarray(waveform))
    return amplitudes.astype(np.float32) / 32768 if amplitudes.dtype == np.int16 else amplitudes
