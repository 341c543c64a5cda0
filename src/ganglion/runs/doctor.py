"""The doctor of adversarial training, live: looks at both players now and then, and tells what it finds."""

from dataclasses import dataclass
from typing import Any, ClassVar, final

import torch

from ganglion.core import Batch, Pausing, Players
from ganglion.errors import CollapseError, UsageError
from ganglion.findings import Finding
from ganglion.inspect.adversarial import COLLAPSES, IN_A_ROW, Look, findings, look
from ganglion.runs.opening import build
from ganglion.runs.run import Run
from ganglion.tables import Table, Tabled
from ganglion.tables import findings as findings_table
from ganglion.tasks.base import JudgesSamples, Task
from ganglion.tasks.shared.pictures.samples_by_judge import JudgedSamples
from ganglion.training.callback import Callback, Training
from ganglion.training.machine.seeding import random_state_kept
from ganglion.training.settings import OnCollapse

EVERY = 100
"""Steps between two looks."""
SAMPLES = 256
"""Real samples of each look, always the same, and as many generated ones."""
MOST_LOOKS = 200
"""That are remembered; of more, every other one of the older half is forgotten."""
ROWS, FEWEST = 12, 4
"""Looks in a table, and evaluations that a correlation needs."""
CRITICS = ("wasserstein", "hinge")
"""Games in which a discriminator that tells everything apart is no bad sign."""


@final
class Doctor(Callback):
    """Looks at the players every hundred steps, reports what several looks agree on, and acts on a collapse.

    No random number of training is used up, and what is found depends on the looks alone, which are part of every
    checkpoint.

    Args:
        batch: real samples, as the loader gives them.
        is_critic: whether the game is one in which perfect separation is sound.
        on_collapse: what is done when all or most of the diversity is gone.
    """

    name: ClassVar[str] = "doctor"

    def __init__(self, batch: Batch, *, is_critic: bool = False, on_collapse: OnCollapse = "warn") -> None:
        self.batch, self.is_critic, self.on_collapse = batch, is_critic, on_collapse
        self.looks: list[Look] = []

    @classmethod
    def of(cls, task: Task, on_collapse: OnCollapse) -> "Doctor":
        """Return the doctor of a task that was prepared, with some samples of its training part."""
        game = getattr(getattr(task.config, "game", None), "loss", "")
        return cls(real_batch(task), is_critic=game in CRITICS, on_collapse=on_collapse)

    def on_step(self, trainer: Training) -> None:
        rule = trainer.rule
        if trainer.iteration % EVERY or not isinstance(rule, Players) or (isinstance(rule, Pausing) and not rule.plays):
            return
        device = next(rule.generator.parameters()).device
        batch = {name: values.to(device) for name, values in self.batch.items()}
        with random_state_kept():
            torch.manual_seed(0)
            self.looks.append(look(rule, batch, trainer.iteration, trainer.row.get("penalty"), self.is_critic))
        if len(self.looks) > MOST_LOOKS:
            half = MOST_LOOKS // 2
            self.looks = self.looks[:half:2] + self.looks[half:]
        for finding in findings(self.looks):
            trainer.report(finding)
            if finding.name in COLLAPSES and self.on_collapse != "warn":
                raise _collapsed(finding)

    def state_dict(self) -> dict[str, Any]:
        return {"looks": [one.to_dict() for one in self.looks]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.looks = [Look.from_dict(one) for one in state["looks"]]


def real_batch(task: Task) -> Batch:
    """Return some samples of the training part, spread evenly, as a loader would give them."""
    return task.data.at("train", task.data.spread("train", SAMPLES))


def _collapsed(finding: Finding) -> CollapseError:
    return CollapseError(
        finding.message,
        where=f"iterations {finding.since} and later",
        remedy=f"{finding.remedy}; --on-collapse warn goes on regardless",
    )


@dataclass(frozen=True)
class Checkup(Tabled):
    """What the doctor saw while a run was trained, what that says, and how good the samples of its network are."""

    looks: tuple[Look, ...]
    findings: tuple[Finding, ...]
    samples: JudgedSamples | None
    """None for rows, which their own measures judge."""
    agreement: tuple[str, float, int] | None
    """A measure of the samples, its rank correlation with the discriminator's loss over the run's evaluations, and
    how many these were."""

    @property
    def verdict(self) -> str:
        """Name of the worst finding; "unknown" where too little was seen, "undecided" where nothing stands out."""
        if self.findings:
            return self.findings[0].name
        return "undecided" if len(self.looks) >= IN_A_ROW else "unknown"

    def tables(self) -> list[Table]:
        shown = self.looks[:: max(1, len(self.looks) // ROWS)]
        names = ("separation", "difference", "diversity", "coverage", "likeness", "copies")
        rows = [(str(one.step), *(f"{getattr(one, name):.2f}" for name in names)) for one in shown]
        title = f"{self.verdict}: looks at both players, every {EVERY} iterations"
        looks = Table(("step", *names), rows, title=title)
        if not self.looks:
            looks = Table(("step",), [], title=f"unknown: this run took no look, for which it needs {EVERY} iterations")
        tables = [looks, *([findings_table(self.findings)] if self.findings else [])]
        if self.samples:
            tables += self.samples.tables()
        if self.agreement:
            name, correlation, count = self.agreement
            line = (f"discriminator's loss and {name.replace('_', ' ')}", f"{correlation:.2f}", str(count))
            header = ("rank correlation of", "value", "evaluations")
            tables.append(Table(header, [line], words=header[:1]))
        return tables

    def to_dict(self) -> dict[str, Any]:
        """Return what the tables show as JSON values."""
        return {
            "verdict": self.verdict,
            "findings": [one.to_dict() for one in self.findings],
            "looks": [one.to_dict() for one in self.looks],
            "samples": self.samples and {"judge": self.samples.judge, **self.samples.rows},
            "agreement": self.agreement,
        }


def check_up(run: Run) -> Checkup:
    """Return what is known of the health of an adversarial run.

    Raises:
        UsageError: the run has no generator and discriminator.
        DataError: its data, which its samples are compared with, is no longer there.
    """
    rule = build(run.system, run.config)
    if not isinstance(rule, Players):
        raise UsageError(
            "this run has no generator and discriminator",
            where=str(run.folder),
            expected="an adversarial network, such as dcgan",
            found=run.system.name,
        )
    looks = run.callback_state(Doctor.name).get("looks", [])
    seen = tuple(Look.from_dict(one) for one in looks)
    task = run.prepared_task()
    samples = task.judge_samples(run.network) if isinstance(task, JudgesSamples) else None
    return Checkup(seen, tuple(findings(seen)), samples, _agreement(run, task.score))


def _agreement(run: Run, measure: str) -> tuple[str, float, int] | None:
    """Return how the discriminator's loss went together with a measure of the samples; None for few evaluations."""
    pairs = [
        (float(row["discriminator_loss"]), float(row[f"validation_{measure}"]))
        for row in run.history
        if f"validation_{measure}" in row and "discriminator_loss" in row
    ]
    if len(pairs) < FEWEST:
        return None
    from scipy.stats import spearmanr  # here and not above: it takes half as long as torch

    return measure, float(spearmanr(pairs).statistic), len(pairs)
