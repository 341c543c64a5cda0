"""Random draws of which each is a function of the seed and its own number; pictures in rows to be compared."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ganglion.data.loaders.noise import mixed_seed
from ganglion.data.preprocessing import ImagePreprocessing


def generators(count: int, seed: int, device: torch.device | str = "cpu") -> Iterator[torch.Generator]:
    """Yield a generator for each of `count` draws.

    >>> one, two = ([float(torch.rand((), generator=each)) for each in generators(count, 0)] for count in (1, 2))
    >>> one == two[:1]
    True
    """
    for number in range(count):
        yield torch.Generator(device).manual_seed(mixed_seed(seed, number))


def numbered(count: int, seed: int) -> list[str]:
    """Return what samples drawn with a seed are called, in an order that sorts.

    >>> numbered(2, seed=7)
    ['0000-seed7', '0001-seed7']
    """
    digits = max(4, len(str(count - 1)))
    return [f"{number:0{digits}}-seed{seed}" for number in range(count)]


def in_turn(*images: np.ndarray, columns: int) -> np.ndarray:
    """Return images with a row of the first, a row of the second, and so on, row after row.

    Args:
        images: of the same samples in several states, each `(samples, ...)`.
        columns: samples in a row; samples that do not fill a last row are left out.

    >>> in_turn(np.array([1, 2, 3, 4]), np.array([5, 6, 7, 8]), columns=2)
    array([1, 2, 5, 6, 3, 4, 7, 8])
    """
    columns = min(columns, len(images[0]))
    rows = len(images[0]) // columns
    together = np.stack([part[: rows * columns].reshape(rows, columns, *part.shape[1:]) for part in images], axis=1)
    return together.reshape(-1, *together.shape[3:])


def as_pictures(values: Tensor, images: ImagePreprocessing) -> np.ndarray:
    """Return uint8 pictures `(samples, height, width, channels)` of values `(samples, features)`."""
    return images.inverse(values.unflatten(1, (images.channels, *images.size)))
