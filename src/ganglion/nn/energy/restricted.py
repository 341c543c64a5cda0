"""Energy-based networks: the restricted Boltzmann machine, its exact likelihood where small, and estimates elsewhere.

Letters: v visible units, h hidden units, a and b their biases, W weights between them, Z the partition function.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from ganglion.errors import UsageError

MOST_ENUMERABLE_UNITS = 24
"""Units of the smaller layer whose states are still counted one by one."""


class GibbsSampled(nn.Module, ABC):
    """Binary or other units of which each is drawn given the others."""

    @abstractmethod
    def gibbs_step(self, visible: Tensor, generator: Generator | None = None, temperature: float = 1.0) -> Tensor:
        """Draw all hidden units given the visible ones, (rows, visible units), then all visible ones given those."""

    @abstractmethod
    def reconstruct(self, visible: Tensor) -> Tensor:
        """Return the means of v, (rows, visible units), for h at its mean given `visible`: there and back."""

    @torch.no_grad()
    def wander(
        self, visible: Tensor, steps: int, generator: Generator | None = None, temperature: float = 1.0
    ) -> Tensor:
        """Return what v is expected to be, (rows, visible units), after steps of Gibbs sampling from `visible`."""
        for _ in range(steps):
            visible = self.gibbs_step(visible, generator, temperature)
        return self.reconstruct(visible)


class RestrictedBoltzmannMachine(GibbsSampled):
    """Visible units of some kind and binary hidden units, each of which is joined to all of the other layer.

    Units of one layer are independent given the other, so that a layer is drawn at once. As a network it maps visible
    units to the probabilities of the hidden ones, its features of the data. What visible units are, kinds say: with F
    the free energy, p(v) = exp(-F(v)) / Z.

    Args:
        num_visible: units that hold the data.
        num_hidden: units that explain it.
        deviation: standard deviation of the initial weights, small so that hidden units start undecided.
    """

    def __init__(self, num_visible: int, num_hidden: int, *, deviation: float = 0.01) -> None:
        super().__init__()
        self.num_visible, self.num_hidden = num_visible, num_hidden
        self.weight = nn.Parameter(torch.randn(num_hidden, num_visible) * deviation)
        self.visible_bias = nn.Parameter(torch.zeros(num_visible))
        self.hidden_bias = nn.Parameter(torch.zeros(num_hidden))

    @abstractmethod
    def log_partition(self) -> Tensor:
        """Return log Z, a single number in nats, exactly: by counting through all states of a small layer."""

    @abstractmethod
    def _independent_energy(self, visible: Tensor, bias: Tensor) -> Tensor:
        """Return the energy of every row of visible units that have these biases and no hidden units."""

    @abstractmethod
    def _log_independent_partition(self, bias: Tensor) -> Tensor:
        """Return log Z of visible units that have these biases, `(visible,)`, and no hidden units."""

    @abstractmethod
    def _hidden_input(self, visible: Tensor) -> Tensor:
        """Return the log odds of the hidden units, (rows, hidden units), for v of (rows, visible units)."""

    @abstractmethod
    def _visible_input(self, hidden: Tensor) -> Tensor:
        """Return the biases, (rows, visible units), of the independent units that the visible ones are given h."""

    @abstractmethod
    def _draw_visible(self, bias: Tensor, generator: Generator | None, coldness: Tensor | None = None) -> Tensor:
        """Draw independent units of these biases, (rows, visible units), at a coldness of (rows, 1), 1 if not given."""

    def forward(self, visible: Tensor) -> Tensor:
        """Return p(h = 1 | v), (rows, hidden units), for v of (rows, visible units)."""
        return self.hidden_probabilities(visible)

    def extra_repr(self) -> str:
        return f"num_visible={self.num_visible}, num_hidden={self.num_hidden}"

    def hidden_probabilities(self, visible: Tensor) -> Tensor:
        """Return p(h = 1 | v), (rows, hidden units), for v of (rows, visible units)."""
        return torch.sigmoid(self._hidden_input(visible))

    def energy(self, visible: Tensor, hidden: Tensor) -> Tensor:
        """Return E(v, h) of every row."""
        alone = self._independent_energy(visible, self.visible_bias)
        return alone - (hidden * self._hidden_input(visible)).sum(-1)

    def free_energy(self, visible: Tensor) -> Tensor:
        """Return F(v) = -log sum_h exp(-E(v, h)) of every row."""
        alone = self._independent_energy(visible, self.visible_bias)
        return alone - F.softplus(self._hidden_input(visible)).sum(-1)

    def sample_hidden(
        self, visible: Tensor, generator: Generator | None = None, coldness: Tensor | None = None
    ) -> Tensor:
        """Draw h, (rows, hidden units), from p(h | v) of p ~ exp(-coldness E), coldness (rows, 1), 1 if not given."""
        hidden_input = self._hidden_input(visible)
        return sample_bernoulli(torch.sigmoid(hidden_input if coldness is None else coldness * hidden_input), generator)

    def sample_visible(
        self, hidden: Tensor, generator: Generator | None = None, coldness: Tensor | None = None
    ) -> Tensor:
        """Draw v, (rows, visible units), from p(v | h) of p ~ exp(-coldness E), coldness (rows, 1), 1 if not given."""
        return self._draw_visible(self._visible_input(hidden), generator, coldness)

    def gibbs_step(self, visible: Tensor, generator: Generator | None = None, temperature: float = 1.0) -> Tensor:
        coldness = None if temperature == 1 else visible.new_full((len(visible), 1), 1 / temperature)
        return self.sample_visible(self.sample_hidden(visible, generator, coldness), generator, coldness)

    def tempered_step(
        self, visible: Tensor, coldness: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Move rows of visible units, (rows, units), a step along chains of p ~ exp(-coldness E); return them and E.

        Args:
            coldness: of every row, (rows,): 1 is the machine. At 0 binary units are coins; Gaussian ones, which nothing
                holds there, need one above 0.
        """
        each = coldness.unsqueeze(-1)
        hidden = self.sample_hidden(visible, generator, each)
        visible = self.sample_visible(hidden, generator, each)
        return visible, self.energy(visible, hidden)

    @torch.no_grad()
    def annealed_weights(
        self,
        base_bias: Tensor,
        *,
        chains: int = 500,
        temperatures: int = 1000,
        generator: Generator | None = None,
    ) -> Tensor:
        """Return log importance weights, (chains,), whose mean in the exponent is Z.

        Samples are carried from independent units, whose log Z is known, to the machine, and weighed on the way. With
        U_a(v) the energy of independent units of biases a, and b_j + W_j.v the log odds of h_j, they go along

        p_t(v) ~ exp(-(1 - t) U_base(v) - t U_a(v)) prod_j (1 + exp(t (b_j + W_j.v))), t from 0 to 1.

        Args:
            base_bias: visible biases of the independent units, `(visible,)`; those that fit the data are best.
            chains: samples carried side by side.
            temperatures: steps from one end to the other; the more, the less the weights scatter.

        References:
            Salakhutdinov and Murray (2008), On the quantitative analysis of deep belief networks.
        """
        visible = self._draw_visible(base_bias.expand(chains, -1), generator)
        known = self._log_independent_partition(base_bias) + self.num_hidden * math.log(2)
        log_weights = known.expand(chains).clone()
        step = 1 / temperatures
        for number in range(temperatures):
            now, then = number * step, (number + 1) * step
            hidden_input = self._hidden_input(visible)
            before, after = (self._independent_energy(visible, bias) for bias in (base_bias, self.visible_bias))
            log_weights += step * (before - after)
            log_weights += (F.softplus(then * hidden_input) - F.softplus(now * hidden_input)).sum(-1)
            hidden = sample_bernoulli(torch.sigmoid(then * hidden_input), generator)
            bias = base_bias + then * (self._visible_input(hidden) - base_bias)
            visible = self._draw_visible(bias, generator)
        return log_weights

    def estimate_log_partition(
        self,
        base_bias: Tensor,
        *,
        chains: int = 500,
        temperatures: int = 1000,
        generator: Generator | None = None,
    ) -> Tensor:
        """Estimate log Z by annealed importance sampling: the logarithm of the mean of `annealed_weights`.

        The estimate of Z has no bias, so that of log Z errs on the low side, and a likelihood made with it on the high
        side.

        Args:
            base_bias: as in `annealed_weights`, `(visible,)`; so are the others.
        """
        weights = self.annealed_weights(base_bias, chains=chains, temperatures=temperatures, generator=generator)
        return weights.logsumexp(0) - math.log(chains)

    def _log_sum(self, units: int, log_weight: Callable[[Tensor], Tensor], limited: str) -> Tensor:
        """Return log sum_x exp(log_weight(x)) over all states x of so many binary units.

        Raises:
            UsageError: they are too many; `limited` says of which layer.
        """
        if units > MOST_ENUMERABLE_UNITS:
            raise UsageError(
                "the partition function of this machine cannot be counted",
                expected=f"at most {MOST_ENUMERABLE_UNITS} {limited}",
                found=f"{self.num_visible} visible and {self.num_hidden} hidden",
                remedy="estimate_log_partition estimates it",
            )
        chunks = binary_states(units).split(1 << 14)
        return torch.cat([log_weight(states.to(self.weight)) for states in chunks]).logsumexp(0)


@final
class BernoulliRBM(RestrictedBoltzmannMachine):
    """Restricted Boltzmann machine of binary visible and binary hidden units.

    E(v, h) = -a.v - b.h - h.Wv, and p(v, h) = exp(-E(v, h)) / Z. Visible values between 0 and 1 are taken as
    probabilities. Sampling uses `generator`, or torch's own random state. Arguments are those of
    `RestrictedBoltzmannMachine`.

    References:
        Smolensky (1986), Information processing in dynamical systems: foundations of harmony theory.
        Hinton (2010), A practical guide to training restricted Boltzmann machines.

    >>> machine = BernoulliRBM(784, 500)
    >>> sum(parameter.numel() for parameter in machine.parameters())
    393284
    >>> machine(torch.zeros(2, 784)).shape
    torch.Size([2, 500])
    """

    def free_energy_gradients(self, visible: Tensor, shares: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return sum_n share_n F(v_n) and its gradients in the order of `parameters()`, without a graph.

        Rows are (rows, visible units) and shares (rows,). dF/dW = -p(h|v) v', dF/da = -v, dF/db = -p(h|v): for all rows
        together two matrix products and no more.
        """
        hidden_input = self._hidden_input(visible)
        total = -shares @ (visible @ self.visible_bias + F.softplus(hidden_input).sum(-1))
        activity = torch.sigmoid(hidden_input) * -shares.unsqueeze(-1)  # (batch, hidden)
        gradients = activity.T @ visible, -shares @ visible, activity.sum(0)
        return total, tuple(gradient.to(self.weight.dtype) for gradient in gradients)

    def visible_probabilities(self, hidden: Tensor) -> Tensor:
        """Return p(v = 1 | h), (rows, visible units), for h of (rows, hidden units)."""
        return torch.sigmoid(self._visible_input(hidden))

    @torch.no_grad()
    def reconstruct(self, visible: Tensor) -> Tensor:
        """Return p(v = 1 | h), (rows, visible units), for h at its mean given `visible`: up and down without noise."""
        return self.visible_probabilities(self.hidden_probabilities(visible))

    @torch.no_grad()
    def match_means(self, visible: Tensor) -> None:
        """Set a to the log odds log(p / (1 - p)) of the columns' means, so that hidden units need not learn them.

        Rows are (rows, visible units). One imagined row of each value keeps the odds finite.
        """
        means = (visible.sum(0) + 1) / (len(visible) + 2)
        self.visible_bias.copy_(torch.logit(means))

    @torch.no_grad()
    def conditional_log_likelihood(self, visible: Tensor, units: Tensor) -> Tensor:
        """Return log p(v_i | all other units) for the chosen units of every row.

        log p(v_i | rest) = v_i x - log(1 + exp(x)), where x = F(v with v_i = 0) - F(v with v_i = 1). Summed over all
        units it is the pseudo-likelihood of Besag (1975), which needs no partition function.

        Args:
            visible: `(batch, visible)`.
            units: Numbers of the units to ask for, `(batch, asked)`.
        """
        value = visible.gather(1, units)  # (batch, asked)
        weight = self.weight.T[units]  # (batch, asked, hidden)
        without = self._hidden_input(visible).unsqueeze(1) - value.unsqueeze(-1) * weight
        log_odds = (F.softplus(without + weight) - F.softplus(without)).sum(-1) + self.visible_bias[units]
        return value * log_odds - F.softplus(log_odds)

    @torch.no_grad()
    def log_partition(self) -> Tensor:
        """Return log Z, a single number in nats, exactly: by counting through all states of the smaller layer."""
        if self.num_hidden < self.num_visible:
            return self._log_sum(self.num_hidden, self._marginal, "units in one of the layers")
        return self._log_sum(self.num_visible, lambda visible: -self.free_energy(visible), "units in one of the layers")

    def _marginal(self, hidden: Tensor) -> Tensor:
        """Return log sum_v exp(-E(v, h)): the mirror image of the free energy."""
        return hidden @ self.hidden_bias + F.softplus(self._visible_input(hidden)).sum(-1)

    def _hidden_input(self, visible: Tensor) -> Tensor:
        return F.linear(visible, self.weight, self.hidden_bias)

    def _visible_input(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.weight.T, self.visible_bias)

    def _draw_visible(self, bias: Tensor, generator: Generator | None, coldness: Tensor | None = None) -> Tensor:
        return sample_bernoulli(torch.sigmoid(bias if coldness is None else coldness * bias), generator)

    def _independent_energy(self, visible: Tensor, bias: Tensor) -> Tensor:
        return -(visible @ bias)

    def _log_independent_partition(self, bias: Tensor) -> Tensor:
        return F.softplus(bias).sum()


def sample_bernoulli(probabilities: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw zeros and ones, compared in place; `torch.bernoulli` is several times slower on a CPU.

    >>> sample_bernoulli(torch.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    # Noise in the weights' own precision: sixteen-bit uniform numbers are too coarse to compare with.
    dtype = probabilities.dtype if probabilities.dtype == torch.float64 else torch.float32
    noise = torch.rand(probabilities.shape, generator=generator, dtype=dtype, device=probabilities.device)
    return noise.lt_(probabilities)


def spread_of_log_mean(weights: Tensor) -> float:
    """Return the standard error, in nats, of the logarithm of the mean of exp(weights), (chains,).

    >>> spread_of_log_mean(torch.zeros(10))
    0.0
    """
    shares = weights.double().softmax(0) * len(weights)  # of the mean, which is 1
    return float(shares.std() / math.sqrt(len(weights)))


def binary_states(units: int) -> Tensor:
    """Return all vectors of zeros and ones, (2^units, units), the first unit changing fastest.

    >>> binary_states(2).tolist()
    [[False, False], [True, False], [False, True], [True, True]]
    """
    return (torch.arange(1 << units).unsqueeze(1) >> torch.arange(units) & 1).bool()
