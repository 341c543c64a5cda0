"""Elastic deformation: images, and masks with them, bent like rubber, a function of (seed, epoch, sample)."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from ganglion.data.loaders.noise import named_stream, normals

POINTS = 3
"""Points along a side at which displacements are drawn."""
DEVIATION = 10.0
"""Their standard deviation, in pixels."""
LARGEST_SHARE = 1 / 25
"""The same as a share of the shorter side at most, so that small images stay what they are."""


def displacements(seed: int, epoch: int, index: Tensor, height: int, width: int) -> Tensor:
    """Return how far beside itself each pixel is taken from, down and to the right `(batch, 2, height, width)`.

    Displacements are normal at the nine points of a grid over the image, and cubic between them.

    Args:
        index: the samples' places in their set `(batch,)`.

    Source: Ronneberger, Fischer and Brox, U-Net (2015), section 3.1.
    """
    deviation = min(DEVIATION, LARGEST_SHARE * min(height, width))
    drawn = normals(seed, epoch, index, 2 * POINTS * POINTS, named_stream("bending"))
    at_points = deviation * drawn.view(-1, 2, POINTS, POINTS)
    down, across = (_cubic(length).to(index.device) for length in (height, width))
    # Added one by one: sums of a library are not the same, bit for bit, in batches of other sizes.
    bending = torch.zeros(len(index), 2, height, width, device=index.device)
    for row in range(POINTS):
        for column in range(POINTS):
            weights = down[:, row, None] * across[:, column]  # (height, width)
            bending = bending + weights * at_points[:, :, row, column, None, None]
    return bending


def bent(images: Tensor, rows: Tensor, columns: Tensor, bending: Tensor, *, nearest: bool = False) -> Tensor:
    """Return images `(batch, channels, height, width)` whose pixels are taken from beside `rows` and `columns`.

    Args:
        rows: from which row each pixel would be taken, were nothing bent `(batch, height')`.
        columns: likewise `(batch, width')`.
        bending: how far beside that `(batch, 2, height', width')`.
        nearest: take the nearest pixel instead of weighing four, so that no value comes up that was not there.
    """
    height, width = images.shape[2:]
    y = (rows[:, :, None] + bending[:, 0]).clamp(0, height - 1)
    x = (columns[:, None, :] + bending[:, 1]).clamp(0, width - 1)
    if nearest:
        return _taken(images, y.round().long(), x.round().long())
    top, left = y.floor(), x.floor()
    below, right = (y - top)[:, None], (x - left)[:, None]
    first_row, first_column = top.long(), left.long()
    last_row, last_column = (first_row + 1).clamp(max=height - 1), (first_column + 1).clamp(max=width - 1)
    upper = _taken(images, first_row, first_column) * (1 - right) + _taken(images, first_row, last_column) * right
    lower = _taken(images, last_row, first_column) * (1 - right) + _taken(images, last_row, last_column) * right
    return upper * (1 - below) + lower * below


def _taken(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return the pixels of images at rows and columns `(batch, height', width')`."""
    places = (rows * images.shape[3] + columns).flatten(1).unsqueeze(1).expand(-1, images.shape[1], -1)
    return images.flatten(2).gather(2, places).unflatten(2, tuple(rows.shape[1:]))


@cache
def _cubic(length: int) -> Tensor:
    """Return the weights of the points for every place along a side, (length, points), by cubic interpolation."""
    points = torch.eye(POINTS)[:, None, None]  # (points, 1, 1, points)
    between = functional.interpolate(points, (1, length), mode="bicubic", align_corners=True)
    return between[:, 0, 0].T.contiguous()
