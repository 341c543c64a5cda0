"""Waveforms as tensors, and back."""

from collections.abc import Sequence
from typing import Annotated, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.preprocessing.ragged import Ragged
from ganglion.errors import DataError
from ganglion.settings import above, at_least, settings


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

    @classmethod
    def fit(cls, waveforms: Sequence[np.ndarray], *, rate: int = 0) -> Self:
        """Measure the training waveforms, each `(time,)` or `(time, channels)`."""
        squares, count = 0.0, 0
        for waveform in waveforms:
            amplitudes = _mono(waveform)
            squares, count = squares + float(np.square(amplitudes, dtype=np.float64).sum()), count + len(amplitudes)
        return cls(deviation=float(np.sqrt(squares / count)) if squares else 1.0, rate=rate)

    def __call__(self, raw: Sequence[np.ndarray]) -> Ragged:
        """Return the amplitudes of every sample `(time,)`."""
        return Ragged.of([torch.from_numpy(_mono(waveform)) / self.deviation for waveform in raw])

    def inverse(self, waveforms: Tensor) -> np.ndarray:
        """Return amplitudes `(..., time)` from -1 to 1."""
        return (waveforms.detach().cpu() * self.deviation).clamp(-1, 1).numpy()


def _mono(waveform: np.ndarray) -> np.ndarray:
    """Return amplitudes `(time,)` float32 from -1 to 1."""
    amplitudes = np.asarray(waveform)
    if amplitudes.dtype == np.uint8:  # 8-bit sound has its middle at 128
        amplitudes = (amplitudes.astype(np.float32) - 128) / 128
    elif amplitudes.dtype.kind == "i":
        amplitudes = (amplitudes / -float(np.iinfo(amplitudes.dtype).min)).astype(np.float32)
    amplitudes = amplitudes.astype(np.float32)
    if not np.isfinite(amplitudes).all():
        raise DataError("a waveform has amplitudes that are no numbers", expected="finite numbers")
    return amplitudes if amplitudes.ndim == 1 else amplitudes.mean(axis=1)
