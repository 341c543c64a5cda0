"""The deep Boltzmann machine of two hidden layers: a restricted one whose upper layer is guessed by mean field.

Letters: v visible units, h the lower and u the upper hidden units, a, b and c their biases, W and U the weights between
v and h and between h and u, m and n the means of h and u given v.
"""

from typing import final

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ganglion.nn.energy.restricted import BernoulliRBM, binary_states, sample_bernoulli

MEAN_FIELD_ROUNDS = 10
"""Rounds through both hidden layers, as in the paper."""
AGAIN = 2
"""Rounds after a single visible unit has changed."""


@final
class DeepBoltzmannMachine(nn.Module):
    """Boltzmann machine of binary units in three layers, v, h and u, each of which is joined to the next.

    E(v, h, u) = -a.v - b.h - c.u - h.Wv - u.Uh, and p(v) = sum over h and u of exp(-E) / Z. Neither v nor u is joined
    within itself or with the other: together they are the one layer, and h the other, of a restricted Boltzmann machine
    (`joint`), by which chains run and Z is counted or estimated. What differs is that u is not seen. Given v,

    m = s(b + W v + U'n), n = s(c + U m), logistic s, in turns

    goes up with the bound log p(v) >= -F(v, n) + H(n) - log Z, F the free energy of `joint`, H the entropy.

    Args:
        num_visible: units that hold the data.
        num_hidden: units of the lower layer.
        num_upper: units of the upper layer.
        deviation: standard deviation of the initial weights.

    Source: Salakhutdinov and Hinton, Deep Boltzmann machines (2009).

    >>> machine = DeepBoltzmannMachine(784, 500, 1000)
    >>> sum(parameter.numel() for parameter in machine.parameters())
    894284
    >>> machine(torch.zeros(2, 784)).shape
    torch.Size([2, 1500])
    """

    def __init__(self, num_visible: int, num_hidden: int, num_upper: int, *, deviation: float = 0.01) -> None:
        super().__init__()
        self.num_visible, self.num_hidden, self.num_upper = num_visible, num_hidden, num_upper
        self.joint = BernoulliRBM(num_visible + num_upper, num_hidden, deviation=deviation)

    def forward(self, visible: Tensor) -> Tensor:
        """Return m and n side by side, (rows, lower and upper units), for v of (rows, visible units)."""
        return self.hidden_probabilities(visible)

    @property
    def weight(self) -> Tensor:
        """W, (lower units, visible units)."""
        return self.joint.weight[:, : self.num_visible]

    @property
    def upper_weight(self) -> Tensor:
        """U, (upper units, lower units)."""
        return self.joint.weight[:, self.num_visible :].T

    @property
    def upper_bias(self) -> Tensor:
        """c, (upper units,)."""
        return self.joint.visible_bias[self.num_visible :]

    def guess(self, visible: Tensor) -> Tensor:
        """Return a first n, (rows, upper units), by one pass upwards with twice W v, since nothing comes from above."""
        lower = torch.sigmoid(F.linear(visible, 2 * self.weight, self.joint.hidden_bias))
        return torch.sigmoid(F.linear(lower, self.upper_weight, self.upper_bias))

    def upper_means(self, visible: Tensor, start: Tensor | None = None, rounds: int = MEAN_FIELD_ROUNDS) -> Tensor:
        """Return n, (rows, upper units), by mean field given v, (rows, visible units).

        Args:
            start: n to begin with; the guess of one pass if not given.
            rounds: through both hidden layers.
        """
        upper = self.guess(visible) if start is None else start
        seen = F.linear(visible, self.weight, self.joint.hidden_bias)
        for _ in range(rounds):
            lower = torch.sigmoid(seen + upper @ self.upper_weight)
            upper = torch.sigmoid(F.linear(lower, self.upper_weight, self.upper_bias))
        return upper

    def filled(self, visible: Tensor) -> Tensor:
        """Return v and n side by side, (rows, visible and upper units): what `joint` learns from."""
        return torch.cat([visible, self.upper_means(visible)], dim=-1)

    def hidden_probabilities(self, visible: Tensor) -> Tensor:
        """Return m and n side by side, (rows, lower and upper units), for v of (rows, visible units)."""
        filled = self.filled(visible)
        return torch.cat([self.joint.hidden_probabilities(filled), filled[:, self.num_visible :]], dim=-1)

    def free_energy(self, visible: Tensor) -> Tensor:
        """Return F(v, n) - H(n), (rows,): never below -log sum over h and u of exp(-E)."""
        return self._bound(visible, self.upper_means(visible))

    def _bound(self, visible: Tensor, upper: Tensor) -> Tensor:
        entropy = F.binary_cross_entropy(upper, upper, reduction="none").sum(-1)
        return self.joint.free_energy(torch.cat([visible, upper], dim=-1)) - entropy

    @torch.no_grad()
    def log_likelihood(self, visible: Tensor) -> Tensor:
        """Return log p(v), (rows,), exactly: by counting all states of the upper layer, and of a layer for Z."""
        upper = binary_states(self.num_upper).to(visible)
        rows = [torch.cat([row.expand(len(upper), -1), upper], dim=1) for row in visible]
        counted = torch.stack([(-self.joint.free_energy(states)).logsumexp(0) for states in rows])
        return counted - self.joint.log_partition()

    @torch.no_grad()
    def conditional_log_likelihood(self, visible: Tensor, units: Tensor) -> Tensor:
        """Return log p(v_i | all other visible units), (rows, asked), of chosen units (rows, asked), by the bound.

        log p(v_i | rest) = log sigmoid(x) for v_i = 1 and log sigmoid(-x) for v_i = 0, where x is the free energy with
        v_i = 0 less that with v_i = 1, each after mean field has gone on from the n of v.
        """
        count = units.shape[1]
        rows = visible.unsqueeze(1).expand(-1, count, -1)
        start = self.upper_means(visible).repeat_interleave(count, 0)
        off, on = (rows.scatter(2, units.unsqueeze(-1), value).flatten(0, 1) for value in (0.0, 1.0))
        energies = [self._bound(changed, self.upper_means(changed, start, AGAIN)) for changed in (off, on)]
        log_odds = (energies[0] - energies[1]).view_as(units)
        return F.logsigmoid(log_odds * (2 * visible.gather(1, units) - 1))

    @torch.no_grad()
    def reconstruct(self, visible: Tensor) -> Tensor:
        """Return p(v = 1 | h), (rows, visible units), for h at its means given `visible`."""
        lower = self.joint.hidden_probabilities(self.filled(visible))
        return self.joint.visible_probabilities(lower)[:, : self.num_visible]

    @torch.no_grad()
    def wander(
        self, visible: Tensor, steps: int, generator: Generator | None = None, temperature: float = 1.0
    ) -> Tensor:
        """Return what v is expected to be, (rows, visible units), after steps of Gibbs sampling from v, u at its means.

        A step draws h given v and u, and then both of these given h.
        """
        states = torch.cat([visible, sample_bernoulli(self.upper_means(visible), generator)], dim=-1)
        for _ in range(steps):
            states = self.joint.gibbs_step(states, generator, temperature)
        return self.joint.reconstruct(states)[:, : self.num_visible]

    @torch.no_grad()
    def annealed_weights(self, base_bias: Tensor, *, chains: int = 500, generator: Generator | None = None) -> Tensor:
        """Return log weights, (chains,), whose mean in the exponent is Z, from independent units.

        Args:
            base_bias: log odds of the visible ones, (visible units,); the upper ones have c.
        """
        return self.joint.annealed_weights(torch.cat([base_bias, self.upper_bias]), chains=chains, generator=generator)
