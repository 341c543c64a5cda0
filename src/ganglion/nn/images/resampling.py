"""Images made larger or smaller by bicubic interpolation, as Matlab and Pillow do it."""

from torch import Tensor
from torch.nn import functional


def resized(images: Tensor, height: int, width: int) -> Tensor:
    """Return images `(batch, channels, rows, columns)` at another size, smoothed where they shrink.

    Each new pixel is the sum of pixels x around its place, weighed by w, and where the image shrinks r times by
    w(d / r) / r instead:

        w(d) = 1.5 |d|^3 - 2.5 |d|^2 + 1                     up to |d| = 1
        w(d) = -0.5 |d|^3 + 2.5 |d|^2 - 4 |d| + 2            up to |d| = 2

    Source: Keys, Cubic convolution interpolation for digital image processing (1981), with a = -0.5.

    >>> import torch
    >>> resized(torch.rand(1, 3, 12, 20), 4, 5).shape
    torch.Size([1, 3, 4, 5])
    """
    return functional.interpolate(images, (height, width), mode="bicubic", antialias=True)  # without it a is -0.75


def enlarged(images: Tensor, factor: int) -> Tensor:
    """Return images `(batch, channels, height, width)` whose sides are a whole factor as long.

    >>> import torch
    >>> enlarged(torch.ones(1, 1, 2, 3), 3).shape
    torch.Size([1, 1, 6, 9])
    """
    return resized(images, images.shape[2] * factor, images.shape[3] * factor)
