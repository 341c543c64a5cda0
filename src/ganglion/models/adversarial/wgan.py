"""The Wasserstein generative adversarial network: a critic measures how far generated samples are from real ones.

Idea:
    A discriminator that is sure of itself tells the generator nothing. A critic gives scores instead of probabilities,
    and its slope is bounded. The best such critic's difference of mean scores is the distance of two distributions: the
    least work in moving one heap of sand onto the other. That distance has a slope everywhere, so the critic
    may be trained as well as can be, and its loss says how good the samples are.

Equations:
    W(p, q) = max over f with |f(x) - f(y)| <= |x - y|  of  E_p[f(x)] - E_q[f(x)]
    critic         minimise  E[f(G(z))] - E[f(x)]            generator     minimise  -E[f(G(z))]
    clipping       every weight of f is cut to [-c, c] after each step, c = 0.01
    penalty        + lambda E[(|df/dx| - 1)^2] at x' = u x + (1 - u) G(z), u uniform in [0, 1], lambda = 10

Networks:
    clipped (form `clipping`)            those of `dcgan`, batch normalisation in the critic included
    penalised (form `gradient-penalty`)  convolutions of 5 x 5 with stride two and biases, halving the side down to at
                   most 4, and their mirror image in the generator, without any normalisation: a slope belongs to one
                   sample, and batch normalisation would mix them
    rows           dense layers with ReLU and leaky ReLU

Learning rule:
    Adversarial with the `wasserstein` game. The critic learns from `game.discriminator_steps` batches for each turn of
    the generator. With `long_turns` it gets 100 batches for each of the first 25 turns and for every 500th, as in the
    authors' code. Clipping goes with RMSprop, since momentum hurts there; the penalty with Adam without momentum.

Data it expects:
    Images, resized to squares and scaled to [-1, 1], or rows of numbers, standardised. Labels are not used.

What to expect:
    `discriminator_loss` is minus the distance (with the penalty apart): it starts far below zero and rises towards
    it while samples get better. `ganglion inspect gan RUN` prints how closely the two went together. On 8-gaussians
    all eight modes with each of the seeds 0 to 9, and 70 to 79 % of the points within three deviations;
    on 25-gaussians, with wider networks and longer, all 25 and 58 % (seed 0).

Departures from the paper:
    1. Weights are cut after each step of the critic instead of before it, so its very first step is taken uncut.
    2. The penalised networks are those of the authors' script for MNIST, which fixes 28 x 28; other sides have as many
       halvings as lead to at most 4, with channels doubled each time.
    3. The form `points`, which rows of few numbers start from, has lambda 0.1, as in the authors' script, and a higher
       rate.
    4. `ganglion train wgan` without flags takes the penalty, fewer channels and a higher rate.

References:
    Arjovsky, Chintala and Bottou, Wasserstein GAN, 2017, https://arxiv.org/abs/1701.07875
    Gulrajani et al., Improved Training of Wasserstein GANs, 2017, https://arxiv.org/abs/1704.00028
"""

from dataclasses import replace
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.adversarial import convolutional_pair, dense_pair
from ganglion.nn.stages import Stages
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.adversarial.turns import LongTurns
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Units, Widths, settings

Networks = Literal["clipped", "penalised"]

KERNEL = 5
SMALLEST_SIDE = 4
NEGATIVE_SLOPE = 0.2
CLIPPED = GameSettings(loss="wasserstein", weight_clip=0.01, discriminator_steps=5)
PENALISED = GameSettings(loss="wasserstein", penalty="gradient", penalty_weight=10.0, discriminator_steps=5)
RMSPROP = Descent(optimizer="rmsprop", learning_rate=5e-5)
ADAM = Descent(learning_rate=1e-4, optimizer_arguments=("betas=(0.0, 0.9)",))
"""Without momentum, as the second paper says; the authors' scripts for small images have 0.5."""


class Generator(nn.Module):
    """Latent vectors `(batch, latent_features)` to images `(batch, channels, size, size)` in [-1, 1].

    >>> Generator(128, 64, 1, 28)(torch.zeros(2, 128)).shape
    torch.Size([2, 1, 28, 28])
    """

    def __init__(self, latent_features: int, features: int, channels: int, size: int) -> None:
        super().__init__()
        sides = halved(size)[::-1]
        width = features * 2 ** (len(sides) - 2)
        layers: list[nn.Module] = [
            nn.Linear(latent_features, width * sides[0] ** 2),
            nn.ReLU(),
            nn.Unflatten(1, (width, sides[0], sides[0])),
        ]
        for before, after in pairwise(sides):
            following = width // 2 if after < size else channels
            even = after == 2 * before  # an odd side is one less than twice the one before
            layers.append(nn.ConvTranspose2d(width, following, KERNEL, 2, padding=2, output_padding=int(even)))
            layers.append(nn.ReLU() if after < size else nn.Tanh())
            width = following
        self.layers = Stages(*layers)

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)


class Critic(nn.Module):
    """Images `(batch, channels, size, size)` to scores `(batch,)`, each a function of its own image alone.

    >>> Critic(64, 1, 28)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2])
    """

    def __init__(self, features: int, channels: int, size: int) -> None:
        super().__init__()
        sides, width = halved(size), channels
        layers: list[nn.Module] = []
        for number in range(len(sides) - 1):
            following = features * 2**number
            layers += [nn.Conv2d(width, following, KERNEL, 2, padding=2), nn.LeakyReLU(NEGATIVE_SLOPE)]
            width = following
        self.layers = Stages(*layers, nn.Flatten(), nn.Linear(width * sides[-1] ** 2, 1), nn.Flatten(0))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def halved(size: int) -> list[int]:
    """Return the sides of the maps of an image, from its own, halved and rounded up, to one of at most 4.

    >>> halved(28), halved(64)
    ([28, 14, 7, 4], [64, 32, 16, 8, 4])
    """
    sides = [size]
    while sides[-1] > SMALLEST_SIDE:
        sides.append((sides[-1] + 1) // 2)
    if len(sides) < 2:
        raise ConfigurationError("images are too small to be halved", expected="image_size 5 or more", found=str(size))
    return sides


@settings
class Config:
    """A generator, a critic, and how steep that may be."""

    in_channels: Count = 3
    """Channels of the images; the data decides."""
    image_size: Count | None = None
    """Side of the square images; the smallest of 16, 28, 32 and 64 that holds the data's when not given."""
    in_features: Count | None = None
    """Numbers in a sample where samples are rows; the data decides. None for images."""
    latent_features: Count = 100
    """Length of the noise vector that a sample is made from."""
    networks: Networks = "clipped"
    """Networks for images: clipped are those of dcgan with batch normalisation, penalised have none."""
    features: Units = 64
    """Channels at half the image's side; each halving of the side doubles them."""
    hidden_features: Widths = (128, 128, 128)
    """Widths of the hidden layers of both networks where samples are rows."""
    long_turns: bool = True
    """Give the critic 100 batches for each of the generator's first 25 turns, and for every 500th."""
    game: GameSettings = CLIPPED
    """What the players pay, and whose turn it is."""
    generator_descent: Descent = RMSPROP
    """How the generator descends."""
    discriminator_descent: Descent = RMSPROP
    """How the critic descends."""

    def __post_init__(self) -> None:
        size = STANDARD_SIZE if self.image_size is None else self.image_size
        (convolutional_pair.factor if self.networks == "clipped" else halved)(size)


STANDARD_SIZE = 64
"""Side of the images when neither the configuration nor any data says one."""

FORMS = {
    "clipping": Config(),
    "gradient-penalty": Config(
        latent_features=128,
        networks="penalised",
        long_turns=False,
        game=PENALISED,
        generator_descent=ADAM,
        discriminator_descent=ADAM,
    ),
}
"""What the two papers published, the second with the networks of its script for MNIST."""
FASTER = replace(ADAM, learning_rate=1e-3)
SMALL = replace(
    FORMS["gradient-penalty"],
    latent_features=64,
    features=32,
    game=replace(PENALISED, discriminator_steps=3),
    generator_descent=FASTER,
    discriminator_descent=FASTER,
)
ON_POINTS = Descent(learning_rate=1e-3, optimizer_arguments=("betas=(0.5, 0.9)",))
FORMS["points"] = replace(
    SMALL,
    latent_features=2,
    game=replace(PENALISED, penalty_weight=0.1),
    generator_descent=ON_POINTS,
    discriminator_descent=ON_POINTS,
)
"""For rows of few numbers, with the weight of the penalty in the authors' script for points."""
TINY = replace(
    SMALL,
    in_channels=1,
    image_size=8,
    latent_features=16,
    features=12,
    game=replace(PENALISED, discriminator_steps=2),
    generator_descent=replace(ADAM, learning_rate=3e-3),
    discriminator_descent=replace(ADAM, learning_rate=3e-3),
)


def build(config: Config) -> LearningRule:
    generator, critic = _networks(config)
    schedule = LongTurns(usual=config.game.discriminator_steps) if config.long_turns else None
    return Adversarial(
        generator,
        critic,
        Inputs(noise=Latent("normal", (config.latent_features,))),
        config.game,
        generator_descent=config.generator_descent,
        discriminator_descent=config.discriminator_descent,
        discriminator_schedule=schedule,
    )


def _networks(config: Config) -> tuple[nn.Module, nn.Module]:
    size, channels, features = config.image_size or STANDARD_SIZE, config.in_channels, config.features
    if config.in_features is not None:
        shape, hidden = (config.in_features,), config.hidden_features
        generator = dense_pair.Generator(config.latent_features, hidden, shape, "relu", bounded=False)
        return generator, dense_pair.Discriminator(hidden, shape, activation="leaky-relu")
    kind = convolutional_pair.Generator if config.networks == "clipped" else Generator
    judge = convolutional_pair.Discriminator if config.networks == "clipped" else Critic
    return kind(config.latent_features, features, channels, size), judge(features, channels, size)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    size = config.image_size or STANDARD_SIZE
    shape = (config.in_channels, size, size) if config.in_features is None else (config.in_features,)
    return {"generator": (torch.zeros(1, config.latent_features),), "discriminator": (torch.zeros(1, *shape),)}
