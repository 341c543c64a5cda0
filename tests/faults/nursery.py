"""Runs that are killed at random moments, in children of a process that has imported all that they need."""

import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import torch

from ganglion.runs.session import Session, prepare, prepare_resume
from ganglion.training import checkpoint
from ganglion.training.run_folder import RunFolder
from tests.faults.children import fork, wait
from tests.faults.families import STEPS, request

torch.set_num_threads(1)  # no pool of threads, so that forks work


def train(variant: str, folder: Path) -> None:
    """Start or continue the run in `folder`, as a job script would, up to the last checkpoint."""
    name, data, options = request(variant)
    if (folder / "config.json").exists():
        session = prepare_resume(folder)
    else:
        session = prepare(name, data, out=folder, **options)
    assert isinstance(session, Session)
    session.trainer.fit()
    session.files.unlock()


def digests(folder: Path) -> tuple[str, str, str]:
    """Return the SHA-256 of the last state and of the metric log, both without timings, and of the best weights."""
    files = RunFolder.open(folder)
    last, best = files.pointed("last"), files.pointed("best")
    assert last is not None and last.name == f"step-{STEPS:06d}", last
    state = checkpoint.load(last)
    for name in ("seconds", "reported", "metrics_size"):
        del state["trainer"][name]
    weights = checkpoint.load(best, ("weights",)) if best else {}
    return checkpoint.digest(state), files.metrics_digest(), checkpoint.digest(weights)


def leftovers(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob(".*") if not path.name.startswith(".lock")]


def kill_at_random(variant: str, kills: int, seed: int, place: str) -> dict[str, Any]:
    """Kill a run at random moments, again and again until it comes to its end, and compare it with one left alone.

    `begun` counts the kills after a first checkpoint, `in_save` those that left a half-written one behind.
    """
    root = Path(place)
    train(variant, root / "whole")  # in this process, which is warm from here on
    started = time.monotonic()
    assert wait(fork(lambda: train(variant, root / "timed"))) == 0
    longest = max(0.25, time.monotonic() - started)
    expected, moments = digests(root / "whole"), random.Random(seed)
    counts = {"kills": 0, "survived": 0, "begun": 0, "in_save": 0}
    failures: list[Any] = []
    while counts["survived"] < kills and len(failures) < 3:
        folder, delays = root / "killed", []
        while True:
            delays.append(moments.uniform(0.01, longest))
            patience = delays[-1] if counts["kills"] + len(delays) <= kills else 60.0
            status = _killed_after(patience, variant, folder)
            if status != -signal.SIGKILL:
                break
            counts["begun"] += any((folder / "checkpoints").glob("step-*"))
            counts["in_save"] += any((folder / "checkpoints").glob(".*"))
        counts["kills"] += len(delays) - 1
        found = digests(folder) if status == 0 else None
        if found == expected and not leftovers(folder):
            counts["survived"] += len(delays) - 1
        else:
            failures.append({"delays": delays, "status": status, "left": leftovers(folder), "found": found})
        shutil.rmtree(folder)
    return {"variant": variant, **counts, "failures": failures}


def _killed_after(seconds: float, variant: str, folder: Path) -> int:
    """Let a child start or continue the run, kill it after so many seconds, and return its exit status."""
    child = fork(lambda: train(variant, folder))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        process, status = os.waitpid(child, os.WNOHANG)
        if process:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    return wait(child)
