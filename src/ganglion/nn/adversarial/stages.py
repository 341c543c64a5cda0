"""Two generators and a discriminator of text and picture, as StackGAN has them: a sketch, and what is made of it."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ganglion.nn.linear import Linear
from ganglion.nn.matching import PictureReader, TextReader

Normalisation = Literal["batch", "layer", "none"]
NEGATIVE_SLOPE, DEVIATION = 0.2, 0.02
SMALLEST, LARGEST_BASE = 2, 7
"""Sides of the map that a sketch grows from."""
WITHIN = math.erf(math.sqrt(2))
"""Share of N(0, 1) between -2 and 2."""


def truncated(noise: Tensor) -> Tensor:
    """Return numbers of N(0, 1) as numbers of the same distribution between -2 and 2, of any shape.

    t = sqrt(2) erfinv(s erf(n / sqrt(2))), s the share of N(0, 1) that lies there.

    >>> truncated(torch.tensor([-9.0, 0.0, 9.0])).round().tolist()
    [-2.0, 0.0, 2.0]
    """
    return math.sqrt(2) * torch.erfinv(WITHIN * torch.erf(noise / math.sqrt(2)))


def base(side: int) -> tuple[int, int]:
    """Return the side of the map that pictures of a side grow from, and by how many doublings.

    >>> base(64), base(24), base(16), base(28)
    ((4, 4), (3, 3), (4, 2), (7, 2))
    """
    doublings = 0
    while side % 2 == 0 and side > 4:
        side, doublings = side // 2, doublings + 1
    return side, doublings


class Conditioning(nn.Module):
    """A text's vector `(batch, text_features)` as a distribution of conditions, from which each picture draws one.

    [m; l] = g(W t + b),  c = m + exp(l) e, g the leaky rectifier and e truncated normal

    Source: Zhang et al. 2017, section 3.2.
    """

    def __init__(self, text_features: int, features: int, augments: bool = True) -> None:
        super().__init__()
        self.features, self.augments = features, augments
        self.layer = nn.Sequential(Linear(text_features, 2 * features), nn.LeakyReLU(NEGATIVE_SLOPE))

    def forward(self, text: Tensor, noise: Tensor) -> Tensor:
        """Return conditions (batch, features) of texts (batch, text_features) and noise (batch, features)."""
        mean, log_deviation = self.layer(text).chunk(2, dim=1)
        return mean + log_deviation.exp() * truncated(noise) if self.augments else mean

    def divergence(self, text: Tensor) -> Tensor:
        """Return the divergence of conditions of texts (batch, text_features) from N(0, 1), a mean over features.

        KL = 1/2 (m^2 + exp(2 l) - 1) - l
        """
        mean, log_deviation = self.layer(text).chunk(2, dim=1)
        return (0.5 * (mean.square() + (2 * log_deviation).exp() - 1) - log_deviation).mean()


class Residual(nn.Module):
    """g(x + f(x)), f being layers that keep the shape `(batch, channels, height, width)`."""

    def __init__(self, *layers: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.layers, self.activation = nn.Sequential(*layers), activation

    def forward(self, maps: Tensor) -> Tensor:
        return self.activation(maps + self.layers(maps))


class Sketcher(nn.Module):
    """The first generator: noise and text to a small picture `(batch, channels, side, side)` in [-1, 1].

    Noise is (batch, noise_features + condition features): for the picture, and for the conditioning.

    Args:
        maps: at half the side; each halving doubles them.
        finishing_maps: of one more convolution, at the whole side; none as published.

    >>> Sketcher(Conditioning(16, 8), 4, 8, 3, 24)(torch.zeros(2, 12), torch.zeros(2, 16)).shape
    torch.Size([2, 3, 24, 24])
    """

    def __init__(
        self,
        conditioning: Conditioning,
        noise_features: int,
        maps: int,
        channels: int,
        side: int,
        finishing_maps: int = 0,
    ) -> None:
        super().__init__()
        self.conditioning, self.noise_features = conditioning, noise_features
        start, doublings = base(side)
        width = maps * 2 ** (doublings - 1)
        layers: list[nn.Module] = [
            Linear(noise_features + conditioning.features, width * start**2),
            nn.BatchNorm1d(width * start**2),
            nn.Unflatten(1, (width, start, start)),
            _bottleneck(width, "batch", nn.ReLU()),
        ]
        for number in range(doublings - 1):
            layers += [*_doubling(width, width // 2), nn.BatchNorm2d(width // 2)]
            width //= 2
            layers += [_bottleneck(width, "batch", nn.ReLU()) if number == 0 else nn.ReLU()]
        if finishing_maps:
            layers += [*_doubling(width, finishing_maps), nn.BatchNorm2d(finishing_maps), nn.ReLU()]
            layers += [nn.Conv2d(finishing_maps, channels, 3, padding=1, bias=False)]
        else:
            layers += _doubling(width, channels)
        self.layers = nn.Sequential(*layers, nn.Tanh())
        self.apply(initialise)

    def forward(self, noise: Tensor, text: Tensor) -> Tensor:
        noise, own = noise[:, : self.noise_features], noise[:, self.noise_features :]
        pictures: Tensor = self.layers(torch.cat([self.conditioning(text, own), noise], dim=1))
        return pictures


class Refiner(nn.Module):
    """The second generator: noise, a small picture and its text to a large picture in [-1, 1].

    The sketch is read down by halvings, the condition stands beside it at every place, residual blocks follow, and
    doublings lead up to the larger side.

    Args:
        enlargement: how many times longer the sides become, a power of two.
        blocks: residual blocks.
        halvings: of the sketch before it is joined with the text.
        adds: let the picture be the enlarged sketch with what is found added, inside the tanh.

    >>> refiner = Refiner(Conditioning(16, 8), 8, 3, enlargement=2, blocks=1, halvings=1)
    >>> refiner(torch.zeros(2, 8), torch.zeros(2, 3, 24, 24), torch.zeros(2, 16)).shape
    torch.Size([2, 3, 48, 48])
    """

    def __init__(
        self,
        conditioning: Conditioning,
        maps: int,
        channels: int,
        *,
        enlargement: int = 4,
        blocks: int = 4,
        halvings: int = 2,
        adds: bool = False,
    ) -> None:
        super().__init__()
        self.conditioning, self.enlargement, self.adds = conditioning, enlargement, adds
        width = maps * 2**halvings
        reading: list[nn.Module] = [nn.Conv2d(channels, maps, 3, padding=1, bias=False), nn.ReLU()]
        for number in range(halvings):
            before = maps * 2**number
            shrink = nn.Conv2d(before, 2 * before, 4, stride=2, padding=1, bias=False)
            reading += [shrink, nn.BatchNorm2d(2 * before), nn.ReLU()]
        self.reading = nn.Sequential(*reading)
        self.joining = nn.Sequential(
            nn.Conv2d(width + conditioning.features, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )
        self.blocks = nn.Sequential(*(_block(width) for _ in range(blocks)))
        growing: list[nn.Module] = []
        for _ in range(halvings + enlargement.bit_length() - 1):
            growing += [*_doubling(width, width // 2), nn.BatchNorm2d(width // 2), nn.ReLU()]
            width //= 2
        self.growing = nn.Sequential(*growing, nn.Conv2d(width, channels, 3, padding=1, bias=False))
        self.apply(initialise)

    def forward(self, noise: Tensor, sketch: Tensor, text: Tensor) -> Tensor:
        maps = self.joining(beside(self.reading(sketch), self.conditioning(text, noise)))
        found = self.growing(self.blocks(maps))
        if self.adds:  # where the sketch is nearly black or white, tanh would need numbers without end
            near = nn.functional.interpolate(sketch, scale_factor=self.enlargement, mode="bilinear")
            found = found + torch.atanh(0.99 * near)
        return torch.tanh(found)


class TextDiscriminator(nn.Module):
    """Pictures `(batch, channels, side, side)` and texts `(batch, text_features)` to logits `(batch,)` of being real.

    Args:
        maps: of the first convolution; each further halving doubles them.
        condition_features: numbers that a text is brought down to before it stands beside the maps.
        sketch: side of the pictures of the first stage; those of the second are halved as often again as they are
            larger, and their maps brought to as many by 1 x 1 convolutions.

    >>> TextDiscriminator(3, 8, 24, 16, 4)(torch.zeros(2, 3, 24, 24), torch.zeros(2, 16)).shape
    torch.Size([2])
    """

    def __init__(
        self,
        channels: int,
        maps: int,
        side: int,
        text_features: int,
        condition_features: int,
        sketch: int | None = None,
        normalisation: Normalisation = "batch",
    ) -> None:
        super().__init__()
        end, halvings = base(side)
        first = base(sketch or side)[1]
        bias = normalisation == "none"
        leaky = nn.LeakyReLU(NEGATIVE_SLOPE)
        layers: list[nn.Module] = [nn.Conv2d(channels, maps, 4, stride=2, padding=1, bias=bias), leaky]
        width = maps
        for number in range(1, halvings):
            shrink = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=bias)
            width *= 2
            ends = number == halvings - 1 and halvings == first  # and is rectified with what the residual block adds
            layers += [shrink, *_normalised(normalisation, width), *([] if ends else [leaky])]
        for number in range(halvings - first):
            narrow = nn.Conv2d(width, width // 2, 1, bias=bias)
            width //= 2
            ends = number == halvings - first - 1
            layers += [narrow, *_normalised(normalisation, width), *([] if ends else [leaky])]
        self.reading = nn.Sequential(*layers, _bottleneck(width, normalisation, leaky))
        self.of_text = nn.Sequential(Linear(text_features, condition_features), leaky)
        self.joint = nn.Sequential(
            nn.Conv2d(width + condition_features, width, 1, bias=bias),
            *_normalised(normalisation, width),
            leaky,
            nn.Conv2d(width, 1, end, bias=bias),
            nn.Flatten(0),
        )
        self.apply(initialise)

    def forward(self, pictures: Tensor, text: Tensor) -> Tensor:
        logits: Tensor = self.joint(beside(self.reading(pictures), self.of_text(text)))
        return logits


def beside(maps: Tensor, vectors: Tensor) -> Tensor:
    """Return maps (batch, channels, height, width) with vectors (batch, features) behind them at every place."""
    return torch.cat([maps, vectors[:, :, None, None].expand(-1, -1, *maps.shape[2:])], dim=1)


def _doubling(before: int, after: int) -> list[nn.Module]:
    """Return what doubles the sides of maps by repeating them, and convolves."""
    return [nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(before, after, 3, padding=1, bias=False)]


def _bottleneck(width: int, normalisation: Normalisation, activation: nn.Module) -> Residual:
    """Return a residual block that works on a quarter of the maps."""
    inner, bias = max(1, width // 4), normalisation == "none"
    return Residual(
        *(nn.Conv2d(width, inner, 1, bias=bias), *_normalised(normalisation, inner), activation),
        *(nn.Conv2d(inner, inner, 3, padding=1, bias=bias), *_normalised(normalisation, inner), activation),
        *(nn.Conv2d(inner, width, 3, padding=1, bias=bias), *_normalised(normalisation, width)),
        activation=activation,
    )


def _block(width: int) -> Residual:
    """Return a residual block of two convolutions."""
    return Residual(
        *(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()),
        *(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)),
        activation=nn.ReLU(),
    )


def _normalised(normalisation: Normalisation, channels: int) -> list[nn.Module]:
    if normalisation == "batch":
        return [nn.BatchNorm2d(channels)]
    return [nn.GroupNorm(1, channels)] if normalisation == "layer" else []


def initialise(module: nn.Module) -> None:
    """Draw a layer's weights as the authors do: around 0, or around 1 for scales, with deviation 0.02."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, DEVIATION)
    elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, DEVIATION)


class Painter(nn.Module):
    """What draws pictures of texts: a reader of texts, the generators, and a reader of pictures that compares.

    Args:
        texts: from tokens (batch, steps) to vectors.
        pictures: from pictures to vectors that are alike where a picture fits a text.
        sketcher: the first generator.
        refiner: the second one.
    """

    def __init__(self, texts: TextReader, pictures: PictureReader, sketcher: Sketcher, refiner: Refiner) -> None:
        super().__init__()
        self.texts, self.pictures, self.sketcher, self.refiner = texts, pictures, sketcher, refiner
        self.learnt = 2
        """Stages that have learnt, or are learning: 0 while texts are matched with pictures, and then 1."""

    @property
    def noise_features(self) -> tuple[int, int]:
        """Numbers of noise that each stage takes."""
        first = self.sketcher.noise_features + self.sketcher.conditioning.features
        return first, self.refiner.conditioning.features

    def stages(self, latent: Tensor, tokens: Tensor) -> list[Tensor]:
        """Return what each stage draws of noise (batch, features of both) and tokens (batch, steps)."""
        first, second = latent.split(self.noise_features, dim=1)
        text = self.texts(tokens)
        sketch = self.sketcher(first, text)
        return [sketch, self.refiner(second, sketch, text)]

    def forward(self, latent: Tensor, tokens: Tensor) -> Tensor:
        return self.stages(latent, tokens)[-1]

    def fitting(self, pictures: Tensor, tokens: Tensor) -> Tensor:
        """Return how well pictures (count, channels, side, side) fit texts as tokens (texts, steps): (count, texts)."""
        likeness: Tensor = self.pictures.likeness(self.pictures(pictures), self.texts(tokens))
        return likeness
