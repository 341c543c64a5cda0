"""Latent vectors: how the noise is drawn that a generator makes samples of."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Generator, Tensor

LatentName = Literal["normal", "uniform", "sphere", "truncated-normal"]


@dataclass(frozen=True)
class Latent:
    """Noise of one kind and shape.

    >>> Latent("uniform", (1, 8, 8))(5).shape
    torch.Size([5, 1, 8, 8])
    """

    name: LatentName
    shape: tuple[int, ...]
    """Of the noise for one sample: `(features,)` for a vector, `(channels, height, width)` for planes."""

    def __call__(self, count: int, device: torch.device | None = None, generator: Generator | None = None) -> Tensor:
        """Return noise `(count, *shape)`, drawn from `generator` or from torch's own random numbers."""
        return DRAWS[self.name]((count, *self.shape), device, generator)


Draw = Callable[[tuple[int, ...], torch.device | None, Generator | None], Tensor]
"""From a shape, whose first axis are the samples."""


def normal(shape: tuple[int, ...], device: torch.device | None = None, generator: Generator | None = None) -> Tensor:
    """Return independent numbers from N(0, 1)."""
    return torch.randn(shape, device=device, generator=generator)


def uniform(shape: tuple[int, ...], device: torch.device | None = None, generator: Generator | None = None) -> Tensor:
    """Return independent numbers, of this shape, from the uniform distribution on [-1, 1)."""
    return 2 * torch.rand(shape, device=device, generator=generator) - 1


def sphere(shape: tuple[int, ...], device: torch.device | None = None, generator: Generator | None = None) -> Tensor:
    """Return points, uniform on the sphere of radius sqrt(d) in d dimensions: z / sqrt(mean z_i^2), z from N(0, I).

    The radius is about the length of a normal vector, so that numbers are of the same size.

    Source: Karras et al. 2018, Progressive growing of GANs, appendix A.

    >>> sphere((3, 4)).square().sum(1).round()
    tensor([4., 4., 4.])
    """
    drawn = normal(shape, device, generator)
    return drawn * drawn.flatten(1).square().mean(1).rsqrt().view(-1, *[1] * (drawn.dim() - 1))


LIMIT = 2.0
"""Deviations beyond which a truncated normal distribution has nothing."""


def truncated_normal(
    shape: tuple[int, ...], device: torch.device | None = None, generator: Generator | None = None
) -> Tensor:
    """Return independent numbers from N(0, 1) given that they lie between -2 and 2, by inverting its distribution."""
    inside = math.erf(LIMIT / math.sqrt(2))  # the share of N(0, 1) between -LIMIT and LIMIT
    drawn = math.sqrt(2) * torch.erfinv(inside * uniform(shape, device, generator))
    return drawn.clamp(-LIMIT, LIMIT)


DRAWS: dict[LatentName, Draw] = {
    "normal": normal,
    "uniform": uniform,
    "sphere": sphere,
    "truncated-normal": truncated_normal,
}
