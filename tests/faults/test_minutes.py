"""Runs of so many minutes that are killed while they are measured, or later, and resumed on a slower machine."""

import os
import shutil
import signal
from functools import cache
from pathlib import Path

import pytest

from ganglion.training import checkpoint, timetable
from ganglion.training.run_folder import RunFolder
from tests.faults.children import fork, wait
from tests.faults.conftest import Record
from tests.faults.test_kills import die_at
from tests.faults.toy import At, outcome, toy
from tests.training.test_minutes import Clock

MINUTES = {"steps": None, "minutes": 1.2, "schedule": "cosine"}


def train(folder: Path, pace: float = 1.0, callbacks: tuple[At, ...] = (), **fields: object) -> None:
    trainer = toy(folder, callbacks, **MINUTES | fields)
    trainer.timetable.clock = Clock(pace)
    trainer.fit()


def recorded(folder: Path) -> tuple[int, int] | None:
    """Return the number of steps that a run recorded, and after which one it did so."""
    last = RunFolder.open(folder).pointed("last")
    if last is None:
        return None
    found = checkpoint.load(last)["trainer"]["settled_length"]
    return tuple(found[0]) if found else None


def unbroken(folder: Path, record: tuple[int, int], **fields: object) -> tuple[str, str]:
    """Return the outcome of a run that was never stopped and recorded the same."""
    total, at = record
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timetable, "WARM_UP", at - timetable.FEWEST)
        patch.setattr(timetable.Timetable, "steps_left", lambda self, done, share: total - at)
        train(folder, **fields)
    assert recorded(folder) == record
    return outcome(folder)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("step", [3, 7, 9, 10, 11, 12, 17, 25])
def test_a_kill_after_any_step(step: int, place: Path) -> None:
    killed = place / "killed"
    status = wait(fork(lambda: train(killed, callbacks=(At(step, kill),))))
    assert status == -signal.SIGKILL
    before = recorded(killed)
    assert (before is not None) == (step > 10)  # it is measured after step 10, and recorded at once
    train(killed, pace=9.0)  # nine times slower
    record = recorded(killed)
    assert record and before in (None, record)
    assert checkpoint.steps(killed / "checkpoints")[0].name == f"step-{record[0]:06d}"
    assert outcome(killed) == unbroken(place / "unbroken", record)


def test_kills_at_every_file_operation_of_the_measuring(place: Path, survived: Record) -> None:
    rarely = {"checkpoint_every": 1000, "evaluate_every": 1000, "report_every": 1000}
    begun, killed = place / "begun", place / "killed"
    assert wait(fork(lambda: train(begun, callbacks=(At(1, lambda: os._exit(7)),), **rarely))) == 7

    def measure(operation: int) -> None:
        told = die_at(operation)

        def stop() -> None:
            (place / "count").write_text(str(told()))
            os._exit(7)

        train(killed, callbacks=(At(11, stop),), **rarely)

    @cache
    def expected(record: tuple[int, int]) -> tuple[str, str]:
        return unbroken(place / f"unbroken-{len(list(place.iterdir()))}", record, **rarely)

    shutil.copytree(begun, killed)
    assert wait(fork(lambda: measure(-1))) == 7
    operations, good, resumed = int((place / "count").read_text()), 0, 0
    tried = range(1, operations + 1, 6)
    for operation in tried:
        shutil.rmtree(killed)
        shutil.copytree(begun, killed)
        wait(fork(lambda operation=operation: measure(operation)))
        before = recorded(killed)
        train(killed, pace=2.0, **rarely)
        record = recorded(killed)
        assert record and before in (None, record)
        resumed += before is not None
        good += outcome(killed) == expected(record)
    assert operations > 40 and 0 < resumed < len(tried)
    how = "at every sixth file operation while the length of a run of minutes is measured and saved"
    survived("SIGKILL while minutes are measured", how, len(tried), good)


def test_a_finished_run_of_minutes_can_be_trained_longer(place: Path) -> None:
    train(place / "run")
    record = recorded(place / "run")
    assert record
    toy(place / "run", steps=record[0] + 10, schedule="cosine").fit()
    newest = checkpoint.steps(place / "run" / "checkpoints")[0]
    assert newest.name == f"step-{record[0] + 10:06d}"
