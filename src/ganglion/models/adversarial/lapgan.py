"""The Laplacian pyramid of adversarial networks, LAPGAN: a small picture first, then what every doubling lacks.

Idea:
    To draw a whole picture at once is hard; to draw one of 8 x 8 pixels is not, and to add to an enlarged picture the
    detail that belongs to it is not either. So an image is taken apart into a pyramid, and on each level a generator
    plays a game of its own. Sampled is from coarse to fine, each level being told what the one before made.

Equations:
    d(I) half the side, the mean of four pixels; u(I) twice the side, bilinear
    pyramid      I_0 = I, I_(k+1) = d(I_k);  h_k = I_k - u(I_(k+1)),  h_K = I_K
    collapsed    I_k = u(I_(k+1)) + h_k, which gives I back
    level K      min_G max_D  E[log D(I_K)] + E[log(1 - D(G(z)))]
    level k      min_G max_D  E[log D(h_k, l_k)] + E[log(1 - D(G(z, l_k), l_k))],  l_k = u(I_(k+1)) of a real image
    sampling     I_K = G_K(z_K),  I_k = u(I_(k+1)) + G_k(z_k, u(I_(k+1)))

Networks:
    coarsest   generator: noise to 8000 rectified units, to 8000 logistic ones, to pixels; discriminator: pixels to
               twice 1600 rectified units with dropout, to one logit
    others     generator: a plane of noise beside the enlarged picture, 7 x 7 to 64 maps, 7 x 7 to 64, 5 x 5 to the
               band; discriminator: band plus picture, 5 x 5 to 64 maps, 5 x 5 to 64 of half the side, both without
               borders, dropout, one logit
    One pair for each level, named by the side of its pictures: `generator_8`, `generator_16`, `generator_32`.

Learning rule:
    A game for each level, each on real pictures: no level waits for another. Levels are phases of the run, coarse to
    fine, or all learn from every batch (`--together yes`), which takes as much time and shows whole pictures earlier.

Data it expects:
    Images, scaled to [-1, 1]; classes are not used.

What to expect:
    The report shows how pictures grow level by level. A minute or two on the drawn faces give heads with hair and
    shoulders, rough; clear eyes take the finer levels longer. These hardly ever collapse, since they are told what to
    refine; whether heads have two eyes is decided on the coarsest, which is the one to watch: the doctor looks there.

Departures from the paper:
    1. Networks are those of the authors' scripts for CIFAR-10, whose listing in the paper differs from others'.
    2. Momentum stays at 0.5; the scripts let it rise to 0.7. The discriminator sees all of a batch, not half.
    3. The authors' variant that is told classes is left out.
    4. `ganglion train lapgan` without flags has fewer units and maps, Adam, a critic with a penalty on the coarsest
       level, and a penalty on the discriminators of the others.

References:
    Denton, Chintala, Szlam and Fergus, Deep Generative Image Models using a Laplacian Pyramid of Adversarial Networks,
    2015, https://arxiv.org/abs/1506.05751
    The authors' scripts (2015): https://github.com/facebookarchive/eyescream
"""

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.linear import Linear
from ganglion.rules.adversarial.latent import LatentName
from ganglion.rules.adversarial.pyramid import PyramidRule
from ganglion.rules.adversarial.settings import GameSettings
from ganglion.rules.descend import Descent
from ganglion.settings import Count, at_least, settings, strictly_between

SMALLEST_REFINED = 12
"""Side of the pictures of a level that refines, at least: its discriminator takes 4 pixels and then half off."""


class Coarsest(nn.Module):
    """Noise `(batch, latent_features)` to pictures `(batch, channels, side, side)`, unbounded."""

    def __init__(self, latent_features: int, units: int, channels: int, side: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(Linear(latent_features, units), nn.ReLU(), Linear(units, units), nn.Sigmoid()),
            *(Linear(units, channels * side**2), nn.Unflatten(1, (channels, side, side))),
        )

    def forward(self, latent: Tensor) -> Tensor:
        pictures: Tensor = self.layers(latent)
        return pictures


class CoarsestJudge(nn.Module):
    """Pictures `(batch, channels, side, side)` to logits `(batch,)` of being real."""

    def __init__(self, units: int, channels: int, side: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Flatten(), Linear(channels * side**2, units), nn.ReLU(), nn.Dropout()),
            *(Linear(units, units), nn.ReLU(), nn.Dropout(), Linear(units, 1), nn.Flatten(0)),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.layers(pictures)
        return logits


class Refiner(nn.Module):
    """Noise `(batch, 1, side, side)` and enlarged pictures `(batch, channels, side, side)` to the band they lack.

    >>> sum(parameter.numel() for parameter in Refiner(64, 3).parameters())
    218179
    """

    def __init__(self, maps: int, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(nn.Conv2d(1 + channels, maps, 7, padding=3), nn.ReLU()),
            *(nn.Conv2d(maps, maps, 7, padding=3), nn.ReLU(), nn.Conv2d(maps, channels, 5, padding=2)),
        )
        with torch.no_grad():  # it begins as interpolation, nearly
            self.layers[-1].weight.mul_(0.1)  # type: ignore[operator]

    def forward(self, noise: Tensor, coarse: Tensor) -> Tensor:
        band: Tensor = self.layers(torch.cat([noise, coarse], dim=1))
        return band


class RefinedJudge(nn.Module):
    """Bands and enlarged pictures `(batch, channels, side, side)` to logits `(batch,)` that they belong together.

    >>> [sum(parameter.numel() for parameter in RefinedJudge(64, 3, side).parameters()) for side in (32, 16)]
    [116545, 108353]
    """

    def __init__(self, maps: int, channels: int, side: int) -> None:
        super().__init__()
        left = (side - 4 - 5) // 2 + 1
        self.layers = nn.Sequential(
            *(nn.Conv2d(channels, maps, 5), nn.ReLU(), nn.Conv2d(maps, maps, 5, stride=2), nn.ReLU()),
            *(nn.Flatten(), nn.Dropout(), Linear(maps * left**2, 1), nn.Flatten(0)),
        )

    def forward(self, band: Tensor, coarse: Tensor) -> Tensor:
        logits: Tensor = self.layers(band + coarse)
        return logits


MOMENTUM = Descent(optimizer="sgd", learning_rate=0.02, optimizer_arguments=("momentum=0.5",))
BETAS = ("betas=(0.5, 0.999)",)


@settings
class Config:
    """Generators and discriminators of a pyramid, as for CIFAR-10."""

    in_channels: Count = 3
    """Channels of the images; the data decides."""
    image_size: Count | None = None
    """Side of the square images; the smallest of 16, 28, 32 and 64 that holds the data's when not given."""
    levels: Annotated[int, at_least(2)] | None = None
    """Levels of the pyramid, each but the first doubling the side; as many as the side allows when not given."""
    noise_features: Count = 100
    """Length of the noise vector of the coarsest level; each other one has a plane of noise."""
    latent: LatentName = "uniform"
    """How noise is drawn."""
    generator_units: Count = 8000
    """Units of both hidden layers of the coarsest generator."""
    discriminator_units: Count = 1600
    """Units of both hidden layers of the coarsest discriminator."""
    generator_maps: Count = 64
    """Maps in the generators of the other levels."""
    discriminator_maps: Count = 64
    """Maps in the discriminators of the other levels."""
    together: bool = False
    """Let all levels learn from every batch; otherwise each is a phase of the run."""
    coarsest_share: Annotated[float, strictly_between(0, 1)] = 1 / 3
    """Share of the run in which the coarsest level learns; the others share the rest alike."""
    game: GameSettings = GameSettings()
    """What the players of the coarsest level pay, and whose turn it is."""
    finer_game: GameSettings = GameSettings()
    """The same of all other levels."""
    generator_descent: Descent = MOMENTUM
    """How each generator descends."""
    discriminator_descent: Descent = MOMENTUM
    """How each discriminator descends."""

    @property
    def sides(self) -> list[int]:
        """Sides of the pictures of each level, coarse to fine."""
        side = self.image_size or STANDARD_SIZE
        return [side // 2**halvings for halvings in reversed(range(self.levels or most_levels(side)))]

    @property
    def latent_features(self) -> int:
        """All numbers of noise that a picture is drawn from."""
        return self.noise_features + sum(side**2 for side in self.sides[1:])

    def __post_init__(self) -> None:
        side, levels = self.image_size or STANDARD_SIZE, self.levels or 2
        if levels > (most := most_levels(side)):
            raise ConfigurationError(
                f"pictures of this size have no pyramid of {levels} levels",
                where="levels" if most > 1 else "image_size",
                expected=f"at most {most} levels for {side} x {side} pixels" if most > 1 else "a side such as 16 or 32",
                found=str(levels if most > 1 else side),
            )


def most_levels(side: int) -> int:
    """Return how many levels a pyramid of pictures of a side may have; 1 where there is none.

    >>> [most_levels(side) for side in (16, 28, 32, 64, 30, 15)]
    [2, 3, 3, 4, 2, 1]
    """
    levels = 1
    while side % 2 == 0 and side >= SMALLEST_REFINED:
        side, levels = side // 2, levels + 1
    return levels


STANDARD_SIZE = 32
"""Side of the images when neither the configuration nor any data says one: that of CIFAR-10."""

SMALL = Config(
    latent="normal",
    generator_units=256,
    discriminator_units=256,
    generator_maps=16,
    discriminator_maps=16,
    coarsest_share=0.45,
    game=GameSettings(loss="wasserstein", penalty="gradient", discriminator_steps=2),
    finer_game=GameSettings(penalty="r1", penalty_weight=1.0),
    generator_descent=Descent(learning_rate=1e-3, optimizer_arguments=BETAS),
    discriminator_descent=Descent(learning_rate=1e-3, optimizer_arguments=BETAS),
)
TINY = replace(
    SMALL,
    in_channels=1,
    image_size=16,
    noise_features=8,
    generator_units=16,
    discriminator_units=16,
    generator_maps=4,
    discriminator_maps=4,
    game=GameSettings(penalty="r1", penalty_weight=1.0),
    generator_descent=Descent(learning_rate=3e-3, optimizer_arguments=BETAS),
    discriminator_descent=Descent(learning_rate=3e-3, optimizer_arguments=BETAS),
)


def build(config: Config) -> LearningRule:
    channels, (coarsest, *finer) = config.in_channels, config.sides
    return PyramidRule(
        config.sides,
        [
            Coarsest(config.noise_features, config.generator_units, channels, coarsest),
            *(Refiner(config.generator_maps, channels) for _ in finer),
        ],
        [
            CoarsestJudge(config.discriminator_units, channels, coarsest),
            *(RefinedJudge(config.discriminator_maps, channels, side) for side in finer),
        ],
        latent_features=config.noise_features,
        latent=config.latent,
        settings=config.game,
        finer_settings=config.finer_game,
        generator_descent=config.generator_descent,
        discriminator_descent=config.discriminator_descent,
        coarsest_share=None if config.together else config.coarsest_share,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    found: dict[str, tuple[Tensor, ...]] = {}
    for side in config.sides:
        noise, pictures = torch.zeros(1, 1, side, side), torch.zeros(1, config.in_channels, side, side)
        found |= {f"generator_{side}": (noise, pictures), f"discriminator_{side}": (pictures, pictures)}
    coarsest, pictures = config.sides[0], found[f"discriminator_{config.sides[0]}"][0]
    return found | {
        f"generator_{coarsest}": (torch.zeros(1, config.noise_features),),
        f"discriminator_{coarsest}": (pictures,),
    }
