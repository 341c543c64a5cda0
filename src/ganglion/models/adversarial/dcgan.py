"""The deep convolutional generative adversarial network: images grown from noise by transposed convolutions.

Idea:
    Give both players of the adversarial game a convolutional network of the same plain shape, without pooling and
    without hidden dense layers, and keep every layer's activations at unit scale by batch normalisation. That was the
    first recipe with which adversarial training was stable on photographs, and whose latent space moves smoothly.

Equations:
    generator       h_0 = ReLU(BN(W_0 z)),  h_i = ReLU(BN(h_{i-1} *^T W_i)),  image = tanh(h_n *^T W_out)
    discriminator   g_1 = lrelu(image * V_1), g_i = lrelu(BN(g_{i-1} * V_i)),   logit = g_n * V_out
    *^T is the transposed convolution of stride two that doubles the side; * of stride two halves it.
    The losses are those of `gan`.

Networks:
    generator      the latent vector becomes a small map of many channels; each layer doubles the side and halves the
                   channels down to `features`, then tanh
    discriminator  the mirror image with leaky ReLU; the last convolution covers the whole map and gives one logit
    Batch normalisation follows every convolution except the generator's output and the discriminator's input (and its
    logit). No convolution that is followed by normalisation needs a bias; none has one.

Learning rule:
    Adversarial. Real and generated images pass the discriminator as separate batches, for statistics of a mixture
    would give the difference away. A phase leaves the running statistics of the other's network alone.
    `game.loss` plays by other losses; a `game.penalty` on slopes needs a `discriminator_normalisation` but batch.

Data it expects:
    Images, resized to squares whose side is 4 to 7 times a power of two (16, 28, 32, 64, ...), scaled to [-1, 1].
    Labels are not used.

What to expect:
    On scikit-learn's digits, without any flags, digits of all classes within half a minute on two cores, some of them
    ambiguous: `frechet_distance` 2.4 (a trivial generator has 23) and `coverage` 0.72 on the test part, seed 0. On
    Fashion-MNIST, shirts, trousers and boots before the end of the first epoch. A discriminator loss that falls to
    zero while the generator's rises means that the discriminator has won and the generator learns nothing.

Departures from the paper:
    1. Kernels of four instead of five, as in the widespread PyTorch rendition, whose parameter counts this has.
    2. A side of 16, 28 or 32 uses fewer doublings; the paper draws 64 x 64 only.
    3. `ganglion train dcgan` without flags uses fewer channels, and a higher rate for the generator: with the paper's
       rate it loses to the discriminator on small images.
    4. The scales of batch normalisation start from N(1, 0.02), which the paper does not say.
    5. Latent vectors are normal, as in that rendition, instead of uniform.
    6. The small form smooths the labels of real samples (`game.real_label`), which came later.

References:
    Radford et al., Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks, 2015,
    https://arxiv.org/abs/1511.06434
    Salimans et al., Improved Techniques for Training GANs, 2016, https://arxiv.org/abs/1606.03498
"""

from typing import Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.spectral import spectrally_normalised
from ganglion.nn.stages import Stages
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent
from ganglion.settings import Count, settings

Normalisation = Literal["batch", "layer", "spectral", "none"]

NEGATIVE_SLOPE = 0.2
DEVIATION = 0.02
BETAS = ("betas=(0.5, 0.999)",)
"""Adam with less momentum than usual, which the paper found to oscillate."""


class Generator(nn.Module):
    """Latent vectors `(batch, latent_features)` to images `(batch, channels, size, size)` in [-1, 1].

    >>> import torch
    >>> Generator(100, 64, 3, 64)(torch.zeros(2, 100)).shape
    torch.Size([2, 3, 64, 64])
    """

    def __init__(self, latent_features: int, features: int, channels: int, size: int) -> None:
        super().__init__()
        self.latent_features = latent_features
        side, doublings = factor(size)
        width = features * 2 ** (doublings - 1)
        layers = [nn.ConvTranspose2d(latent_features, width, side, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        for _ in range(doublings - 1):
            grow = nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1, bias=False)
            width //= 2
            layers += [grow, nn.BatchNorm2d(width), nn.ReLU()]
        output = nn.ConvTranspose2d(width, channels, 4, stride=2, padding=1, bias=False)
        self.layers = Stages(nn.Unflatten(1, (latent_features, 1, 1)), *layers, output, nn.Tanh())
        self.apply(initialise)

    def forward(self, latent: Tensor) -> Tensor:
        return self.layers(latent)


class Discriminator(nn.Module):
    """Images `(batch, channels, size, size)` to logits `(batch,)` of being real."""

    def __init__(self, features: int, channels: int, size: int, normalisation: Normalisation = "batch") -> None:
        super().__init__()
        side, halvings = factor(size)
        bias = normalisation in ("spectral", "none")  # which bring no shift of their own
        width = features
        layers = [nn.Conv2d(channels, width, 4, stride=2, padding=1, bias=bias), nn.LeakyReLU(NEGATIVE_SLOPE)]
        for _ in range(halvings - 1):
            shrink = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=bias)
            width *= 2
            layers += [shrink, *_normalise(normalisation, width), nn.LeakyReLU(NEGATIVE_SLOPE)]
        self.layers = Stages(*layers, nn.Conv2d(width, 1, side, bias=bias), nn.Flatten(0))
        self.apply(initialise)
        if normalisation == "spectral":
            spectrally_normalised(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def _normalise(normalisation: Normalisation, channels: int) -> list[nn.Module]:
    """Return the layer that stands between a convolution and its rectifier, if any."""
    if normalisation == "batch":
        return [nn.BatchNorm2d(channels)]
    return [nn.GroupNorm(1, channels)] if normalisation == "layer" else []  # over all values of an image


def factor(size: int) -> tuple[int, int]:
    """Return the smallest map's side (4 to 7) and the doublings that lead from it to `size`.

    >>> factor(64), factor(28)
    ((4, 4), (7, 2))
    """
    side, doublings = size, 0
    while side > 7 and side % 2 == 0:
        side, doublings = side // 2, doublings + 1
    if not (4 <= side <= 7 and doublings):
        raise ConfigurationError(
            "transposed convolutions cannot reach this image_size",
            expected="4 to 7 times a power of two: 16, 28, 32, 64, ...",
            found=str(size),
        )
    return side, doublings


def initialise(module: nn.Module) -> None:
    """Draw a layer's weights as the paper does: from a normal distribution of small deviation."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, DEVIATION)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, DEVIATION)


@settings
class Config:
    """Two mirrored convolutional networks and how they learn."""

    in_channels: Count = 3
    """Channels of the images; the data decides."""
    image_size: int | None = None
    """Side of the square images; the smallest of 16, 28, 32 and 64 that holds the data's when not given."""
    latent_features: Count = 100
    """Length of the noise vector that an image is made from."""
    features: Count = 64
    """Channels at half the image's side; each halving of the side doubles them."""
    discriminator_normalisation: Normalisation = "batch"
    """What keeps the discriminator's inner layers at unit scale; batch allows no penalty on slopes."""
    game: GameSettings = GameSettings()
    """What the players pay, and whose turn it is."""
    generator_descent: Descent = Descent(learning_rate=2e-4, optimizer_arguments=BETAS)
    """How the generator descends."""
    discriminator_descent: Descent = Descent(learning_rate=2e-4, optimizer_arguments=BETAS)
    """How the discriminator descends."""

    def __post_init__(self) -> None:
        factor(STANDARD_SIZE if self.image_size is None else self.image_size)


STANDARD_SIZE = 64
"""Side of the images when neither the configuration nor any data says one: that of the paper."""

SMOOTHED = GameSettings(real_label=0.9)
SMALL = Config(features=32, game=SMOOTHED, generator_descent=Descent(learning_rate=1e-3, optimizer_arguments=BETAS))
TINY = Config(
    in_channels=1,
    image_size=16,
    latent_features=16,
    features=8,
    game=SMOOTHED,
    generator_descent=Descent(learning_rate=5e-3, optimizer_arguments=BETAS),
    discriminator_descent=Descent(learning_rate=1e-3, optimizer_arguments=BETAS),
)


def build(config: Config) -> LearningRule:
    size = config.image_size or STANDARD_SIZE
    return Adversarial(
        Generator(config.latent_features, config.features, config.in_channels, size),
        Discriminator(config.features, config.in_channels, size, config.discriminator_normalisation),
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
