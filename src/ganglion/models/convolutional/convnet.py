"""A small convolutional network as today's introductions teach it: convolve, rectify, pool, decide.

Idea:
    Three layers of small kernels, each seeing more of the image through the poolings between them, then two dense
    layers that decide. No padding, so every map is a little smaller than the one before.

Equations:
    convolution  z_kij = b_k + sum_cuv w_kcuv x_c(i+u)(j+v)
    rectifier    max(0, z)
    pooling      the largest of every window of 2 x 2
    size         floor((n + 2 p - f) / s) + 1

Networks:
    `ConvNet`: convolution, pooling, convolution, pooling, convolution, dense, dense; logits of the classes.

Learning rule:
    Supervised, cross-entropy of the softmax; of labels binary cross-entropy, of values squared error.

Data it expects:
    Square images, grey or colour, scaled to [0, 1]. The size is that of the data, within limits: images too small for
    three convolutions are enlarged, photographs are made smaller.

What to expect:
    MNIST: about 99 % of the test part after ten epochs. scikit-learn's digits: about 98 % after the default run, in
    seconds on a CPU; so few and small images are not where it shines.

Departures from the paper:
    There is no paper. Each pooling comes before its rectifier, which gives the same maps faster because the rectifier
    is monotone.

References:
    Chollet: Deep Learning with Python (2017), section 5.1.
    LeCun et al.: Handwritten digit recognition with a back-propagation network. NIPS 2 (1989).
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.convolution import Padding, check_images, output_size
from ganglion.nn.linear import Linear
from ganglion.nn.stages import in_stages
from ganglion.rules.descend import Descent
from ganglion.rules.outputs import OutputSettings, supervised
from ganglion.settings import Count, Dropout, Units, settings

KERNEL = 3
POOL = 2


@settings
class Config(OutputSettings):
    """The small convolutional network."""

    in_channels: Count = 1
    """Channels of an image: 1 grey, 3 colour."""
    image_size: Count = 28
    """Side of the images; a size given by hand is what the data is resized to."""
    num_classes: Count | None = 10
    channels: tuple[Count, Count, Count] = (32, 64, 64)
    """Maps of the three convolutions."""
    hidden_features: Units = 64
    """Width of the dense layer before the last."""
    padding: Padding = "valid"
    """`same` keeps the size of maps under convolution."""
    dropout: Dropout = 0.0
    """Share of the features before the dense layers that is dropped while training."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3)
    """How the gradient becomes an update."""

    smallest_image: ClassVar[int] = 18
    largest_image: ClassVar[int] = 96
    bf16_is_safe: ClassVar[bool] = True
    """Products of sixteen-bit numbers score as well, over seeds, as those of 32-bit ones."""


class ConvNet(nn.Module):
    """Logits or values `(batch, outputs)` for images `(batch, channels, size, size)`.

    >>> import torch
    >>> network = ConvNet(Config())
    >>> network(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    >>> sum(parameter.numel() for parameter in network.parameters())
    93322
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.in_channels, self.image_size = config.in_channels, config.image_size
        size = config.image_size
        for number in range(len(config.channels)):
            size = output_size(size, KERNEL, padding=config.padding)
            size = output_size(size, POOL, stride=POOL) if number < len(config.channels) - 1 else size
        first, second, third = config.channels
        self.convolution1 = nn.Conv2d(config.in_channels, first, KERNEL, padding=config.padding)
        self.pool1 = nn.MaxPool2d(POOL)
        self.convolution2 = nn.Conv2d(first, second, KERNEL, padding=config.padding)
        self.pool2 = nn.MaxPool2d(POOL)
        self.convolution3 = nn.Conv2d(second, third, KERNEL, padding=config.padding)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(config.dropout)
        self.dense = Linear(third * size * size, config.hidden_features)
        self.output = Linear(config.hidden_features, config.outputs)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.image_size)
        # Shapes at the default sizes.
        maps = in_stages(images, self.convolution1, self.pool1, self.activation)  # (batch, 32, 13, 13)
        maps = in_stages(maps, self.convolution2, self.pool2, self.activation)  # (batch, 64, 5, 5)
        maps = in_stages(maps, self.convolution3, self.activation)  # (batch, 64, 3, 3)
        features = self.dropout(self.flatten(maps))  # (batch, 576)
        return self.output(self.activation(self.dense(features)))


SMALL = Config()
TINY = Config(image_size=18, num_classes=3, channels=(4, 8, 8), hidden_features=16, descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    return supervised(ConvNet(config), config, config.descent)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_channels, config.image_size, config.image_size),)}
