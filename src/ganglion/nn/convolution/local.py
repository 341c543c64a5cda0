"""Layers between a convolution and a dense one: kernels that differ from place to place, in rotation or everywhere."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.nn.convolution.layers import borders_of, padded
from ganglion.nn.convolution.sizes import Padding, output_size


class TiledConvolution2d(nn.Module):
    """Slide t x t kernels in rotation: y[i, j] = b_uv + sum_kl w_uv[k, l] x[s i + k - p, s j + l - p].

    With u = i mod t and v = j mod t, neighbours have kernels of their own, and every t-th position has the same one. So
    a unit can pool over kernels that are not copies of each other, with memory for t^2 of them and not for all
    positions. One tile is a convolution; as many as there are positions make a locally connected layer.

    Args:
        in_channels: channels of the inputs `(batch, in_channels, height, width)`.
        out_channels: kernels in each tile.
        kernel_size: side of the windows.
        tiles: t; a pair for another number down than across.
        stride: s.
        padding: p, `valid` or `same`, as of `Convolution2d`.

    Raises:
        ConfigurationError: fewer than one tile.

    Sources: Goodfellow, Bengio, Courville, Deep Learning (2016), equation 9.10; Le et al., Tiled convolutional neural
    networks (2010).

    >>> layer = TiledConvolution2d(1, 2, 3, tiles=2)
    >>> layer(torch.zeros(1, 1, 8, 8)).shape, layer.weight.shape
    (torch.Size([1, 2, 6, 6]), torch.Size([2, 2, 2, 1, 3, 3]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        tiles: int | tuple[int, int] = 2,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | Padding = 0,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.tiles = _pair(kernel_size), _pair(stride), _pair(tiles)
        self.padding = padding if isinstance(padding, str) else _pair(padding)
        if min(self.tiles) < 1:
            raise ConfigurationError("a tiled convolution needs a kernel", expected="at least 1 tile", found=str(tiles))
        self.weight = nn.Parameter(torch.empty(*self.tiles, out_channels, in_channels, *self.kernel_size))
        self.bias = nn.Parameter(torch.empty(*self.tiles, out_channels)) if bias else None
        _draw(self.weight, self.bias, self.weight[0, 0, 0].numel())

    def forward(self, inputs: Tensor) -> Tensor:
        inputs = padded(inputs, self.borders(inputs))
        height, width = _sizes(inputs.shape[-2:], self.kernel_size, self.stride)
        tiles = min(self.tiles[0], height), min(self.tiles[1], width)
        counts = -(-height // tiles[0]), -(-width // tiles[1])
        maps = self._maps(inputs, tiles, counts).permute(2, 3, 4, 0, 5, 1)
        # (batch, out_channels, height / t, t, width / t, t), which in this order are rows and columns
        return maps.flatten(2, 3).flatten(3, 4)[..., :height, :width]

    def borders(self, inputs: Tensor) -> list[tuple[int, int]]:
        """Return how many positions are added around inputs, (batch, channels, height, width), down and across."""
        return borders_of(inputs.shape[-2:], self.kernel_size, self.stride, self.padding, (1, 1))

    def _maps(self, inputs: Tensor, tiles: tuple[int, int], counts: tuple[int, int]) -> Tensor:
        """Return what the kernels of each tile see, `(t, t, batch, out_channels, height / t, width / t)`.

        Each is a convolution with a stride of t s that starts at the first window of its tile. Where t does not divide
        the side, some have no last window of their own: they see a border, and the caller cuts that off.
        """
        steps = self.stride[0] * tiles[0], self.stride[1] * tiles[1]
        reach = tuple((counts[axis] - 1) * steps[axis] + self.kernel_size[axis] for axis in (0, 1))
        needed = (reach[axis] + (tiles[axis] - 1) * self.stride[axis] for axis in (0, 1))
        inputs = padded(
            inputs, [(0, max(need - side, 0)) for need, side in zip(needed, inputs.shape[-2:], strict=True)]
        )
        rows = []
        for row in range(tiles[0]):
            strip = inputs.narrow(-2, row * self.stride[0], reach[0])
            seen = [strip.narrow(-1, column * self.stride[1], reach[1]) for column in range(tiles[1])]
            biases = [None] * len(seen) if self.bias is None else self.bias[row]
            found = map(F.conv2d, seen, self.weight[row], biases, [steps] * len(seen))
            rows.append(torch.stack(list(found)))
        return torch.stack(rows)

    def extra_repr(self) -> str:
        return f"{_text(self.weight, self.kernel_size, self.stride, self.padding)}, tiles={self.tiles}"


class LocallyConnected1d(nn.Module):
    """Give every position kernels of its own: y[i] = b_i + sum_k w_i[k] x[s i + d k - p]; nothing is shared.

    Args:
        in_channels: channels of the inputs `(batch, in_channels, length)`.
        out_channels: kernels at each position.
        kernel_size: f.
        size: length of the inputs, of which the number of weights depends.
        stride: s.
        padding: p, `valid` or `same`, as of `Convolution1d`.
        dilation: d.

    Raises:
        ShapeError: kernels that do not fit into that size, or inputs of another one.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), equation 9.9.

    >>> layer = LocallyConnected1d(2, 4, 3, size=9)
    >>> layer(torch.zeros(1, 2, 9)).shape, layer.weight.shape
    (torch.Size([1, 4, 7]), torch.Size([7, 4, 2, 3]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        size: int,
        stride: int = 1,
        padding: int | Padding = 0,
        dilation: int = 1,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.size, self.kernel_size, self.stride, self.dilation = (size,), (kernel_size,), (stride,), (dilation,)
        self.padding = padding if isinstance(padding, str) else (padding,)
        length = output_size(size, kernel_size, stride, padding, dilation)
        self.weight = nn.Parameter(torch.empty(length, out_channels, in_channels, kernel_size))
        self.bias = nn.Parameter(torch.empty(length, out_channels)) if bias else None
        _draw(self.weight, self.bias, in_channels * kernel_size)

    def forward(self, inputs: Tensor) -> Tensor:
        _refuse_other_sizes(inputs, self.weight.shape[2], self.size)
        windows = _windows(inputs, self)  # (batch, in_channels, positions, kernel)
        maps = torch.einsum("bclk,lock->bol", windows, self.weight)
        return maps if self.bias is None else maps + self.bias.t()

    def extra_repr(self) -> str:
        return f"{_text(self.weight, self.kernel_size, self.stride, self.padding)}, size={self.size}"


class LocallyConnected2d(nn.Module):
    """Give every position kernels of its own: y[i, j] = b_ij + sum_kl w_ij[k, l] x[s i + d k - p, s j + d l - p].

    Args:
        in_channels: channels of the inputs `(batch, in_channels, height, width)`.
        out_channels: kernels at each position.
        kernel_size: f.
        size: height and width of the inputs, of which the number of weights depends.
        stride: s.
        padding: p, `valid` or `same`, as of `Convolution2d`.
        dilation: d.

    Raises:
        ShapeError: kernels that do not fit into that size, or inputs of another one.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), equation 9.9.

    >>> layer = LocallyConnected2d(1, 4, 3, size=(8, 6), stride=2, padding="same")
    >>> layer(torch.zeros(5, 1, 8, 6)).shape, layer.weight.shape
    (torch.Size([5, 4, 4, 3]), torch.Size([4, 3, 4, 1, 3, 3]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | Padding = 0,
        dilation: int | tuple[int, int] = 1,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.size, self.kernel_size = _pair(size), _pair(kernel_size)
        self.stride, self.dilation = _pair(stride), _pair(dilation)
        self.padding = padding if isinstance(padding, str) else _pair(padding)
        around = borders_of(self.size, self.kernel_size, self.stride, self.padding, self.dilation)
        bordered = [side + sum(pair) for side, pair in zip(self.size, around, strict=True)]
        positions = _sizes(bordered, self.kernel_size, self.stride, self.dilation)
        self.weight = nn.Parameter(torch.empty(*positions, out_channels, in_channels, *self.kernel_size))
        self.bias = nn.Parameter(torch.empty(*positions, out_channels)) if bias else None
        _draw(self.weight, self.bias, self.weight[0, 0, 0].numel())

    def forward(self, inputs: Tensor) -> Tensor:
        _refuse_other_sizes(inputs, self.weight.shape[3], self.size)
        windows = _windows(inputs, self)  # (batch, in_channels, rows, columns, kernel, kernel)
        maps = torch.einsum("bchwkl,hwockl->bohw", windows, self.weight)
        return maps if self.bias is None else maps + self.bias.permute(2, 0, 1)

    def extra_repr(self) -> str:
        return f"{_text(self.weight, self.kernel_size, self.stride, self.padding)}, size={self.size}"


def _windows(inputs: Tensor, layer: LocallyConnected1d | LocallyConnected2d) -> Tensor:
    """Return the windows that slide over `inputs`, `(batch, channels, positions ..., kernel ...)`."""
    count = len(layer.kernel_size)
    around = borders_of(inputs.shape[-count:], layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    windows = padded(inputs, around)
    directions = zip(layer.kernel_size, layer.stride, layer.dilation, strict=True)
    for axis, (kernel, stride, dilation) in enumerate(directions, start=2):
        windows = windows.unfold(axis, dilation * (kernel - 1) + 1, stride)[..., ::dilation]
    return windows


def _sizes(
    sides: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int] = (1, 1)
) -> list[int]:
    """Return how many windows there are in every direction, between borders that are there already."""
    return [output_size(one, f, s, "valid", d) for one, f, s, d in zip(sides, kernel, stride, dilation, strict=True)]


def _refuse_other_sizes(inputs: Tensor, channels: int, size: tuple[int, ...]) -> None:
    if tuple(inputs.shape[1:]) != (channels, *size):
        raise ShapeError(
            "a locally connected layer has weights for the positions of one size only",
            expected=f"(batch, {', '.join(map(str, (channels, *size)))})",
            found=str(tuple(inputs.shape)),
            remedy="resize the inputs, or use a tiled convolution, which takes any size",
        )


def _draw(weight: Tensor, bias: Tensor | None, inputs: int) -> None:
    """Draw weights and biases as torch does those of a convolution: U(-1 / sqrt(n), 1 / sqrt(n)) for n inputs."""
    bound = inputs**-0.5
    nn.init.uniform_(weight, -bound, bound)
    if bias is not None:
        nn.init.uniform_(bias, -bound, bound)


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _text(weight: Tensor, kernel_size: object, stride: object, padding: object) -> str:
    out_channels, in_channels = weight.shape[2:4] if weight.dim() == 6 else weight.shape[1:3]
    return f"{in_channels}, {out_channels}, kernel_size={kernel_size}, stride={stride}, padding={padding}"
