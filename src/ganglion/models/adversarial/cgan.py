"""The conditional generative adversarial network: both players are told the class, so that it can be asked for.

Idea:
    Tell the generator which class it is to draw, and the discriminator which class it is looking at. A good picture of
    the wrong class then counts as a fake, so the generator has to draw what it was asked for; and since the classes
    come from the data, it cannot leave one out.

Equations:
    min_G max_D  E[log D(x | y)] + E[log(1 - D(G(z | y) | y))],  x, y from the data, z noise
    concatenated   D sees y beside the image: in a hidden layer, or as constant planes beside the channels
    projected      D(x, y) = psi(h(x)) + <V_y, h(x)>,  h the features below the last layer, V_y learnt for each class

Networks:
    dense          generator: noise to 200 units and class to 1000, both to 1200, to pixels; discriminator: image to 240
                   and class to 50 maxout units of five pieces, both to 240 of four pieces, to one logit
    convolutional  those of `dcgan`, with the class appended to the noise, and to the image or to its features

Learning rule:
    Adversarial, with the classes of the real images of a batch given to both players. `game.loss` chooses the losses.

Data it expects:
    Images with classes, two at least, scaled to [-1, 1].

What to expect:
    `ganglion generate RUN --class 7` draws sevens; `--out folder/` writes a folder for each class, which `--data` reads
    again: more pictures for a small set. Whether they help has to be measured: they hold nothing that was not in the
    set, and `class_accuracy` says how many are taken for their class.

Departures from the paper:
    1. Pixels lie in [-1, 1] and the output is tanh, instead of [0, 1] and a logistic function.
    2. Momentum stays at 0.5 instead of rising to 0.7, and the rate does not fall.
    3. `ganglion train cgan` without flags takes the convolutional networks, projection, which is of 2018, and Adam.

References:
    Mirza and Osindero, Conditional Generative Adversarial Nets, 2014, https://arxiv.org/abs/1411.1784
    Miyato and Koyama, cGANs with Projection Discriminator, 2018, https://arxiv.org/abs/1802.05637
"""

from math import prod
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import LearningRule
from ganglion.nn.activations import Maxout
from ganglion.nn.adversarial import convolutional_pair
from ganglion.nn.linear import Linear
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent, LatentName
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Units, settings

Networks = Literal["dense", "convolutional"]
Condition = Literal["concatenated", "projected"]

IMAGE_UNITS, CLASS_UNITS, JOINT_UNITS = (240, 5), (50, 5), (240, 4)
"""Maxout units of the dense discriminator, and linear functions of which each takes the largest."""


def one_hot(classes: Tensor, num_classes: int) -> Tensor:
    """Return rows (batch, num_classes) that are 1 at the class of each sample (batch,).

    >>> one_hot(torch.tensor([2, 0]), 3)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    return functional.one_hot(classes, num_classes).float()


class DenseGenerator(nn.Module):
    """Noise `(batch, latent_features)` and classes `(batch,)` to images `(batch, *shape)` in [-1, 1]."""

    def __init__(self, latent_features: int, num_classes: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.of_noise = nn.Sequential(Linear(latent_features, 200), nn.ReLU())
        self.of_class = nn.Sequential(Linear(num_classes, 1000), nn.ReLU())
        self.joint = nn.Sequential(
            Linear(1200, 1200), nn.ReLU(), Linear(1200, prod(shape)), nn.Tanh(), nn.Unflatten(1, shape)
        )

    def forward(self, latent: Tensor, classes: Tensor) -> Tensor:
        of_class = self.of_class(one_hot(classes, self.num_classes))
        return self.joint(torch.cat([self.of_noise(latent), of_class], dim=1))


class DenseDiscriminator(nn.Module):
    """Images `(batch, *shape)` and classes `(batch,)` to logits `(batch,)` of being real."""

    def __init__(self, num_classes: int, shape: tuple[int, ...], condition: Condition = "concatenated") -> None:
        super().__init__()
        self.num_classes, projects = num_classes, condition == "projected"
        self.of_image = nn.Sequential(nn.Flatten(), *_maxout(prod(shape), IMAGE_UNITS), nn.Dropout())
        self.of_class = None if projects else nn.Sequential(*_maxout(num_classes, CLASS_UNITS), nn.Dropout())
        width = IMAGE_UNITS[0] + (0 if projects else CLASS_UNITS[0])
        self.joint = nn.Sequential(*_maxout(width, JOINT_UNITS), nn.Dropout())
        self.output = Linear(JOINT_UNITS[0], 1)
        self.projection = nn.Embedding(num_classes, JOINT_UNITS[0]) if projects else None

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        features = self.of_image(images)
        if self.of_class is not None:
            features = torch.cat([features, self.of_class(one_hot(classes, self.num_classes))], dim=1)
        features = self.joint(features)
        return _judged(self.output(features)[:, 0], features, classes, self.projection)


class Generator(nn.Module):
    """Noise `(batch, latent_features)` and classes `(batch,)` to images `(batch, channels, size, size)` in [-1, 1].

    >>> Generator(16, 10, 8, 1, 16)(torch.zeros(2, 16), torch.tensor([3, 7])).shape
    torch.Size([2, 1, 16, 16])
    """

    def __init__(self, latent_features: int, num_classes: int, features: int, channels: int, size: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.images = convolutional_pair.Generator(latent_features + num_classes, features, channels, size)

    def forward(self, latent: Tensor, classes: Tensor) -> Tensor:
        images: Tensor = self.images(torch.cat([latent, one_hot(classes, self.num_classes)], dim=1))
        return images


class Discriminator(nn.Module):
    """Images `(batch, channels, size, size)` and classes `(batch,)` to logits `(batch,)` of being real."""

    def __init__(
        self,
        num_classes: int,
        features: int,
        channels: int,
        size: int,
        condition: Condition = "projected",
        normalisation: convolutional_pair.Normalisation = "batch",
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        planes = num_classes if condition == "concatenated" else 0
        layers = convolutional_pair.Discriminator(features, channels + planes, size, normalisation).layers
        self.features, self.output = layers[:-2], layers[-2:]
        width = features * 2 ** (convolutional_pair.factor(size)[1] - 1)
        self.projection = nn.Embedding(num_classes, width) if condition == "projected" else None
        if self.projection is not None:
            nn.init.normal_(self.projection.weight, 0.0, convolutional_pair.DEVIATION)

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        if self.projection is None:
            planes = one_hot(classes, self.num_classes)[:, :, None, None].expand(-1, -1, *images.shape[2:])
            images = torch.cat([images, planes], dim=1)
        maps = self.features(images)
        return _judged(self.output(maps), maps.sum((2, 3)), classes, self.projection)


def _judged(logits: Tensor, features: Tensor, classes: Tensor, projection: nn.Embedding | None) -> Tensor:
    """Return logits (batch,), with the inner product of features (batch, features) and the vector of the class added.

    Classes are (batch,).
    """
    return logits if projection is None else logits + (projection(classes) * features).sum(1)


def _maxout(width: int, units: tuple[int, int]) -> tuple[nn.Module, nn.Module]:
    count, pieces = units
    return Linear(width, count * pieces), Maxout(pieces)


BETAS = ("betas=(0.5, 0.999)",)
MOMENTUM = Descent(optimizer="sgd", learning_rate=0.1, optimizer_arguments=("momentum=0.5",))


@settings
class Config:
    """Two networks that are told the class, and how they learn."""

    in_channels: Count = 1
    """Channels of the images; the data decides."""
    image_size: Count | None = None
    """Side of the square images; the smallest of 16, 28, 32 and 64 that holds the data's when not given."""
    num_classes: Count = 10
    """Classes of the images; the data decides."""
    latent_features: Count = 100
    """Length of the noise vector that an image is made from."""
    latent: LatentName = "uniform"
    """How the noise is drawn."""
    networks: Networks = "dense"
    """Dense layers as published, or convolutions as in dcgan."""
    features: Units = 64
    """Channels of the convolutions at half the image's side; each halving of the side doubles them."""
    condition: Condition = "concatenated"
    """How the discriminator is told the class: beside the image, or by an inner product with its features."""
    discriminator_normalisation: convolutional_pair.Normalisation = "batch"
    """What keeps the convolutional discriminator's inner layers at unit scale; batch allows no penalty on slopes."""
    game: GameSettings = GameSettings()
    """What the players pay, and whose turn it is."""
    generator_descent: Descent = MOMENTUM
    """How the generator descends."""
    discriminator_descent: Descent = MOMENTUM
    """How the discriminator descends."""

    def __post_init__(self) -> None:
        if self.networks == "convolutional":
            convolutional_pair.factor(self.image_size or STANDARD_SIZE)


STANDARD_SIZE = 28
"""Side of the images when neither the configuration nor any data says one: that of MNIST."""

SMALL = Config(
    latent="normal",
    networks="convolutional",
    features=32,
    condition="projected",
    game=GameSettings(real_label=0.9),
    generator_descent=Descent(learning_rate=1e-3, optimizer_arguments=BETAS),
    discriminator_descent=Descent(learning_rate=2e-4, optimizer_arguments=BETAS),
)
TINY = Config(
    image_size=16,
    num_classes=3,
    latent_features=8,
    latent="normal",
    networks="convolutional",
    features=8,
    condition="projected",
    generator_descent=Descent(learning_rate=5e-3, optimizer_arguments=BETAS),
    discriminator_descent=Descent(learning_rate=1e-3, optimizer_arguments=BETAS),
)


def build(config: Config) -> LearningRule:
    size = config.image_size or STANDARD_SIZE
    shape = (config.in_channels, size, size)
    generator: nn.Module
    discriminator: nn.Module
    if config.networks == "dense":
        generator = DenseGenerator(config.latent_features, config.num_classes, shape)
        discriminator = DenseDiscriminator(config.num_classes, shape, config.condition)
    else:
        sizes = config.num_classes, config.features, config.in_channels, size
        generator = Generator(config.latent_features, *sizes)
        discriminator = Discriminator(*sizes, config.condition, config.discriminator_normalisation)
    told = ("targets",)
    return Adversarial(
        generator,
        discriminator,
        Inputs(noise=Latent(config.latent, (config.latent_features,)), generator=told, discriminator=told),
        config.game,
        generator_descent=config.generator_descent,
        discriminator_descent=config.discriminator_descent,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    size = config.image_size or STANDARD_SIZE
    images, classes = torch.zeros(1, config.in_channels, size, size), torch.zeros(1, dtype=torch.int64)
    return {"generator": (torch.zeros(1, config.latent_features), classes), "discriminator": (images, classes)}
