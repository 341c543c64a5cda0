"""The centre: one point that comes to lie in the middle of all samples.

Idea:
    The point from which the squares of the distances to all samples have the smallest mean is their mean.

Equations:
    E = mean over n of |x_n - c|^2

Networks:
    network: `Centre`, from rows (batch, features) to distances (batch, 1).

Learning rule:
    Supervised, the squared error of the distance with 0 as the target.

Data it expects:
    Rows of numbers.

What to expect:
    A hundred steps.

Departures from the paper:
    None.

References:
    Gauss, Theoria combinationis observationum erroribus minimis obnoxiae, 1823.
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.settings import at_least, settings


class Centre(nn.Module):
    """The distance |x - c| of rows `(batch, features)` from a point c, `(batch, 1)`."""

    def __init__(self, in_features: int) -> None:
        super().__init__()
        self.point = nn.Parameter(torch.full((in_features,), 2.0))

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs - self.point).square().sum(1, keepdim=True).sqrt()


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
    return Supervised(Centre(config.in_features), config.descent, loss="squared-error")


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    return {"network": (torch.zeros(1, config.in_features),)}
