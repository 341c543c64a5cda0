"""The compressor: photographs as far fewer bytes, at several rates, by a transform that was learnt.

Idea:
    Turn a picture into numbers of which most are nearly nothing, round them, and write the rounded ones with few bits
    where they are as expected. What is lost by rounding, and how many bits are written, are both descended: the
    transform there, the transform back and what is expected of the numbers are learnt together. While learning, the
    numbers that are paid for have noise instead of being rounded, which has a slope.

Equations:
    y = a(x)                                   codes, a / 8 or 1 / 16 of the picture's height and width
    r = round(g_q y)                           whole numbers, g_q how finely each channel is kept at quality q
    x' = s(r / h_q)                            the picture that comes back
    R = sum -log2 P(g_q y + u | r before)      u uniform in (-1/2, 1/2)
    P(y) = S((y - m + 1/2) / w) - S((y - m - 1/2) / w)      S logistic; m, w of what was written before
    L = w_q (R + sum (255 (x - x'))^2 / (c step_q^2)) / pixels           c = ln 2 / 6
        which is least for numbers that are rounded to multiples of step_q; w_q ~ step_q lets qualities count alike
    gdn     a: 9 x 9 / 4, 5 x 5 / 2, 5 x 5 / 2 convolutions with divisive normalisation between, s the same backwards
    lapped  a: a lapped orthogonal transform, then blocks of convolutions that add to it; s backwards; all of it learns

Networks:
    network: `Compressor`; gives back pictures (batch, 3, height, width) at its middle quality. `latents`, `pictures`
    and `context` are its parts.

Learning rule:
    `ganglion.rules.autoencoder.compression.Compression`, Adam.

Data it expects:
    Photographs, coloured or grey, of any size; it learns from pieces. Best are those without compression scars.

What to expect:
    The small form after 566 steps on BSDS500's training part (4 pieces of 96 x 96 pixels each, seed 0), quality 3, on
    the 24 Kodak pictures: 30.05 dB in 0.41 bits a pixel, JPEG in as many bytes 28.71 dB; WebP is better by 0.8 to 2.5
    dB on two of them. At qualities 1 and 2 even areas take on casts of colour. Pieces of 64 pixels, which it learns
    from when no data is named, say little beside JPEG: there most of a JPEG file is its header.

Departures from the paper:
    1. One network has several rates, by gains of each channel and quality (Cui and others, 2021); the paper trains one
       network for each.
    2. P is a logistic distribution whose mean and width follow from what was written before; with `context_features`
       of 0 they hold everywhere, as in the paper, whose P is piecewise linear.
    3. Distortion and what foretells see rounded numbers, with the slope of those before (Minnen and Singh, 2020).
    4. The small form begins as a lapped orthogonal transform: good from the first minute on a CPU.

References:
    Balle, Laparra and Simoncelli, End-to-end optimized image compression (2017).
    Minnen, Balle and Toderici, Joint autoregressive and hierarchical priors for learned image compression (2018).
    Balle, Johnston and Minnen, Integer networks for data compression with latent-variable models (2019).
    Cui, Wang, Gao, Guo, Feng and Bai, Asymmetric gained deep image compression with continuous rate adaptation (2021).
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.compression.context import FASTER, Context
from ganglion.nn.compression.lapped import SIDE, LappedAnalysis, LappedSynthesis, usual_sizes
from ganglion.nn.compression.normalisation import DivisiveNormalisation
from ganglion.nn.images.picture_statistics import padded_to
from ganglion.rules.autoencoder.compression import Compression
from ganglion.rules.descend import Descent
from ganglion.settings import Bound, Count, above, at_least, between, settings

WHITE = 255.0
UNIT = 32.0
"""Steps of brightness, of 255, that a code of 1 stands for."""
EXPECTED, LEAST = 0.7, 0.06
"""Width that is expected at first, as a share of the mean size of a number, and more than that."""
Steps = Annotated[tuple[Annotated[float, above(0)], ...], Bound("at least one step", lambda steps: len(steps) > 0)]


@settings
class Config:
    """The transform of three convolutions and two normalisations, as published."""

    design: Literal["gdn", "lapped"] = "gdn"
    """Convolutions with divisive normalisation, or a lapped orthogonal transform that learns on."""
    channels: Annotated[int, between(1, 192)] = 192
    """Of the codes; of all between, too, for `gdn`."""
    hidden_channels: Count = 64
    """Between the two convolutions of a block of `lapped`."""
    blocks: tuple[Annotated[int, at_least(0)], Annotated[int, at_least(0)]] = (1, 2)
    """Blocks of `lapped` on the way there and on the way back."""
    context_features: Annotated[int, at_least(0)] = 0
    """What is learnt of the numbers before, for each group of channels; 0 to expect the same everywhere."""
    quantisation_steps: Steps = (160.0, 113.0, 80.0, 57.0, 40.0, 28.0, 20.0, 14.0)
    """How coarsely each quality rounds, the first one first, in steps of brightness of 255."""
    image_size: Annotated[int, at_least(16)] | None = None
    """Side of the pieces that it learns from; that of the smallest picture, at most 128, if not given."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-4)
    """How a gradient becomes an update."""


class Compressor(nn.Module):
    """Pictures to codes, codes to pictures, and what is expected of codes.

    >>> network = Compressor(TINY)
    >>> network(torch.zeros(1, 3, 20, 30)).shape, network.latents(torch.zeros(1, 3, 20, 30)).shape
    (torch.Size([1, 3, 20, 30]), torch.Size([1, 12, 3, 4]))
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        lapped = config.design == "lapped"
        self.analysis, self.synthesis = _lapped(config) if lapped else _published(config)
        self.block = SIDE if lapped else 16
        """Pixels of a side that one place of a code stands for."""
        self.reach = SIDE * (1 + 2 * max(config.blocks)) if lapped else 48
        """Pixels in each direction beyond which nothing matters to a code, or to a pixel that comes back."""
        steps = torch.tensor(config.quantisation_steps)
        self.channels, self.qualities = config.channels, len(steps)
        gains = (UNIT / steps).log()[:, None].expand(-1, config.channels)
        self.gains = nn.Parameter(gains.clone())
        self.inverse_gains = nn.Parameter(-gains.clone())
        self.context = Context(config.channels, len(steps), config.context_features)
        if lapped:
            expected = EXPECTED * usual_sizes(config.channels) / steps[:, None] + LEAST
            self.context.widths.data.copy_(expected.log() / FASTER)

    def latents(self, images: Tensor) -> Tensor:
        """Return codes (batch, channels, rows, columns) of images (batch, 3, height, width), black 0 and white 1."""
        return self.analysis(padded_to(images, self.block) - 0.5)

    def scaled(self, latents: Tensor, quality: Tensor) -> Tensor:
        """Return codes as finely as qualities (batch,) keep them."""
        return latents * self.gains[quality].exp()[:, :, None, None]

    def pictures(self, codes: Tensor, quality: Tensor) -> Tensor:
        """Return images of rounded codes (batch, channels, rows, columns)."""
        return self.synthesis(codes * self.inverse_gains[quality].exp()[:, :, None, None]) + 0.5

    def forward(self, images: Tensor) -> Tensor:
        """Return what comes back of images (batch, 3, height, width) at the middle quality."""
        quality = torch.full_like(images[:, 0, 0, 0], self.qualities // 2, dtype=torch.long)
        codes = self.scaled(self.latents(images), quality).round()
        return self.pictures(codes, quality)[..., : images.shape[2], : images.shape[3]]


class Block(nn.Module):
    """x + W_2 relu(W_1 x), leaky; W_2 begins as nothing."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Conv2d(channels, hidden, 3, padding=1)
        self.outer = nn.Conv2d(hidden, channels, 3, padding=1)
        nn.init.zeros_(self.outer.weight)
        assert self.outer.bias is not None
        nn.init.zeros_(self.outer.bias)

    def forward(self, maps: Tensor) -> Tensor:
        added: Tensor = self.outer(nn.functional.leaky_relu(self.inner(maps), 0.1))
        return maps + added


def _lapped(config: Config) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the transforms there and back that begin as a lapped orthogonal one."""
    scale, (there, back) = WHITE / UNIT, config.blocks
    blocks = [Block(config.channels, config.hidden_channels) for _ in range(there + back)]
    return (
        nn.Sequential(LappedAnalysis(config.channels, scale), *blocks[:there]),
        nn.Sequential(*blocks[there:], LappedSynthesis(config.channels, scale)),
    )


def _published(config: Config) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the transforms there and back of the paper."""
    n = config.channels
    there = (nn.Conv2d(3, n, 9, 4, padding=4), *_halved(n), *_halved(n))
    back = (*_doubled(n), *_doubled(n), nn.ConvTranspose2d(n, 3, 9, 4, padding=4, output_padding=3))
    return nn.Sequential(*there), nn.Sequential(*back)


def _halved(channels: int) -> tuple[nn.Module, nn.Module]:
    return DivisiveNormalisation(channels), nn.Conv2d(channels, channels, 5, 2, padding=2)


def _doubled(channels: int) -> tuple[nn.Module, nn.Module]:
    convolution = nn.ConvTranspose2d(channels, channels, 5, 2, padding=2, output_padding=1)
    return convolution, DivisiveNormalisation(channels, inverse=True)


SMALL = Config(design="lapped", channels=96, blocks=(0, 1), context_features=16, descent=Descent(learning_rate=1e-3))
TINY = Config(
    design="lapped",
    channels=12,
    hidden_channels=8,
    blocks=(1, 1),
    context_features=4,
    quantisation_steps=(60.0, 20.0),
    descent=Descent(learning_rate=2e-3),
)


def build(config: Config) -> LearningRule:
    return Compression(Compressor(config), config.descent, steps=config.quantisation_steps)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    side = config.image_size or 64
    return {"network": (torch.zeros(1, 3, side, side),)}
