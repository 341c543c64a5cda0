"""Deep Q-learning: descend on the temporal-difference error against a frozen, slowly following copy of the network."""

from typing import Self, final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.core import Batch, LearningRule
from ganglion.errors import ConfigurationError
from ganglion.rules import compiled
from ganglion.rules.compiled import compiled_by
from ganglion.rules.descend import Descent, descend
from ganglion.rules.reinforcement.settings import QLearningSettings
from ganglion.rules.slices import rows_of_batch


def temporal_difference_targets(
    rewards: Tensor, terminated: Tensor, next_values: Tensor, discount: float | Tensor
) -> Tensor:  # (batch)
    """Return y = r + γ (1 - terminated) V(s').

    An episode that *terminated* has no future. One that was only cut off by a time limit (truncated) has: its
    `terminated` is false, and s' is the true last observation, not the first of the next episode.

    >>> temporal_difference_targets(torch.ones(2), torch.tensor([False, True]), torch.tensor([10.0, 10.0]), 0.5)
    tensor([6., 1.])
    """
    return rewards + discount * torch.where(terminated, 0.0, next_values)


@final
class QLearning(LearningRule):
    """Q-learning with a replay memory and a target network.

    Loss: Huber_δ(Q(s, a) - y) with y = r + γ max_a' Q'(s', a'), and for double Q-learning
    y = r + γ Q'(s', argmax_a' Q(s', a')): the network chooses the action, the target network judges it.
    Every `target_every` updates: θ' <- θ' + ρ (θ - θ'); `target_rate` ρ = 1 copies, a small ρ averages (Polyak).

    Args:
        network: maps observations to one value per action.
        target_network: a network of the same form; it is overwritten by `network` and frozen.
        discount: γ, worth of a reward one step later.
        double: choose the next action by `network` instead of by `target_network`.
        threshold: δ, the error up to which the loss is quadratic; larger errors pull no harder than this one.
        target_every: updates between two moves of the target network.
        target_rate: ρ, share of the way to `network` that the target network goes in one move.

    Batch: `observations`, `actions` (batch), `rewards` (batch), `next_observations`, `terminated` (batch, boolean);
    `discounts` (batch) where a transition leads several steps on: the power of γ at its end. `weights` (batch) where
    some count more than others: the loss is then the mean of w Huber_δ, and `tensors["errors"]` keeps Q(s, a) - y of
    the latest batch, by which a prioritised memory knows what surprised.

    Source: Mnih et al. 2015, https://doi.org/10.1038/nature14236; van Hasselt et al. 2016, arXiv:1509.06461.
    """

    def __init__(
        self,
        network: nn.Module,
        target_network: nn.Module,
        descent: Descent,
        *,
        discount: float = 0.99,
        double: bool = False,
        threshold: float = 1.0,
        target_every: int = 1000,
        target_rate: float = 1.0,
    ) -> None:
        if not 0 <= discount <= 1:
            raise ConfigurationError("discount must lie between 0 and 1", found=str(discount))
        if not 0 < target_rate <= 1:
            raise ConfigurationError("target_rate must lie above 0 and at most at 1", found=str(target_rate))
        if not threshold > 0:
            raise ConfigurationError("threshold must be above 0", found=str(threshold))
        if target_every < 1:
            raise ConfigurationError("target_every must be at least 1", found=str(target_every))
        target_network.load_state_dict(network.state_dict())
        self.networks = {"network": network, "target": target_network.requires_grad_(False)}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {"updates": 0}
        self.tensors: dict[str, Tensor] = {}
        self._errors: list[Tensor] = []
        """Of the micro-batches of the batch under way, where transitions are weighted."""
        self.descent = descent
        self.discount = discount
        self.double = double
        self.threshold = threshold
        self.target_every = target_every
        self.target_rate = target_rate

    @classmethod
    def of(cls, settings: QLearningSettings, network: nn.Module, target_network: nn.Module) -> Self:
        """Return the rule that a configuration describes, for two networks of one form."""
        return cls(
            network,
            target_network,
            settings.descent,
            discount=settings.discount,
            double=settings.double,
            threshold=settings.threshold,
            target_every=settings.target_every,
            target_rate=settings.target_rate,
        )

    def step(self, batch: Batch) -> dict[str, Tensor]:
        measured = self.network_phase(batch)
        self.counters["updates"] += 1
        if self.counters["updates"] % self.target_every == 0:
            self.target_phase(batch)
        return measured

    def network_phase(self, batch: Batch) -> dict[str, Tensor]:
        measured = descend(self.optimizers["network"], batch, self.objective, self.descent)
        if "weights" in batch:
            self.tensors["errors"] = rows_of_batch(self._errors)[-len(batch["weights"]) :]
            self._errors.clear()
        return measured

    @torch.no_grad()
    def target_phase(self, batch: Batch) -> None:
        """Move the target network towards the network, buffers copied outright; the batch has no part in it."""
        network, target = self.networks["network"], self.networks["target"]
        torch._foreach_lerp_(list(target.parameters()), list(network.parameters()), self.target_rate)
        for kept, current in zip(target.buffers(), network.buffers(), strict=True):
            kept.copy_(current)

    @compiled_by(compiled.q_learning)
    def objective(self, batch: Batch) -> dict[str, Tensor]:
        """Return the Huber loss of a batch and the mean value of the actions that were taken in it."""
        values = self.networks["network"](batch["observations"]).float()  # (batch, actions)
        taken = values.gather(1, batch["actions"].unsqueeze(1)).squeeze(1)  # (batch)
        targets = self.targets(batch)
        if "weights" in batch:
            self._errors.append((taken - targets).detach())
            losses = F.huber_loss(taken, targets, delta=self.threshold, reduction="none")
            loss = (batch["weights"] * losses).mean()
        else:
            loss = F.huber_loss(taken, targets, delta=self.threshold)
        return {"loss": loss, "action_value": taken.mean()}

    @torch.no_grad()
    def targets(self, batch: Batch) -> Tensor:
        """Return what Q(s, a) should have been, as the target network sees it."""
        following = batch["next_observations"]
        judged = self.networks["target"](following).float()  # (batch, actions)
        if self.double:
            chosen = self.networks["network"](following).argmax(1, keepdim=True)  # (batch, 1)
            next_values = judged.gather(1, chosen).squeeze(1)
        else:
            next_values = judged.amax(1)
        discount = batch.get("discounts", self.discount)
        return temporal_difference_targets(batch["rewards"], batch["terminated"], next_values, discount)
