"""Pooling by name: the largest, the mean, or the length of what a window holds."""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.errors import ConfigurationError
from ganglion.settings import unknown_name

PoolingName = Literal["max", "average", "l2"]


class L2Pooling1d(nn.Module):
    """Return sqrt(sum_k x[s i + k - p]^2), the length of the values in each window of a series.

    Where a window holds nothing but zeros its slope is 0, and not the infinite one of the root. `torch.nn.LPPool1d`
    takes no border, and scales what a window partly beyond the end holds as if it were whole.

    Args:
        kernel_size: side of the windows.
        stride: s, the step between windows; that of a window when not given.
        padding: p, zeros on both sides.
        ceil_mode: whether a last window that lies partly beyond the end counts.

    >>> L2Pooling1d(2)(torch.tensor([[[3.0, 4.0, 0.0, -2.0]]])).tolist()
    [[[5.0, 2.0]]]
    """

    def __init__(self, kernel_size: int, stride: int | None = None, padding: int = 0, ceil_mode: bool = False) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride or kernel_size, padding
        self.ceil_mode = ceil_mode

    def forward(self, inputs: Tensor) -> Tensor:
        window, step, border = (1, self.kernel_size), (1, self.stride), (0, self.padding)
        squares = inputs.square().unsqueeze(-2)  # (batch, channels, 1, length)
        sums = F.avg_pool2d(squares, window, step, border, self.ceil_mode, divisor_override=1)
        return _root(sums.squeeze(-2))

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class L2Pooling2d(nn.Module):
    """Return sqrt(sum_kl x[s i + k - p, s j + l - p]^2), the length of the values in each window of a map.

    Where a window holds nothing but zeros its slope is 0, and not the infinite one of the root. `torch.nn.LPPool2d`
    takes no border, and scales what a window partly beyond the end holds as if it were whole.

    Args:
        kernel_size: side of the windows, or height and width.
        stride: s, the step between windows; that of a window when not given.
        padding: p, zeros on every side.
        ceil_mode: whether last windows that lie partly beyond the end count.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), section 9.3.

    >>> L2Pooling2d(2)(torch.tensor([[[[1.0, 1.0], [1.0, -1.0]]]])).item()
    2.0
    """

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = 0,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride or kernel_size, padding
        self.ceil_mode = ceil_mode

    def forward(self, inputs: Tensor) -> Tensor:
        windows = self.kernel_size, self.stride, self.padding, self.ceil_mode
        return _root(F.avg_pool2d(inputs.square(), *windows, divisor_override=1))

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


POOLINGS: dict[tuple[str, int], Callable[..., nn.Module]] = {
    ("max", 1): nn.MaxPool1d,
    ("max", 2): nn.MaxPool2d,
    ("average", 1): nn.AvgPool1d,
    ("average", 2): nn.AvgPool2d,
    ("l2", 1): L2Pooling1d,
    ("l2", 2): L2Pooling2d,
}
"""By name, and by the directions that windows slide in."""


def pooling(
    name: PoolingName,
    kernel_size: int,
    stride: int | None = None,
    padding: int = 0,
    *,
    ceil_mode: bool = False,
    directions: int = 2,
) -> nn.Module:
    """Return a new pooling layer for series (one direction) or maps (two).

    Args:
        name: of `max`, `average` and `l2`.
        kernel_size: side of the windows.
        stride: step between windows, which overlap where it is smaller; that of a window when not given.
        padding: positions added on every side, at most half a window.
        ceil_mode: whether last windows that lie partly beyond the end count.
        directions: 1 or 2.

    Raises:
        ConfigurationError: an unknown name, or other directions.

    >>> pooling("max", 3, stride=2)(torch.zeros(1, 8, 55, 55)).shape
    torch.Size([1, 8, 27, 27])
    """
    names = list(dict.fromkeys(known for known, _ in POOLINGS))
    if name not in names:
        raise unknown_name("pooling", name, names)
    if (name, directions) not in POOLINGS:
        raise ConfigurationError("windows slide in one or two directions", expected="1 or 2", found=str(directions))
    return POOLINGS[name, directions](kernel_size, stride, padding, ceil_mode=ceil_mode)


def _root(sums: Tensor) -> Tensor:
    """Return the square root with slope 0 at 0."""
    is_zero = sums == 0
    return torch.where(is_zero, 0, torch.where(is_zero, 1, sums).sqrt())
