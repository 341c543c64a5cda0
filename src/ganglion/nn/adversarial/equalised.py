"""Layers of an equalised learning rate: weights of unit scale, multiplied at each call by what others start from.

Adam moves each weight by about its rate whatever its size, so that layers with small weights would change faster than
others. Here all weights are drawn from N(0, 1) and all layers learn at the same pace.
"""

from math import prod, sqrt
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.fast.matrix_library import linear

GAIN = sqrt(2)
"""That of He et al. 2015, for layers before a rectifier."""
Scale = Literal["same", "up", "down"]


class EqualisedLinear(nn.Module):
    """y = c W x + r b,  c = r gain / sqrt(in_features),  W from N(0, 1 / r^2), b = 0.

    Args:
        in_features, out_features: of x (batch, in_features) and y.
        gain: deviation of y for independent x of unit scale.
        rate: r, how many times slower than other layers this one learns.

    Source: Karras et al. 2018, Progressive growing of GANs, section 4.1.

    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <...>
    >>> bool(0.9 < EqualisedLinear(64, 64, gain=1.0)(torch.randn(500, 64)).std() < 1.1)
    True
    """

    def __init__(self, in_features: int, out_features: int, gain: float = GAIN, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(_drawn(out_features, in_features) / rate)
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.factor, self.rate = rate * gain / sqrt(in_features), rate

    def forward(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.weight * self.factor, self.bias * self.rate)


class EqualisedConvolution(nn.Module):
    """y = c w * x + b over maps (batch, in_channels, height, width), to the same side, twice or half of it.

    c = gain / sqrt(kernel^2 in_channels), and w from N(0, 1). `up` is nearest-neighbour enlargement and then the
    convolution, `down` the convolution and then the mean of four. Either is computed as one strided convolution, whose
    kernel is a pixel larger and sums up the shifted w: the same numbers with less than half of the products.

    Args:
        in_channels, out_channels: of x and y.
        kernel: an odd side; 3 where the side changes.
        scale: what becomes of the side.
        bias: whether there is b.
        gain: deviation of y for independent x of unit scale.

    Source: Karras et al. 2018, Progressive growing of GANs, section 4.1; the authors' code for the larger kernels.

    >>> EqualisedConvolution(4, 8, 3, scale="up")(torch.zeros(2, 4, 5, 5)).shape
    torch.Size([2, 8, 10, 10])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        scale: Scale = "same",
        bias: bool = True,
        gain: float = GAIN,
    ) -> None:
        super().__init__()
        shape = (out_channels, in_channels, kernel, kernel)
        self.weight = nn.Parameter(_drawn(*shape))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.factor, self.scale = gain / sqrt(prod(shape[1:])), scale

    def forward(self, maps: Tensor) -> Tensor:
        weight = self.weight * self.factor
        if self.scale == "up":
            spread = summed(weight.flip(2, 3)).transpose(0, 1)
            return functional.conv_transpose2d(maps, spread, self.bias, stride=2, padding=1)
        if self.scale == "down":
            return functional.conv2d(maps, summed(weight) / 4, self.bias, stride=2, padding=1)
        return functional.conv2d(maps, weight, self.bias, padding=weight.shape[2] // 2)


def summed(weight: Tensor) -> Tensor:
    """Return the sum of kernels (out, in, side, side) and those shifted by one down, across and both, of side + 1.

    >>> summed(torch.tensor([[[[1.0, 2.0], [0.0, 1.0]]]]))
    tensor([[[[1., 3., 2.],
              [1., 4., 3.],
              [0., 1., 1.]]]])
    """
    padded = functional.pad(weight, (1, 1, 1, 1))
    across = padded[..., 1:] + padded[..., :-1]
    return across[..., 1:, :] + across[..., :-1, :]


def _drawn(*shape: int) -> Tensor:
    weight = torch.empty(*shape)
    nn.init.normal_(weight)
    return weight
