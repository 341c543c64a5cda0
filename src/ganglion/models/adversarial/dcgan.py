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

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.adversarial.convolutional_pair import Discriminator, Generator, Normalisation, factor
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Units, settings

BETAS = ("betas=(0.5, 0.999)",)
"""Adam with less momentum than usual, which the paper found to oscillate."""


@settings
class Config:
    """Two mirrored convolutional networks and how they learn."""

    in_channels: Count = 3
    """Channels of the images; the data decides."""
    image_size: int | None = None
    """Side of the square images; the smallest of 16, 28, 32 and 64 that holds the data's when not given."""
    latent_features: Count = 100
    """Length of the noise vector that an image is made from."""
    features: Units = 64
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
