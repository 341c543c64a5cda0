"""The upscaler: makes pictures of any size two, three or four times as large, sharper than interpolation does.

Idea:
    Make photographs small, and show a network the small ones beside what they were: it learns which edges and
    textures usually stand behind so few pixels. Only brightness is learnt, since the eye sees little detail in colour.
    SRCNN enlarges first, by bicubic interpolation, and then repairs; ESPCN works on the small picture and only its
    last layer makes the many pixels of each, which is several times cheaper.

Equations:
    x = the picture's luma (ITU-R BT.601, black 16/255, white 235/255)
    y = x shrunk r times, bicubic and smoothed                     r = 2, 3 or 4
    B(y) = y enlarged r times, bicubic
    SRCNN  f(y) = W_3 * relu(W_2 * relu(W_1 * B(y) + b_1) + b_2) + b_3
    ESPCN  f(y) = shuffle(W_3 * tanh(W_2 * tanh(W_1 * y + b_1) + b_2) + b_3)
           shuffle: r^2 maps of one pixel become one map of r x r pixels
    residual: f(y) + B(y) instead of f(y), so that only what is missing is learnt
    L = mean (f(y) - x)^2
    colour: each channel c of the large picture is B(c) + f(y) - B(y), which leaves the hues as B(c) has them

Networks:
    network: `Srcnn` or `Espcn`, from small luma (batch, 1, height, width) to large (batch, 1, r height, r width), of
    any height and width.

Learning rule:
    Supervised, squared error, Adam.

Data it expects:
    Photographs without compression scars; it makes them small itself. Colour and grey, of any size that is at least
    four times the scale. Files that are asked about keep their colours, transparency, colour profile and EXIF.

What to expect:
    As published, Set5 x3, luma, `scale` pixels of border left out: bicubic 30.39 dB (found here, too), SRCNN 32.75,
    ESPCN 32.55. The small form on the bundled photographs: 41.7 dB after 20 seconds of a CPU, interpolation 41.4.

Departures from the paper:
    1. Adam with one falling rate; SRCNN was trained by gradient descent, its last layer ten times slower.
    2. Beyond the border of a picture its last pixels are repeated, in training too; the papers left a margin out.
    3. The small form is ESPCN with `residual`, which begins as interpolation.

References:
    Dong, Loy, He and Tang, Image super-resolution using deep convolutional networks (2016).
    Shi, Caballero, Huszar, Totz, Aitken, Bishop, Rueckert and Wang, Real-time single image and video super-resolution
    using an efficient sub-pixel convolutional neural network (2016).
"""

import math
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.images.resampling import enlarged
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.settings import Count, at_least, settings

BICUBIC_REACH = 2
"""Small pixels to each side that a large one is interpolated from."""


@settings
class Config:
    """SRCNN 9-1-5 for pictures three times as large, as published."""

    design: Literal["srcnn", "espcn"] = "srcnn"
    """Repair what was enlarged by interpolation, or enlarge by the last layer."""
    scale: Literal[2, 3, 4] = 3
    """How many times as large each side becomes."""
    image_size: Annotated[int, at_least(8)] | None = None
    """Side of the large pieces that it learns from, a multiple of `scale`; 32 small pixels if not given."""
    windows: tuple[Count, Count, Count] = (9, 1, 5)
    """Sides of the windows of SRCNN's three layers, odd; ESPCN's are 5, 3 and 3."""
    channels: tuple[Count, Count] = (64, 32)
    """Maps after the first and the second layer."""
    residual: bool = False
    """Add the interpolated picture to what the layers give."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3)
    """How a gradient becomes an update."""


class Srcnn(nn.Module):
    """Interpolation, then three convolutions that say how the result should look.

    >>> network = Srcnn(Config())
    >>> network(torch.zeros(2, 1, 10, 12)).shape
    torch.Size([2, 1, 30, 36])
    >>> sum(parameter.numel() for parameter in network.parameters())
    8129
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, second = config.channels
        a, b, c = config.windows
        self.layers = nn.Sequential(
            _same(1, first, a), nn.ReLU(), _same(first, second, b), nn.ReLU(), _same(second, 1, c)
        )
        self.scale, self.residual = config.scale, config.residual
        self.reach = BICUBIC_REACH + math.ceil((a // 2 + b // 2 + c // 2) / self.scale)
        _start_small(self.layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return luma (batch, 1, height, width) `scale` times as large."""
        interpolated = enlarged(images, self.scale)
        made: Tensor = self.layers(interpolated)
        return interpolated + made if self.residual else made


class Espcn(nn.Module):
    """Three convolutions on the small picture, the last of which gives each pixel `scale` x `scale` large ones.

    >>> network = Espcn(Config(design="espcn"))
    >>> network(torch.zeros(2, 1, 10, 12)).shape
    torch.Size([2, 1, 30, 36])
    >>> sum(parameter.numel() for parameter in network.parameters())
    22729
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, second = config.channels
        self.layers = nn.Sequential(
            *(_same(1, first, 5), nn.Tanh(), _same(first, second, 3), nn.Tanh()),
            _same(second, config.scale**2, 3),
            nn.PixelShuffle(config.scale),
        )
        self.scale, self.residual = config.scale, config.residual
        self.reach = max(BICUBIC_REACH, 2 + 1 + 1)
        _start_small(self.layers)

    def forward(self, images: Tensor) -> Tensor:
        """Return luma (batch, 1, height, width) `scale` times as large."""
        made: Tensor = self.layers(images)
        return enlarged(images, self.scale) + made if self.residual else made


def _same(inputs: int, outputs: int, side: int) -> nn.Conv2d:
    """Return a convolution that keeps the size, of an image that goes on beyond its border as it ends there."""
    return nn.Conv2d(inputs, outputs, side, padding="same", padding_mode="replicate")


def _start_small(layers: nn.Sequential) -> None:
    """Let the last convolution begin near nothing, so that training does not begin with noise."""
    last = [layer for layer in layers if isinstance(layer, nn.Conv2d)][-1]
    with torch.no_grad():
        last.weight.mul_(0.1)
        last.bias.zero_()  # type: ignore[union-attr]


SMALL = Config(design="espcn", residual=True)
TINY = Config(design="espcn", scale=2, channels=(8, 8), residual=True, descent=Descent(learning_rate=3e-3))


def build(config: Config) -> LearningRule:
    network = Srcnn(config) if config.design == "srcnn" else Espcn(config)
    return Supervised(network, config.descent, loss="squared-error")


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    side = (config.image_size or 32 * config.scale) // config.scale
    return {"network": (torch.zeros(1, 1, side, side),)}
