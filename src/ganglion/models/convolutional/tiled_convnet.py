"""The small convolutional network with kernels that all places share, that few share, or that none shares.

Idea:
    A convolution uses the same kernel at every place, which saves weights and finds a feature wherever it is; but it
    cannot treat the middle of an image in another way than its border. A locally connected layer has kernels of its own
    for every place, and must learn everything everywhere. Tiles are between: t kernels take turns along each direction,
    so neighbours differ and what lies t places apart is the same. One network in three forms shows what sharing is
    worth.

Equations:
    shared   z_kij = b_k + sum_cuv w_kcuv x_c(i+u)(j+v)
    tiled    the same with w and b of the tile (i mod t, j mod t)
    local    the same with w and b of the place (i, j)
    pooling  the largest of every window of 2 x 2, of a tiled layer one of each kernel where t is 2

Networks:
    `TiledConvNet`: two layers of 5 x 5 kernels, each with a rectifier and a pooling, and a dense layer of logits. One
    tile is the shared form, as many tiles as there are places the local one.

Learning rule:
    Supervised, cross-entropy of the softmax; of labels binary cross-entropy, of values squared error.

Data it expects:
    Square images, grey or colour, scaled to [0, 1]; the local form takes those of one size only.

What to expect:
    scikit-learn's digits after the default run: about 98 % of the test part shared or tiled, 96 % local. Parameters on
    grey images of 28 x 28 with ten classes: 18,378 shared, 58,122 with two tiles in each direction, 1,065,994 local.
    Shared kernels need fewest images; where objects always stand at the same place, local ones gain most.

Departures from the paper:
    The paper pools the square root of the sum of squares (`--pooling l2`), and learns its tiles without labels first.

References:
    Le, Ngiam, Chen, Chia, Koh, Ng: Tiled convolutional neural networks. NIPS 23 (2010).
    Goodfellow, Bengio, Courville: Deep Learning (2016), section 9.5.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.convolution import (
    Convolution2d,
    LocallyConnected2d,
    PoolingName,
    TiledConvolution2d,
    check_images,
    output_size,
    pooling,
)
from ganglion.nn.linear import Linear
from ganglion.rules.descend import Descent
from ganglion.rules.outputs import OutputSettings, supervised
from ganglion.settings import Count, settings

KERNEL, POOL = 5, 2


@settings
class Config(OutputSettings):
    """Small network with shared, tiled or local kernels."""

    sharing: Literal["shared", "tiled", "local"] = "tiled"
    """Which places have the same kernels: all, those some tiles apart, or none."""
    tiles: Count = 2
    """Kernels that take turns in each direction, of the tiled form."""
    in_channels: Count = 1
    """Channels of an image: 1 grey, 3 colour."""
    image_size: Count = 28
    """Side of the images; a size given by hand is what the data is resized to."""
    num_classes: Count | None = 10
    channels: tuple[Count, Count] = (16, 32)
    """Maps of the two layers."""
    pooling: PoolingName = "max"
    """What is kept of a window: the largest, the mean, or the length."""
    descent: Descent = Descent(optimizer="adam", learning_rate=4e-3)
    """How the gradient becomes an update."""

    smallest_image: ClassVar[int] = 16
    largest_image: ClassVar[int] = 64


class TiledConvNet(nn.Module):
    """Logits or values `(batch, outputs)` for images `(batch, channels, size, size)`.

    >>> for sharing in ("shared", "tiled", "local"):
    ...     print(sum(parameter.numel() for parameter in TiledConvNet(Config(sharing=sharing)).parameters()))
    18378
    58122
    1065994
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.in_channels, self.image_size = config.in_channels, config.image_size
        first, second = config.channels
        sides = [config.image_size]
        for _ in config.channels:
            sides.append(output_size(output_size(sides[-1], KERNEL), POOL, POOL))
        self.layer1 = layer(config, config.in_channels, first, sides[0])
        self.pool1 = pooling(config.pooling, POOL)
        self.layer2 = layer(config, first, second, sides[1])
        self.pool2 = pooling(config.pooling, POOL)
        self.activation = nn.ReLU()
        self.output = Linear(second * sides[2] ** 2, config.outputs)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.image_size)
        # Shapes at the default sizes.
        maps = self.pool1(self.activation(self.layer1(images)))  # (batch, 16, 12, 12)
        maps = self.pool2(self.activation(self.layer2(maps)))  # (batch, 32, 4, 4)
        return self.output(maps.flatten(1))


def layer(config: Config, in_channels: int, out_channels: int, size: int) -> nn.Module:
    """Return a layer of kernels that are shared as the configuration says, for maps of a side."""
    match config.sharing:
        case "shared":
            return Convolution2d(in_channels, out_channels, KERNEL)
        case "tiled":
            return TiledConvolution2d(in_channels, out_channels, KERNEL, config.tiles)
        case "local":
            return LocallyConnected2d(in_channels, out_channels, KERNEL, size)


SMALL = Config()
TINY = Config(image_size=16, num_classes=3, channels=(4, 8), descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    return supervised(TiledConvNet(config), config, config.descent)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_channels, config.image_size, config.image_size),)}
