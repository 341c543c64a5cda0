"""A rule of three phases and two home networks, small enough to follow by hand."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule, Phase
from ganglion.rules.descend import Descent, descend
from ganglion.rules.roles import TrainedRoles
from tests.training.toys import Points


class Climber(LearningRule):
    """Two layers with batch normalisation between them: the first learns, then the second, then both.

    The last phase begins by adding noise to the weights of the second, so that what `begin` does to weights shows.
    """

    home_roles = ("first", "second")
    phases = (
        Phase(name="bottom", roles=("first",)),
        Phase(name="top", share=2.0, roles=("second",), sizes={"copies": 2}),
        Phase(name="both", share=1.0, sizes={"copies": 3}),
    )

    def __init__(self) -> None:
        self.descent = Descent(optimizer="adam", learning_rate=0.05)
        self.networks = {
            "judge": nn.Linear(1, 1),
            "first": nn.Sequential(nn.Linear(1, 3), nn.BatchNorm1d(3)),
            "second": nn.Linear(3, 1),
        }
        self.counters = {"steps": 0, "phase": 0}
        self.tensors = {"last": torch.zeros(1)}
        self.roles = TrainedRoles(self.networks, self.descent.make_optimizer)
        self.optimizers = {}

    def begin(self, phase: Phase) -> None:
        self.counters["phase"] = self.phases.index(phase)
        self.optimizers = self.roles.train_only(phase.roles or self.home_roles)
        if phase.name == "both":
            with torch.no_grad():
                self.networks["second"].weight += 0.1 * torch.randn(1, 3)

    def step(self, batch: Batch) -> dict[str, Tensor]:
        self.counters["steps"] += 1
        self.tensors["last"] = batch["targets"][-1].clone()
        measured = {}
        for optimizer in self.optimizers.values():
            measured = descend(optimizer, batch, self.objective, self.descent)
        return measured

    def objective(self, batch: Batch) -> dict[str, Tensor]:
        inputs = batch["inputs"] + 0.1 * torch.randn_like(batch["inputs"])
        hidden = self.networks["first"](inputs)
        # The bottom is judged by itself, as a layer of a stack is.
        outputs = hidden.mean(1, keepdim=True) if self.counters["phase"] == 0 else self.networks["second"](hidden)
        return {"loss": (outputs - batch["targets"]).square().mean()}


class CopiedPoints:
    """Points that a phase asks for several copies of, and that remembers what it was told and what it handed out."""

    def __init__(self) -> None:
        self.points, self.copies = Points(), 1
        self.told: list[str] = []
        self.sizes: list[int] = []

    @property
    def epoch(self) -> int:
        return self.points.epoch

    @property
    def batches_per_epoch(self) -> int | None:
        return self.points.batches_per_epoch

    def __iter__(self) -> Iterator[Batch]:
        copies = self.copies
        for batch in self.points:
            self.sizes.append(copies)
            yield {name: value.repeat_interleave(copies, 0) for name, value in batch.items()}

    def begin(self, phase: Phase) -> None:
        self.told.append(phase.name)
        self.copies = phase.sizes.get("copies", 1)

    def state_dict(self) -> dict[str, Any]:
        return self.points.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.points.load_state_dict(state)


def error(rule: LearningRule) -> dict[str, float]:
    """Judge both home networks on points that they were not given, leaving the modes of their layers alone."""
    modes = [(module, module.training) for module in rule.home.modules()]
    inputs = torch.tensor([[-0.55], [0.35], [0.8]])
    with torch.no_grad():
        rule.home.eval()
        outputs = rule.home["second"](rule.home["first"](inputs))  # type: ignore[index]
    for module, mode in modes:
        module.training = mode
    return {"loss": float((outputs - 3 * inputs - 1).square().mean())}
