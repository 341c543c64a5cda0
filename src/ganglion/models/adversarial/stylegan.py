"""StyleGAN: noise becomes a style first, and every layer of a growing picture is painted in that style.

Idea:
    A picture is decided on several scales: where a head is, how its hair lies, where each hair ends. So the noise is
    first made into a style by a network of its own, and the style sets mean and deviation of every map of every layer;
    what is left to chance, such as single hairs, is noise beside each pixel. Styles of two pictures can be mixed layer
    by layer, and a style nearer to the mean one gives a more usual picture. Pictures grow while the network learns.

Equations:
    style         w = f(z / sqrt(mean z^2)),  f of eight layers
    a layer       h <- AdaIN(lrelu(conv(h) + B n), A w),  n noise, the same for all maps, times a number for each map
    AdaIN         (y_s + 1) (h_i - mean h_i) / sqrt(var h_i) + y_b,  y = A w
    mixing        layers before a place of chance are given w, those after it w' of another z
    truncation    w <- mean w + psi (w - mean w),  psi 1 as learnt, smaller more usual
    growing       (1 - alpha) enlarged(picture of half the side) + alpha picture,  alpha from 0 to 1 in each phase
    losses        D: E[log(1 + exp -D(x))] + E[log(1 + exp D(G(z)))] + 5 E|dD(x)/dx|^2;  G: E[log(1 + exp -D(G(z)))]

Networks:
    generator      a learnt constant map of 4 x 4, then two layers for each side: the first doubles it and blurs; a
                   1 x 1 convolution makes maps into a picture at each side
    discriminator  the mirror image without styles; in the end how much samples of four differ, one more map
    All weights are of unit scale and multiplied when they are used, so that all learn at the same pace.

Learning rule:
    Adversarial, non-saturating with R1. Each side of the pictures is a phase of the run, with optimizers of its own;
    alpha is a function of the step, and real pictures are blended as generated ones are. 0.9 of the generated samples
    are mixed of two styles while training. What is taken home is an average over the last steps (`--ema-decay`).

Data it expects:
    Images, resized to squares whose side is 4 to 7 times a power of two (8, 16, 28, 32, 64, ...), scaled to [-1, 1].

What to expect:
    The report shows mixed and truncated styles and a film, the run's film how pictures grew. On 624 photographs of
    faces, 32 x 32 grey, 2,000 iterations of 16 (some ten minutes of a third of a core) give `frechet_distance` 21,
    where noise of the right means and deviations has 81: heads with hair and shoulders, some with sunglasses, and few
    faces to be recognised. A seed always draws the same; `--truncation 0.7` draws more usual pictures.

Departures from the paper:
    1. Sides other than powers of two begin from 5 x 5 to 7 x 7.
    2. Both players learn from the same generated pictures of a step, which spares a pass.
    3. The length of a phase is a share of the run, not a number of pictures.
    4. Noise beside pixels belongs to the noise that a picture is drawn from, so that a seed decides all of it.
    5. Styles are mixed anew for each picture, not for each batch.
    6. `ganglion train stylegan` without flags has narrower layers, a penalty now and then, and higher rates.

References:
    Karras, Laine and Aila, A Style-Based Generator Architecture for Generative Adversarial Networks, 2019,
    https://arxiv.org/abs/1812.04948
    Karras, Aila, Laine and Lehtinen, Progressive Growing of GANs, 2018, https://arxiv.org/abs/1710.10196
    The authors' code (2019): https://github.com/NVlabs/stylegan
"""

from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import LearningRule
from ganglion.nn.adversarial.convolutional_pair import factor
from ganglion.nn.adversarial.equalised import EqualisedConvolution, EqualisedLinear
from ganglion.nn.adversarial.style_layers import adain, blurred, pixel_norm, with_deviation
from ganglion.nn.images.pyramid import halved
from ganglion.rules.adversarial.growth import Growth, enlarged
from ganglion.rules.adversarial.inputs import Inputs
from ganglion.rules.adversarial.latent import Latent
from ganglion.rules.adversarial.rule import Adversarial
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Share, Units, between, settings, strictly_between

SLOW = 0.01
"""Rate of the mapping network beside that of all other layers."""
FULL = 32
"""Side up to which layers have all their maps, as published."""
FOLLOWING = 0.995
"""Share of the mean style that stays when styles of a batch are added to it."""


def rectified(values: Tensor) -> Tensor:
    """Return max(x, 0.2 x) of x of any shape."""
    return functional.leaky_relu(values, 0.2)


class Stages(nn.Module):
    """What both players have in common: pictures of several sides, and how far the finest layers count.

    Args:
        size: side of the largest pictures.
        width: most maps of a layer, those of all sides up to `full`; half of them for each doubling beyond.
    """

    grown: Tensor
    faded: Tensor

    def __init__(self, size: int, width: int, full: int) -> None:
        super().__init__()
        base, doublings = factor(size)
        self.sides = [base * 2**stage for stage in range(doublings + 1)]
        self.maps = [max(1, width * full // max(side, full)) for side in self.sides]
        self.register_buffer("grown", torch.tensor(float(doublings)))
        self.register_buffer("faded", torch.tensor(1.0))
        self.stage, self.fading = doublings, False
        self.register_load_state_dict_post_hook(_read)

    def grow(self, stage: int, faded: float) -> None:
        """Work on pictures of a stage from now on."""
        self.stage = stage
        self.grown.fill_(float(stage))
        self.fade_to(faded)

    def fade_to(self, faded: float) -> None:
        """Let the stage's own layers count so much; values above 1 are as good as 1, also in an average."""
        self.fading = faded < 1
        self.faded.fill_(faded)

    def blended(self, before: Tensor, own: Tensor) -> Tensor:
        """Return what the stage before made and what the stage's own layers made, both (batch, ...), in proportion."""
        return torch.lerp(before, own, self.faded.clamp(max=1.0).to(own.dtype))


def _read(network: Stages, _: Any) -> None:
    """Take over from loaded weights how far their network had grown."""
    network.stage, network.fading = round(float(network.grown)), float(network.faded) < 1


class StyledLayer(nn.Module):
    """h -> AdaIN(lrelu(conv(h) + B n + b), A w), with B and b zero and A w about zero at first.

    Args:
        convolution: from h (batch, channels, height, width) to maps; None where h is taken as it is.
        maps: channels of what comes out.
        style_features: length of w.
    """

    def __init__(self, convolution: nn.Module | None, maps: int, style_features: int) -> None:
        super().__init__()
        self.convolution = convolution
        self.noise = nn.Parameter(torch.zeros(maps, 1, 1))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))
        self.style = EqualisedLinear(style_features, 2 * maps, gain=1.0)

    def forward(self, maps: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """Return maps (batch, maps, height, width) of some, a style (batch, style_features) and a plane of noise."""
        if self.convolution is not None:
            maps = self.convolution(maps)
        return adain(rectified(torch.addcmul(maps + self.bias, self.noise, noise)), self.style(style))


class Doubled(nn.Module):
    """A convolution to twice the side, and a blur."""

    def __init__(self, in_maps: int, maps: int) -> None:
        super().__init__()
        self.convolution = EqualisedConvolution(in_maps, maps, 3, scale="up", bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        return blurred(self.convolution(maps))


class Generator(Stages):
    """Noise `(batch, noise_features + pixels)` to images `(batch, channels, size, size)`.

    The noise is z and then a plane for each layer; z alone is enough, the planes are then drawn. In evaluation mode
    pictures of a smaller stage are enlarged to the last one's side.

    >>> network = Generator(32, 1, width=8, style_features=16)
    >>> network(torch.randn(2, 16)).shape, network.num_layers
    (torch.Size([2, 1, 32, 32]), 8)
    """

    mean_style: Tensor

    def __init__(
        self,
        size: int,
        channels: int,
        *,
        noise_features: int | None = None,
        style_features: int = 512,
        mapping_layers: int = 8,
        width: int = 512,
        full: int = FULL,
        mixing: float = 0.9,
    ) -> None:
        super().__init__(size, width, full)
        self.noise_features, self.mixing = noise_features or style_features, mixing
        widths = [self.noise_features, *[style_features] * mapping_layers]
        self.mapping = nn.ModuleList(EqualisedLinear(*pair, rate=SLOW) for pair in pairwise(widths))
        self.constant = nn.Parameter(torch.ones(1, self.maps[0], self.sides[0], self.sides[0]))
        self.layers = nn.ModuleList([StyledLayer(None, self.maps[0], style_features)])
        for stage, maps in enumerate(self.maps):
            if stage:
                self.layers.append(StyledLayer(Doubled(self.maps[stage - 1], maps), maps, style_features))
            self.layers.append(StyledLayer(EqualisedConvolution(maps, maps, 3, bias=False), maps, style_features))
        self.pictures = nn.ModuleList(EqualisedConvolution(maps, channels, 1, gain=1.0) for maps in self.maps)
        self.register_buffer("mean_style", torch.zeros(style_features))

    @property
    def num_layers(self) -> int:
        """Layers that are given a style, coarse to fine."""
        return len(self.layers)

    @property
    def layer_sides(self) -> list[int]:
        """Side of the maps of each layer."""
        return [side for side in self.sides for _ in range(2)]

    def forward(self, latent: Tensor) -> Tensor:
        styles = self.styles(latent)
        every = styles[:, None].expand(-1, self.num_layers, -1)
        if self.training:
            with torch.no_grad():
                self.mean_style.lerp_(styles.mean(0).to(self.mean_style.dtype), 1 - FOLLOWING)
            every = self.mixed(every)
        return self.draw(every, latent)

    def styles(self, latent: Tensor) -> Tensor:
        """Return the styles (batch, style_features) of noise (batch, noise_features or more)."""
        values = pixel_norm(latent[:, : self.noise_features])
        for layer in self.mapping:
            values = rectified(layer(values))
        return values

    def mixed(self, styles: Tensor) -> Tensor:
        """Return styles (batch, layers, style_features), for some samples those of another z from a layer on."""
        batch, device = len(styles), styles.device
        other = self.styles(torch.randn(batch, self.noise_features, device=device))
        places = torch.randint(1, 2 * (self.stage + 1), (batch,), device=device)
        places = torch.where(torch.rand(batch, device=device) < self.mixing, places, self.num_layers)
        is_own = torch.arange(self.num_layers, device=device) < places[:, None]  # (batch, layers)
        return torch.where(is_own[:, :, None], styles, other[:, None])

    def draw(self, styles: Tensor, latent: Tensor) -> Tensor:
        """Return pictures of styles (batch, layers, style_features), with the planes that are in noise."""
        planes = self._planes(latent)
        maps, before = self.constant.repeat(styles.shape[0], 1, 1, 1), None
        for number, (plane, layer) in enumerate(zip(planes, self.layers, strict=False)):
            if number == 2 * self.stage and self.stage and (self.fading or not self.training):
                before = enlarged(self.pictures[self.stage - 1](maps))
            maps = layer(maps, styles[:, number], plane)
        pictures: Tensor = self.pictures[self.stage](maps)
        if before is not None:
            pictures = self.blended(before, pictures)
        return pictures if self.training else enlarged(pictures, self.sides[-1] // self.sides[self.stage])

    def _planes(self, latent: Tensor) -> list[Tensor]:
        """Return the noise of each layer of the stage, (batch, 1, side, side)."""
        sides = self.layer_sides[: 2 * (self.stage + 1)]
        planes = latent[:, self.noise_features :]
        if not planes.shape[1]:
            return [torch.randn(len(latent), 1, side, side, device=latent.device) for side in sides]
        every = planes.split([side**2 for side in self.layer_sides], dim=1)
        return [plane.reshape(-1, 1, side, side) for plane, side in zip(every, sides, strict=False)]


class Discriminator(Stages):
    """Images `(batch, channels, side, side)` to logits `(batch,)` of being real; larger ones are shrunk."""

    compares_samples = True

    def __init__(self, size: int, channels: int, width: int = 512, full: int = FULL) -> None:
        super().__init__(size, width, full)
        self.pictures = nn.ModuleList(EqualisedConvolution(channels, maps, 1) for maps in self.maps)
        self.same = nn.ModuleList(EqualisedConvolution(maps, maps, 3) for maps in self.maps[1:])
        self.down = nn.ModuleList(
            EqualisedConvolution(maps, fewer, 3, scale="down") for fewer, maps in pairwise(self.maps)
        )
        self.last = EqualisedConvolution(self.maps[0] + 1, self.maps[0], 3)
        self.dense = EqualisedLinear(self.maps[0] * self.sides[0] ** 2, width)
        self.output = EqualisedLinear(width, 1, gain=1.0)

    def forward(self, images: Tensor) -> Tensor:
        while images.shape[-1] > self.sides[self.stage]:
            images = halved(images)
        maps = rectified(self.pictures[self.stage](images))
        for stage in range(self.stage, 0, -1):
            maps = rectified(self.down[stage - 1](blurred(rectified(self.same[stage - 1](maps)))))
            if stage == self.stage and self.fading:
                maps = self.blended(rectified(self.pictures[stage - 1](halved(images))), maps)
        maps = rectified(self.last(with_deviation(maps)))
        return self.output(rectified(self.dense(maps.flatten(1)))).flatten()


BETAS = ("betas=(0.0, 0.99)",)


@settings
class Config:
    """A generator of styles, a discriminator, and how pictures grow while they learn."""

    in_channels: Count = 3
    """Channels of the images; the data decides."""
    image_size: Count | None = None
    """Side of the square images; the smallest of 16, 28, 32 and 64 that holds the data's when not given."""
    noise_features: Count = 512
    """Length of the noise vector that a style is made from."""
    style_features: Count = 512
    """Length of a style, and units of each layer that makes it."""
    mapping_layers: Count = 8
    """Layers that make the noise into a style."""
    width: Units = 512
    """Most maps of a layer."""
    full_width_to: Count = FULL
    """Side up to which layers have as many; those of twice the side have half of them, and so on."""
    mixing: Annotated[float, between(0, 1)] = 0.9
    """Share of the generated pictures that are mixed of two styles while training."""
    smallest: Count = 8
    """Side of the pictures of the first phase, at least."""
    growing: Share = 0.3
    """Share of the run in which pictures are smaller than they will be; 0 learns from whole ones at once."""
    fading: Annotated[float, strictly_between(0, 1)] = 0.5
    """Share of each phase in which the pictures of its side are faded in."""
    game: GameSettings = GameSettings(penalty="r1")
    """What the players pay, and whose turn it is."""
    generator_descent: Descent = Descent(learning_rate=1e-3, optimizer_arguments=BETAS)
    """How the generator descends; from 128 x 128 pixels on faster, as published."""
    discriminator_descent: Descent = Descent(learning_rate=1e-3, optimizer_arguments=BETAS)
    """How the discriminator does."""

    @property
    def sides(self) -> list[int]:
        """Sides of the pictures of each stage, coarse to fine."""
        base, doublings = factor(self.image_size or STANDARD_SIZE)
        return [base * 2**stage for stage in range(doublings + 1)]

    @property
    def latent_features(self) -> int:
        """All numbers of noise that a picture is drawn from: the vector, and two for each pixel of each stage."""
        return self.noise_features + 2 * sum(side**2 for side in self.sides)

    def __post_init__(self) -> None:
        factor(self.image_size or STANDARD_SIZE)


STANDARD_SIZE = 1024
"""Side of the images when neither the configuration nor any data says one: that of the paper."""

SMALL = Config(
    noise_features=64,
    style_features=64,
    width=48,
    full_width_to=8,
    game=GameSettings(penalty="r1", penalty_weight=1.0, penalty_every=4),
    generator_descent=Descent(learning_rate=2e-3, optimizer_arguments=BETAS),
    discriminator_descent=Descent(learning_rate=2e-3, optimizer_arguments=BETAS),
)
QUICK = Descent(learning_rate=1e-2, optimizer_arguments=BETAS)
TINY = replace(
    SMALL,
    in_channels=1,
    image_size=8,
    smallest=4,
    noise_features=8,
    style_features=8,
    mapping_layers=2,
    width=8,
    game=GameSettings(penalty="r1", penalty_weight=1.0, penalty_every=2),
    generator_descent=QUICK,
    discriminator_descent=QUICK,
)


def build(config: Config) -> LearningRule:
    size = config.image_size or STANDARD_SIZE
    generator = Generator(
        size,
        config.in_channels,
        noise_features=config.noise_features,
        style_features=config.style_features,
        mapping_layers=config.mapping_layers,
        width=config.width,
        full=config.full_width_to,
        mixing=config.mixing,
    )
    discriminator = Discriminator(size, config.in_channels, config.width, config.full_width_to)
    growth = Growth([generator, discriminator], config.sides, config.smallest, config.growing, config.fading)
    return Adversarial(
        generator,
        discriminator,
        Inputs(noise=Latent("normal", (config.latent_features,)), view=growth.seen),
        config.game,
        generator_descent=config.generator_descent,
        discriminator_descent=config.discriminator_descent,
        share_generated=True,
        phases=growth.phases,
        prepare=growth.begin,
        reached=growth.reach,
        rates=growth.rates,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    size = config.image_size or STANDARD_SIZE
    images = torch.zeros(1, config.in_channels, size, size)
    return {"generator": (torch.zeros(1, config.latent_features),), "discriminator": (images,)}
