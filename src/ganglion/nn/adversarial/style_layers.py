"""What generators of styles are made of: normalisation by pixel and by map, blurring, deviation within a batch."""

import torch
from torch import Tensor
from torch.nn import functional

from ganglion.fast.autocast import without_autocast

EPSILON = 1e-8
GROUP = 4
"""Samples whose deviation a discriminator is told."""


def pixel_norm(values: Tensor) -> Tensor:
    """Return x / sqrt(mean x^2 + 1e-8), the mean over the channels (batch, channels, ...), in the same shape.

    Source: Karras et al. 2018, Progressive growing of GANs, section 4.2.

    >>> pixel_norm(torch.tensor([[3.0, 4.0]])).square().mean().round()
    tensor(1.)
    """
    return values * (values.square().mean(1, keepdim=True) + EPSILON).rsqrt()


def adain(maps: Tensor, style: Tensor) -> Tensor:
    """Return (y_s + 1) (x - mean x) / sqrt(var x) + y_b, mean and variance of each map of each sample.

    Args:
        maps: x (batch, channels, height, width).
        style: y_s and y_b side by side (batch, 2 channels).

    Source: Karras et al. 2019, equation 1; the authors' code for the 1, with which scales begin.

    >>> maps = adain(torch.rand(2, 3, 8, 8), torch.tensor([[1.0] * 3 + [5.0] * 3] * 2))
    >>> maps.mean().round(), maps.std().round()
    (tensor(5.), tensor(2.))
    """
    scale, shift = style[:, :, None, None].chunk(2, dim=1)
    return torch.addcmul(shift, functional.instance_norm(maps, eps=EPSILON), scale + 1)


def blurred(maps: Tensor) -> Tensor:
    """Return maps (batch, channels, height, width) smoothed by 1-2-1 in both directions, zero beyond the border.

    Source: Karras et al. 2019, section 3; Zhang, Making Convolutional Networks Shift-Invariant Again (2019).

    >>> blurred(torch.eye(3)[None, None])[0, 0, 1]
    tensor([0.2500, 0.3750, 0.2500])
    """
    if torch.is_grad_enabled() and maps.requires_grad:
        smooth: Tensor = _Blur.apply(maps)
        return smooth
    return _smoothed(maps)


class _Blur(torch.autograd.Function):
    """Smoothing, whose gradient is smoothed likewise: the filter is its own mirror image."""

    @staticmethod
    @without_autocast
    def forward(context: object, maps: Tensor) -> Tensor:
        return _smoothed(maps)

    @staticmethod
    @without_autocast
    def backward(context: object, gradient: Tensor) -> Tensor:
        return blurred(gradient)


def _smoothed(maps: Tensor) -> Tensor:
    line = maps.new_tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(line, line).expand(maps.shape[1], 1, 3, 3)
    return functional.conv2d(maps, kernel, padding=1, groups=maps.shape[1])


def with_deviation(maps: Tensor) -> Tensor:
    """Return maps (batch, channels, height, width) and one more: how much samples of a group differ, on average.

    Groups have four samples where that divides the batch, and else as many as do. A generator that draws the same
    again and again shows itself by small numbers there.

    Source: Karras et al. 2018, Progressive growing of GANs, section 3.

    >>> with_deviation(torch.ones(4, 2, 3, 3))[:, 2].max() < 1e-3
    tensor(True)
    """
    batch, _, height, width = maps.shape
    size = next(size for size in range(min(GROUP, batch), 0, -1) if batch % size == 0)
    groups = maps.unflatten(0, (size, -1))  # (in a group, groups, channels, height, width)
    deviation = (groups.var(0, unbiased=False) + EPSILON).sqrt().mean((1, 2, 3))  # (groups,)
    plane = deviation.repeat(size)[:, None, None, None].expand(-1, 1, height, width)
    return torch.cat([maps, plane], dim=1)
