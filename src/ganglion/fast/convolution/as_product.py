"""Convolutions with maps of few positions as products: torch's kernels leave half a processor idle there."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.fast.autocast import without_autocast
from ganglion.fast.matrix_library import linear, product


def unfolded_convolution(images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return z_k = sum_p w_kp x_p + b_k at every position, with p over pixels under the kernel, as one product.

    Args:
        images: (batch, channels, height, width).
        weight: (features, channels, kernel height, kernel width).
        bias: (features,).

    >>> images, weight = torch.randn(2, 3, 5, 5), torch.randn(4, 3, 3, 3)
    >>> torch.allclose(unfolded_convolution(images, weight, None), F.conv2d(images, weight), atol=1e-4)
    True
    """
    rows = _Unfolded.apply(images, weight, bias)  # (batch * positions, features)
    return rows.view(len(images), *_positions(images, weight), -1).permute(0, 3, 1, 2)


def grown_pixels(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the transposed convolution of maps of one pixel, x W + b.

    Args:
        inputs: (batch, channels, 1, 1).
        weight: (channels, features, height, width), the last two those of the result.
        bias: (features,).

    >>> inputs, weight = torch.randn(2, 3, 1, 1), torch.randn(3, 4, 5, 5)
    >>> torch.allclose(grown_pixels(inputs, weight, None), F.conv_transpose2d(inputs, weight), atol=1e-5)
    True
    """
    kernel = weight.permute(0, 2, 3, 1)  # (channels, height, width, features)
    maps = linear(inputs.flatten(1), kernel.flatten(1).t()).unflatten(1, kernel.shape[1:])
    return (maps if bias is None else maps + bias).permute(0, 3, 1, 2)


class _Unfolded(torch.autograd.Function):
    """The product over unfolded images and its gradient."""

    @staticmethod
    @without_autocast
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        pixels = _unfold(images, weight)
        ctx.save_for_backward(images, weight, bias, pixels)
        return product(pixels, _places(weight), bias)

    @staticmethod
    @without_autocast
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        images, weight, bias, pixels = ctx.saved_tensors
        if torch.is_grad_enabled():  # the gradient is to be differentiated again
            inputs = [
                tensor for tensor, wanted in zip((images, weight, bias), ctx.needs_input_grad, strict=True) if wanted
            ]
            maps = F.conv2d(images, weight, bias).permute(0, 2, 3, 1).flatten(0, 2)
            found = iter(torch.autograd.grad(maps, inputs, slopes, create_graph=True))
            return tuple(next(found) if wanted else None for wanted in ctx.needs_input_grad)
        for_images, for_weight, for_bias = ctx.needs_input_grad
        features, channels, down, across = weight.shape
        weight_slopes = product(slopes.t(), pixels.t()) if for_weight else None
        return (
            _fold(product(slopes, _places(weight).t()), images, weight) if for_images else None,
            None if weight_slopes is None else weight_slopes.view(features, down, across, channels).permute(0, 3, 1, 2),
            slopes.sum(0) if for_bias else None,
        )


def _places(weight: Tensor) -> Tensor:
    """Return the weight as (features, places of the kernel), channels last."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _unfold(images: Tensor, weight: Tensor) -> Tensor:
    """Return the pixels under the kernel at every position, (batch * positions, places of the kernel)."""
    last = images.permute(0, 2, 3, 1).contiguous()
    image, line, pixel, _ = last.stride()
    shape = (len(images), *_positions(images, weight), *weight.shape[2:], weight.shape[1])
    return last.as_strided(shape, (image, line, pixel, line, pixel, 1), last.storage_offset()).reshape(
        -1, weight[0].numel()
    )


def _fold(pixels: Tensor, images: Tensor, weight: Tensor) -> Tensor:
    """Add up what every position says of the pixels under its kernel; the transpose of `_unfold`."""
    (height, width), (down, across) = _positions(images, weight), weight.shape[2:]
    if height == width == 1:
        return pixels.view(len(images), down, across, -1).permute(0, 3, 1, 2)
    parts = pixels.view(len(images), height, width, down, across, -1)
    folded = pixels.new_zeros(images.permute(0, 2, 3, 1).shape)
    for row in range(down):
        for column in range(across):
            folded[:, row : row + height, column : column + width] += parts[:, :, :, row, column]
    return folded.permute(0, 3, 1, 2)


def _positions(images: Tensor, weight: Tensor) -> tuple[int, int]:
    """Return how many positions a kernel has on an image, down and across."""
    return images.shape[2] - weight.shape[2] + 1, images.shape[3] - weight.shape[3] + 1
