"""The restricted Boltzmann machine: hidden causes of binary data, learnt by contrasting it with dreams.

Idea:
    A network that assigns an energy to every picture, low for those like the data. Its hidden units are features that
    explain the visible ones; because no two units of a layer are connected, a whole layer is drawn at once, and the
    machine can reconstruct what it sees and dream up what it has not seen.

Equations:
    E(v, h) = -a.v - b.h - h.Wv                         p(v, h) = exp(-E(v, h)) / Z
    p(h_j = 1 | v) = sigmoid(b_j + W_j.v)               p(v_i = 1 | h) = sigmoid(a_i + W'_i.h)
    F(v) = -a.v - sum_j log(1 + exp(b_j + W_j.v))       p(v) = exp(-F(v)) / Z
    d log p(v) / dW = E[h v' | v] - E_model[h v']

    visible units that are numbers (`visible gaussian`), u = (v - a) / s, s their deviations given the hidden units:
    E(v, h) = u.u / 2 - b.h - h.Wu                      F(v) = u.u / 2 - sum_j log(1 + exp(b_j + W_j.u))
    p(h_j = 1 | v) = sigmoid(b_j + W_j.u)               p(v_i | h) = N(a_i + s_i W'_i.h, s_i^2)

Networks:
    machine: `BernoulliRBM`, one weight for every pair of a visible and a hidden unit and one bias for each unit; or
    `GaussianRBM`, with a variance for each visible unit beside. As a plain module it maps data to the probabilities of
    the hidden units.

Learning rule:
    Contrastive divergence. E_model is replaced by the mean over samples k Gibbs steps away from the data (CD-k), or by
    persistent chains that run on from update to update (persistent CD, the default: its dreams are better). Two ways
    let these chains get about: fast weights that push them away from where they are (`fast_rate`), and chains at higher
    temperatures that exchange states with them (`temperatures`).

Data it expects:
    Images, made grey, or numeric rows; both are turned into zeros and ones. Labels are not used. The form `gaussian`
    leaves numbers as they are, but for their scale: columns are standardised, pixels by the mean and deviation of all.

What to expect:
    On the bundled digits, seed 0, in seconds on a CPU: a pseudo-log-likelihood of about -14.6 nats per image and a
    log-likelihood of about -17.8, where independent pixels have -25.2 for both; hidden units that look like pen strokes
    and dreams that look like digits. Watch the free energy of held-out data: when it moves away from that of the
    training data, the machine is learning by heart. On bars and stripes, 1,500 steps of a machine of 8 hidden units
    came to -5.53 nats by enumeration with plain chains, to -5.17 with fast weights, to -5.04 with eight temperatures.

    Numbers, form `gaussian`, seed 0, densities in nats a sample: on the bundled digits a log-likelihood of -14.9, where
    independent Gaussians have -36.8; on wine, whose 13 columns are standardised, -16.7 and -19.0. Of pictures densities
    depend on the least variance a unit may have, 0.01, so compare them with the baseline and with each other alone.

Departures from the paper:
    1. Visible biases start at the log odds of the first batch (Hinton 2010, section 8), not of the whole training set.
    2. Both statistics use the probabilities of the hidden units instead of samples (Hinton 2010, section 3).
    3. The number of persistent chains is an option of its own and not tied to the batch size.
    4. Sizes, chains and rate of the published form are those of the Deep Learning Tutorials for MNIST, which draw
       15 steps from update to update; the small form draws one, from more chains.

References:
    Smolensky (1986), Information processing in dynamical systems: foundations of harmony theory.
    Hinton (2002), Training products of experts by minimizing contrastive divergence.
    Tieleman (2008), Training restricted Boltzmann machines using approximations to the likelihood gradient.
    Hinton (2010), A practical guide to training restricted Boltzmann machines.
    Cho, Ilin, Raiko (2011), Improved learning of Gaussian-Bernoulli restricted Boltzmann machines.
    LISA lab (2010), Deep learning tutorials, code/rbm.py, github.com/lisa-lab/DeepLearningTutorials.
"""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.energy.gaussian import GaussianRBM
from ganglion.nn.energy.restricted import BernoulliRBM
from ganglion.rules.descend import Descent
from ganglion.rules.energy.contrastive import ContrastiveDivergence
from ganglion.settings import Count, Units, at_least, settings


@settings
class Config:
    """A restricted Boltzmann machine and how it learns."""

    in_features: Count = 784
    """Visible units; as many as the data has pixels or columns."""
    visible: Literal["binary", "gaussian"] = "binary"
    """What visible units are: zeros and ones, or numbers that are Gaussian given the hidden units."""
    hidden_units: Units = 500
    """Hidden units, the features that explain the data."""
    gibbs_steps: Count = 15
    """Steps of the chain between two updates, the k of CD-k."""
    persistent: bool = True
    """Let the chains run on from update to update instead of starting them at the data."""
    num_chains: Count = 20
    """Persistent chains that run side by side."""
    temperatures: Count = 1
    """Sets of chains from the machine's own temperature to one where nothing holds them, which exchange their states
    (parallel tempering); 1 for none."""
    fast_rate: Annotated[float, at_least(0)] = 0.0
    """Learning rate of fast weights that only drive the chains on (fast persistent CD); 0 for none."""
    start_from_means: bool = True
    """Start the visible biases at the log odds of the data's means, so that hidden units need not learn those."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=0.1)
    """How the gradient becomes an update."""

    def __post_init__(self) -> None:
        if self.visible == "gaussian" and self.temperatures > 1:
            raise ConfigurationError(
                "units that are Gaussian have no temperature at which nothing holds them",
                where="temperatures",
                expected="temperatures 1 with visible gaussian",
                found=str(self.temperatures),
                remedy="temperatures 1, or fast_rate for chains that get about",
            )


SMALL = Config(hidden_units=128, gibbs_steps=1, num_chains=64)
TINY = replace(
    SMALL, in_features=16, hidden_units=8, num_chains=32, descent=Descent(optimizer="sgd", learning_rate=0.2)
)

FORMS = {"gaussian": replace(SMALL, visible="gaussian", num_chains=128, descent=Descent(learning_rate=3e-3))}
"""The machine of numbers."""


def build(config: Config) -> LearningRule:
    machine = GaussianRBM if config.visible == "gaussian" else BernoulliRBM
    return ContrastiveDivergence(
        machine(config.in_features, config.hidden_units),
        config.descent,
        gibbs_steps=config.gibbs_steps,
        persistent=config.persistent,
        num_chains=config.num_chains,
        start_from_means=config.start_from_means,
        temperatures=config.temperatures,
        fast_rate=config.fast_rate,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"machine": (torch.zeros(1, config.in_features),)}
