"""Super-resolution: pictures of any size made two, three or four times as large, by SRResNet and then by SRGAN.

Idea:
    Of all sharp pictures that could stand behind a small one, a network that lowers the squared error paints the
    average: it is near to all of them, and blurred. Let a discriminator ask that the large picture looks like a
    photograph, and let the error be taken on what a network sees in both instead of on pixels. Then one of the sharp
    pictures is painted: further from the truth in decibels, and nearer to what the eye expects.

Equations:
    x the picture, y made r times smaller, bicubic and smoothed, r = 2, 3 or 4; r = 4 as published
    looking        f tells 16 ways apart in which x was blurred and turned
    pre-training   min_G E|G(y) - x|^2                                                                    (SRResNet)
    game           max_D E[log D(x)] + E[log(1 - D(G(y)))]
                   min_G  a E[-log D(G(y))] + c E[|f(G(y)) - f(x)|^2 / |f(x)|^2] + p E|G(y) - x|^2        (SRGAN)
    a = 0.001, c = 1, p = 0

Networks:
    generator      convolution 9 x 9; blocks z + n(3 x 3(prelu(n(3 x 3(z))))), n batch normalisation; 3 x 3, n and all
                   that was there before the blocks; for every doubling 3 x 3, shuffled to twice the side, prelu; 9 x 9
    pretrained     the generator as pre-training left it: SRResNet
    discriminator  eight convolutions of 3 x 3, every other one of stride two, dense layers, one logit
    judge          f: three convolutions and a dense layer, trained in the run itself; nothing is downloaded
    `--biased no` leaves out biases before normalisation.

Learning rule:
    Three phases: `looking` and `pretraining` are the shares of the first two, the rest is the game. `--pretraining 1`
    trains SRResNet alone.

Data it expects:
    Photographs without compression scars; it makes them small itself. Grey ones are learnt in grey, and then colours of
    files that are asked about are interpolated.

What to expect:
    As published, Set5 x4, luma, four pixels of border left out: bicubic 28.42 dB (found here, too), SRResNet 32.05,
    SRGAN 29.40. Found here, the small form: SRResNet 30.50 after 1,500 steps on BSDS500, and after 98 steps of the game
    29.07. `psnr` falls in the game and `sharpness` rises (from 0.67 to 1.23 of the originals'); `pretrained_psnr` and
    `pretrained_sharpness` are those of SRResNet. What was painted looks right and need not be: no number plate can be
    read that could not be before.

Departures from the paper:
    1. f is a small network that learnt on the same photographs, not VGG19, whose weights would have to be downloaded.
       Its distances are relative, so that one weight fits all layers.
    2. Rates fall within a phase as `--schedule` says. Both sides of the game take a batch at a time, as there.
    3. `ganglion train srgan` without flags has four blocks of 32 channels without normalisation, windows of 3 x 3 at
       its ends, adds the interpolated picture, and pays a little for pixels in the game, too.

References:
    Ledig et al., Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network, 2017,
    https://arxiv.org/abs/1609.04802
    Johnson, Alahi and Fei-Fei, Perceptual Losses for Real-Time Style Transfer and Super-Resolution, 2016,
    https://arxiv.org/abs/1603.08155
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.images.judge import JudgeNetwork
from ganglion.nn.images.resampling import enlarged
from ganglion.rules.adversarial.pretrained import RIDDLES, PretrainedGame
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent
from ganglion.settings import Bound, Count, Share, Units, at_least, between, settings

STEPS = {2: (2,), 3: (3,), 4: (2, 2)}
"""How many times larger each shuffling makes a picture, by the scale."""
STRIDED = 4
"""Convolutions of stride two in the discriminator."""


@settings
class Config:
    """SRGAN for pictures four times as large, as published."""

    scale: Literal[2, 3, 4] = 4
    """How many times as large each side becomes."""
    in_channels: Count = 3
    """Channels of the pictures; the data decides. Of one channel, luma is learnt, which may be asked of colour, too."""
    image_size: Annotated[int, at_least(16)] | None = None
    """Side of the large pieces that it learns from, a multiple of `scale`; 32 small pixels if not given."""
    blocks: Count = 16
    """Residual blocks of the generator."""
    features: Units = 64
    """Channels of the generator's maps."""
    kernel_size: Annotated[int, Bound("an odd number", lambda side: side > 0 and side % 2 == 1)] = 9
    """Side of the window of the generator's first and last convolution."""
    normalised: bool = True
    """Batch normalisation in the generator."""
    biased: bool = True
    """Biases of convolutions before a normalisation."""
    residual: bool = False
    """Add the interpolated picture to what the layers give."""
    discriminator_features: Count = 64
    """Channels of the discriminator's first maps; each halving doubles them."""
    discriminator_units: Count = 1024
    """Units of the discriminator's dense layer."""
    content_weight: Annotated[float, at_least(0)] = 1.0
    """Weight of the distance of what the judge sees; with 0 it learns nothing."""
    pixel_weight: Annotated[float, at_least(0)] = 0.0
    """Weight of the squared error in the game."""
    adversarial_weight: Annotated[float, at_least(0)] = 1e-3
    """Weight of the discriminator's opinion among the generator's losses."""
    looking: Share = 0.05
    """Share of the run in which the judge learns."""
    pretraining: Annotated[float, between(0, 1)] = 0.75
    """Share of the run in which the generator learns alone; with 1 no game follows."""
    game: GameSettings = GameSettings()
    """What the players pay, and whose turn it is."""
    generator_descent: Descent = Descent(learning_rate=1e-4)
    """How the generator descends in the game."""
    discriminator_descent: Descent = Descent(learning_rate=1e-4)
    """How the discriminator descends."""
    pretraining_descent: Descent = Descent(learning_rate=1e-4)
    """How the generator descends by itself."""
    judge_descent: Descent = Descent(learning_rate=1e-3)
    """How the judge descends."""


class Generator(nn.Module):
    """Pictures `(batch, channels, height, width)` in [0, 1] to the same ones `scale` times as large, each by itself.

    >>> network = Generator(Config())
    >>> network(torch.zeros(2, 3, 6, 8)).shape, sum(parameter.numel() for parameter in network.parameters())
    (torch.Size([2, 3, 24, 32]), 1549462)
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        features, window, self.scale = config.features, config.kernel_size, config.scale
        self.first = nn.Sequential(nn.Conv2d(config.in_channels, features, window, padding=window // 2), nn.PReLU())
        self.blocks = nn.Sequential(*(Block(config) for _ in range(config.blocks)))
        self.after = nn.Sequential(*_convolution(config))
        self.enlarging = nn.Sequential(*(layer for step in STEPS[self.scale] for layer in _shuffled(features, step)))
        self.last = nn.Conv2d(features, config.in_channels, window, padding=window // 2)
        self.residual = config.residual
        if self.residual:  # it begins as interpolation
            with torch.no_grad():
                self.last.weight.mul_(0.1)
                nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]
        reach = window // 2
        for step in STEPS[self.scale]:
            reach = -(-reach // step) + 1
        self.reach = reach + 2 * config.blocks + 1 + window // 2

    def forward(self, pictures: Tensor) -> Tensor:
        first = self.first(pictures)
        made: Tensor = self.last(self.enlarging(first + self.after(self.blocks(first))))
        return made + enlarged(pictures, self.scale) if self.residual else made


class Block(nn.Module):
    """z + f(z), f two convolutions of 3 x 3 with a rectifier between them: maps to maps of the same shape."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_convolution(config), nn.PReLU(), *_convolution(config))

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.layers(maps)


class Discriminator(nn.Module):
    """Pictures `(batch, channels, side, side)` in [0, 1] to a logit of being a photograph `(batch,)`.

    >>> network = Discriminator(3, 64, 96, 1024)
    >>> sum(parameter.numel() for parameter in network.parameters())
    23565505
    """

    def __init__(self, channels: int, features: int, side: int, units: int) -> None:
        super().__init__()
        found: list[nn.Module] = []
        before = channels
        for number in range(STRIDED):
            width = features * 2**number
            for stride in (1, 2):
                found.append(nn.Conv2d(before, width, 3, stride, 1))
                found += [nn.BatchNorm2d(width)] if len(found) > 1 else []
                found.append(nn.LeakyReLU(0.2))
                before, side = width, -(-side // stride)
        self.layers = nn.Sequential(*found, nn.Flatten())
        self.answer = nn.Sequential(nn.Linear(before * side**2, units), nn.LeakyReLU(0.2), nn.Linear(units, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.answer(self.layers(2 * pictures - 1))
        return logits[:, 0]


def _convolution(config: Config) -> list[nn.Module]:
    """Return a convolution of 3 x 3 that keeps size and channels, with its normalisation."""
    biased = config.biased or not config.normalised
    layer = nn.Conv2d(config.features, config.features, 3, padding=1, bias=biased)
    return [layer, nn.BatchNorm2d(config.features)] if config.normalised else [layer]


def _shuffled(features: int, step: int) -> list[nn.Module]:
    """Return layers after which maps are some times as large."""
    return [nn.Conv2d(features, features * step**2, 3, padding=1), nn.PixelShuffle(step), nn.PReLU()]


STANDARD_SIZE = 96
"""Side of the pieces when neither the configuration nor any data says one: that of the paper."""

SMALL = Config(
    blocks=4,
    features=32,
    kernel_size=3,
    normalised=False,
    residual=True,
    discriminator_features=16,
    discriminator_units=128,
    pixel_weight=1.0,
    looking=0.2,
    pretraining=0.55,
    judge_descent=Descent(learning_rate=3e-3),
    generator_descent=Descent(learning_rate=3e-4),
    discriminator_descent=Descent(learning_rate=3e-4),
    pretraining_descent=Descent(learning_rate=1e-3),
)
TINY = Config(
    scale=2,
    in_channels=1,
    image_size=16,
    blocks=1,
    features=8,
    kernel_size=3,
    normalised=False,
    residual=True,
    discriminator_features=4,
    discriminator_units=8,
    pixel_weight=100.0,
    looking=0.25,
    pretraining=0.5,
    generator_descent=Descent(learning_rate=3e-3),
    pretraining_descent=Descent(learning_rate=3e-3),
)


def build(config: Config) -> LearningRule:
    side = config.image_size or STANDARD_SIZE
    return PretrainedGame(
        Generator(config),
        Discriminator(config.in_channels, config.discriminator_features, side, config.discriminator_units),
        JudgeNetwork(config.in_channels, RIDDLES),
        config.game,
        generator_descent=config.generator_descent,
        discriminator_descent=config.discriminator_descent,
        pretraining_descent=config.pretraining_descent,
        judge_descent=config.judge_descent,
        content_weight=config.content_weight,
        pixel_weight=config.pixel_weight,
        adversarial_weight=config.adversarial_weight,
        looking=config.looking,
        pretraining=config.pretraining,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    side = config.image_size or STANDARD_SIZE
    large = torch.zeros(1, config.in_channels, side, side)
    small = large[:, :, : side // config.scale, : side // config.scale]
    return {"generator": (small,), "pretrained": (small,), "discriminator": (large,), "judge": (large,)}
