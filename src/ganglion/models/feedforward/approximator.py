"""Universal approximation, seen: networks of many widths and depths learn one function side by side.

Idea:
    One hidden layer of enough units comes as near to any continuous function as you like. The proof builds the
    function out of steps, one for each unit. Here both are shown: what steps alone make of the function, and what
    networks of the same sizes learn, so that one sees what width buys, what depth buys, and what learning buys.

Equations:
    f(x) = V s(W x + b) + c                            one hidden layer; sup |f - g| < eps for enough units
    g(x) = c + sum_j a_j sigmoid(k (x - t_j))          the constructive network of steps
    L = sum over networks of mean (f(x) - y)^2         of which no part concerns two networks

Networks:
    network: `Approximator`, a dense network for every depth and width. As a plain module it answers with the widest of
    the deepest; `heads` answers with all of them.

Learning rule:
    `ganglion.rules.supervised.Supervised`, whose loss sums the squared errors of all networks. They share no weight,
    and Adam goes weight by weight: each learns as it would alone.

Data it expects:
    One or more numbers and a value. `steps`, `sawtooth`, `sine-wave` and `mexican-hat` are there by name, a table is
    read as for any regression, and a formula is sampled: `--data "y = sin(6 * x) * x, x = -2..2"`.

What to expect:
    On the saw's teeth, in half a minute on a CPU: one hidden layer of one unit explains nothing of it, the widest and
    deepest nearly all. Networks that learn beat the steps at few units; on functions that jump, steps catch up.

Departures from the paper:
    1. The theorem says that good weights exist, not that descent finds them: the errors here are those of descent.
    2. The published form has sigmoids (Cybenko 1989); the small form has tanh, with which descent is faster.
    3. Units of the first layer start steep and change at places spread over the inputs. With small weights and biases
       of zero, which is usual, all change at one place: 4,000 steps on the saw's teeth then find no tooth.

References:
    Cybenko (1989), Approximation by superpositions of a sigmoidal function.
    Hornik (1991), Approximation capabilities of multilayer feedforward networks.
"""

import math
from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.activations import SearchedActivation
from ganglion.nn.dense import dense_layers
from ganglion.nn.initialisers import InitialiserName
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.settings import Count, above, settings

REACH = math.sqrt(3)
"""How far inputs reach that are spread evenly with deviation 1, as they come standardised."""


@settings
class Config:
    """Networks of many sizes and how they learn."""

    in_features: Count = 1
    """Numbers that the function takes."""
    out_features: Count = 1
    """Values that the function has."""
    widths: tuple[Count, ...] = (1, 2, 4, 8, 16, 32, 64)
    """Units of each hidden layer; a network for each."""
    depths: tuple[Count, ...] = (1,)
    """Hidden layers; a network for each with every width."""
    activation: SearchedActivation = "sigmoid"
    """Function of the hidden layers."""
    initialiser: InitialiserName = "xavier-uniform"
    """How the weights of all layers but the first start; their biases start at zero."""
    steepness: Annotated[float, above(0)] = 12.0
    """Largest weight of the first layer at the beginning. Its units change at places spread over the inputs."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-2)
    """How the gradient becomes an update."""

    def __post_init__(self) -> None:
        for name, sizes in (("widths", self.widths), ("depths", self.depths)):
            if not sizes or len(set(sizes)) < len(sizes):
                raise ConfigurationError(
                    f"{name} are different numbers, one at least", where=name, found=str(list(sizes))
                )


class Approximator(nn.Module):
    """Values (batch, values) of numbers (batch, ...) by the widest of the deepest of several dense networks.

    >>> network = Approximator(Config(widths=(2, 8), depths=(1, 2)))
    >>> network(torch.zeros(5, 1)).shape, len(network.heads(torch.zeros(5, 1)))
    (torch.Size([5, 1]), 4)
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        by_size = [(depth, width) for depth in sorted(config.depths) for width in sorted(config.widths)]
        self.sizes = [by_size[-1], *by_size[:-1]]
        """Hidden layers and units of each, in the order of `heads`."""
        self.main, *others = [_network(config, *size) for size in self.sizes]
        self.auxiliary = nn.ModuleList(others)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.main(inputs)

    def heads(self, inputs: Tensor) -> list[Tensor]:
        """Return the values of all networks, (batch, values) each, those of the largest first."""
        return [self.main(inputs), *(network(inputs) for network in self.auxiliary)]


SMALL = Config(depths=(1, 2, 3), activation="tanh")
TINY = replace(SMALL, widths=(2, 16), depths=(1, 2))


def build(config: Config) -> LearningRule:
    return Supervised(Approximator(config), config.descent, loss="squared-error", auxiliary=1.0)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_features),)}


@torch.no_grad()
def _network(config: Config, depth: int, width: int) -> nn.Sequential:
    """Return a dense network, unit j of whose first layer is s(w_j . (x - t_j)), t_j spread over the inputs."""
    layers = dense_layers(
        [config.in_features, *[width] * depth, config.out_features],
        activation_name=config.activation,
        initialiser_name=config.initialiser,
    )
    weight, bias = layers[0].parameters()
    weight.uniform_(-config.steepness, config.steepness)
    bias.copy_(-(weight * torch.empty_like(weight).uniform_(-REACH, REACH)).sum(1))
    return nn.Sequential(nn.Flatten(), *layers)
