"""Sizes of convolutions and poolings, padding, and the check that images fit a network."""

import math
from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from ganglion.errors import ShapeError

Padding = Literal["valid", "same"]


def output_size(size: int, kernel: int, stride: int = 1, padding: int | Padding = "valid", dilation: int = 1) -> int:
    """Return floor((n + 2 p - d (f - 1) - 1) / s) + 1, the side of a map after a convolution or pooling.

    Args:
        size: n, the side before.
        kernel: f, the side of the window.
        stride: s, the step between windows.
        padding: p, the border on every side; `valid` is none, `same` keeps ceil(n / s) whatever the window.
        dilation: d, the step between the inputs of one window.

    Raises:
        ShapeError: the window does not fit into the padded map.

    >>> output_size(28, kernel=3), output_size(28, kernel=3, padding="same"), output_size(26, kernel=2, stride=2)
    (26, 28, 13)
    """
    border, extent = sum(borders(size, kernel, stride, padding, dilation)), _extent(kernel, dilation)
    if size + border < extent:
        raise ShapeError(
            "the map is smaller than the window that should slide over it",
            expected=f"a side of at least {extent - border}",
            found=str(size),
            remedy="use larger images or fewer layers",
        )
    return (size + border - extent) // stride + 1


def transposed_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
) -> int:
    """Return (n - 1) s - 2 p + d (f - 1) + q + 1, the side of a map after a transposed convolution.

    It is what a convolution with the same f, s, p and d would make n of. Several sides are, where s > 1; q, the
    `output_padding`, chooses among them.

    Raises:
        ShapeError: the border that is cut off is all there is.

    Source: Dumoulin and Visin, A guide to convolution arithmetic for deep learning (2016), relationship 14.

    >>> transposed_size(4, kernel=4, stride=2, padding=1), output_size(8, kernel=4, stride=2, padding=1)
    (8, 4)
    """
    found = (size - 1) * stride - 2 * padding + _extent(kernel, dilation) + output_padding
    if found < 1:
        raise ShapeError(
            "a transposed convolution cuts all of its map off",
            expected=f"a padding of less than {padding - (found - 1) / 2:g}",
            found=str(padding),
            remedy="use less padding or larger maps",
        )
    return found


def fitting_strides(size: int, strides: Sequence[int], least: int) -> tuple[int, ...]:
    """Return strides that leave a map of at least `least` positions of a side: the first become 1 until that is so.

    Networks that were made for large images begin by making them smaller; small images do without that.

    Args:
        size: side of the image.
        strides: of the layers in order, as published.
        least: side of the last map; where even strides of 1 leave less, all are 1.

    >>> fitting_strides(224, (2, 2, 1, 2, 2, 2), least=4), fitting_strides(32, (2, 2, 1, 2, 2, 2), least=4)
    ((2, 2, 1, 2, 2, 2), (1, 1, 1, 2, 2, 2))
    """
    for skipped in range(len(strides) + 1):
        left = strides[skipped:]
        if size // math.prod(left) >= least:
            return (*(1 for _ in range(skipped)), *left)
    return (1,) * len(strides)


def scaled_channels(channels: int, width: float, divisor: int = 1) -> int:
    """Return a number of channels times `width`, as the nearest multiple of `divisor` that is at most 10 % below it.

    Source: the released code of Tan and Le, EfficientNet (2019).

    >>> scaled_channels(728, 0.125), scaled_channels(24, 1.1, divisor=8), scaled_channels(20, 0.5, divisor=8)
    (91, 24, 16)
    """
    wanted = channels * width
    nearest = max(divisor, int(wanted + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * wanted else nearest + divisor


def same_padding(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """Return the borders before and after that keep ceil(n / s) positions; an odd total puts the larger one after.

    >>> same_padding(28, kernel=3), same_padding(28, kernel=2), same_padding(7, kernel=3, stride=2)
    ((1, 1), (0, 1), (1, 1))
    """
    total = max((-(-size // stride) - 1) * stride + _extent(kernel, dilation) - size, 0)
    return total // 2, total - total // 2


def borders(
    size: int, kernel: int, stride: int = 1, padding: int | Padding = "valid", dilation: int = 1
) -> tuple[int, int]:
    """Return how many positions are added before and after a side of `size`; arguments as of `output_size`.

    >>> borders(28, kernel=5, padding="same"), borders(28, kernel=5, padding=1), borders(28, kernel=5)
    ((2, 2), (1, 1), (0, 0))
    """
    if padding == "same":
        return same_padding(size, kernel, stride, dilation)
    width = 0 if padding == "valid" else padding
    return width, width


def _extent(kernel: int, dilation: int) -> int:
    """Return the side of the inputs that a window of that dilation spans."""
    return dilation * (kernel - 1) + 1


def cropped(maps: Tensor, height: int, width: int) -> Tensor:
    """Return the middle of maps (..., rows, columns) as (..., height, width)."""
    top, left = (maps.shape[-2] - height) // 2, (maps.shape[-1] - width) // 2
    return maps[..., top : top + height, left : left + width]


def check_images(images: Tensor, channels: int, size: int) -> None:
    """Raise `ShapeError` unless `images` are `(batch, channels, size, size)`."""
    if tuple(images.shape[1:]) != (channels, size, size):
        raise ShapeError(
            "the network cannot take images of this shape",
            expected=f"(batch, {channels}, {size}, {size})",
            found=str(tuple(images.shape)),
        )
