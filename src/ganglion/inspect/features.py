"""What layers see: the maps that a named layer makes of an input, and the filters of the first layer."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.errors import UsageError
from ganglion.inspect.untouched import untouched
from ganglion.inspect.watched import layers_of_maps, refuse_without_maps, watched

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def activations(network: nn.Module, inputs: Tensor, layer: str) -> Tensor:
    """Return what the layer of that dotted name puts out for `inputs`, in evaluation mode; the network stays as it was.

    >>> activations(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), torch.zeros(4, 3), "1").shape
    torch.Size([4, 2])
    """
    with watched(network, layer) as found, untouched(network, evaluating=True) as call, torch.no_grad():
        call(inputs)
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
    refuse_without_maps(found, layer)
    maps = found[sample].float().cpu().numpy()  # (channels, height, width)
    strength = np.abs(maps).max(axis=(1, 2))
    order = np.argsort(-strength, kind="stable")
    titles = [f"{channel}: {strength[channel]:.2g}" for channel in order]
    _, height, width = maps.shape
    title = f"Maps of {layer}: {len(maps)} of {height} x {width}, with their largest response"
    return figures.image_grid(_shades(maps)[order], titles, title=title)


def all_feature_maps(network: nn.Module, inputs: Tensor, *, columns: int = 8) -> "Figure":
    """Draw the strongest maps that each convolution and pooling makes of one image, layer by layer.

    Args:
        network: one with convolutions.
        inputs: (1, channels, height, width).
        columns: maps of each layer at most.
    """
    rows = {}
    for layer in layers_of_maps(network, inputs):
        maps = activations(network, inputs, layer)[0].float().cpu().numpy()  # (channels, height, width)
        order = np.argsort(-np.abs(maps).max(axis=(1, 2)), kind="stable")[:columns]
        rows[layer] = _shades(maps[order])
    return figures.map_rows(rows, "What each layer makes of the image: its strongest maps, each in its own shades")


def _shades(maps: np.ndarray) -> np.ndarray:
    """Return maps `(channels, height, width)` each from its smallest value, 0, to its largest, 1."""
    low, high = maps.min(axis=(1, 2), keepdims=True), maps.max(axis=(1, 2), keepdims=True)
    shades: np.ndarray = (maps - low) / np.where(high > low, high - low, 1)
    return shades


def first_filters(network: nn.Module) -> "Figure":
    """Draw the kernels of the first convolution; raises `UsageError` where there is none."""
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            return figures.filters(module.weight.detach().float().cpu().numpy(), title=f"Filters of {name}")
    raise UsageError("the network has no convolution", where=type(network).__name__, remedy="name a layer")
