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
    generator      latent vector, dense layers with ReLU, dense layer with tanh: an image in [-1, 1]
    discriminator  image, dense maxout layers, one logit
    Where samples are rows of numbers, the generator ends without tanh.
    The small form has leaky ReLU in both.

Learning rule:
    Adversarial. Every batch: one update of the discriminator on real and generated samples, then (every
    `game.discriminator_steps` batches) one of the generator on fresh noise. Losses are computed on logits; real samples
    are labelled `game.real_label`, generated ones 0. `game.loss` plays by other losses (minimax, hinge, least-squares,
    wasserstein); the last wants a `game.penalty` or a `game.weight_clip`, and five discriminator steps.

Data it expects:
    Images of any size and channels, scaled to [-1, 1], or rows of numbers, standardised; labels are not used.

What to expect:
    On scikit-learn's digits, without any flags, clean digits of all classes within a minute on two cores. On
    8-gaussians all eight modes with each of the seeds 0 to 9, and 74 to 82 % of the points within three deviations;
    on 25-gaussians, with wider networks and longer, all 25 and 66 % (seed 0).
    The losses do not fall as in other networks, for the opponent improves too: healthy is a `real_score` somewhat above
    the `generated_score`, both away from 0 and 1. A coverage near zero means collapse: always one and the same image.

Departures from the paper:
    The published form is the authors' for MNIST (`mnist.yaml` of github.com/goodfeli/adversarial), but for these:
    1. Pixels lie in [-1, 1] and the output is tanh, instead of [0, 1] and a logistic function.
    2. The biases of the output start at zero instead of at the data's means.
    3. Momentum stays at 0.5 instead of rising to 0.7, and the rate does not fall. The discriminator pays the sum of its
       two losses instead of their mean, at half the rate.
    The small form learns faster on few images:
    4. Leaky ReLU in both networks, no dropout in the discriminator, and larger weights to begin with.
    5. Adam instead of stochastic gradient descent with momentum.
    6. One-sided label smoothing (`game.real_label`), which came two years later.
    The form `points`, which rows of few numbers start from, has the penalty R1 on slopes instead of 6.

References:
    Goodfellow et al., Generative Adversarial Nets, 2014, https://arxiv.org/abs/1406.2661
    Salimans et al., Improved Techniques for Training GANs, 2016, https://arxiv.org/abs/1606.03498
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.adversarial.dense_pair import Discriminator, Generator, HiddenActivation, Normalisation
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Share, settings

MOMENTUM = Descent(optimizer="sgd", learning_rate=0.1, optimizer_arguments=("momentum=0.5",))
ADAM = Descent(learning_rate=1e-3, optimizer_arguments=("betas=(0.5, 0.999)",))
"""With less momentum than usual: what it remembers is of an opponent that has moved on."""


@settings
class Config:
    """Two multilayer perceptrons and how they learn."""

    in_channels: Count = 1
    """Channels of the images; the data decides."""
    image_size: Count | None = None
    """Side of the square images; the smallest of 16, 28, 32 and 64 that holds the data's when not given."""
    in_features: Count | None = None
    """Numbers in a sample where samples are rows; the data decides. None for images."""
    latent_features: Count = 100
    """Length of the noise vector that a sample is made from."""
    generator_features: tuple[Count, ...] = (1200, 1200)
    """Widths of the generator's hidden layers."""
    generator_activation: HiddenActivation = "relu"
    """What follows each of them; maxout takes the largest of five linear functions."""
    discriminator_features: tuple[Count, ...] = (240, 240)
    """Widths of the discriminator's hidden layers."""
    discriminator_activation: HiddenActivation = "maxout"
    """What follows each of them."""
    discriminator_dropout: tuple[Share, Share] = (0.2, 0.5)
    """Shares of the pixels and of the hidden values that the discriminator does not see while training."""
    discriminator_normalisation: Normalisation = "none"
    """What keeps the layers of the discriminator in bounds."""
    small_weights: bool = True
    """Let weights start uniformly within 0.05 in the generator and 0.005 in the discriminator, and biases at zero."""
    game: GameSettings = GameSettings()
    """What the players pay, and whose turn it is."""
    generator_descent: Descent = MOMENTUM
    """How the generator descends."""
    discriminator_descent: Descent = replace(MOMENTUM, learning_rate=0.05)
    """How the discriminator descends."""


STANDARD_SIZE = 28
"""Side of the images when neither the configuration nor any data says one: that of MNIST."""

SMALL = Config(
    latent_features=64,
    generator_features=(256, 512),
    generator_activation="leaky-relu",
    discriminator_features=(512, 256),
    discriminator_activation="leaky-relu",
    discriminator_dropout=(0.0, 0.0),
    small_weights=False,
    game=GameSettings(real_label=0.9),
    generator_descent=ADAM,
    discriminator_descent=ADAM,
)
FORMS = {
    "points": replace(
        SMALL,
        latent_features=2,
        generator_features=(128, 128),
        discriminator_features=(128, 128),
        game=GameSettings(penalty="r1", penalty_weight=1.0),
    )
}
"""For rows of few numbers, where the slope of an unpenalised discriminator becomes too steep: it leaves modes out."""
TINY = replace(SMALL, image_size=8, latent_features=16, generator_features=(64,), discriminator_features=(64,))


def build(config: Config) -> LearningRule:
    shape, bounded = _shape(config), config.in_features is None
    generator = Generator(
        config.latent_features, config.generator_features, shape, config.generator_activation, bounded
    )
    discriminator = Discriminator(
        config.discriminator_features,
        shape,
        config.discriminator_normalisation,
        config.discriminator_activation,
        config.discriminator_dropout,
    )
    if config.small_weights:
        _start_within(0.05, generator)
        _start_within(0.005, discriminator)
    return Adversarial(
        generator,
        discriminator,
        Inputs(noise=Latent("normal", (config.latent_features,))),
        config.game,
        generator_descent=config.generator_descent,
        discriminator_descent=config.discriminator_descent,
    )


@torch.no_grad()
def _start_within(bound: float, network: nn.Module) -> None:
    for name, parameter in network.named_parameters():
        parameter.zero_() if name.endswith("bias") else parameter.uniform_(-bound, bound)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    samples = torch.zeros(1, *_shape(config))
    return {"generator": (torch.zeros(1, config.latent_features),), "discriminator": (samples,)}


def _shape(config: Config) -> tuple[int, ...]:
    """Return the shape of a sample: numbers of a row, or channels, height and width of an image."""
    size = config.image_size or STANDARD_SIZE
    return (config.in_channels, size, size) if config.in_features is None else (config.in_features,)
