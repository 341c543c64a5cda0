"""The generative adversarial network with fully connected layers: two players learn to draw.

Idea:
    A generator turns noise into images; a discriminator looks at one image and says whether it came from the data. Each
    learns from the other's mistakes. Where neither can improve, the generated images are distributed like the data, and
    nobody ever had to write that distribution down.

Equations:
    min_G max_D  V(D, G) = E[log D(x)] + E[log(1 - D(G(z)))],  x from the data, z ~ N(0, I)
    best reply of D:       D*(x) = p_data(x) / (p_data(x) + p_G(x))
    minimax generator:     minimise  E[log(1 - D(G(z)))]
    non-saturating:        minimise -E[log D(G(z))], whose gradient does not vanish while the samples are still bad

Networks:
    generator      latent vector, dense layers with leaky ReLU, dense layer with tanh: an image in [-1, 1]
    discriminator  image, dense layers with leaky ReLU, one logit

Learning rule:
    Adversarial. Every batch: one Adam update of the discriminator on real and generated samples, then (every
    `game.discriminator_steps` batches) one of the generator on fresh noise. Losses are computed on logits; real samples
    are labelled `game.real_label`, generated ones 0. `game.loss` plays by other losses (minimax, hinge, least-squares,
    wasserstein); the last wants a `game.penalty` or a `game.weight_clip`, and five discriminator steps.

Data it expects:
    Images of any size and channels, scaled to [-1, 1]; labels are not used.

What to expect:
    On scikit-learn's digits, without any flags, clean digits within half a minute on two cores: `frechet_distance` 2.4
    (a trivial generator has 23, the training images themselves 0.7) and `coverage` 0.92 on the test part, seed 0.
    The losses do not fall as in other networks, for the opponent improves too: healthy is a `real_score` somewhat above
    the `generated_score`, both away from 0 and 1. A coverage near zero means collapse: always one and the same image.

Departures from the paper:
    1. Latent vectors are normal instead of uniform.
    2. Leaky ReLU in both networks instead of ReLU and sigmoid in the generator and maxout in the discriminator.
    3. No dropout in the discriminator.
    4. tanh output instead of sigmoid.
    5. Adam instead of stochastic gradient descent with momentum.
    6. One-sided label smoothing (`game.real_label`), which came two years later; 1.0 switches it off.
    7. The non-saturating loss is the default; the paper proposes it and writes its equation with minimax.

References:
    Goodfellow et al., Generative Adversarial Nets, 2014, https://arxiv.org/abs/1406.2661
    Salimans et al., Improved Techniques for Training GANs, 2016, https://arxiv.org/abs/1606.03498
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.linear import Linear
from ganglion.nn.spectral import spectrally_normalised
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent
from ganglion.settings import Count, settings

Normalisation = Literal["none", "spectral"]

NEGATIVE_SLOPE = 0.2
BETAS = ("betas=(0.5, 0.999)",)
"""Adam with less momentum than usual: what it remembers is of an opponent that has moved on."""


class Generator(nn.Module):
    """Latent vectors `(batch, latent_features)` to images `(batch, *image_shape)` in [-1, 1].

    >>> import torch
    >>> Generator(16, (32, 64), (1, 8, 8))(torch.zeros(5, 16)).shape
    torch.Size([5, 1, 8, 8])
    """

    def __init__(self, latent_features: int, hidden_features: Sequence[int], image_shape: Sequence[int]) -> None:
        super().__init__()
        self.latent_features = latent_features
        self.layers = nn.Sequential(
            *_hidden(latent_features, hidden_features),
            Linear([latent_features, *hidden_features][-1], prod(image_shape)),
            nn.Tanh(),
            nn.Unflatten(1, tuple(image_shape)),
        )

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)


class Discriminator(nn.Module):
    """Images `(batch, *image_shape)` to logits `(batch,)` of being real."""

    def __init__(
        self, hidden_features: Sequence[int], image_shape: Sequence[int], normalisation: Normalisation = "none"
    ) -> None:
        super().__init__()
        pixels = prod(image_shape)
        self.layers = nn.Sequential(
            nn.Flatten(),
            *_hidden(pixels, hidden_features),
            Linear([pixels, *hidden_features][-1], 1),
            nn.Flatten(0),
        )
        if normalisation == "spectral":
            spectrally_normalised(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def _hidden(in_features: int, widths: Sequence[int]) -> list[nn.Module]:
    """Return dense layers of these widths, each followed by a leaky ReLU."""
    pairs = pairwise([in_features, *widths])
    return [layer for pair in pairs for layer in (Linear(*pair), nn.LeakyReLU(NEGATIVE_SLOPE))]


@settings
class Config:
    """Two multilayer perceptrons and how they learn."""

    in_channels: Count = 1
    """Channels of the images; the data decides."""
    image_size: Count | None = None
    """Side of the square images; the smallest of 16, 28, 32 and 64 that holds the data's when not given."""
    latent_features: Count = 100
    """Length of the noise vector that an image is made from."""
    generator_features: tuple[Count, ...] = (1200, 1200)
    """Widths of the generator's hidden layers."""
    discriminator_features: tuple[Count, ...] = (240, 240)
    """Widths of the discriminator's hidden layers."""
    discriminator_normalisation: Normalisation = "none"
    """What keeps the layers of the discriminator in bounds."""
    game: GameSettings = GameSettings(real_label=0.9)
    """What the players pay, and whose turn it is."""
    generator_descent: Descent = Descent(learning_rate=1e-3, optimizer_arguments=BETAS)
    """How the generator descends."""
    discriminator_descent: Descent = Descent(learning_rate=1e-3, optimizer_arguments=BETAS)
    """How the discriminator descends."""


STANDARD_SIZE = 28
"""Side of the images when neither the configuration nor any data says one: that of MNIST."""

SMALL = Config(latent_features=64, generator_features=(256, 512), discriminator_features=(512, 256))
TINY = Config(
    image_size=8,
    latent_features=16,
    generator_features=(64,),
    discriminator_features=(64,),
)


def build(config: Config) -> LearningRule:
    size = config.image_size or STANDARD_SIZE
    image_shape = (config.in_channels, size, size)
    return Adversarial(
        Generator(config.latent_features, config.generator_features, image_shape),
        Discriminator(config.discriminator_features, image_shape, config.discriminator_normalisation),
        Inputs(noise=Latent("normal", (config.latent_features,))),
        config.game,
        generator_descent=config.generator_descent,
        discriminator_descent=config.discriminator_descent,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    size = config.image_size or STANDARD_SIZE
    images = torch.zeros(1, config.in_channels, size, size)
    return {"generator": (torch.zeros(1, config.latent_features),), "discriminator": (images,)}
