"""A convolution of few input channels, its pooling and its rectifier in one call: as they are written, and compiled."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.fast.applies import to_convolution_stages
from ganglion.fast.autocast import without_autocast
from ganglion.fast.threads import in_slices, parts_of

Pair = tuple[int, int]


@dataclass(frozen=True)
class Stage:
    """What a convolution, a pooling without border, and a rectifier are, apart from their weights; down and across."""

    stride: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Borders on top, below, left and right."""
    window: Pair = (1, 1)
    window_stride: Pair = (1, 1)
    slope: float = 1.0
    """Of the rectifier below zero: 0 for ReLU, 1 for none."""

    def map_size(self, images: Tensor, weight: Tensor) -> Pair:
        """Return (height, width) of the maps after pooling; below 1 if something does not fit."""
        borders = sum(self.padding[:2]), sum(self.padding[2:])
        sides = (
            (side + border - kernel) // step + 1
            for side, border, kernel, step in zip(images.shape[2:], borders, weight.shape[2:], self.stride, strict=True)
        )
        height, width = (
            (side - window) // step + 1 if side >= window else 0
            for side, window, step in zip(sides, self.window, self.window_stride, strict=True)
        )
        return height, width


def convolution_stage(images: Tensor, weight: Tensor, bias: Tensor | None, stage: Stage) -> Tensor:
    """Return f(max over windows of (images * weight + bias)), where f(x) = x above zero and slope x below.

    Args:
        images: (batch, channels, height, width).
        weight: (features, channels, kernel height, kernel width).
        bias: (features,).

    Of two equal maxima the first gets the gradient, as in torch.

    >>> image = torch.tensor([[[[1.0, 2.0], [-3.0, 4.0]]]])
    >>> convolution_stage(image, torch.full((1, 1, 1, 1), 2.0), None, Stage(window=(1, 2), window_stride=(1, 2)))
    tensor([[[[4.],
              [8.]]]])
    """
    if to_convolution_stages(images, weight, bias, stage):
        return _Stage.apply(images, weight, bias, stage)
    return stage_reference(images, weight, bias, stage)


def stage_reference(images: Tensor, weight: Tensor, bias: Tensor | None, stage: Stage) -> Tensor:
    """Do what `convolution_stage` does, with the same shapes, in operations of torch."""
    top, bottom, left, right = stage.padding
    maps = F.conv2d(F.pad(images, (left, right, top, bottom)), weight, bias, stage.stride)
    if stage.window != (1, 1) or stage.window_stride != (1, 1):
        maps = F.max_pool2d(maps, stage.window, stage.window_stride)
    if stage.slope == 1:
        return maps
    return F.leaky_relu(maps, stage.slope) if stage.slope else F.relu(maps)


class _Stage(torch.autograd.Function):
    """The compiled stage and its gradient."""

    @staticmethod
    @without_autocast
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, stage: Stage) -> Tensor:
        from ganglion.fast.convolution import kernels

        batch, features = len(images), len(weight)
        height, width = stage.map_size(images, weight)
        maps = torch.empty(batch, features, height, width, memory_format=torch.channels_last)
        sizes = _sizes(weight, stage)
        noted = batch if any(ctx.needs_input_grad) else 0
        winners = torch.empty(noted, height, width, -(-features // sizes.width) * sizes.width, dtype=torch.uint8)
        bordered = _bordered(images, stage)
        given = [
            _last(bordered),
            *_offsets(images.shape[1], bordered.shape[3], width, sizes),
            _last(weight),
            _vector(bias),
            sizes,
        ]
        _in_parts(kernels.forward, kernels.forward_part, batch, [*given, stage.slope, _last(maps), winners.numpy()])
        ctx.stage = stage
        ctx.save_for_backward(images, weight, bias, winners)
        return maps

    @staticmethod
    @without_autocast
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        images, weight, bias, winners = ctx.saved_tensors
        needed = ctx.needs_input_grad[:3]
        if torch.is_grad_enabled():  # the gradient is to be differentiated again
            inputs = [tensor for tensor, wanted in zip((images, weight, bias), needed, strict=True) if wanted]
            again = stage_reference(images, weight, bias, ctx.stage)
            given = iter(torch.autograd.grad(again, inputs, slopes, create_graph=True))
            return *(next(given) if wanted else None for wanted in needed), None
        return *_backward(images, weight, winners, slopes, ctx.stage, needed), None


def _backward(
    images: Tensor, weight: Tensor, winners: Tensor, slopes: Tensor, stage: Stage, needed: Any
) -> tuple[Tensor | None, ...]:
    from ganglion.fast.convolution import kernels

    bordered, sizes = _bordered(images, stage), _sizes(weight, stage)
    (batch, channels, height, width), (features, _, down, across) = bordered.shape, weight.shape
    parts = parts_of(batch)
    image_slopes = torch.empty(batch if needed[0] else 0, height, width, channels)
    weight_slopes = torch.empty(parts if needed[1] else 0, features, down * across * channels)
    bias_slopes = torch.empty(parts, features)
    given = [_last(bordered), *_offsets(channels, width, slopes.shape[3], sizes), _last(weight), winners.numpy()]
    given += [_last(slopes), sizes, stage.slope]
    given += [tensor.numpy() for tensor in (image_slopes, weight_slopes, bias_slopes)]
    _in_parts(kernels.backward, kernels.backward_part, batch, given)
    top, bottom, left, right = stage.padding
    inner = image_slopes[:, top : height - bottom, left : width - right]
    return (
        inner.permute(0, 3, 1, 2) if needed[0] else None,
        weight_slopes.sum(0).view(features, down, across, channels).permute(0, 3, 1, 2) if needed[1] else None,
        bias_slopes.sum(0) if needed[2] else None,
    )


def _in_parts(together: Any, one_part: Any, rows: int, given: list[Any]) -> None:
    """Call a kernel for all parts of a batch at once."""
    from ganglion.fast.parallel import team

    if team() is None:
        in_slices(lambda first, last, part: one_part(first, last, part, *given), rows)
    else:
        together(team(), rows, parts_of(rows), tuple(given))


def _sizes(weight: Tensor, stage: Stage) -> Any:
    from ganglion.fast.convolution.blocks import WIDTHS
    from ganglion.fast.convolution.kernels import Sizes

    def panel(columns: int) -> int:
        return next((width for width in reversed(WIDTHS) if width >= columns), WIDTHS[0])

    sides = (*weight.shape[2:], *stage.stride, *stage.window, *stage.window_stride)
    return Sizes._make((*sides, panel(len(weight)), panel(weight[0].numel())))


@lru_cache(64)
def _offsets(channels: int, width: int, across: int, sizes: Any) -> tuple[Any, Any]:
    """Return where the kernel begins at each position of a band, and where its places are, as the kernels take them."""
    from ganglion.fast.packed_product import ROWS

    columns = np.arange((across - 1) * sizes.window_step_across + sizes.window_across) * sizes.step_across * channels
    lines = np.arange(sizes.window_down) * sizes.step_down * width * channels
    run = np.arange(sizes.kernel_across * channels)
    rows = np.arange(sizes.kernel_down) * width * channels
    positions, places = (np.add.outer(*pair).ravel() for pair in ((lines, columns), (rows, run)))
    return np.pad(positions, (0, ROWS - 1)), np.pad(places, (0, ROWS - 1))


def _bordered(images: Tensor, stage: Stage) -> Tensor:
    top, bottom, left, right = stage.padding
    return F.pad(images.detach(), (left, right, top, bottom)) if any(stage.padding) else images


def _last(tensor: Tensor) -> Any:
    """Return an array with the channels last, without a copy where they are."""
    return tensor.detach().permute(0, 2, 3, 1).contiguous().numpy()


def _vector(tensor: Tensor | None) -> Any:
    return (torch.empty(0) if tensor is None else tensor.detach().contiguous()).numpy()
