"""Convolution, pooling and rectifier as one stage, of layers that stay the layers they are."""

from collections.abc import Sequence

from torch import Tensor, nn

from ganglion.fast.applies import to_convolution_products, to_convolution_stages, to_grown_pixels
from ganglion.fast.calls import are_unhooked
from ganglion.fast.convolution.as_product import grown_pixels, unfolded_convolution
from ganglion.fast.convolution.stage import Pair, Stage, convolution_stage
from ganglion.nn.convolution import same_padding


def in_stages(inputs: Tensor, *layers: nn.Module) -> Tensor:
    """Return f_n(... f_2(f_1(x))), a convolution with the pooling and rectifier after it at once where that is faster.

    Convolutions with maps of few positions are computed as products of matrices. Layers that somebody watches (hooks)
    or has changed are called one by one.

    >>> import torch
    >>> layers = nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.ReLU()
    >>> in_stages(torch.zeros(2, 1, 8, 8), *layers).shape
    torch.Size([2, 4, 3, 3])
    """
    while layers:
        inputs, count = _first_stage(inputs, layers)
        layers = layers[count:]
    return inputs


class Stages(nn.Sequential):
    """`torch.nn.Sequential`, whose place it takes, with its layers called `in_stages`."""

    def forward(self, inputs: Tensor) -> Tensor:
        return in_stages(inputs, *self)


def _first_stage(inputs: Tensor, layers: Sequence[nn.Module]) -> tuple[Tensor, int]:
    """Return what the first layers make of the inputs, and how many of them were called at once."""
    layer = layers[0]
    if isinstance(layer, nn.Conv2d) and _is_usual(layer, nn.Conv2d):
        stage, count = _joined(layer, layers[1:3])
        arguments = inputs, layer.weight, layer.bias
        if to_convolution_stages(*arguments, stage):
            return convolution_stage(*arguments, stage), count
        if stage.stride == (1, 1) and not any(stage.padding) and to_convolution_products(*arguments):
            return unfolded_convolution(*arguments), 1
    elif isinstance(layer, nn.ConvTranspose2d) and _is_usual(layer, nn.ConvTranspose2d):
        unbordered = layer.padding == layer.output_padding == (0, 0)
        if unbordered and to_grown_pixels(inputs, layer.weight, layer.bias):
            return grown_pixels(inputs, layer.weight, layer.bias), 1
    return layer(inputs), 1


def _is_usual(layer: nn.Conv2d | nn.ConvTranspose2d, kind: type[nn.Module]) -> bool:
    """Return whether nobody watches a convolution, and it has no groups, gaps or reflections."""
    usual = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    return usual and _as_it_was(layer, kind)


def _joined(convolution: nn.Conv2d, following: Sequence[nn.Module]) -> tuple[Stage, int]:
    """Return the stage that a convolution makes with the layers after it, and how many they are together."""
    window, window_stride, slope, count = (1, 1), (1, 1), 1.0, 1
    # Rectifying first and pooling first are the same, for rectifiers are monotone.
    for layer in following:
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
    return type(layer) is kind and are_unhooked(layer)


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
