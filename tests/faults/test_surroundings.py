"""Odd places, homes, languages and outputs, through the command line; and state that other machines may not share."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ganglion.errors import CheckpointError
from ganglion.training import checkpoint
from tests.faults.conftest import Record
from tests.faults.toy import finish, toy

TRAIN = ("train", "perceptron", "--epochs", "3", "--out")
LONG = "/".join(["deep" * 13] * 5)  # 264 characters

CASES: dict[str, tuple[str, dict[str, str | None]]] = {
    "spaces in the path": ("a run with spaces", {}),
    "emoji in the path": ("🧠 run", {}),
    "emoji in the path, LC_ALL=C": ("🧠 run", {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}),
    "a path of over 260 characters": (LONG, {}),
    "no HOME": ("run", {"HOME": None}),
    "a HOME that cannot be written": ("run", {"HOME": "/proc"}),
    "output in Latin-1": ("🧠 run", {"PYTHONIOENCODING": "latin-1"}),
    "no terminal": ("run", {"TERM": None}),
}


def ganglion(*words: str, changes: dict[str, str | None] | None = None, **options: object) -> tuple[int, str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **(changes or {})}
    command = [sys.executable, "-m", "ganglion", *words]
    known = {name: value for name, value in environment.items() if value is not None}
    done = subprocess.run(command, env=known, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120, **options)  # type: ignore[call-overload]  # fmt: skip
    return done.returncode, done.stdout.decode("utf-8", "replace")


OF_FULL = ("spaces in the path", "emoji in the path")
"""Others are harder in the same way."""


@pytest.mark.parametrize("case", [pytest.param(case, marks=[pytest.mark.full] * (case in OF_FULL)) for case in CASES])
def test_odd_surroundings(case: str, place: Path, survived: Record) -> None:
    name, changes = CASES[case]
    status, output = ganglion(*TRAIN, str(place / name), changes=changes)
    assert "Traceback" not in output and "defect" not in output, output
    survived(
        case, "`ganglion train` from start to end", 1, int(status == 0 and (place / name / "report.html").exists())
    )


def test_output_that_nobody_reads(place: Path, survived: Record) -> None:
    folder = place / "run"
    line = (
        f"{sys.executable} -m ganglion {' '.join(TRAIN)} {folder} 2>&1 | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)
    status = int(done.stdout.split()[-1])
    assert "Traceback" not in done.stderr
    again, output = ganglion("resume", str(folder)) if folder.exists() else ganglion(*TRAIN, str(folder))
    survived(
        "a closed stdout pipe",
        "`ganglion train` piped into `head`, then resumed",
        1,
        int(status in (0, 141) and again == 0),
    )
    assert "Traceback" not in output


def test_a_folder_with_a_configuration_only_simply_starts(place: Path) -> None:
    toy(place / "run").run.unlock()  # type: ignore[union-attr]
    trainer = toy(place / "run")
    assert trainer.iteration == 0
    trainer.fit()


@pytest.mark.parametrize("what", ["torch", "device", "processor", "threads"])
def test_exact_refuses_what_may_change_a_bit(what: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ganglion.training.machine import seeding

    finish(place / "run", steps=4)
    here = seeding.guarantees(torch.device("cpu"), None)
    monkeypatch.setattr(seeding, "guarantees", lambda *_: here | {what: "another"})
    before = (place / "run" / "metrics.jsonl").read_bytes()
    trainer = toy(place / "run")
    with pytest.raises(CheckpointError, match="cannot be continued bit for bit") as caught:
        trainer.resume(exact=True)
    assert what in caught.value.found and (place / "run" / "metrics.jsonl").read_bytes() == before
    assert [doubt for doubt in trainer.resume() if what in doubt]


def test_a_state_that_lacks_something_is_refused(place: Path) -> None:
    """All of it, or none: a run that went on without its random numbers would look like one that had them."""
    finish(place / "run", steps=4)
    _, state, _ = checkpoint.load_newest(place / "run" / "checkpoints")
    for part in state:
        lacking = {name: value for name, value in state.items() if name != part}
        if part in ("weights", "about"):
            continue  # what a reader takes home, and words
        with pytest.raises(CheckpointError, match="does not fit"):
            toy(place / "other").load_state_dict(lacking)
