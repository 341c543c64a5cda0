"""The Boltzmann machine: units joined to any others, which learn from what is on together awake and in dreams.

Idea:
    A network of coins that pull at each other. Left alone it wanders through its states, and is found most often in
    those of low energy. Learning lowers the energy of states that hold the data and raises that of states the network
    dreams up by itself, from nothing but what two joined units do together. Hidden units come to stand for whatever
    the visible ones cannot tell each other: in the encoder problem, a code of a few bits.

Equations:
    E(s) = -sum_i b_i s_i - sum_{i<j} w_ij s_i s_j      p(s) = exp(-E(s) / T) / Z
    p(s_i = 1 | all others) = sigmoid((b_i + sum_j w_ij s_j) / T)
    d log p(v) / d w_ij = <s_i s_j>_data - <s_i s_j>_model

Networks:
    machine: `BoltzmannMachine`, a weight for every pair of units that are joined and one bias for each unit. As a
    plain module it maps data to the probabilities of the hidden units.

Learning rule:
    `ganglion.rules.energy.boltzmann.BoltzmannLearning`. Up to 16 units all states are counted and the gradient is
    exact; above, chains are cooled from a temperature of 2 to 1 and averaged there.

Data it expects:
    Numeric rows or images, made grey; both are turned into zeros and ones. Labels are not used. Every pixel is a unit
    that is joined to all others: small images only. `encoder-4-2-4`, `encoder-8-3-8` and `shifter` are the problems of
    the paper.

What to expect:
    On `encoder-4-2-4` four patterns, each a unit of the left four and its twin among the right four, with no way
    between left and right but hidden units: -log p of about 1.5 nats, where log 4 = 1.386 is the best and independent
    units have 4.5. With four hidden units each pattern found a code of its own in all of eight seeds, with three in
    seven; with the two that suffice, two patterns mostly share one, an optimum that the exact gradient does not leave.
    `--form published` wanders on by noise, as the paper did, and told all four apart in five of eight seeds.

Departures from the paper:
    1. The gradient is counted exactly where it can be; the published form samples it.
    2. Weights live at temperature 1, where the paper's live at 10: its steps of 2 are .2 here.
    3. The step shrinks by the schedule, so that training ends; the paper's went on until a test was passed.

References:
    Ackley, Hinton and Sejnowski (1985), A learning algorithm for Boltzmann machines.
    Hinton and Sejnowski (1986), Learning and relearning in Boltzmann machines (the shifter).
"""

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.energy.boltzmann import BoltzmannMachine
from ganglion.rules.descend import Descent
from ganglion.rules.energy.boltzmann import BoltzmannLearning
from ganglion.settings import Count, Units, at_least, at_most, settings


@settings
class Config:
    """A Boltzmann machine and how it learns."""

    in_features: Count = 8
    """Visible units; as many as the data has pixels or columns."""
    hidden_units: Units = 2
    """Hidden units, which stand for what visible units cannot tell each other."""
    parts: Count = 2
    """Parts of equal size that the visible units are divided into; units of different parts are joined by way of hidden
    units only. 1 joins every unit to every other."""
    exact: bool | None = False
    """Count all states instead of sampling; where nothing is said, up to 16 units."""
    sweeps: Count = 10
    """Rounds through all units that a sampled mean is taken over."""
    noise: Annotated[float, at_least(0), at_most(1)] = 0.15
    """Chance at which a unit that is on in the data is off for one step; those that are off are on at a third of it."""
    fixed_steps: bool = True
    """Move every weight by the same amount, up or down, as the paper does, instead of along the gradient."""
    initial_deviation: Annotated[float, at_least(0)] = 0.01
    """Standard deviation of the weights at the beginning."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=0.5)
    """How the gradient becomes an update."""


SMALL = Config(
    hidden_units=4,
    exact=None,
    noise=0.0,
    fixed_steps=False,
    initial_deviation=0.1,
    descent=Descent(optimizer="sgd", learning_rate=1.0),
)
TINY = replace(SMALL, in_features=6)


def build(config: Config) -> LearningRule:
    sizes = [len(part) for part in torch.arange(config.in_features).tensor_split(config.parts)]
    machine = BoltzmannMachine(config.in_features, config.hidden_units, parts=sizes, deviation=config.initial_deviation)
    return BoltzmannLearning(
        machine,
        config.descent,
        exact=config.exact,
        sweeps=config.sweeps,
        noise=config.noise,
        fixed_steps=config.fixed_steps,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"machine": (torch.zeros(1, config.in_features),)}
