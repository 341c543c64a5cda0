"""The centre: one point that comes to lie in the middle of all samples.

Idea:
    The point from which the squares of the distances to all samples have the smallest mean is their mean.

Equations:
    E = mean over n of |x_n - c|^2 + mean over n of (|x_n - c| - r)^2, with c held in the second

Networks:
    centre: `Centre`, from rows (batch, features) to distances (batch, 1).
    radius: `Radius`, from distances (batch, 1) to those in units of the radius (batch, 1). Both are taken home.

Learning rule:
    `Centring`, gradient descent of E.

Data it expects:
    Rows of numbers.

What to expect:
    A hundred steps.

Departures from the paper:
    None.

References:
    Gauss, Theoria combinationis observationum erroribus minimis obnoxiae, 1823.
"""

from typing import Annotated, final

import torch
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule
from ganglion.rules.descend import Descent, descend
from ganglion.settings import at_least, settings


class Centre(nn.Module):
    """The distance |x - c| of rows `(batch, features)` from a point c, `(batch, 1)`."""

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.point = nn.Parameter(torch.full((in_features,), 2.0))

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs - self.point).square().sum(1, keepdim=True).sqrt()


class Radius(nn.Module):
    """Distances d `(batch, 1)` in units of the radius r, d / r."""

    def __init__(self) -> None:
        super().__init__()
        self.length = nn.Parameter(torch.ones(1))

    def forward(self, distances: Tensor) -> Tensor:
        return distances / self.length


@final
class Centring(LearningRule):
    """Move the point and the radius down the gradient."""

    home_roles = ("centre", "radius")

    def __init__(self, in_features: int, descent: Descent) -> None:
        self.networks = {"centre": Centre(in_features), "radius": Radius()}
        self.optimizers = {role: descent.make_optimizer(network) for role, network in self.networks.items()}
        self.counters = {}
        self.tensors = {}
        self.descent = descent

    def step(self, batch: Batch) -> dict[str, Tensor]:
        return self.radius_phase(batch) | self.centre_phase(batch)

    def centre_phase(self, batch: Batch) -> dict[str, Tensor]:
        return descend(self.optimizers["centre"], batch, self._spread, self.descent)

    def radius_phase(self, batch: Batch) -> dict[str, Tensor]:
        return descend(self.optimizers["radius"], batch, self._misfit, self.descent)

    def _spread(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": self.networks["centre"](batch["inputs"]).square().mean()}

    def _misfit(self, batch: Batch) -> dict[str, Tensor]:
        distances = self.networks["centre"](batch["inputs"]).detach()
        return {"loss": (distances - self.networks["radius"].length).square().mean()}


@settings
class Config:
    """The centre."""

    in_features: Annotated[int, at_least(1)] = 2
    """Numbers that describe a sample."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=0.05)
    """How the gradient becomes an update."""


SMALL = Config()
TINY = Config()


def build(config: Config) -> LearningRule:
    return Centring(config.in_features, config.descent)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    return {"centre": (torch.zeros(1, config.in_features),), "radius": (torch.zeros(1, 1),)}
