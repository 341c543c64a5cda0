"""Deep Boltzmann learning: two layers learnt one after the other, then both by mean field and chains that run on."""

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.core import Batch, LearningRule, Phase
from ganglion.errors import ConfigurationError
from ganglion.nn.energy.deep import DeepBoltzmannMachine
from ganglion.nn.energy.restricted import sample_bernoulli
from ganglion.rules.descend import Descent, descend
from ganglion.rules.energy.contrastive import ContrastiveDivergence

LAYERS = ("lower layer", "upper layer")


@final
class DeepBoltzmann(LearningRule):
    """Learn each layer as if it were there twice, and then both together.

    Lower layer: v twice below h, so that h gets from below what will come from both sides; descended is the mean of
    F(v) - F(v'), F(v) = -2 a.v - sum log(1 + exp(b + 2 W v)), v' Gibbs steps from v.
    Upper layer: u twice above h, F(h) = -b.h - 2 sum log(1 + exp(c + U h)), h its means given the data.
    Both: contrastive divergence of the joint machine. Where the data leaves u open, u is at its means n given v, so the
    bound of log p(v) is climbed; the chains that stand for the model run on from update to update.

    Args:
        machine: the network.
        descent: how a gradient becomes an update when both layers learn.
        pretraining_descent: the same while one of them does.
        pretraining: share of the run that is spent on single layers, the same on each; 0 starts from random weights.
        gibbs_steps: of the chains between two updates.
        num_chains: that run side by side.
        temperatures, fast_rate: two ways for chains to get about; see `ContrastiveDivergence`.

    Source: Salakhutdinov and Hinton, Deep Boltzmann machines (2009).
    """

    def __init__(
        self,
        machine: DeepBoltzmannMachine,
        descent: Descent,
        *,
        pretraining_descent: Descent,
        pretraining: float = 0.5,
        gibbs_steps: int = 5,
        num_chains: int = 100,
        temperatures: int = 1,
        fast_rate: float = 0.0,
    ) -> None:
        if not 0 <= pretraining < 1:
            raise ConfigurationError("pretraining must lie from 0 to below 1", found=str(pretraining))
        self.machine, self.pretraining_descent, self.gibbs_steps = machine, pretraining_descent, gibbs_steps
        self.together = ContrastiveDivergence(
            machine.joint,
            descent,
            gibbs_steps=gibbs_steps,
            persistent=True,
            num_chains=num_chains,
            temperatures=temperatures,
            fast_rate=fast_rate,
        )
        self.networks = {"machine": machine}
        self.counters = {"layer": len(LAYERS), "updates": 0, "begun": 0}
        self.tensors = self.together.tensors
        if pretraining:
            layers = [Phase(name=name, share=pretraining / 2) for name in LAYERS]
            self.phases = (*layers, Phase(name="both", share=1 - pretraining))
        self.optimizers = self.together.optimizers

    def begin(self, phase: Phase) -> None:
        self.counters["layer"] = self.phases.index(phase)
        self.counters["updates"] = 0
        self.optimizers = {"machine": self.descent.make_optimizer(self.machine.joint)}
        self.together.optimizers = self.optimizers

    @property
    def descent(self) -> Descent:
        """How a gradient becomes an update in the phase that the rule is in."""
        return self.pretraining_descent if self.counters["layer"] < len(LAYERS) else self.together.descent

    def step(self, batch: Batch) -> dict[str, Tensor]:
        visible, layer = batch["inputs"].flatten(1), self.counters["layer"]  # (batch, visible)
        if not self.counters["updates"]:
            self._match_means(visible)
        self.counters["updates"] += 1
        if layer == len(LAYERS):
            return self._both(visible)
        before = {name: one.detach().clone() for name, one in self.machine.joint.named_parameters()}
        measured = descend(self.optimizers["machine"], batch, (self._lower, self._upper)[layer], self.descent)
        self._keep_the_other_layer(before)
        return measured

    @torch.no_grad()
    def _both(self, visible: Tensor) -> dict[str, Tensor]:
        """Learn both layers from data (batch, visible units); chains begin at the first of it."""
        filled = self.machine.filled(visible)
        if not self.counters["begun"]:
            rows = torch.arange(len(self.tensors["chains"]), device=filled.device) % len(filled)
            self.tensors["chains"] = sample_bernoulli(filled)[rows]
        self.counters["begun"] = 1
        return self.together.step({"inputs": filled})

    @torch.no_grad()
    def _keep_the_other_layer(self, before: dict[str, Tensor]) -> None:
        """Undo what weight decay and the like did to weights of the layer that is not being learnt."""
        count, joint = self.machine.num_visible, self.machine.joint
        other = slice(count, None) if self.counters["layer"] == 0 else slice(count)
        joint.weight[:, other] = before["weight"][:, other]
        joint.visible_bias[other] = before["visible_bias"][other]
        if self.counters["layer"]:
            joint.hidden_bias.copy_(before["hidden_bias"])

    @torch.no_grad()
    def _match_means(self, visible: Tensor) -> None:
        """Start a at the log odds of the first batch, (rows, visible units), so that hidden units need not learn them;
        not where a layer has learnt.
        """
        if self.counters["layer"] == 0 or not self.phases:
            means = (visible.sum(0) + 1) / (len(visible) + 2)
            self.machine.joint.visible_bias[: self.machine.num_visible] = torch.logit(means)

    def _lower(self, batch: Batch) -> dict[str, Tensor]:
        """Contrast the data with what h makes of it, v twice below h."""
        machine, joint = self.machine, self.machine.joint
        a, b = joint.visible_bias[: machine.num_visible], joint.hidden_bias

        def free_energy(visible: Tensor) -> Tensor:
            return -2 * (visible @ a) - F.softplus(F.linear(visible, 2 * machine.weight, b)).sum(-1)

        def step(visible: Tensor) -> Tensor:
            lower = sample_bernoulli(torch.sigmoid(F.linear(visible, 2 * machine.weight, b)))
            return torch.sigmoid(F.linear(lower, machine.weight.T, a))

        return self._contrast(free_energy, step, batch["inputs"].flatten(1))

    def _upper(self, batch: Batch) -> dict[str, Tensor]:
        """Contrast the means of h with what u makes of them, u twice above h."""
        machine, b, c = self.machine, self.machine.joint.hidden_bias, self.machine.upper_bias
        with torch.no_grad():
            data = torch.sigmoid(F.linear(batch["inputs"].flatten(1), 2 * machine.weight, b))

        def free_energy(lower: Tensor) -> Tensor:
            return -(lower @ b) - 2 * F.softplus(F.linear(lower, machine.upper_weight, c)).sum(-1)

        def step(lower: Tensor) -> Tensor:
            upward = torch.sigmoid(F.linear(lower, machine.upper_weight, c))
            both = sample_bernoulli(upward) + sample_bernoulli(upward)
            return torch.sigmoid(F.linear(both, machine.upper_weight.T, b))

        return self._contrast(free_energy, step, data)

    def _contrast(
        self, free_energy: Callable[[Tensor], Tensor], step: Callable[[Tensor], Tensor], data: Tensor
    ) -> dict[str, Tensor]:
        """Return the mean of F(v) - F(v'), v' a Gibbs step from the data, (batch, units)."""
        with torch.no_grad():
            then = step(data)
        loss = (free_energy(data) - free_energy(then)).mean()
        return {"loss": loss, "reconstruction_error": F.mse_loss(then, data)}
