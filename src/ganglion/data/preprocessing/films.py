"""Films as tensors of their frames, and back."""

from collections.abc import Sequence
from typing import Any, Self, final

import numpy as np
from torch import Tensor

from ganglion.data.preprocessing.images import ImagePreprocessing
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.settings import settings


@final
@settings
class FilmPreprocessing:
    """The frames of every film `(frames, channels, height, width)`, each prepared as an image.

    >>> films = [np.zeros((4, 8, 8, 1), np.uint8), np.zeros((2, 8, 8, 1), np.uint8)]
    >>> FilmPreprocessing.fit(films)(films)[1].shape
    torch.Size([2, 1, 8, 8])
    """

    frames: ImagePreprocessing
    """How a frame is prepared."""

    @classmethod
    def fit(cls, films: Sequence[np.ndarray], **options: Any) -> Self:
        """Fit the preprocessing of images, with its options, to the first frame of every film."""
        return cls(frames=ImagePreprocessing.fit([film[0] for film in films], **options))

    def __call__(self, raw: Sequence[np.ndarray]) -> Ragged:
        """Return the frames of every film."""
        return Ragged.of([self.frames(np.asarray(film)) for film in raw])

    def inverse(self, frames: Tensor) -> np.ndarray:
        """Return one film `(frames, height, width, channels)` uint8 of frames `(frames, channels, height, width)`."""
        return self.frames.inverse(frames)
