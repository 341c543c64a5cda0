"""Two trainers and one folder."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from ganglion.errors import CheckpointError, UsageError
from ganglion.runs.session import prepare, prepare_resume
from ganglion.training.run_folder import RunFolder
from tests.faults.children import fork, wait
from tests.faults.conftest import Record
from tests.faults.families import request
from tests.faults.toy import finish, toy


def test_of_two_that_begin_or_continue_together_one_wins(place: Path, survived: Record) -> None:
    def contend(folder: Path, start: float, known: bool, tried: Path) -> None:
        time.sleep(max(0.0, start - time.time()))
        try:
            run = RunFolder.open(folder) if known else RunFolder.create(folder, "line", {"system": "line"})
            run.lock()
        finally:
            tried.with_name(f"{tried.name}-{os.getpid()}").touch()
        while len(list(tried.parent.glob(f"{tried.name}-*"))) < 2:  # hold it until the other has tried
            time.sleep(0.001)

    good = 0
    finish(place / "known")
    for race in range(50):
        folder = place / "known" if race % 2 else place / str(race)
        start = time.time() + 0.05
        tried = place / f"tried-{race}"
        both = [fork(partial(contend, folder, start, race % 2 == 1, tried)) for _ in "ab"]
        good += sorted(wait(child) for child in both) in ([0, 1], [0, 2])
    survived("two trainers, one folder", "25 races to begin, 25 to continue", 50, good)


def test_a_second_trainer_changes_nothing_and_is_told_who_holds_the_run(place: Path, survived: Record) -> None:
    name, data, options = request("mlp")
    first = prepare(name, data, out=place / "run", **options)
    first.files.append_metrics({"step": 1})
    before = {path: path.read_bytes() for path in (place / "run").rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError, match=f"process {os.getpid()} on"):
        prepare_resume(place / "run")
    with pytest.raises((CheckpointError, UsageError)):
        prepare(name, data, out=place / "run", **options)
    after = {path: path.read_bytes() for path in (place / "run").rglob("*") if path.is_file()}
    first.fit()
    survived("resume of a run that is training", "its files are compared", 1, int(before == after))


def test_the_lock_of_the_dead_holds_nobody_up(place: Path, survived: Record) -> None:
    folder, good = place / "run", 0
    for _ in range(10):
        child = fork(lambda: (toy(folder).run.lock(), time.sleep(60)))  # type: ignore[union-attr, func-returns-value]
        while not all((folder / name).exists() for name in (".lock-holder.json", "config.json")):
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        wait(child)
        run = RunFolder.open(folder)
        run.lock()
        run.unlock()
        good += 1
    survived("stale lock", "left by SIGKILL", 10, good)


def test_a_failed_preparation_gives_the_lock_back(place: Path) -> None:
    finish(place / "run")
    with pytest.raises(Exception, match=r".+"):
        prepare_resume(place / "run")  # the toy is no system of the index
    RunFolder.open(place / "run").lock()
