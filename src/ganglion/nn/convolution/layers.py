"""Convolutions in both conventions, with any padding; separable ones, and ones with a learnt activation."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.errors import ConfigurationError
from ganglion.nn.activations import maxout
from ganglion.nn.convolution.sizes import Padding, borders

BorderName = Literal["zeros", "reflect", "replicate", "circular"]


class Convolution1d(nn.Conv1d):
    """Slide kernels along series: y[i] = b + sum_k w[k] x[s i + d k - p], over the channels of a group.

    That is cross-correlation, which neural networks call convolution. `flipped` turns the kernels round, w[f - 1 - k],
    which is the convolution of mathematics: of `scipy.signal.convolve`, of filters and of probabilities. What is learnt
    is the same, turned round.

    Args:
        in_channels: channels of the inputs `(batch, in_channels, length)`.
        out_channels: number of kernels, and channels of what comes out.
        kernel_size: f.
        stride: s, the step between windows.
        padding: p on both sides, `valid` for none, or `same` for ceil(length / s) positions, whatever s and d.
        dilation: d, the step between the inputs of one window.
        groups: parts into which the channels fall; each kernel sees one of them.
        flipped: turn the kernels round.
        padding_mode: what borders are made of, as of `torch.nn.Conv1d`.

    Raises:
        ConfigurationError: a padding that is none.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), section 9.1.

    >>> import torch
    >>> x = torch.tensor([[[0.0, 0, 1, 0, 0]]])
    >>> layer = Convolution1d(1, 1, 3, padding="same", bias=False)
    >>> turned = Convolution1d(1, 1, 3, padding="same", bias=False, flipped=True)
    >>> layer.weight.data[:] = turned.weight.data[:] = torch.tensor([1.0, 2, 3])
    >>> layer(x).tolist(), turned(x).tolist()
    ([[[0.0, 3.0, 2.0, 1.0, 0.0]]], [[[0.0, 1.0, 2.0, 3.0, 0.0]]])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] = 1,
        padding: int | tuple[int] | Padding = 0,
        dilation: int | tuple[int] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        flipped: bool = False,
        padding_mode: BorderName = "zeros",
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, _in_numbers(padding), dilation, groups, bias, padding_mode
        )
        self.flipped = flipped
        if isinstance(padding, str):
            self.padding = padding

    def forward(self, inputs: Tensor) -> Tensor:
        return _convolved(self, inputs, F.conv1d)

    def extra_repr(self) -> str:
        return super().extra_repr() + (", flipped=True" if self.flipped else "")


class Convolution2d(nn.Conv2d):
    """Slide kernels over maps: y[i, j] = b + sum_kl w[k, l] x[s i + d k - p, s j + d l - p].

    The sum is over the channels of a group, too. Everything is as in `Convolution1d`, in both directions; a pair gives
    one value for each.

    Args:
        in_channels: channels of the inputs `(batch, in_channels, height, width)`.
        out_channels: number of kernels, and channels of what comes out.
        kernel_size: f.
        stride: s, the step between windows.
        padding: p on every side, `valid` for none, or `same` for ceil(side / s) positions, whatever s and d.
        dilation: d, the step between the inputs of one window.
        groups: parts into which the channels fall; each kernel sees one of them.
        flipped: turn the kernels round in both directions: the convolution of mathematics.
        padding_mode: what borders are made of, as of `torch.nn.Conv2d`.

    Raises:
        ConfigurationError: a padding that is none.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), section 9.1.

    >>> import torch
    >>> Convolution2d(3, 8, 3, stride=2, padding="same", dilation=2)(torch.zeros(1, 3, 15, 20)).shape
    torch.Size([1, 8, 8, 10])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | Padding = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        flipped: bool = False,
        padding_mode: BorderName = "zeros",
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, _in_numbers(padding), dilation, groups, bias, padding_mode
        )
        self.flipped = flipped
        if isinstance(padding, str):
            self.padding = padding

    def forward(self, inputs: Tensor) -> Tensor:
        return _convolved(self, inputs, F.conv2d)

    def extra_repr(self) -> str:
        return super().extra_repr() + (", flipped=True" if self.flipped else "")


class SeparableConvolution2d(nn.Module):
    """Convolve each channel by itself, then mix the channels at every position: a kernel of f x f x c as two factors.

    It has c f^2 + c c' weights in place of c f^2 c', and as many times fewer multiply-adds.

    Args:
        in_channels: c.
        out_channels: c'.
        kernel_size: f.
        stride: step between windows.
        padding: as of `Convolution2d`.
        dilation: step between the inputs of one window.
        multiplier: kernels for each channel before they are mixed.
        bias: whether the mixed channels have one; those before never do.

    Source: Chollet, Xception: Deep learning with depthwise separable convolutions (2017).

    >>> layer = SeparableConvolution2d(32, 64, 3, bias=False)
    >>> sum(weight.numel() for weight in layer.parameters()), 32 * 3 * 3 + 32 * 64
    (2336, 2336)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | Padding = "same",
        dilation: int | tuple[int, int] = 1,
        *,
        multiplier: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        between = in_channels * multiplier
        self.depthwise = Convolution2d(
            in_channels, between, kernel_size, stride, padding, dilation, groups=in_channels, bias=False
        )
        self.pointwise = nn.Conv2d(between, out_channels, 1, bias=bias)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(inputs))


class MaxoutConvolution2d(nn.Module):
    """Return max_k (w_k * x + b_k): at every position the largest of `pieces` convolutions, for each channel.

    Args:
        in_channels: channels of the inputs.
        out_channels: channels of what comes out; `pieces` times as many kernels are learnt.
        kernel_size: side of the windows.
        stride: step between windows.
        padding: as of `Convolution2d`.
        pieces: kernels that compete for a channel.

    Source: Goodfellow et al., Maxout networks (2013).

    >>> import torch
    >>> layer = MaxoutConvolution2d(3, 8, 5, pieces=4)
    >>> layer(torch.zeros(2, 3, 9, 9)).shape, layer.convolution.weight.shape
    (torch.Size([2, 8, 5, 5]), torch.Size([32, 3, 5, 5]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | Padding = 0,
        *,
        pieces: int = 2,
    ) -> None:
        super().__init__()
        self.pieces = pieces
        self.convolution = Convolution2d(in_channels, out_channels * pieces, kernel_size, stride, padding)

    def forward(self, inputs: Tensor) -> Tensor:
        return maxout(self.convolution(inputs), self.pieces, axis=-3)  # of (batch, channels * pieces, height, width)

    def extra_repr(self) -> str:
        return f"pieces={self.pieces}"


def _convolved(layer: Convolution1d | Convolution2d, inputs: Tensor, convolve: Callable[..., Tensor]) -> Tensor:
    """Return what `convolve`, torch's function for that many directions, makes of `inputs` with the layer's kernels."""
    directions = tuple(range(-len(layer.kernel_size), 0))
    weight = layer.weight.flip(directions) if layer.flipped else layer.weight
    sides = inputs.shape[-len(directions) :]
    around = borders_of(sides, layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    if layer.padding_mode == "zeros" and all(before == after for before, after in around):
        return convolve(
            inputs,
            weight,
            layer.bias,
            layer.stride,
            tuple(before for before, _ in around),
            layer.dilation,
            layer.groups,
        )
    bordered = padded(inputs, around, "constant" if layer.padding_mode == "zeros" else layer.padding_mode)
    return convolve(bordered, weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)


def borders_of(
    sides: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: str | Sequence[int],
    dilation: Sequence[int],
) -> list[tuple[int, int]]:
    """Return the borders before and after in every direction."""
    widths: Any = [padding] * len(sides) if isinstance(padding, str) else padding
    return [borders(*one) for one in zip(sides, kernel_size, stride, widths, dilation, strict=True)]


def padded(inputs: Tensor, around: Sequence[tuple[int, int]], mode: str = "constant") -> Tensor:
    """Return inputs, (batch, channels, ...), with borders added in their last directions, if there are any."""
    if not any(map(any, around)):
        return inputs
    return F.pad(inputs, [width for pair in reversed(around) for width in pair], mode)


def _in_numbers(padding: int | Sequence[int] | str) -> Any:
    """Return a padding as torch takes it, 0 for a word, or raise `ConfigurationError` where it is none.

    torch refuses `same` with a stride: borders are the layer's own business then, which says so in its text.
    """
    if padding in ("valid", "same"):
        return 0
    if isinstance(padding, str) or min([padding] if isinstance(padding, int) else padding) < 0:
        expected = "`valid`, `same`, or how many positions to add on every side, 0 or more"
        raise ConfigurationError("this is no padding", expected=expected, found=repr(padding))
    return padding
