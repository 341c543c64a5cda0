"""Contrastive divergence: lower the energy of the data, raise that of what the model makes of it."""

from typing import cast, final

import torch
from torch import Tensor, nn

from ganglion.core import Batch, EnergyModel, LearningRule
from ganglion.errors import ConfigurationError
from ganglion.rules.descend import Descent, apply_gradients, owned


@final
class ContrastiveDivergence(LearningRule):
    """Follow the gradient of log p(v), with k steps of Gibbs sampling in the place of its model expectation.

    -d log p(v0) / dw = dF(v0)/dw - E_model[dF(v)/dw], and E_model ~ the mean over v_k, k steps along a chain. CD-k
    starts the chain at the data; persistent CD lets a set of chains run on from update to update, so that with a small
    learning rate they stay close to samples of the model.

    Each step measures the `loss` mean F(v0) - mean F(v_k), the one whose gradient is followed. It tells how far apart
    data and chains are, not how good the model is: it stays near zero when both drift together.

    Args:
        machine: the network, an `EnergyModel`.
        descent: how the gradient becomes an update.
        gibbs_steps: the k above.
        persistent: let the chains run on instead of starting them at the data.
        num_chains: how many persistent chains.
        start_from_means: set the visible biases from the first batch, before the first update.

    References:
        Hinton (2002), Training products of experts by minimizing contrastive divergence.
        Tieleman (2008), Training restricted Boltzmann machines using approximations to the likelihood gradient.
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
    ) -> None:
        _check(descent, gibbs_steps, num_chains)
        network = cast(nn.Module, machine)
        self.machine, self.descent = machine, descent
        self.gibbs_steps, self.persistent, self.start_from_means = gibbs_steps, persistent, start_from_means
        self.networks = {"machine": network}
        self.optimizers = {"machine": descent.make_optimizer(network)}
        self.counters = {"updates": 0}
        like = next(network.parameters())
        self.tensors = {"chains": like.new_zeros(num_chains, machine.num_visible)} if persistent else {}

    @torch.no_grad()
    def step(self, batch: Batch) -> dict[str, Tensor]:
        data = batch["inputs"].flatten(1)  # (batch, visible)
        if self.start_from_means and self.counters["updates"] == 0:
            self.machine.match_means(data)
        self.counters["updates"] = 1  # none or some, no more is asked for: so steps stay alike
        model = self.negative_samples(data)
        shares = torch.cat([_equal_shares(data), -_equal_shares(model)])
        loss, gradients = self.machine.free_energy_gradients(torch.cat([data, model]), shares)
        gradient_of = dict(zip(self.networks["machine"].parameters(), gradients, strict=True))
        optimizer = self.optimizers["machine"]
        apply_gradients(optimizer, [gradient_of[parameter] for parameter in owned(optimizer)], self.descent)
        return {"loss": loss}

    def negative_samples(self, data: Tensor) -> Tensor:
        """Return what the model makes of the data, (rows, units), or where its persistent chains have got to."""
        visible = self.tensors["chains"].to(data.device) if self.persistent else data
        for _ in range(self.gibbs_steps):
            visible = self.machine.gibbs_step(visible)
        if self.persistent:
            self.tensors["chains"] = visible
        return visible


def _equal_shares(rows: Tensor) -> Tensor:
    return rows.new_full((len(rows),), 1 / len(rows))


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
