"""What layers see: the maps that a named layer makes of an input, and the filters of the first layer."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.errors import UsageError
from ganglion.inspect.untouched import first_tensor, untouched
from ganglion.settings import unknown_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def activations(network: nn.Module, inputs: Tensor, layer: str) -> Tensor:
    """Return what the layer of that dotted name puts out for `inputs`, in evaluation mode; the network stays as it was.

    >>> activations(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), torch.zeros(4, 3), "1").shape
    torch.Size([4, 2])
    """
    modules = dict(network.named_modules())
    if layer not in modules or not layer:
        raise unknown_name("layer", layer, [name for name in modules if name], where=type(network).__name__)
    found: list[Tensor] = []

    def note(module: nn.Module, arguments: object, outputs: object) -> None:
        output = first_tensor(outputs)
        if output is not None:
            found.append(output.detach().clone())

    hook = modules[layer].register_forward_hook(note)
    try:
        with untouched(network, evaluating=True) as call, torch.no_grad():
            call(inputs)
    finally:
        hook.remove()
    if not found:
        raise UsageError(
            f"the layer {layer} was not called",
            where=type(network).__name__,
            remedy="choose a layer that these inputs pass through",
        )
    return found[-1]


def feature_maps(network: nn.Module, inputs: Tensor, layer: str, *, sample: int = 0) -> "Figure":
    """Draw the maps that a layer makes of one sample, the strongest response first, each in its own shades.

    Args:
        network: one with convolutions.
        inputs: (batch, channels, height, width).
        layer: its dotted name.
        sample: number of the sample in the batch.
    """
    found = activations(network, inputs, layer)
    if found.dim() != 4:
        raise UsageError(
            f"the layer {layer} makes no maps",
            expected="an output (batch, channels, height, width)",
            found=str(tuple(found.shape)),
            remedy="choose a convolutional or pooling layer",
        )
    maps = found[sample].float().cpu().numpy()  # (channels, height, width)
    strength = np.abs(maps).max(axis=(1, 2))
    order = np.argsort(-strength, kind="stable")
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    shades = (maps - low) / np.where(high > low, high - low, 1)
    titles = [f"{channel}: {strength[channel]:.2g}" for channel in order]
    _, height, width = maps.shape
    title = f"Maps of {layer}: {len(maps)} of {height} x {width}, with their largest response"
    return figures.image_grid(shades[order], titles, title=title)


def first_filters(network: nn.Module) -> "Figure":
    """Draw the kernels of the first convolution; raises `UsageError` where there is none."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            return figures.filters(module.weight.detach().float().cpu().numpy(), title=f"Filters of {name}")
    raise UsageError("the network has no convolution", where=type(network).__name__, remedy="name a layer")
