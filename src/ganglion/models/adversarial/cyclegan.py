"""The cycle-consistent adversarial network: pictures of one kind into another and back, learnt without pairs.

Idea:
    Photographs and paintings are easy to collect, photographs of what was painted are not. Train two generators, one
    for each way, and ask that a picture which went there and back is the picture it was. That keeps what is shown,
    while a discriminator for each kind sees to it that what arrives looks like its kind.

Equations:
    generators       E[(D_Y(G(x)) - 1)^2] / 2 + E[(D_X(F(y)) - 1)^2] / 2
                     + lambda (E|F(G(x)) - x| + E|G(F(y)) - y|) + lambda_i (E|G(y) - y| + E|F(x) - x|)
    discriminators   E[(D(real) - 1)^2] / 2 + E[D(made)^2] / 2,  lambda = 10, lambda_i = lambda / 2

Networks:
    generators       convolution of 7 x 7, two that halve the side, nine (or six) residual blocks, two that double it,
                     convolution of 7 x 7, tanh; normalisation by the statistics of each picture, borders reflected
    discriminators   patches of 70 x 70 pixels, as in `pix2pix`, one network for each kind

Learning rule:
    Two adversarial games whose generators share one optimizer; each discriminator is shown made pictures of a pool of
    50, half of the time an earlier one.

Data it expects:
    Two folders of pictures, of any number each (`--kind image-domains`), or pairs, whose pairing is not learnt from and
    only measured by. Pictures are stretched to `image_size`.

What to expect:
    Colour and texture change, shapes hardly do: nothing tells the network what a shape should become. Where the data
    has pairs, `l1` says how near the pictures come to the truth that was never shown.

Departures from the paper:
    1. Pictures are in [0, 1] outside the networks, which bring them to [-1, 1] and back.
    2. The rate stays constant unless `--schedule` says otherwise; the paper lets it fall over the second half.
    3. `ganglion train cyclegan` without flags has three residual blocks and a quarter of the channels.

References:
    Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks, 2017,
    https://arxiv.org/abs/1703.10593
"""

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.images.patches import PatchDiscriminator, drawn_small
from ganglion.nn.images.picture_statistics import padded_to
from ganglion.rules.adversarial.cycle import CycleRule
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Units, at_least, settings


class Block(nn.Module):
    """x + f(x), f two convolutions of 3 x 3 with reflected borders: maps to maps of the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.layers(maps)


class Generator(nn.Module):
    """Pictures `(batch, channels, height, width)` in [0, 1] to others of the same size, each by itself.

    >>> Generator(3, 4, 2)(torch.zeros(2, 3, 18, 20)).shape
    torch.Size([2, 3, 18, 20])
    """

    def __init__(self, channels: int, features: int, blocks: int) -> None:
        super().__init__()
        wide = 4 * features
        layers: list[nn.Module] = [nn.Conv2d(channels, features, 7, padding=3, padding_mode="reflect")]
        layers += [nn.InstanceNorm2d(features), nn.ReLU()]
        for width in (features, 2 * features):
            layers += [nn.Conv2d(width, 2 * width, 3, 2, 1), nn.InstanceNorm2d(2 * width), nn.ReLU()]
        layers += [Block(wide) for _ in range(blocks)]
        for width in (wide, wide // 2):
            layers.append(nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1))
            layers += [nn.InstanceNorm2d(width // 2), nn.ReLU()]
        layers += [nn.Conv2d(features, channels, 7, padding=3, padding_mode="reflect"), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(drawn_small)

    def forward(self, pictures: Tensor) -> Tensor:
        height, width = pictures.shape[2:]
        made = self.layers(2 * padded_to(pictures, 4) - 1)
        return ((made + 1) / 2)[:, :, :height, :width]


@settings
class Config:
    """Two generators and two discriminators, and how they learn."""

    in_channels: Count = 3
    """Channels of the pictures; the data decides."""
    image_size: Annotated[int, at_least(16)] | None = None
    """Side of the square pictures; the smallest side in the data, up to 64, when not given."""
    features: Units = 64
    """Channels after the first convolution of each network."""
    blocks: Annotated[int, at_least(1)] = 9
    """Residual blocks of each generator: 9 for pictures of 256 pixels, 6 for smaller ones."""
    discriminator_layers: Annotated[int, at_least(1)] = 3
    """Convolutions of stride two in the discriminators: 1, 2, 3 or 4 look at patches of 16, 34, 70 or 142 pixels."""
    cycle_weight: Annotated[float, at_least(0)] = 10.0
    """Weight of the difference after the way there and back, lambda."""
    identity_weight: Annotated[float, at_least(0)] = 5.0
    """Weight of the difference that a generator makes to what is already as it should be."""
    pool_size: Annotated[int, at_least(0)] = 50
    """Earlier pictures that each discriminator is shown again."""
    game: GameSettings = GameSettings(loss="least-squares")
    """What the players of both games pay."""
    generator_descent: Descent = Descent(learning_rate=2e-4, optimizer_arguments=("betas=(0.5, 0.999)",))
    """How both generators descend, together."""
    discriminator_descent: Descent = Descent(learning_rate=2e-4, optimizer_arguments=("betas=(0.5, 0.999)",))
    """How each discriminator descends."""


STANDARD_SIZE = 256
"""Side of the pictures when neither the configuration nor any data says one: that of the paper."""

SMALL = Config(features=16, blocks=3, discriminator_layers=2)
TINY = replace(
    SMALL,
    in_channels=1,
    image_size=16,
    features=4,
    blocks=1,
    discriminator_layers=1,
    pool_size=8,
    generator_descent=Descent(learning_rate=3e-3, optimizer_arguments=("betas=(0.5, 0.999)",)),
    discriminator_descent=Descent(learning_rate=1e-3, optimizer_arguments=("betas=(0.5, 0.999)",)),
)


def build(config: Config) -> LearningRule:
    channels, features = config.in_channels, config.features

    def judge() -> nn.Module:
        return PatchDiscriminator(channels, features, config.discriminator_layers, True, nn.InstanceNorm2d)

    return CycleRule(
        Generator(channels, features, config.blocks),
        Generator(channels, features, config.blocks),
        judge(),
        judge(),
        config.game,
        generator_descent=config.generator_descent,
        discriminator_descent=config.discriminator_descent,
        cycle_weight=config.cycle_weight,
        identity_weight=config.identity_weight,
        pool_size=config.pool_size,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    size = config.image_size or STANDARD_SIZE
    pictures = (torch.zeros(1, config.in_channels, size, size),)
    return dict.fromkeys(("there", "back", "judge_of_targets", "judge_of_sources"), pictures)
