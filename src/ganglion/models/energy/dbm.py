"""The deep Boltzmann machine: two layers of hidden causes that are explained from below and from above at once.

Idea:
    A restricted Boltzmann machine explains data by features; a second layer explains which features go together. In a
    deep belief network only the uppermost pair is undirected, and each layer is guessed from the one below alone. Here
    all connections are undirected: what the upper layer expects changes what the lower one sees, so that a doubtful
    stroke is read as the digit needs it.

Equations:
    E(v, h, u) = -a.v - b.h - c.u - h.Wv - u.Uh                          p(v) = sum_hu exp(-E(v, h, u)) / Z
    given the data     m = s(b + W v + U'n), n = s(c + U m) in turns, logistic s: mean field
    given v and u      F(v, u) = -a.v - c.u - sum_j log(1 + exp(b_j + W_j v + U'_j u))
    bound              log p(v) >= -F(v, n) + H(n) - log Z, H the entropy
    d bound / dW       m v' - E_model[h v']              d bound / dU     n m' - E_model[u h']
    lower layer        F(v) = -2 a.v - sum_j log(1 + exp(b_j + 2 W_j v)), at first alone
    upper layer        F(h) = -b.h - 2 sum_k log(1 + exp(c_k + U_k h)), at first alone

Networks:
    machine: `DeepBoltzmannMachine`. Visible and upper units are one layer, and lower units the other, of a restricted
    Boltzmann machine. As a plain module it maps data to the means of both hidden layers. 784-500-1000 has 894,284
    parameters.

Learning rule:
    `ganglion.rules.energy.deep_boltzmann.DeepBoltzmann`. Each layer learns alone first, as if it were there twice: in
    the end a lower unit is told things from both sides. Then both learn together, by the same persistent chains as
    `rbm`; all its ways for chains to get about hold here too.

Data it expects:
    Images, made grey, or numeric rows; both are turned into zeros and ones. Labels are not used.

What to expect:
    scikit-learn's digits, black and white, small form, seed 0: 1,200 updates of single layers leave a log-likelihood of
    -22.5 nats on held-out digits, and 1,500 of both layers raise it to -19.1, where independent pixels have -25.2. What
    single layers have learnt is far from a model of the data: a high rate in the last phase shatters it.
    The log-likelihood is a bound by mean field, with the normaliser estimated by annealed importance sampling.

Departures from the paper:
    1. Both statistics of the joint phase use means of the lower layer given the other two, instead of samples.
    2. Single layers learn by one Gibbs step.
    3. Digits are black and white by their brightness, once for all; the paper drew pixels anew for each batch.

References:
    Salakhutdinov and Hinton: Deep Boltzmann machines. AISTATS (2009).
    Salakhutdinov and Hinton: An efficient learning procedure for deep Boltzmann machines. Neural Computation 24 (2012).
    Salakhutdinov and Murray: On the quantitative analysis of deep belief networks. ICML (2008).
"""

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.energy.deep import DeepBoltzmannMachine
from ganglion.rules.descend import Descent
from ganglion.rules.energy.deep_boltzmann import DeepBoltzmann
from ganglion.settings import Count, Share, Units, at_least, settings


@settings
class Config:
    """A deep Boltzmann machine and how it learns."""

    in_features: Count = 784
    """Visible units; as many as the data has pixels or columns."""
    hidden_units: Units = 500
    """Units of the lower hidden layer, the features that explain the data."""
    upper_units: Units = 1000
    """Units of the upper hidden layer, which explain what features go together."""
    pretraining: Share = 0.4
    """Share of the run in which single layers learn, the same for each; 0 starts from random weights."""
    gibbs_steps: Count = 5
    """Steps of the chains between two updates."""
    num_chains: Count = 100
    """Persistent chains that run side by side."""
    temperatures: Count = 1
    """Sets of chains from the machine's own temperature to one where nothing holds them, which exchange their states
    (parallel tempering); 1 for none."""
    fast_rate: Annotated[float, at_least(0)] = 0.0
    """Learning rate of fast weights that only drive the chains on (fast persistent CD); 0 for none."""
    deviation: Annotated[float, at_least(0)] = 0.01
    """Standard deviation of the initial weights."""
    pretraining_descent: Descent = Descent(optimizer="sgd", learning_rate=0.05)
    """How a gradient becomes an update while single layers learn."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=0.005)
    """How a gradient becomes an update while both learn."""


SMALL = Config(
    hidden_units=128,
    upper_units=64,
    gibbs_steps=1,
    num_chains=64,
    deviation=0.1,
    pretraining_descent=Descent(optimizer="sgd", learning_rate=0.1),
    descent=Descent(optimizer="sgd", learning_rate=0.03),
)
TINY = replace(
    SMALL,
    in_features=16,
    hidden_units=8,
    upper_units=6,
    num_chains=32,
    descent=Descent(optimizer="sgd", learning_rate=0.2),
)


def build(config: Config) -> LearningRule:
    return DeepBoltzmann(
        DeepBoltzmannMachine(config.in_features, config.hidden_units, config.upper_units, deviation=config.deviation),
        config.descent,
        pretraining_descent=config.pretraining_descent,
        pretraining=config.pretraining,
        gibbs_steps=config.gibbs_steps,
        num_chains=config.num_chains,
        temperatures=config.temperatures,
        fast_rate=config.fast_rate,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"machine": (torch.zeros(1, config.in_features),)}
