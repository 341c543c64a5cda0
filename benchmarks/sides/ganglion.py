"""Ganglion, as `ganglion train` runs it: its own trainer with a run folder, checkpoints and a progress line."""

import io
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.sides.outcome import Outcome, judged
from benchmarks.sides.plain import outputs_of
from benchmarks.workloads import Workload, parted
from ganglion.cli.progress import Lines, Progress
from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import Ragged
from ganglion.models import find
from ganglion.settings import from_dict, to_dict
from ganglion.training.callback import Callback
from ganglion.training.machine.allocator import keep_big_blocks
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer


class EpochClock(Callback):
    """Reads the clock whenever an epoch is over and everything that belongs to it is done."""

    def __init__(self, outcome: Outcome, steps: int) -> None:
        self.outcome, self.steps = outcome, steps

    def on_start(self, trainer: Trainer) -> None:
        self.started = time.perf_counter()

    def on_step(self, trainer: Trainer) -> None:
        if trainer.iteration % self.steps == 1 and trainer.iteration > 1:
            self.read()

    def on_end(self, trainer: Trainer) -> None:
        self.read()

    def read(self) -> None:
        now = time.perf_counter()
        self.outcome.epochs.append(now - self.started)
        self.started = now


def run(workload: Workload, data: dict[str, np.ndarray]) -> Outcome:
    keep_big_blocks()
    torch.manual_seed(0)
    rule, outcome = build(workload), Outcome()
    tensors: dict[str, Tensor | Ragged] = {name: torch.from_numpy(data[name]) for name in ("inputs", "targets")}
    by_length = "inputs" if workload.data == "words" else None
    if by_length:
        tensors["inputs"] = Ragged.of(list(map(torch.from_numpy, parted(data["inputs"]))), padding=torch.nan)
    loader = InMemoryLoader(tensors, workload.batch_size, seed=0, by_length=by_length)
    assert loader.batches_per_epoch
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            rule,
            loader,
            TrainerSettings(epochs=workload.epochs, device="cpu", **workload.settings),
            run=RunFolder.create(Path(folder) / "run", "run", {}),
            callbacks=[EpochClock(outcome, loader.batches_per_epoch), Progress(Lines(io.StringIO()))],
        )
        trainer.fit()
    outcome.score = score(rule, trainer.row, data)
    return outcome


def build(workload: Workload) -> LearningRule:
    module = find(workload.system).load()
    config = to_dict(module.SMALL if workload.system == "dqn" else module.Config())
    for name, value in workload.fields.items():
        config[name] = {**config[name], **value} if isinstance(value, dict) else value
    return module.build(from_dict(module.Config, config))


@torch.no_grad()
def score(rule: LearningRule, row: dict[str, Any], data: dict[str, np.ndarray]) -> float:
    inputs = data["test_inputs"]
    if "discriminator_loss" in row:
        return float(row["discriminator_loss"])
    network: Any = rule.home.eval()
    if hasattr(network, "free_energy"):
        return pseudo_log_likelihood(network, torch.from_numpy(inputs))
    targets = inputs if hasattr(network, "reconstruct") else data["test_targets"]
    return judged(outputs_of(network, inputs), targets)


def pseudo_log_likelihood(machine: Any, visible: torch.Tensor, asked: int = 32) -> float:
    """Return the mean pseudo-log-likelihood, estimated from some units of every row."""
    generator = torch.Generator().manual_seed(0)
    total = 0.0
    for rows in visible[:256].split(64):
        units = torch.randint(machine.num_visible, (len(rows), asked), generator=generator)
        total += float(machine.conditional_log_likelihood(rows, units).sum()) * machine.num_visible / asked
    return total / len(visible[:256])
