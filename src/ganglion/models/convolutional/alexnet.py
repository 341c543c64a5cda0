"""AlexNet, which won the contest of 2012 and showed that large convolutional networks learn from pixels alone.

Idea:
    What LeNet-5 did for digits, with five convolutions instead of two, rectifiers that let deep networks learn several
    times faster, dropout against overfitting, and two towers that each see half of the maps, because one graphics card
    could not hold them all.

Equations:
    rectifier  a = max(0, z)
    response   b_c = a_c / (k + alpha sum_j a_j^2)^beta, over the five channels j around c; k = 2, alpha = 1e-4,
               beta = 0.75
    pooling    the largest of every window of 3 x 3, two positions apart, so that windows overlap
    dropout    each hidden unit of the dense layers is 0 with probability 1/2
    momentum   v <- m v + g,  w <- w - r v

Networks:
    `AlexNet`: five convolutions of 11, 5, 3, 3 and 3 pixels; response normalisation and pooling after the first two,
    pooling after the last; two dense layers of 4,096 units; logits. With two towers the second, fourth and fifth
    convolution see half of the maps each. The variant of 2014 has one tower, fewer maps and no response normalisation.
    With small images the first convolution has a stride of 1, and the first poolings are left out where needed.

Learning rule:
    Supervised, cross-entropy of the softmax; gradient descent with momentum and weight decay. Labels are learnt by
    binary cross-entropy, values by squared error.

Data it expects:
    Square images, grey or colour; 1,000 classes of photographs of 224 x 224 in the paper.

What to expect:
    scikit-learn's digits: about 98 % of the test part after the default run of a narrow network. Parameters with 1,000
    classes: 60,965,224 with two towers, 62,378,344 with one, 61,100,840 in the variant of 2014.

Departures from the paper:
    1. Units that stay are doubled while training, in place of halving all of them afterwards.
    2. The first convolution has a border of 2 pixels: 224 pixels without one do not give the 55 positions of the paper.
    3. The learning rate falls along half a cosine; the paper divides it by ten when the validation error stops falling.
    4. The colours of training images change along their main directions only with `lighting`, 0.1 in the paper.
    5. Narrow networks start with variance 2 / fan-in: the paper's deviation of 0.01 is for its own widths.

References:
    Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks. NIPS 25 (2012),
    sections 3 to 5.
    Krizhevsky: One weird trick for parallelizing convolutional neural networks. arXiv:1404.5997 (2014).
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.convolution import LocalResponseNormalisation, check_images, fitting_strides, output_size
from ganglion.nn.initialisers import initialise
from ganglion.nn.linear import Linear
from ganglion.rules.descend import Descent
from ganglion.rules.outputs import OutputSettings, supervised
from ganglion.settings import Count, Dropout, Units, settings

LEAST_SIDE = 4
"""Quotient of the side of an image and all strides; the last maps, which lose their borders, are a little smaller."""
DEVIATION = 0.01
"""Of the published initial weights, around 0."""
CHANNELS = {"2012": (96, 256, 384, 384, 256), "2014": (64, 192, 384, 256, 256)}

PLACES = (0, 3, 6, 8, 10)
"""Of the convolutions in torchvision's sequence of layers."""


@settings
class Config(OutputSettings):
    """AlexNet."""

    variant: Literal["2012", "2014"] = "2012"
    """The published network, or the one of 2014: one tower, other maps, no response normalisation."""
    towers: Literal[1, 2] = 2
    """Parts into which the maps of the second, fourth and fifth convolution fall, in the variant of 2012."""
    in_channels: Count = 3
    """Channels of an image: 1 grey, 3 colour."""
    image_size: Count = 224
    """Side of the images; a size given by hand is what the data is resized to."""
    channels: tuple[Count, ...] = ()
    """Maps of the five convolutions, divisible by the towers; those of the variant when not given."""
    hidden_features: Units = 4096
    """Width of the two dense layers before the last."""
    dropout: Dropout = 0.5
    """Share of the features of those two that is dropped while training."""
    initialiser: Literal["published", "he-normal"] = "published"
    """Initial weights: normal with deviation 0.01, and biases of 1 where the paper has them; or variance 2 / fan-in."""
    descent: Descent = Descent(
        optimizer="sgd", learning_rate=1e-2, weight_decay=5e-4, optimizer_arguments=("momentum=0.9",)
    )
    """How the gradient becomes an update."""

    smallest_image: ClassVar[int] = 8
    largest_image: ClassVar[int] = 224

    def __post_init__(self) -> None:
        if self.channels and (len(self.channels) != 5 or any(width % self.groups for width in self.channels)):
            raise ConfigurationError(
                "these channels do not fit the five convolutions",
                where="channels",
                expected="five numbers" + (", each of which falls into two equal towers" if self.groups == 2 else ""),
                found=" ".join(map(str, self.channels)),
                remedy="leave channels out, or give five" + (" even numbers" if self.groups == 2 else ""),
            )

    @property
    def groups(self) -> int:
        """Towers that there are."""
        return self.towers if self.variant == "2012" else 1


class AlexNet(nn.Module):
    """Logits or values `(batch, outputs)` for images `(batch, channels, size, size)`.

    >>> with torch.device("meta"):
    ...     network = AlexNet(Config())
    >>> sum(parameter.numel() for parameter in network.parameters())
    60965224
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.in_channels, self.image_size = config.in_channels, config.image_size
        stride, *steps = fitting_strides(config.image_size, (4, 2, 2, 2), LEAST_SIDE)
        first, second, third, fourth, fifth = config.channels or CHANNELS[config.variant]
        border, towers = 2 if stride == 4 else 5, config.groups
        self.convolution1 = nn.Conv2d(config.in_channels, first, 11, stride, border)
        self.convolution2 = nn.Conv2d(first, second, 5, padding=2, groups=towers)
        self.convolution3 = nn.Conv2d(second, third, 3, padding=1)
        self.convolution4 = nn.Conv2d(third, fourth, 3, padding=1, groups=towers)
        self.convolution5 = nn.Conv2d(fourth, fifth, 3, padding=1, groups=towers)
        self.normalisation = LocalResponseNormalisation() if config.variant == "2012" else nn.Identity()
        self.pool1, self.pool2, self.pool5 = (nn.MaxPool2d(3, step) if step > 1 else nn.Identity() for step in steps)
        size = output_size(config.image_size, 11, stride, border)
        for step in steps:
            size = output_size(size, 3, step) if step > 1 else size
        self.hidden1 = Linear(fifth * size * size, config.hidden_features)
        self.hidden2 = Linear(config.hidden_features, config.hidden_features)
        self.output = Linear(config.hidden_features, config.outputs)
        self.activation = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(config.dropout)
        self.reset_parameters(config.initialiser)

    def reset_parameters(self, initialiser: Literal["published", "he-normal"]) -> None:
        """Draw all weights; published are biases of 1 for some layers, so that rectifiers let something pass."""
        raised = self.convolution2, self.convolution4, self.convolution5, self.hidden1, self.hidden2
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                initialise(layer, "he-normal")
                if initialiser == "published":
                    nn.init.normal_(layer.weight, std=DEVIATION)
                    nn.init.constant_(layer.bias, float(layer in raised))  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.image_size)
        # Shapes at the published size.
        maps = self.pool1(self.normalisation(self.activation(self.convolution1(images))))  # (batch, 96, 27, 27)
        maps = self.pool2(self.normalisation(self.activation(self.convolution2(maps))))  # (batch, 256, 13, 13)
        maps = self.activation(self.convolution3(maps))  # (batch, 384, 13, 13)
        maps = self.activation(self.convolution4(maps))  # (batch, 384, 13, 13)
        maps = self.pool5(self.activation(self.convolution5(maps)))  # (batch, 256, 6, 6)
        features = self.dropout(self.activation(self.hidden1(maps.flatten(1))))  # (batch, 4096)
        features = self.dropout(self.activation(self.hidden2(features)))  # (batch, 4096)
        return self.output(features)

    def trunk(self) -> list[str]:
        """Return the names of the layers that make maps of images, in order."""
        first = ["convolution1", "activation", "normalisation", "pool1"]
        second = ["convolution2", "activation", "normalisation", "pool2"]
        rest = [name for number in (3, 4, 5) for name in (f"convolution{number}", "activation")]
        return [*first, *second, *rest, "pool5"]

    def published_names(self) -> dict[str, dict[str, str]]:
        """Return what torchvision calls the layers of the variant of 2014, the only one that it has."""
        if isinstance(self.normalisation, LocalResponseNormalisation):
            return {}
        convolutions = {f"convolution{place}": f"features.{number}" for place, number in enumerate(PLACES, start=1)}
        dense = {"hidden1": "classifier.1", "hidden2": "classifier.4", "output": "classifier.6"}
        return {"torchvision": convolutions | dense}


SMALL = Config(channels=(24, 48, 64, 64, 48), hidden_features=128, initialiser="he-normal")
TINY = Config(
    in_channels=1,
    image_size=8,
    num_classes=3,
    channels=(4, 8, 8, 8, 8),
    hidden_features=16,
    dropout=0.1,
    initialiser="he-normal",
    descent=Descent(learning_rate=3e-3),
)


def build(config: Config) -> LearningRule:
    return supervised(AlexNet(config), config, config.descent)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_channels, config.image_size, config.image_size),)}
