"""Findings of a run: kept once, told once, the same after a kill, and shown in its report."""

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from ganglion.errors import CheckpointError
from ganglion.findings import Finding
from ganglion.runs.report import run_section
from ganglion.tables import Table
from ganglion.training.callback import Training
from ganglion.training.found import Found
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Callback, Trainer
from tests.training.test_trainer import KillAt, run_folder
from tests.training.toys import Line, Points, error

DATA = Finding(name="few-samples", level="warn", message="there are few samples", value=20.0, threshold=50.0)


class Doctor(Callback):
    """Reports after the tenth step that the loss is high, and from the thirtieth on that this is worse."""

    name: ClassVar[str] = "doctor"

    def __init__(self) -> None:
        self.reports = 0
        self.told: list[tuple[str, str, int | None]] = []

    def on_step(self, trainer: Training) -> None:
        if trainer.iteration >= 10 and trainer.iteration % 5 == 0:
            self.reports += 1
            trainer.report(
                Finding(
                    name="high",
                    level="warn" if trainer.iteration < 30 else "stop",
                    message="the loss is high",
                    measure="reports",
                    value=float(self.reports),
                )
            )

    def on_finding(self, trainer: Training, finding: Finding) -> None:
        self.told.append((finding.name, finding.level, finding.since))

    def state_dict(self) -> dict[str, Any]:
        return {"reports": self.reports}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.reports = state["reports"]


def trained(run: RunFolder, *callbacks: Callback, rule: Line | None = None, **fields: Any) -> Trainer:
    torch.manual_seed(0)
    settings = TrainerSettings(**{"epochs": 8, "checkpoint_every": 7, "threads": 1} | fields)
    return Trainer(rule or Line(), Points(), settings, evaluate=error, run=run, callbacks=callbacks, findings=(DATA,))


def test_a_finding_is_kept_and_told_once_and_again_where_it_is_worse(tmp_path: Path) -> None:
    run, doctor = run_folder(tmp_path / "run"), Doctor()
    trained(run, doctor).fit()
    assert doctor.told == [("high", "warn", 10), ("high", "stop", 10)]
    high, data = run.findings()
    assert (high.level, high.since, high.value) == ("stop", 10, 7.0)
    assert data == DATA
    assert (run.path / "log.txt").read_text().count("the loss is high") == 2


@pytest.mark.parametrize("kill", [3, 12, 17, 29, 33])
def test_a_killed_run_has_the_findings_of_one_that_was_not(kill: int, tmp_path: Path) -> None:
    whole, killed = run_folder(tmp_path / "whole"), run_folder(tmp_path / "killed")
    trained(whole, Doctor()).fit()
    with pytest.raises(ConnectionResetError):
        trained(killed, Doctor(), KillAt(kill)).fit()
    again = trained(killed, Doctor())
    again.resume()
    known = [one.name for one in killed.findings()]
    assert known == [one.name for one in again.findings]  # those after the checkpoint are found anew
    again.fit()
    contents = [json.loads((run.path / "findings.json").read_text()) for run in (whole, killed)]
    assert contents[0] == contents[1] and len(contents[0]["findings"]) == 2


class Spoiled(Points):
    """Two batches of the third epoch are no numbers."""

    def __iter__(self) -> Any:
        for batch in super().__iter__():
            spoiled = self.epoch == 2 and self.position in (2, 3)
            yield batch | {"inputs": batch["inputs"] * float("nan")} if spoiled else batch


def test_batches_that_were_passed_over_are_a_finding(tmp_path: Path) -> None:
    run, doctor = run_folder(tmp_path / "run"), Doctor()
    fitted = trained(run, doctor, non_finite="skip", report_every=1)
    fitted.loader = Spoiled()
    fitted.fit()
    (found,) = [one for one in run.findings() if one.name == "passed-over"]
    assert (found.level, found.value, found.since) == ("warn", 2.0, 12)
    assert "learning-rate" in found.remedy
    assert [name for name, _, _ in doctor.told].count("passed-over") == 1


def test_the_report_lists_findings_and_a_damaged_list_keeps_nothing_else_from_it(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    trained(run, Doctor()).fit()
    (table,) = [block for block in run_section(run.path).blocks if isinstance(block, Table)]
    assert table.title == "Findings"
    assert [(row[0], row[5]) for row in table.rows] == [("stop", "10"), ("warn", "")]
    (run.path / "findings.json").write_text('{"findings": [{"nonsense": 1}]}')
    assert not [block for block in run_section(run.path).blocks if isinstance(block, Table)]
    with pytest.raises(CheckpointError, match=r"findings\.json"):
        run.findings()


def test_where_nothing_is_found_nothing_is_written(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "run")
    fitted = trained(run)
    fitted.findings = Found((), run)
    fitted.fit()
    assert not (run.path / "findings.json").exists() and run.findings() == []
