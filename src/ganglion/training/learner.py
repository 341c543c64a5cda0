"""How a rule learns from one batch: where, in which numbers, watched by whom, and what is averaged on the way."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, final

import torch
from torch import Tensor

from ganglion.core import Batch, Gradual, LearningRule
from ganglion.core.team import Team, learning
from ganglion.errors import CheckpointError
from ganglion.training.averaging import WeightAverage
from ganglion.training.gpu.capture import Capture, capture
from ganglion.training.gpu.guard import Guard, guard
from ganglion.training.machine.device import computing, to_device
from ganglion.training.processes import sharding
from ganglion.training.recovery import Recovery, check_finite
from ganglion.training.settings import TrainerSettings


@final
class Learner:
    """Makes the steps of a rule on a device, and knows the weights that are judged and taken home.

    Args:
        rule: whose networks are on the device already.
        settings: precision, averaging, and what is done about numbers that are not finite.
        device: where steps are made.
        tell: is told why steps cannot be recorded on a GPU.
        team: the processes that make steps together; None where this one makes them alone.
    """

    def __init__(
        self,
        rule: LearningRule,
        settings: TrainerSettings,
        device: torch.device,
        tell: Callable[[str], None],
        team: Team | None = None,
    ) -> None:
        self.rule, self.settings, self.device, self.team = rule, settings, device, team
        self.recovery = Recovery(settings.non_finite)
        if team is not None and team.sharded:
            sharding.spread(rule, device, team)
        self.begin_anew(tell)

    @property
    def sharded(self) -> bool:
        """Whether this process keeps only a part of each weight."""
        return self.team is not None and self.team.sharded

    def begin_anew(self, tell: Callable[[str], None]) -> None:
        """Average from the present weights on, and watch the present optimizers."""
        rule, settings = self.rule, self.settings
        self.average = WeightAverage(rule.home, settings.ema_decay) if settings.ema_decay else None
        self.guard: Guard | None = None
        if settings.non_finite == "stop":
            self.guard = guard(rule.optimizers.values(), self.device)
        self.capture: Capture | None = None
        if self.team is None:  # what processes say to each other cannot be recorded
            self.capture = capture(rule, self.device, settings, self.guard is not None, tell)

    def learn(self, batch: Batch, number: int, share: float) -> dict[str, Tensor]:
        """Learn from batch `number` of the run and return what was measured, nothing where it was passed over.

        Args:
            share: of the phase that is done.
        """
        if isinstance(self.rule, Gradual):
            self.rule.reach(share)
        with learning(self.team, self.rule.networks, number):
            measured = self.recovery.learn(self._step, self.rule, batch, number)
        if self.guard:
            self.guard.count()
        if measured and self.average:
            self.average.update()
        return measured

    def _step(self, batch: Batch) -> dict[str, Tensor]:
        batch = to_device(batch, self.device)
        if self.capture:
            return self.capture(batch)
        with computing(self.settings.precision, self.device):
            return self.rule.step(batch)

    def refuse_not_finite(self, iteration: int) -> None:
        """Raise `NonFiniteError` if a device held updates back; without a guard that was found out in the step."""
        if self.guard:
            self.guard.refuse_not_finite(iteration)

    def averaged(self) -> AbstractContextManager[None]:
        """Put the averaged weights, where they are kept, in the place of those that are trained, for so long."""
        return self.average.in_place() if self.average else nullcontext()

    def home_weights(self) -> dict[str, Tensor]:
        """Return the weights that are judged and taken home."""
        return self.average.weights() if self.average else self.rule.home.state_dict()

    def take_home(self, weights: dict[str, Tensor] | None) -> None:
        """Let the rule's home have the best weights, or those of now; where each process has a part, it keeps that."""
        if not self.sharded:
            self.rule.home.load_state_dict(weights or self.home_weights())

    def release(self) -> None:
        """Give back the memory of recorded steps."""
        if self.capture:
            self.capture.forget()

    def check_finite(self, iteration: int) -> None:
        """Raise `NonFiniteError` if a weight is no number after so many iterations."""
        average = self.average.state_dict() if self.average else {}
        networks = {role: network.state_dict() for role, network in self.rule.networks.items()}
        check_finite({"networks": networks, "average": average} | self.rule.tensors, iteration)

    def state_dict(self) -> dict[str, Any]:
        rule = self.rule.state_dict()
        if self.sharded:
            rule = sharding.whole(rule)
            parts = {"networks": rule.pop("networks"), "optimizers": rule.pop("optimizers"), "rule": rule}
            return {"weights": sharding.whole(self.home_weights()), **parts, "average": None}
        return {
            "weights": self.home_weights(),
            "networks": rule.pop("networks"),
            "optimizers": rule.pop("optimizers"),
            "rule": rule,
            "average": self.average.state_dict() if self.average else None,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if (self.average is None) != (state["average"] is None):
            raise CheckpointError(
                "the checkpoint and the settings disagree on ema_decay",
                where="config.json",
                remedy="put the original file back, or start a new run",
            )
        self.release()  # the tensors that a recorded step works on
        saved = {**state["rule"], "networks": state["networks"], "optimizers": state["optimizers"]}
        if self.sharded:
            saved = sharding.parts_of(saved, self.rule)
        self.rule.load_state_dict(saved)
        if self.average:
            self.average.load_state_dict(state["average"])
