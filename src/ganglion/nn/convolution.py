"""Sizes of convolutions and poolings, padding, and the check that images fit a network."""

from typing import Literal

from torch import Tensor

from ganglion.errors import ShapeError

Padding = Literal["valid", "same"]


def output_size(size: int, kernel: int, stride: int = 1, padding: int | Padding = "valid") -> int:
    """Return floor((n + 2 p - f) / s) + 1, the side of a map after a convolution or pooling.

    Args:
        size: n, the side before.
        kernel: f, the side of the window.
        stride: s, the step between windows.
        padding: p, the border on every side; `valid` is none, `same` keeps ceil(n / s) whatever the window.

    Raises:
        ShapeError: the window does not fit into the padded map.

    >>> output_size(28, kernel=3), output_size(28, kernel=3, padding="same"), output_size(26, kernel=2, stride=2)
    (26, 28, 13)
    """
    border = (
        sum(same_padding(size, kernel, stride)) if padding == "same" else 2 * (0 if padding == "valid" else padding)
    )
    if size + border < kernel:
        raise ShapeError(
            "the map is smaller than the window that should slide over it",
            expected=f"a side of at least {kernel - border}",
            found=str(size),
            remedy="use larger images or fewer layers",
        )
    return (size + border - kernel) // stride + 1


def same_padding(size: int, kernel: int, stride: int = 1) -> tuple[int, int]:
    """Return the borders before and after that keep ceil(n / s) positions; an odd total puts the larger one after.

    >>> same_padding(28, kernel=3), same_padding(28, kernel=2), same_padding(7, kernel=3, stride=2)
    ((1, 1), (0, 1), (1, 1))
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def check_images(images: Tensor, channels: int, size: int) -> None:
    """Raise `ShapeError` unless `images` are `(batch, channels, size, size)`."""
    if tuple(images.shape[1:]) != (channels, size, size):
        raise ShapeError(
            "the network cannot take images of this shape",
            expected=f"(batch, {channels}, {size}, {size})",
            found=str(tuple(images.shape)),
        )
