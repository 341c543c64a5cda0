"""Convolution, pooling and rectifier as one stage, of layers that stay the layers they are."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from ganglion.nn.convolution import same_padding
from ganglion.nn.fast.convolution import Pair, Stage, convolution_stage, fits

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def in_stages(inputs: Tensor, *layers: nn.Module) -> Tensor:
    """Return f_n(... f_2(f_1(x))), a convolution with the pooling and rectifier after it at once where that is faster.

    Layers that somebody watches (hooks) or has changed are called one by one.

    >>> import torch
    >>> layers = nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.ReLU()
    >>> in_stages(torch.zeros(2, 1, 8, 8), *layers).shape
    torch.Size([2, 4, 3, 3])
    """
    while layers:
        stage, count = _first_stage(layers)
        first = layers[0]
        if stage and isinstance(first, nn.Conv2d) and fits(inputs, first.weight, first.bias, stage):
            inputs = convolution_stage(inputs, first.weight, first.bias, stage)
        else:
            count = 1
            inputs = first(inputs)
        layers = layers[count:]
    return inputs


class Stages(nn.Sequential):
    """`torch.nn.Sequential`, whose place it takes, with its layers called `in_stages`."""

    def forward(self, inputs: Tensor) -> Tensor:
        return in_stages(inputs, *self)


def _first_stage(layers: Sequence[nn.Module]) -> tuple[Stage | None, int]:
    """Return the stage that the first layers make, and how many they are; none where the first is no convolution."""
    convolution = layers[0]
    if not isinstance(convolution, nn.Conv2d) or not _as_it_was(convolution, nn.Conv2d) or _has_any_global_hook():
        return None, 1
    if convolution.groups != 1 or convolution.dilation != (1, 1) or convolution.padding_mode != "zeros":
        return None, 1
    window, window_stride, slope, count = (1, 1), (1, 1), 1.0, 1
    # Rectifying first and pooling first are the same, for rectifiers are monotone.
    for layer in layers[1:3]:
        windows, rectifier = _windows(layer), _slope(layer)
        if windows and window == (1, 1):
            window, window_stride = windows
        elif rectifier is not None and slope == 1:
            slope = rectifier
        else:
            break
        count += 1
    return Stage(_pair(convolution.stride), _borders(convolution), window, window_stride, slope), count


def _windows(layer: nn.Module) -> tuple[Pair, Pair] | None:
    """Return sides and steps of the windows of a pooling without borders."""
    if not isinstance(layer, nn.MaxPool2d) or not _as_it_was(layer, nn.MaxPool2d):
        return None
    unusual = layer.return_indices or layer.ceil_mode or _pair(layer.padding) != (0, 0)
    return None if unusual or _pair(layer.dilation) != (1, 1) else (_pair(layer.kernel_size), _pair(layer.stride))


def _slope(layer: nn.Module) -> float | None:
    """Return what a rectifier multiplies numbers below zero with."""
    if isinstance(layer, nn.ReLU) and _as_it_was(layer, nn.ReLU):
        return 0.0
    if isinstance(layer, nn.LeakyReLU) and _as_it_was(layer, nn.LeakyReLU) and 0 < layer.negative_slope < 1:
        return layer.negative_slope
    return None


def _as_it_was(layer: nn.Module, kind: type[nn.Module]) -> bool:
    """Return whether calling a layer does what its kind does and nothing else."""
    return type(layer) is kind and "forward" not in vars(layer) and not any(getattr(layer, name) for name in _HOOKS)


def _borders(convolution: nn.Conv2d) -> tuple[int, int, int, int]:
    if not isinstance(convolution.padding, str):
        down, across = _pair(convolution.padding)
        return down, down, across, across
    if convolution.padding == "valid":
        return 0, 0, 0, 0
    height, width = convolution.kernel_size
    return *same_padding(height, height), *same_padding(width, width)


def _pair(value: int | tuple[int, ...]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
