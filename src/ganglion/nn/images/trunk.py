"""The convolutions that another network stands on: layers one after the other, up to a stride."""

import copy
from collections.abc import Sequence

import torch
from torch import nn

from ganglion.errors import ConfigurationError

SIDES = 512, 1024
"""Height and width of the blank image by which layers are measured."""


class Trunk(nn.Sequential):
    """Layers that make maps of images, as many of those given as leave at most so many pixels for one place.

    How many pixels of the image one place of the maps stands for, the stride, is measured: by how many places a map
    has more across than down, where the image has 512 pixels more.

    Args:
        layers: each takes what the one before it made; the first takes images `(batch, in_channels, height, width)`.
        in_channels: channels of the images.
        most_stride: pixels for one place at most; the layer that would make them more, and all behind it, are left out.

    Raises:
        ConfigurationError: the first layer makes them more.

    >>> layers = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.MaxPool2d(2)
    >>> trunk = Trunk(layers, 3, most_stride=4)
    >>> len(trunk), trunk.channels, trunk.stride
    (3, 16, 4)
    """

    def __init__(self, layers: Sequence[nn.Module], in_channels: int, most_stride: int) -> None:
        maps = torch.empty(1, in_channels, *SIDES, device="meta")
        taken, own_channels, stride = list[nn.Module](), in_channels, 1
        for layer in layers:
            maps = copy.deepcopy(layer).to("meta").eval()(maps)
            _, channels, height, width = maps.shape
            pixels = (SIDES[1] - SIDES[0]) // (width - height)
            if pixels > most_stride:
                break
            taken, own_channels, stride = [*taken, layer], channels, pixels
        if not taken:
            raise ConfigurationError(
                "no layer leaves so few pixels for one place of the maps",
                where="stride",
                expected=f"at least {pixels}",
                found=str(most_stride),
            )
        super().__init__(*taken)
        self.channels, self.stride = own_channels, stride
