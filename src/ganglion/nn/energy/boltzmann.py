"""The Boltzmann machine of any connections: every unit may be joined to every other, visible and hidden alike.

Letters: s all units, v visible and h hidden ones, b biases, w_ij the weight between units i and j, T the temperature.
"""

from collections.abc import Sequence
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from ganglion.nn.energy.restricted import GibbsSampled, binary_states, sample_bernoulli

MOST_COUNTED = 16
"""Units, visible and hidden together, whose joint states are still counted one by one."""
MOST_HIDDEN_COUNTED = 12
"""Hidden units whose states are still counted for every row of visible ones."""
MEAN_FIELD_ROUNDS = 30
ANNEALING_STEPS = 300


class BoltzmannMachine(GibbsSampled):
    """Binary units joined in pairs, whose states have the probability p(s) = exp(-E(s) / T) / Z at temperature T.

    E(s) = -sum_i b_i s_i - sum_{i<j} w_ij s_i s_j, where s holds the visible units first. As a network it maps visible
    units to the probabilities of the hidden ones. What depends on hidden units is exact up to twelve of them, counted
    state by state, and by mean field beyond: a bound then, F too high.

    Args:
        num_visible: units that hold the data.
        num_hidden: units that are free.
        parts: sizes of groups of visible units; units of different groups are not joined directly.
        deviation: standard deviation of the initial weights.

    References:
        Ackley, Hinton and Sejnowski (1985), A learning algorithm for Boltzmann machines.

    >>> machine = BoltzmannMachine(8, 2, parts=(4, 4))
    >>> sum(parameter.numel() for parameter in machine.parameters())  # 6 + 6 + 16 + 1 pairs, 10 biases
    39
    >>> machine(torch.zeros(3, 8)).shape
    torch.Size([3, 2])
    """

    first: Tensor
    second: Tensor

    def __init__(
        self, num_visible: int, num_hidden: int, *, parts: Sequence[int] = (), deviation: float = 0.01
    ) -> None:
        super().__init__()
        self.num_visible, self.num_hidden = num_visible, num_hidden
        first, second = pairs(num_visible, num_hidden, parts)
        self.register_buffer("first", first, persistent=False)
        self.register_buffer("second", second, persistent=False)
        self.pair_weight = nn.Parameter(torch.randn(len(first)) * deviation)
        self.bias = nn.Parameter(torch.zeros(num_visible + num_hidden))

    def forward(self, visible: Tensor) -> Tensor:
        """Return p(h = 1 | v), (rows, hidden units), for v of (rows, visible units)."""
        return self.hidden_probabilities(visible)

    def extra_repr(self) -> str:
        return f"num_visible={self.num_visible}, num_hidden={self.num_hidden}, pairs={len(self.first)}"

    @property
    def num_units(self) -> int:
        return self.num_visible + self.num_hidden

    @property
    def counted(self) -> bool:
        """Whether all joint states are few enough to be counted."""
        return self.num_units <= MOST_COUNTED

    @property
    def couplings(self) -> Tensor:
        """w as a symmetric matrix, (units, units), zero where two units are not joined."""
        upper = self.bias.new_zeros(self.num_units, self.num_units)
        upper = upper.index_put((self.first, self.second), self.pair_weight.to(upper))
        return upper + upper.T

    @property
    def weight(self) -> Tensor:
        """w between hidden and visible units, (hidden, visible)."""
        return self.couplings[self.num_visible :, : self.num_visible]

    def energy(self, states: Tensor) -> Tensor:
        """Return E(s), (rows,), of all units together, (rows, units)."""
        return -(states @ self.bias) - 0.5 * ((states @ self.couplings) * states).sum(-1)

    def negative_energies(self, visible: Tensor) -> Tensor:
        """Return -E(v, h) of every row with every state of the hidden units, (rows, 2^hidden units)."""
        hidden = binary_states(self.num_hidden).to(visible)
        visible_bias, hidden_bias = self.bias[: self.num_visible], self.bias[self.num_visible :]
        couplings = self.couplings[: self.num_visible, : self.num_visible]
        alone = visible @ visible_bias + 0.5 * ((visible @ couplings) * visible).sum(-1)
        among = hidden @ hidden_bias + 0.5 * ((hidden @ self._among_hidden()) * hidden).sum(-1)
        return alone.unsqueeze(-1) + among + F.linear(visible, self.weight) @ hidden.T

    def free_energy(self, visible: Tensor) -> Tensor:
        """Return F(v) = -log sum_h exp(-E(v, h)), (rows,), for v of (rows, visible units).

        With more hidden units than can be counted it is min over m of E(v, m) - H(m), for independent hidden units of
        means m and entropy H: never below F.
        """
        if self.num_hidden <= MOST_HIDDEN_COUNTED:
            return -self.negative_energies(visible).logsumexp(-1)
        means = self.hidden_probabilities(visible)
        entropy = -(torch.xlogy(means, means) + torch.xlogy(1 - means, 1 - means)).sum(-1)
        return self.energy(torch.cat([visible, means], -1)) - entropy

    def hidden_probabilities(self, visible: Tensor) -> Tensor:
        """Return p(h = 1 | v), (rows, hidden units), for v of (rows, visible units)."""
        if self.num_hidden <= MOST_HIDDEN_COUNTED:
            return self.negative_energies(visible).softmax(-1) @ binary_states(self.num_hidden).to(visible)
        given, among = self._into_hidden(visible), self._among_hidden()
        means = torch.sigmoid(given)
        for _ in range(MEAN_FIELD_ROUNDS):
            means = 0.5 * (means + torch.sigmoid(given + means @ among))
        return means

    @torch.no_grad()
    def conditional_log_likelihood(self, visible: Tensor, units: Tensor) -> Tensor:
        """Return log p(v_i | all other visible units), (rows, asked), of chosen units (rows, asked).

        log p(v_i | rest) = log sigmoid(x) for v_i = 1 and log sigmoid(-x) for v_i = 0; x = F(v_i = 0) - F(v_i = 1).
        """
        rows = visible.unsqueeze(1).expand(-1, units.shape[1], -1)
        here = units.unsqueeze(-1)
        off, on = rows.scatter(2, here, 0.0), rows.scatter(2, here, 1.0)
        log_odds = self.free_energy(off.flatten(0, 1)) - self.free_energy(on.flatten(0, 1))
        return F.logsigmoid(log_odds.view_as(units) * (2 * visible.gather(1, units) - 1))

    @torch.no_grad()
    def reconstruct(self, visible: Tensor) -> Tensor:
        """Return p(v_i = 1 | all other units), (rows, visible units), for hidden units at their means given v."""
        states = torch.cat([visible, self.hidden_probabilities(visible)], -1)
        return torch.sigmoid(states @ self.couplings + self.bias)[:, : self.num_visible]

    @torch.no_grad()
    def gibbs_step(self, visible: Tensor, generator: Generator | None = None, temperature: float = 1.0) -> Tensor:
        """Draw the hidden units given v, (rows, visible units), then every visible unit given all others."""
        states = torch.cat([visible, self.sample_hidden(visible, generator, temperature)], -1)
        drawn = self.sweep(states, temperature, last=self.num_visible, generator=generator)
        return drawn[:, : self.num_visible]

    def sample_hidden(self, visible: Tensor, generator: Generator | None = None, temperature: float = 1.0) -> Tensor:
        """Draw h, (rows, hidden units): from p(h | v) where that is counted, by a sweep from mean field elsewhere."""
        if self.num_hidden <= MOST_HIDDEN_COUNTED:
            reached = (self.negative_energies(visible) / temperature).softmax(-1).cumsum(-1)
            drawn = torch.rand(len(visible), 1, generator=generator, device=visible.device)
            chosen = (reached < drawn.to(reached)).sum(-1).clamp(max=reached.shape[-1] - 1)
            return binary_states(self.num_hidden).to(visible)[chosen]
        states = torch.cat([visible, sample_bernoulli(self.hidden_probabilities(visible), generator)], -1)
        return self.sweep(states, temperature, start=self.num_visible, generator=generator)[:, self.num_visible :]

    def sweep(
        self,
        states: Tensor,
        temperature: float = 1.0,
        *,
        start: int = 0,
        last: int | None = None,
        generator: Generator | None = None,
    ) -> Tensor:
        """Draw unit after unit given all others, p(s_i = 1) = sigmoid((b_i + w_i.s) / T), from `start` up to `last`.

        Args:
            states: of all units, (rows, units).
            temperature: T; at a high one units hardly feel each other, near 0 each takes its better state.
        """
        states, couplings = states.clone(), self.couplings
        for unit in range(start, self.num_units if last is None else last):
            field = (states @ couplings[unit] + self.bias[unit]) / temperature
            states[:, unit] = sample_bernoulli(torch.sigmoid(field), generator).to(states)
        return states

    @torch.no_grad()
    def log_probabilities(self, temperature: float = 1.0) -> Tensor:
        """Return log p(s) of all joint states in the order of `binary_states`, (2^units,), at this temperature."""
        return (-self.energy(binary_states(self.num_units).to(self.bias)) / temperature).log_softmax(0)

    @torch.no_grad()
    def log_probability(self, visible: Tensor, temperature: float = 1.0) -> Tensor | None:
        """Return log p(v), (rows,), of visible units (rows, units); None where that is not counted."""
        if not self.counted:
            return None
        states = binary_states(self.num_units).to(self.bias)
        log_partition = (-self.energy(states) / temperature).logsumexp(0)
        return (self.negative_energies(visible) / temperature).logsumexp(-1) - log_partition

    @torch.no_grad()
    def log_partition(self) -> Tensor:
        """Return log Z, a single number in nats, by counting all joint states: for at most 16 units."""
        return (-self.energy(binary_states(self.num_units).to(self.bias))).logsumexp(0)

    @torch.no_grad()
    def annealed_weights(self, base_bias: Tensor, *, chains: int = 500, generator: Generator | None = None) -> Tensor:
        """Return log weights, (chains,), whose mean in the exponent is Z: all alike where states are counted.

        Elsewhere samples are carried from independent units to the machine and weighed on the way along
        p_t(s) ~ exp((1 - t) base.v - t E(s)), t from 0 to 1.

        Args:
            base_bias: log odds of independent visible units, (visible units,).
            chains: samples carried side by side.

        References:
            Neal (2001), Annealed importance sampling.
        """
        if self.counted:
            return self.log_partition().expand(chains)
        base = torch.cat([base_bias, base_bias.new_zeros(self.num_hidden)])
        states = sample_bernoulli(torch.sigmoid(base).expand(chains, -1), generator).to(self.bias)
        weights = F.softplus(base).sum().expand(chains).clone()
        for number in range(ANNEALING_STEPS):
            weights += (-self.energy(states) - states @ base) / ANNEALING_STEPS
            states = self._between(base, (number + 1) / ANNEALING_STEPS).sweep(states, generator=generator)
        return weights

    def _between(self, base: Tensor, share: float) -> "BoltzmannMachine":
        """Return the machine of E_t(s) = -(1 - t) base.s + t E(s)."""
        machine = BoltzmannMachine.__new__(BoltzmannMachine)
        nn.Module.__init__(machine)
        machine.num_visible, machine.num_hidden = self.num_visible, self.num_hidden
        machine.first, machine.second = self.first, self.second
        machine.pair_weight = nn.Parameter(share * self.pair_weight.detach(), requires_grad=False)
        machine.bias = nn.Parameter(share * self.bias.detach() + (1 - share) * base, requires_grad=False)
        return machine

    def _into_hidden(self, visible: Tensor) -> Tensor:
        return F.linear(visible, self.weight, self.bias[self.num_visible :])

    def _among_hidden(self) -> Tensor:
        return self.couplings[self.num_visible :, self.num_visible :]


def pairs(num_visible: int, num_hidden: int, parts: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
    """Return the units that are joined, two tensors of (pairs,) with the smaller number first.

    >>> [unit.tolist() for unit in pairs(2, 1)]
    [[0, 0, 1], [1, 2, 2]]
    >>> [unit.tolist() for unit in pairs(2, 1, parts=(1, 1))]
    [[0, 1], [2, 2]]
    """
    part = [number for number, size in enumerate(parts or (num_visible,)) for _ in range(size)] + num_hidden * [None]
    every = combinations(range(num_visible + num_hidden), 2)
    joined = [pair for pair in every if part[pair[1]] in (None, part[pair[0]])]
    return torch.tensor([first for first, _ in joined]), torch.tensor([second for _, second in joined])
