"""The learning rule of Boltzmann machines: what is on together with the data, less what is in dreams."""

from typing import final

import torch
from torch import Tensor

from ganglion.core import Batch, LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.energy.boltzmann import BoltzmannMachine
from ganglion.nn.energy.restricted import binary_states, sample_bernoulli
from ganglion.rules.descend import Descent, apply_gradients, owned
from ganglion.rules.slices import summed

SCHEDULE = (2.0, 1.5, 1.2, 1.0)
"""Temperatures that chains cool down through, as 20, 15, 12, 10 in the paper, whose weights live at 10."""


@final
class BoltzmannLearning(LearningRule):
    """Follow the gradient of log p(v): d log p(v) / d w_ij = <s_i s_j>_data - <s_i s_j>_model.

    In the first mean the visible units are held at the data, in the second all units are free. Where all joint states
    can be counted both means are exact, otherwise chains cool down to temperature 1 and are averaged there. Each step
    measures the `loss` mean F(v) + log Z, which is -log p(v) in nats, where states are counted, and elsewhere the mean
    distance of the two means over all pairs.

    Args:
        machine: the network.
        descent: how the gradient becomes an update.
        exact: count states; None does so where there are few enough.
        sweeps: of every unit at temperature 1 that are averaged, after two at each temperature above it.
        noise: chance at which a unit that is on in the data is off for one step; those that are off are on at a third
            of it, so that the weights of clean patterns stay finite.

    References:
        Ackley, Hinton and Sejnowski (1985), A learning algorithm for Boltzmann machines.
    """

    def __init__(
        self,
        machine: BoltzmannMachine,
        descent: Descent,
        *,
        exact: bool | None = None,
        sweeps: int = 10,
        noise: float = 0.0,
        fixed_steps: bool = False,
    ) -> None:
        if exact and not machine.counted:
            raise ConfigurationError(
                "the joint states of this machine cannot be counted",
                expected="at most 16 units, visible and hidden together",
                found=f"{machine.num_visible} visible and {machine.num_hidden} hidden",
                remedy="leave exact out: then states are sampled",
            )
        if descent.accumulate > 1 or descent.optimizer == "lbfgs":
            raise ConfigurationError(
                "a Boltzmann machine counts what is on together: no objective to accumulate or to look at twice",
                found=f"accumulate {descent.accumulate}, optimizer {descent.optimizer}",
                remedy="accumulate 1, and another optimizer than lbfgs",
            )
        self.machine, self.descent = machine, descent
        self.exact = machine.counted if exact is None else exact
        self.sweeps, self.noise, self.fixed_steps = sweeps, noise, fixed_steps
        self.networks = {"machine": machine}
        self.optimizers = {"machine": descent.make_optimizer(machine)}
        self.counters, self.tensors = {}, {}

    @torch.no_grad()
    def step(self, batch: Batch) -> dict[str, Tensor]:
        visible = self.disturbed(batch["inputs"].flatten(1))
        found = summed(lambda rows: self._means(rows["visible"], len(visible)), {"visible": visible})
        held, free = found["held"], found["free"]
        downhill = (free - held).to(self.machine.bias)
        downhill = downhill.sign() if self.fixed_steps else downhill
        gradient_of = {
            self.machine.pair_weight: downhill[self.machine.first, self.machine.second],
            self.machine.bias: downhill.diagonal(),
        }
        loss = found["energy"] + self.machine.log_partition() if self.exact else (held - free).abs().mean()
        optimizer = self.optimizers["machine"]
        apply_gradients(optimizer, [gradient_of[parameter] for parameter in owned(optimizer)], self.descent)
        return {"loss": loss}

    def _means(self, visible: Tensor, count: int) -> dict[str, Tensor]:
        """Return what rows (rows, units) give to the two means over so many rows, and to that of the free energy."""
        share = len(visible) / count
        means = {"held": self.held(visible), "free": self.free(len(visible))}
        if self.exact:
            means["energy"] = self.machine.free_energy(visible).mean()
        return means if share == 1 else {name: share * value for name, value in means.items()}

    def disturbed(self, visible: Tensor) -> Tensor:
        """Return rows of visible units, (rows, units), some of whose units were turned over."""
        if not self.noise:
            return visible
        chance = torch.where(visible > 0, self.noise, self.noise / 3)
        turned = sample_bernoulli(chance).bool()
        return torch.where(turned, 1 - visible, visible)

    def held(self, visible: Tensor) -> Tensor:
        """Return <s_i s_j>, (units, units), with visible units held at rows (rows, units); <s_i> on the diagonal."""
        machine = self.machine
        if not self.exact:
            states = torch.cat([visible, visible.new_zeros(len(visible), machine.num_hidden)], -1)
            states[:, machine.num_visible :] = sample_bernoulli(machine.hidden_probabilities(visible))
            return self._cooled(states, machine.num_visible)
        hidden = binary_states(machine.num_hidden).to(visible)
        weights = machine.negative_energies(visible).softmax(-1) / len(visible)  # (rows, states)
        means, share = weights @ hidden, 1 / len(visible)
        across = visible.T @ means
        among = hidden.T @ (weights.sum(0).unsqueeze(-1) * hidden)
        return torch.cat([torch.cat([share * visible.T @ visible, across], 1), torch.cat([across.T, among], 1)], 0)

    def free(self, rows: int) -> Tensor:
        """Return <s_i s_j>, (units, units), of the machine left to itself, over so many chains if it is sampled."""
        machine = self.machine
        if not self.exact:
            return self._cooled(sample_bernoulli(torch.full((rows, machine.num_units), 0.5)).to(machine.bias), 0)
        states = binary_states(machine.num_units).to(machine.bias)
        return states.T @ (machine.log_probabilities().exp().unsqueeze(-1) * states)

    def _cooled(self, states: Tensor, start: int) -> Tensor:
        """Return <s_i s_j>, (units, units), of chains (rows, units) that cool down, the units before `start` held."""
        for temperature in SCHEDULE[:-1]:
            for _ in range(2):
                states = self.machine.sweep(states, temperature, start=start)
        total = states.new_zeros(states.shape[1], states.shape[1])
        for _ in range(self.sweeps):
            states = self.machine.sweep(states, SCHEDULE[-1], start=start)
            total += states.T @ states
        return total / (self.sweeps * len(states))
