"""Contrastive divergence: lower the energy of the data, raise that of what the model makes of it."""

import copy
from typing import cast, final

import torch
from torch import Tensor, nn

from ganglion.core import Batch, EnergyModel, LearningRule
from ganglion.errors import ConfigurationError
from ganglion.rules.descend import Descent, apply_gradients, owned
from ganglion.rules.ratings import filled
from ganglion.rules.slices import rows_of_batch, summed

FAST = "fast."
"""Before the names of the fast weights among the tensors of the rule."""
FAST_DECAY = 0.95


@final
class ContrastiveDivergence(LearningRule):
    """Follow the gradient of log p(v), with k steps of Gibbs sampling in the place of its model expectation.

    -d log p(v0) / dw = dF(v0)/dw - E_model[dF(v)/dw], and E_model ~ the mean over v_k, k steps along a chain. CD-k
    starts the chain at the data; persistent CD lets a set of chains run on from update to update, so that with a small
    learning rate they stay close to samples of the model.

    Each step measures the `loss` mean F(v0) - mean F(v_k), the one whose gradient is followed. It tells how far apart
    data and chains are, not how good the model is: it stays near zero when both drift together.

    A batch has `inputs` (batch, ...), or rows of which most entries are unknown, as `MaskedReconstruction` takes them.

    Args:
        machine: the network, an `EnergyModel`.
        descent: how the gradient becomes an update.
        gibbs_steps: the k above.
        persistent: let the chains run on instead of starting them at the data.
        num_chains: how many persistent chains.
        start_from_means: set the visible biases from the first batch, before the first update.
        temperatures: coldnesses at which as many sets of chains run, from 1, the model, to 0, where nothing holds them;
            they exchange states, so that the model's own come about (parallel tempering).
        fast_rate: learning rate of weights that only the chains feel and that decay by a twentieth at every update:
            they drive the chains away from where they are (fast persistent CD).

    References:
        Hinton (2002), Training products of experts by minimizing contrastive divergence.
        Tieleman (2008), Training restricted Boltzmann machines using approximations to the likelihood gradient.
        Tieleman and Hinton (2009), Using fast weights to improve persistent contrastive divergence.
        Desjardins et al. (2010), Tempered Markov chain Monte Carlo for training of restricted Boltzmann machines.
    """

    def __init__(
        self,
        machine: EnergyModel,
        descent: Descent,
        *,
        gibbs_steps: int = 1,
        persistent: bool = False,
        num_chains: int = 64,
        start_from_means: bool = False,
        temperatures: int = 1,
        fast_rate: float = 0.0,
    ) -> None:
        _check(descent, gibbs_steps, num_chains)
        if (temperatures > 1 or fast_rate) and not persistent:
            raise ConfigurationError(
                "temperatures and fast weights are for chains that run on",
                expected="persistent true",
                found=f"temperatures {temperatures}, fast_rate {fast_rate}",
                remedy="set persistent, or leave both out",
            )
        if temperatures > 1 and fast_rate:
            raise ConfigurationError(
                "fast weights move the very chains that temperatures weigh against each other",
                expected="temperatures 1, or fast_rate 0",
                remedy="choose one of the two",
            )
        network = cast(nn.Module, machine)
        self.machine, self.descent = machine, descent
        self.gibbs_steps, self.persistent, self.start_from_means = gibbs_steps, persistent, start_from_means
        self.networks = {"machine": network}
        self.optimizers = {"machine": descent.make_optimizer(network)}
        self.counters = {"updates": 0}
        like = next(network.parameters())
        self.coldness = torch.linspace(1, 0, temperatures).repeat_interleave(num_chains) if temperatures > 1 else None
        rows = num_chains * temperatures
        self.tensors = {"chains": like.new_zeros(rows, machine.num_visible)} if persistent else {}
        self.fast_rate, self._moved = fast_rate, copy.deepcopy(machine) if fast_rate else machine
        if fast_rate:
            self.tensors |= {FAST + name: torch.zeros_like(one) for name, one in network.named_parameters()}

    @torch.no_grad()
    def step(self, batch: Batch) -> dict[str, Tensor]:
        if "ratings" in batch:
            data = filled(batch["places"], batch["ratings"], self.machine.num_visible)
        else:
            data = batch["inputs"].flatten(1)  # (batch, visible)
        if self.start_from_means and self.counters["updates"] == 0:
            self.machine.match_means(data)
        self.counters["updates"] = 1  # none or some, no more is asked for: so steps stay alike
        loss, gradients = self._slopes(data)
        gradient_of = dict(zip(self.networks["machine"].parameters(), gradients, strict=True))
        optimizer = self.optimizers["machine"]
        if self.fast_rate:
            for name, parameter in self.networks["machine"].named_parameters():
                fast = self.tensors[FAST + name].to(parameter.device)
                self.tensors[FAST + name] = FAST_DECAY * fast - self.fast_rate * gradient_of[parameter]
        apply_gradients(optimizer, [gradient_of[parameter] for parameter in owned(optimizer)], self.descent)
        return {"loss": loss}

    def _slopes(self, data: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the loss and its gradient, and let persistent chains move on."""
        chains, left = self._chains(data), list[Tensor]()

        def of_slice(rows: Batch) -> dict[str, Tensor]:
            left.append(self._moved_on(rows["chains"]))
            own, model = rows["data"], self._of_model(left[-1])
            dreamt = len(model) * len(chains) // len(rows["chains"])  # by all processes together
            shares = torch.cat([_equal_shares(own, len(data)), -_equal_shares(model, dreamt)])
            loss, gradients = self.machine.free_energy_gradients(torch.cat([own, model]), shares)
            return {"loss": loss, **{str(number): gradient for number, gradient in enumerate(gradients)}}

        found = summed(of_slice, {"data": data, "chains": chains}, whole=self.coldness is not None)
        if self.persistent:
            self.tensors["chains"] = rows_of_batch(left)
        loss, *gradients = found.values()
        return loss, gradients

    def negative_samples(self, data: Tensor) -> Tensor:
        """Return what the model makes of the data, (rows, units), or where its persistent chains have got to."""
        visible = self._moved_on(self._chains(data))
        if self.persistent:
            self.tensors["chains"] = visible
        return self._of_model(visible)

    def _chains(self, data: Tensor) -> Tensor:
        return self.tensors["chains"].to(data.device) if self.persistent else data

    def _of_model(self, visible: Tensor) -> Tensor:
        """Return the chains of coldness 1."""
        return visible if self.coldness is None else visible[: int((self.coldness == 1).sum())]

    def _moved_on(self, visible: Tensor) -> Tensor:
        if self.fast_rate:
            moved, steady = cast(nn.Module, self._moved), self.networks["machine"]
            for (name, one), own in zip(steady.named_parameters(), moved.parameters(), strict=True):
                own.data = one.data + self.tensors[FAST + name].to(one.device)
        for _ in range(self.gibbs_steps):
            visible = self._moved.gibbs_step(visible) if self.coldness is None else self._exchange(visible)
        return visible

    def _exchange(self, visible: Tensor) -> Tensor:
        """Move chains of all temperatures a step, (rows, units), and let neighbours exchange their states.

        States of coldness b and b' are exchanged with probability min(1, exp((b - b') (E - E'))).
        """
        assert self.coldness is not None
        coldness = self.coldness.to(visible)
        visible, energy = self.machine.tempered_step(visible, coldness)
        count = int((coldness == 1).sum())
        states, energies, levels = visible.view(-1, count, visible.shape[1]), energy.view(-1, count), coldness[::count]
        for first in (0, 1):
            here, there = torch.arange(first, len(levels) - 1, 2), torch.arange(first + 1, len(levels), 2)
            if not len(here):
                continue
            odds = (levels[here] - levels[there]).unsqueeze(1) * (energies[here] - energies[there])
            swap = torch.rand_like(odds).log() < odds
            for values, chosen in ((states, swap.unsqueeze(-1)), (energies, swap)):
                low, high = values[here].clone(), values[there].clone()
                values[here], values[there] = torch.where(chosen, high, low), torch.where(chosen, low, high)
        return states.reshape(visible.shape)


def _equal_shares(rows: Tensor, count: int) -> Tensor:
    return rows.new_full((len(rows),), 1 / count)


def _check(descent: Descent, gibbs_steps: int, num_chains: int) -> None:
    for name, value in (("gibbs_steps", gibbs_steps), ("num_chains", num_chains)):
        if value < 1:
            raise ConfigurationError(f"{name} must be at least 1", found=str(value))
    if descent.accumulate > 1:
        raise ConfigurationError(
            "contrastive divergence has nothing to accumulate",
            found=f"accumulate {descent.accumulate}",
            remedy="leave it at 1: no graph is built, so a large batch needs little memory",
        )
    if descent.optimizer == "lbfgs":
        raise ConfigurationError(
            "contrastive divergence has no objective that LBFGS could look at twice", remedy="choose another optimizer"
        )
