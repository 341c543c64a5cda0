"""The restricted Boltzmann machine of real-valued data: a mixture of as many Gaussians as its hidden units have states.

Letters: v visible units, h hidden units, a and b their biases, W weights between them, s standard deviations of the
visible units given the hidden ones, Z the partition function.
"""

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from ganglion.nn.energy.restricted import RestrictedBoltzmannMachine

LEAST_VARIANCE = 0.01
"""Of a visible unit given the hidden ones: a unit that never changes would otherwise be worth any likelihood."""
REACH = 8.0
"""Standard deviations around the outermost means within which a unit's density is summed up."""


def normal(like: Tensor, shape: torch.Size | tuple[int, ...], generator: Generator | None = None) -> Tensor:
    """Draw standard normal numbers of a shape, of the type and on the device of another tensor."""
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)


@final
class GaussianRBM(RestrictedBoltzmannMachine):
    """Restricted Boltzmann machine of Gaussian visible and binary hidden units.

    E(v, h) = u.u / 2 - b.h - h.Wu with u = (v - a) / s, so that

    p(v_i | h) = N(a_i + s_i W'_i.h, s_i^2),  p(h_j = 1 | v) = sigmoid(b_j + W_j.u), and
    F(v) = u.u / 2 - sum_j log(1 + exp(b_j + W_j.u)).

    It begins with weights of a tenth, since from smaller ones it is long before it leaves independent Gaussians.
    Hidden units look at u, not at v / s as in the sources: the same machines, with a part of b taken out, and
    learnt sooner. Variances are learnt: s^2 = 0.01 + exp(z). It expects standardised data. Arguments are those of
    `RestrictedBoltzmannMachine`; sampling uses `generator`, or torch's own random state.

    References:
        Hinton (2010), A practical guide to training restricted Boltzmann machines, section 13.2.
        Cho, Ilin, Raiko (2011), Improved learning of Gaussian-Bernoulli restricted Boltzmann machines.

    >>> machine = GaussianRBM(64, 100)
    >>> sum(parameter.numel() for parameter in machine.parameters())
    6628
    >>> machine(torch.zeros(2, 64)).shape
    torch.Size([2, 100])
    """

    def __init__(self, num_visible: int, num_hidden: int, *, deviation: float = 0.1) -> None:
        super().__init__(num_visible, num_hidden, deviation=deviation)
        self.log_variance = nn.Parameter(torch.full((num_visible,), math.log(1 - LEAST_VARIANCE)))

    @property
    def deviation(self) -> Tensor:
        """s of every visible unit, (visible units,)."""
        return (LEAST_VARIANCE + self.log_variance.exp()).sqrt()

    def free_energy_gradients(self, visible: Tensor, shares: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return sum_n share_n F(v_n) and its gradients in the order of `parameters()`, without a graph.

        Rows are (rows, visible units) and shares (rows,). With p = p(h = 1 | v) and d = dF/du = u - W'p: dF/dW = -p u',
        dF/da = -d / s, dF/db = -p, dF/ds = -d u / s.
        """
        deviation, scaled, weighed = self.deviation, self._scaled(visible), shares.unsqueeze(-1)
        hidden_input = F.linear(scaled, self.weight, self.hidden_bias)
        total = shares @ (scaled.square().sum(-1) / 2 - F.softplus(hidden_input).sum(-1))
        activity = torch.sigmoid(hidden_input)  # (rows, hidden)
        slopes = weighed * (scaled - activity @ self.weight)
        activity = activity * -weighed
        gradients = (
            activity.T @ scaled,
            -slopes.sum(0) / deviation,
            activity.sum(0),
            -(slopes * scaled).sum(0) * self.log_variance.exp() / (2 * deviation.square()),
        )
        return total, tuple(gradient.to(self.weight.dtype) for gradient in gradients)

    def visible_means(self, hidden: Tensor) -> Tensor:
        """Return E[v | h] = a + s W'h, (rows, visible units), for h of (rows, hidden units)."""
        return self._visible_input(hidden)

    @torch.no_grad()
    def reconstruct(self, visible: Tensor) -> Tensor:
        """Return E[v | h], (rows, visible units), for h at its mean given `visible`: up and down without noise."""
        return self.visible_means(self.hidden_probabilities(visible))

    @torch.no_grad()
    def match_means(self, visible: Tensor) -> None:
        """Set a and s^2 to means and variances of the columns, (rows, visible units): independent Gaussians.

        One imagined row of variance 1 keeps variances away from 0.
        """
        self.visible_bias.copy_(visible.mean(0))
        variance = ((visible - visible.mean(0)).square().sum(0) + 1) / (len(visible) + 1)
        self.log_variance.copy_((variance - LEAST_VARIANCE).clamp(min=LEAST_VARIANCE).log())

    @torch.no_grad()
    def conditional_log_likelihood(self, visible: Tensor, units: Tensor) -> Tensor:
        """Return log p(v_i | all other units), densities in nats, for the chosen units of every row.

        log p(v_i | rest) = -F(v) - log of the integral of exp(-F(v with v_i = x)) over x. As a function of x that is a
        mixture of Gaussians of deviation s_i, whose sum over places at most s_i apart is the integral to eight digits.

        Args:
            visible: `(rows, visible units)`.
            units: Numbers of the units to ask for, `(rows, asked)`.
        """
        value, weight = self._scaled(visible).gather(1, units), self.weight.T[units]  # (rows, asked, hidden)
        without = self._hidden_input(visible).unsqueeze(1) - value.unsqueeze(-1) * weight

        def log_density(scaled: Tensor) -> Tensor:
            active = F.softplus(torch.addcmul(without, scaled.unsqueeze(-1), weight)).sum(-1)
            return active - scaled.square() / 2

        lowest = self.weight.clamp(max=0).sum(0)[units] - REACH
        highest = self.weight.clamp(min=0).sum(0)[units] + REACH
        places = int((highest - lowest).max()) + 1
        step, integral = (highest - lowest) / places, torch.full_like(value, -math.inf)
        for number in range(places + 1):
            integral = torch.logaddexp(integral, log_density(lowest + number * step))
        return log_density(value) - integral - (step * self.deviation[units]).log()

    @torch.no_grad()
    def log_partition(self) -> Tensor:
        """Return log Z, a single number in nats, exactly: by counting through all states of the hidden units."""
        return self._log_sum(self.num_hidden, self._marginal, "hidden units")

    def _marginal(self, hidden: Tensor) -> Tensor:
        """Return the logarithm of the integral of exp(-E(v, h)) over v, (rows,)."""
        return (
            hidden @ self.hidden_bias
            + (hidden @ self.weight).square().sum(-1) / 2
            + self._log_independent_partition(self.visible_bias)
        )

    def _log_independent_partition(self, bias: Tensor) -> Tensor:
        return self.deviation.log().sum() + self.num_visible * math.log(2 * math.pi) / 2  # wherever their means are

    def _independent_energy(self, visible: Tensor, bias: Tensor) -> Tensor:
        return ((visible - bias) / self.deviation).square().sum(-1) / 2

    def _draw_visible(self, bias: Tensor, generator: Generator | None, coldness: Tensor | None = None) -> Tensor:
        deviation = self.deviation if coldness is None else self.deviation / coldness.sqrt()
        return bias + deviation * normal(bias, bias.shape, generator)

    def _visible_input(self, hidden: Tensor) -> Tensor:
        return self.visible_bias + self.deviation * (hidden @ self.weight)

    def _scaled(self, visible: Tensor) -> Tensor:
        """Return u = (v - a) / s of every row."""
        return (visible - self.visible_bias) / self.deviation

    def _hidden_input(self, visible: Tensor) -> Tensor:
        return F.linear(self._scaled(visible), self.weight, self.hidden_bias)
