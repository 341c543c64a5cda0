"""Films as tensors of their frames, and back."""

from collections.abc import Sequence
from typing import Annotated, Any, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.preprocessing.images import ImagePreprocessing
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.settings import at_least, settings


@final
@settings
class FilmPreprocessing:
    """The frames of every film, each prepared as an image: all of them, or so many, evenly spread over the film.

    >>> films = [np.zeros((4, 8, 8, 1), np.uint8), np.zeros((2, 8, 8, 1), np.uint8)]
    >>> FilmPreprocessing.fit(films)(films)[1].shape, FilmPreprocessing.fit(films, num_frames=3)(films).shape
    (torch.Size([2, 1, 8, 8]), torch.Size([2, 3, 1, 8, 8]))
    """

    frames: ImagePreprocessing
    """How a frame is prepared."""
    num_frames: Annotated[int, at_least(0)] = 0
    """Frames that are taken of each film; 0 for all."""

    @classmethod
    def fit(cls, films: Sequence[np.ndarray], *, num_frames: int = 0, **options: Any) -> Self:
        """Fit the preprocessing of images, with its options, to the first frame of every film."""
        return cls(frames=ImagePreprocessing.fit([film[0] for film in films], **options), num_frames=num_frames)

    def __call__(self, raw: Sequence[np.ndarray]) -> Tensor | Ragged:
        """Return all frames of every film, or `num_frames` of each as `(films, frames, channels, height, width)`."""
        films = [self.frames(np.asarray(film)[spread(len(film), self.num_frames)]) for film in raw]
        return torch.stack(films) if self.num_frames and films else Ragged.of(films)

    def inverse(self, frames: Tensor) -> np.ndarray:
        """Return one film `(frames, height, width, channels)` uint8 of frames `(frames, channels, height, width)`."""
        return self.frames.inverse(frames)


def spread(length: int, count: int) -> np.ndarray:
    """Return the places of `count` steps, evenly spread from the first to the last of `length`; all where it is 0.

    >>> spread(9, 3).tolist(), spread(2, 4).tolist(), spread(3, 0).tolist()
    ([0, 4, 8], [0, 0, 1, 1], [0, 1, 2])
    """
    return np.linspace(0, length - 1, count).round().astype(int) if count else np.arange(length)
