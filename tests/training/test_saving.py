"""Checkpoints that nobody asked for wait until there is time; what is learnt, and what is best, is the same."""

import os
from pathlib import Path

import pytest
import torch

from ganglion.training import checkpoint, saving
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings
from ganglion.training.timetable import Timetable
from ganglion.training.trainer import Callback, Trainer
from tests.faults.children import fork, wait
from tests.faults.toy import STEPS, At, finish, outcome, toy

SELDOM = {"checkpoint_every": None, "evaluate_every": 1}
"""Evaluations at every step, of which many are the best so far."""


class Written(Callback):
    """Notes the steps whose checkpoints were written."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def on_checkpoint(self, trainer: Trainer) -> None:
        self.steps.append(trainer.iteration)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """After one checkpoint there is never time for another."""
    monkeypatch.setattr(saving, "SHARE", 1e-9)


def best_of(folder: Path) -> tuple[str, str]:
    path = RunFolder.open(folder).pointed("best")
    assert path is not None
    return path.name, checkpoint.digest(checkpoint.load(path, ("weights",)))


def test_the_best_waits_and_is_the_same(place: Path, slow_disk: None) -> None:
    often, seldom = Written(), Written()
    toy(place / "often", (often,), checkpoint_every=1, evaluate_every=1).fit()
    toy(place / "seldom", (seldom,), **SELDOM).fit()
    assert often.steps == list(range(1, STEPS + 1)) and seldom.steps == [1, STEPS]
    assert best_of(place / "seldom") == best_of(place / "often")
    assert outcome(place / "seldom") == outcome(place / "often")


def test_there_is_time_again_after_a_while(place: Path) -> None:
    now = 0.0
    trainer = toy(place / "run", **SELDOM)
    patient = saving.Saving(trainer.run, trainer.settings, alone=True, clock=lambda: now)  # type: ignore[arg-type]
    state = {"weights": {"weight": torch.zeros(3)}}
    assert patient.save(1, state, is_best=True, soon=True)
    patient._not_before = 10.0  # as after a save of a second
    now = 9.0
    assert patient.wants(True, False) and not patient.wants(False, True)
    assert not patient.save(2, state, is_best=True, soon=True)
    state["weights"]["weight"] += 1  # training goes on
    now = 11.0
    assert patient.wants(False, False), "what was held back is due"
    assert patient.save(5, state, is_best=False, soon=True)
    assert not patient.wants(False, False)
    held = checkpoint.load(place / "run" / "checkpoints" / "step-000002")
    assert best_of(place / "run")[0] == "step-000002" and held["weights"]["weight"].sum() == 0


@pytest.mark.parametrize(
    "asked", [{"checkpoint_every": 7}, {"non_finite": "roll-back"}, {"on_collapse": "roll-back"}], ids=str
)
def test_nothing_waits_where_a_clock_must_not_decide(asked: dict[str, object], place: Path, slow_disk: None) -> None:
    written = Written()
    trainer = toy(place / "run", (written,), **SELDOM | asked)
    improved = []
    trainer.best.improves = lambda value, step: improved.append(step) or True  # type: ignore[assignment, func-returns-value]
    trainer.fit()
    assert set(improved) <= set(written.steps) and len(improved) == STEPS


@pytest.mark.parametrize("step", [2, 9, STEPS - 1])
def test_a_run_killed_while_the_best_waits_goes_on_bit_for_bit(step: int, place: Path, slow_disk: None) -> None:
    finish(place / "whole", **SELDOM)
    killed = place / "killed"
    assert wait(fork(lambda: toy(killed, (At(step, lambda: os._exit(7)),), **SELDOM).fit())) == 7
    finish(killed, **SELDOM)
    assert outcome(killed) == outcome(place / "whole") and best_of(killed) == best_of(place / "whole")


def test_what_waits_is_written_where_training_fails(place: Path, slow_disk: None) -> None:
    def fail() -> None:
        raise RuntimeError("somebody's callback")

    trainer = toy(place / "run", (At(9, fail),), **SELDOM)
    with pytest.raises(RuntimeError, match="callback"):
        trainer.fit()
    assert trainer.best.step > 1 and best_of(place / "run")[0] == f"step-{trainer.best.step:06d}"


def test_the_start_that_one_may_return_to_is_not_the_best(place: Path) -> None:
    trainer = toy(place / "run", (At(1, lambda: os._exit(7)),), non_finite="roll-back", **SELDOM)
    assert wait(fork(trainer.fit)) == 7
    run = RunFolder.open(place / "run")
    assert [path.name for path in checkpoint.steps(run.checkpoints)] == ["step-000000"] and run.pointed("best") is None


def test_minutes_count_what_checkpoints_take_at_leisure() -> None:
    """Steps of .1 s, and a checkpoint of 2 s after every tenth where nobody holds it back."""
    for at_leisure, seconds in ((False, 100 * 0.1 + 10 * 2), (True, 100 * 0.1 * (1 + saving.SHARE))):
        timetable = Timetable(TrainerSettings(), 10, torch.device("cpu"), at_leisure)
        timetable.seconds_per_step, timetable.checkpoint = 0.1, 2.0
        assert timetable.seconds_for(100) == pytest.approx(seconds)
