"""Picture to picture by a U-Net and a discriminator of patches, as in "pix2pix": from a map of a house to its front.

Idea:
    A network that is only asked to come near the target on average paints the average, which is blurred. Add a
    discriminator that looks at the given picture beside the painted one and says of every patch whether it is real:
    then texture has to be right too, and no loss for it has to be designed. The absolute difference keeps what is large
    in its place.

Equations:
    G* = arg min_G max_D  E[log D(x, y)] + E[log(1 - D(x, G(x, z)))] + lambda E|y - G(x, z)|,  lambda = 100
    x the given picture, y the target, z the noise of dropout

Networks:
    generator      U-Net: convolutions of 4 x 4 with stride two down to one pixel, their mirror image up, and what was
                   seen on the way down beside it on the way up; dropout in three inner layers of the widest
    discriminator  five convolutions of 4 x 4 over both pictures, of stride 2, 2, 2, 1, 1: one logit for every patch
                   of 70 x 70 pixels
    `edition port` leaves out biases before normalisation, as the authors' PyTorch code does; `original` has biases
    everywhere, as their first code in Lua.

Learning rule:
    Adversarial: both see the given picture, and the generator pays lambda times the absolute difference as well.

Data it expects:
    Pairs of pictures: two folders with the same names, or one with both halves side by side. Pictures larger than
    `image_size` are learnt from in pieces, or at that size with `--resize stretch`.

What to expect:
    The picture comes nearer to looking real than to the target: compare `l1` with and without the game
    (`--adversarial-weight 0`), and then look at both. When it is asked, dropout stays on, as published, with noise that
    is the same for every picture, and statistics are those of the picture alone: no answer depends on what else is
    asked. Any size is taken; it is continued at its borders to a multiple of the network's steps.

Departures from the paper:
    1. Both losses of the discriminator are added, not averaged; Adam takes the same steps either way.
    2. Pictures are in [0, 1] outside the networks, which bring them to [-1, 1] and back.
    3. The rate stays constant unless `--schedule` says otherwise; the paper lets it fall over the second half.
    4. `ganglion train pix2pix` without flags has a quarter of the channels and batches of four.

References:
    Isola et al., Image-to-Image Translation with Conditional Adversarial Networks, 2017,
    https://arxiv.org/abs/1611.07004
    Ronneberger et al., U-Net, 2015, https://arxiv.org/abs/1505.04597
"""

import math
from dataclasses import replace
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.images.patches import PatchDiscriminator, drawn_small
from ganglion.nn.images.picture_statistics import KeptDropout, PictureNorm, padded_to
from ganglion.rules.adversarial.extras import Extra, ToTarget
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Units, at_least, settings

Edition = Literal["port", "original"]

WIDEST = 8
"""Channels of the inner layers, in those of the first."""
DROPPING = 3
"""Inner layers on the way up that have dropout."""
MOST_STEPS = 8
"""Halvings of the side at most: 256 pixels down to one."""


class Level(nn.Module):
    """One step down, everything below it, and one step up, beside what came in: maps to maps of twice the channels.

    Args:
        outside, inside: channels of the maps that come in, and of those one step further down.
        below: the next level, None where this is the innermost.
        biased: whether convolutions before a normalisation have a bias.
        seed: of the noise of the dropout on the way up, None where there is none.
    """

    def __init__(self, outside: int, inside: int, below: nn.Module | None, biased: bool, seed: int | None) -> None:
        super().__init__()
        innermost = below is None
        down = nn.Conv2d(outside, inside, 4, 2, 1, bias=biased)
        up = nn.ConvTranspose2d(inside if innermost else 2 * inside, outside, 4, 2, 1, bias=biased)
        self.down = nn.Sequential(nn.LeakyReLU(0.2), down, *([] if innermost else [PictureNorm(inside)]))
        self.below = below if below is not None else nn.Identity()
        self.up = nn.Sequential(
            nn.ReLU(), up, PictureNorm(outside), *([KeptDropout(outside, seed)] if seed is not None else [])
        )

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([maps, self.up(self.below(self.down(maps)))], dim=1)


class Generator(nn.Module):
    """Pictures `(batch, channels, height, width)` in [0, 1] to others of the same size.

    >>> network = Generator(3, 4, 5)
    >>> network(torch.zeros(1, 3, 40, 50)).shape
    torch.Size([1, 3, 40, 50])
    """

    def __init__(self, channels: int, features: int, steps: int, edition: Edition = "port") -> None:
        super().__init__()
        biased = edition == "original"
        widths = [features * min(2**number, WIDEST) for number in range(steps)]
        below: nn.Module | None = None
        for number in range(steps - 1, 0, -1):
            dropout = steps - 1 - DROPPING <= number < steps - 1 and widths[number - 1] == WIDEST * features
            below = Level(widths[number - 1], widths[number], below, biased, number if dropout else None)
        assert below is not None
        self.down = nn.Conv2d(channels, features, 4, 2, 1, bias=biased)
        self.below = below
        self.up = nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(2 * features, channels, 4, 2, 1), nn.Tanh())
        self.multiple = 2**steps
        self.apply(drawn_small)

    def forward(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[2:]
        maps = padded_to(pictures, self.multiple)
        painted = self.up(self.below(self.down(2 * maps - 1)))
        return ((painted + 1) / 2)[:, :, :height, :width]


@settings
class Config:
    """A U-Net, a discriminator of patches, and how they learn."""

    in_channels: Count = 3
    """Channels of the pictures; the data decides."""
    image_size: Annotated[int, at_least(16)] | None = None
    """Side of the pictures or pieces that are learnt from; the data's, up to 128, when not given."""
    edition: Edition = "port"
    """Biases before normalisation: none, as in the authors' PyTorch code, or everywhere, as in their original."""
    features: Units = 64
    """Channels after the first convolution of each network; each halving doubles them, up to eight times."""
    discriminator_layers: Annotated[int, at_least(1)] = 3
    """Convolutions of stride two in the discriminator: 1, 2, 3 or 4 look at patches of 16, 34, 70 or 142 pixels."""
    target_weight: Annotated[float, at_least(0)] = 100.0
    """Weight of the absolute difference from the target, lambda."""
    adversarial_weight: Annotated[float, at_least(0)] = 1.0
    """Weight of the game among the generator's losses; 0 leaves the difference alone."""
    game: GameSettings = GameSettings()
    """What the players pay, and whose turn it is."""
    generator_descent: Descent = Descent(learning_rate=2e-4, optimizer_arguments=("betas=(0.5, 0.999)",))
    """How the generator descends."""
    discriminator_descent: Descent = Descent(learning_rate=2e-4, optimizer_arguments=("betas=(0.5, 0.999)",))
    """How the discriminator descends."""


STANDARD_SIZE = 256
"""Side of the pictures when neither the configuration nor any data says one: that of the paper."""

FORMS = {"port": Config(), "original": Config(edition="original")}
"""The authors' PyTorch code, and their original one."""
SMALL = Config(features=16, discriminator_layers=2)
TINY = replace(
    SMALL,
    in_channels=1,
    image_size=16,
    features=4,
    discriminator_layers=1,
    generator_descent=Descent(learning_rate=5e-3, optimizer_arguments=("betas=(0.5, 0.999)",)),
)


def build(config: Config) -> LearningRule:
    size = config.image_size or STANDARD_SIZE
    steps = min(MOST_STEPS, int(math.log2(size)))
    channels, features = config.in_channels, config.features
    biased = config.edition == "original"
    return Adversarial(
        Generator(channels, features, steps, config.edition),
        PatchDiscriminator(2 * channels, features, config.discriminator_layers, biased),
        Inputs(real="targets", generator=("inputs",), discriminator=("inputs",)),
        config.game,
        generator_descent=config.generator_descent,
        discriminator_descent=config.discriminator_descent,
        extras={"difference": Extra(ToTarget("targets"), config.target_weight)},
        adversarial_weight=config.adversarial_weight,
        share_generated=True,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    size = config.image_size or STANDARD_SIZE
    pictures = torch.zeros(1, config.in_channels, size, size)
    return {"generator": (pictures,), "discriminator": (pictures, pictures)}
