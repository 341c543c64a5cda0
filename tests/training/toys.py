"""A rule and a loader small enough to follow by hand."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule, Phase
from ganglion.rules.descend import Descent, descend


class Line(LearningRule):
    """Fits y = w x + b with dropout noise, so that a lost random state shows."""

    def __init__(self, descent: Descent | None = None, noise: float = 0.1) -> None:
        self.descent = descent or Descent(optimizer="adam", learning_rate=0.05)
        self.networks = {"line": nn.Linear(1, 1)}
        self.optimizers = {"line": self.descent.make_optimizer(self.home)}
        self.counters = {"steps": 0}
        self.tensors: dict[str, Tensor] = {}
        self.noise = noise

    def step(self, batch: Batch) -> dict[str, Tensor]:
        self.counters["steps"] += 1
        return descend(self.optimizers["line"], batch, self.objective, self.descent)

    def objective(self, batch: Batch) -> dict[str, Tensor]:
        inputs = batch["inputs"] + self.noise * torch.randn_like(batch["inputs"])
        return {"loss": (self.home(inputs) - batch["targets"]).square().mean()}


class Points:
    """Batches of a line's points in an order that depends on seed and epoch."""

    def __init__(self, samples: int = 20, batch_size: int = 4, seed: int = 0) -> None:
        self.inputs = torch.linspace(-1, 1, samples)[:, None]
        self.batch_size, self.seed, self.epoch, self.position = batch_size, seed, 0, 0
        self.batches_per_epoch: int | None = samples // batch_size

    def __iter__(self) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(self.seed * 1000 + self.epoch)
        parts = torch.randperm(len(self.inputs), generator=generator).split(self.batch_size)
        for part in parts[self.position :]:
            self.position += 1
            if self.position == len(parts):
                self.epoch, self.position = self.epoch + 1, 0
            yield {"inputs": self.inputs[part], "targets": 3 * self.inputs[part] + 1, "index": part}

    def begin(self, phase: Phase) -> None:
        """Points have one size."""

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.epoch, self.position = state["epoch"], state["position"]


def error(rule: LearningRule) -> dict[str, float]:
    """Judge a line on points it was not given; draws random numbers, as a careless evaluation would."""
    torch.rand(3)
    inputs = torch.tensor([[-0.55], [0.35]])
    with torch.no_grad():
        return {"loss": float((rule.home(inputs) - 3 * inputs - 1).square().mean())}
