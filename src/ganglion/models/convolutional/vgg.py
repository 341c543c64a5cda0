"""VGG, deep networks of nothing but small kernels, poolings and three dense layers.

Idea:
    Two convolutions of 3 x 3 see as much as one of 5 x 5, three as much as one of 7 x 7, with fewer weights and more
    rectifiers between them. So depth alone can be varied, all else being as plain as possible.

Equations:
    convolution  z_kij = b_k + sum_cuv w_kcuv x_c(i+u-1)(j+v-1), which keeps the size of maps
    rectifier    max(0, z)
    pooling      the largest of every window of 2 x 2
    momentum     v <- m v + g,  w <- w - r v

Networks:
    `VGG` with 11, 13, 16 or 19 layers with weights (A, B, D and E in the paper): five stages of one to four
    convolutions with 64, 128, 256, 512 and 512 maps, a pooling after each, two dense layers of 4,096 units with
    dropout, and the logits. With small images the first poolings are left out, so that at least 2 x 2 positions remain.

Learning rule:
    Supervised, cross-entropy of the softmax; gradient descent with momentum and weight decay. Labels are learnt by
    binary cross-entropy, values by squared error.

Data it expects:
    Square images, grey or colour; 1,000 classes of photographs of 224 x 224 in the paper.

What to expect:
    scikit-learn's digits: about 98 % of the test part after the default run, which trains eleven narrow layers.
    Parameters with 1,000 classes at 224 x 224: 132,863,336, 133,047,848, 138,357,544 and 143,667,240 for 11, 13, 16
    and 19 layers.

Departures from the paper:
    1. Weights start with variance 2 / fan-in (He et al. 2015). The paper starts deep networks from trained shallow
       ones, and says that it found afterwards how to do without.
    2. The learning rate falls along half a cosine; the paper divides it by ten when the validation score stops rising.
    3. Images are not cropped from others of several scales.

References:
    Simonyan, Zisserman: Very deep convolutional networks for large-scale image recognition. ICLR (2015), sections 2, 3.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.convolution import check_images, fitting_strides
from ganglion.nn.initialisers import initialise
from ganglion.nn.linear import Linear
from ganglion.nn.stages import Stages
from ganglion.rules.descend import Descent
from ganglion.rules.outputs import OutputSettings, supervised
from ganglion.settings import Count, Dropout, Units, settings

CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions of each stage, by the number of layers with weights."""
LEAST_SIDE = 2
"""Positions of a side that the last maps have at least."""


@settings
class Config(OutputSettings):
    """VGG."""

    depth: Literal[11, 13, 16, 19] = 16
    """Layers with weights."""
    in_channels: Count = 3
    """Channels of an image: 1 grey, 3 colour."""
    image_size: Count = 224
    """Side of the images; a size given by hand is what the data is resized to."""
    channels: tuple[Count, Count, Count, Count, Count] = (64, 128, 256, 512, 512)
    """Maps of the convolutions in each of the five stages."""
    hidden_features: Units = 4096
    """Width of the two dense layers before the last."""
    dropout: Dropout = 0.5
    """Share of the features of those two that is dropped while training."""
    descent: Descent = Descent(
        optimizer="sgd", learning_rate=1e-2, weight_decay=5e-4, optimizer_arguments=("momentum=0.9",)
    )
    """How the gradient becomes an update."""

    smallest_image: ClassVar[int] = 8
    largest_image: ClassVar[int] = 224


class VGG(nn.Module):
    """Logits or values `(batch, outputs)` for images `(batch, channels, size, size)`.

    >>> with torch.device("meta"):
    ...     network = VGG(Config(depth=11))
    >>> sum(parameter.numel() for parameter in network.parameters())
    132863336
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.in_channels, self.image_size = config.in_channels, config.image_size
        self.convolutions = CONVOLUTIONS[config.depth]
        steps = fitting_strides(config.image_size, (2,) * 5, LEAST_SIDE)
        channels, size, layers = config.in_channels, config.image_size, list[nn.Module]()
        for width, count, step in zip(config.channels, self.convolutions, steps, strict=True):
            for _ in range(count):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
                channels = width
            if step > 1:
                layers.append(nn.MaxPool2d(step))
                size //= step
        self.features = Stages(*layers)
        self.hidden1 = Linear(channels * size * size, config.hidden_features)
        self.hidden2 = Linear(config.hidden_features, config.hidden_features)
        self.output = Linear(config.hidden_features, config.outputs)
        self.activation = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(config.dropout)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                initialise(layer, "he-normal")

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.image_size)
        features = self.features(images).flatten(1)  # (batch, 512 * 7 * 7) at the published size
        features = self.dropout(self.activation(self.hidden1(features)))
        features = self.dropout(self.activation(self.hidden2(features)))
        return self.output(features)

    def trunk(self) -> list[str]:
        """Return the names of the layers that make maps of images, in order."""
        return [f"features.{place}" for place in range(len(self.features))]

    def published_names(self) -> dict[str, dict[str, str]]:
        """Return what torchvision calls the layers, which it numbers as if no pooling were left out."""
        names, number = {"hidden1": "classifier.0", "hidden2": "classifier.3", "output": "classifier.6"}, 0
        convolutions = (name for name, layer in self.features.named_children() if isinstance(layer, nn.Conv2d))
        for count in self.convolutions:
            for _ in range(count):
                names[f"features.{next(convolutions)}"] = f"features.{number}"
                number += 2  # the rectifier has a number too
            number += 1  # and so has the pooling
        return {"torchvision": names}


SMALL = Config(
    depth=11, channels=(16, 32, 32, 64, 64), hidden_features=128, dropout=0.2, descent=Descent(learning_rate=2e-3)
)
TINY = Config(
    depth=11,
    in_channels=1,
    image_size=8,
    num_classes=3,
    channels=(4, 8, 8, 8, 8),
    hidden_features=16,
    dropout=0.1,
    descent=Descent(learning_rate=3e-3),
)


def build(config: Config) -> LearningRule:
    return supervised(VGG(config), config, config.descent)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_channels, config.image_size, config.image_size),)}
