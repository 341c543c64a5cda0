"""Which part of an image one element of a map sees."""

from collections.abc import Callable

from torch import Tensor, nn

from ganglion.inspect.receptive.table import follow

Box = tuple[slice, slice]
"""Rows and columns of an image."""


def seen_by(network: nn.Module, images: Tensor, layer: str) -> Callable[[int, int], Box]:
    """Return a function from a place in a layer's maps, row and column, to the part of the image that it sees.

    Args:
        images: (batch, channels, height, width); only their shape matters.
        layer: dotted name of a layer that puts out maps.

    >>> import torch
    >>> network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2))
    >>> seen_by(network, torch.zeros(1, 1, 8, 8), "1")(0, 1)
    (slice(0, 3, None), slice(1, 5, None))
    """
    found = follow(network, (images,)).layers.get(layer)

    def side(axis: int, position: int) -> slice:
        size, along = images.shape[2 + axis], found.along(axis) if found else None
        first, last = along[0].at(position) if along else (0, size - 1)
        return slice(max(0, int(first)), min(size, int(last) + 1))

    return lambda row, column: (side(0, row), side(1, column))
