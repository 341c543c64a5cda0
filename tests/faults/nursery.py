"""A warm process that forks children to be killed: a run of a second would else cost three of imports.

`python -m tests.faults.nursery FOLDER KILLS SEED [VARIANT ...]` prints a JSON line for each variant.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import torch

from ganglion.tasks.session import Session, prepare, prepare_resume
from ganglion.training import checkpoint
from ganglion.training.run import RunFolder
from tests.faults.children import fork, wait
from tests.faults.families import STEPS, VARIANTS, request

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


def kill_at_random(variant: str, kills: int, seed: int, root: Path) -> dict[str, Any]:
    """Kill runs at random moments, continue them, and compare with one that was left alone."""
    train(variant, root / "whole")  # in this process, which is warm from here on
    started = time.monotonic()
    assert wait(fork(lambda: train(variant, root / "timed"))) == 0
    longest = max(0.25, time.monotonic() - started)
    expected, moments = digests(root / "whole"), random.Random(seed)
    failures: list[Any] = []
    reached: list[int] = []
    while len(reached) < kills and len(failures) < 3:
        folder = root / "killed"
        delay = moments.uniform(0.01, longest)
        child = fork(lambda folder=folder: train(variant, folder))
        time.sleep(delay)
        os.kill(child, signal.SIGKILL)
        if wait(child) != 0:  # or it was quicker
            reached.append(len(list((folder / "checkpoints").glob("step-*"))))
            status = wait(fork(lambda folder=folder: train(variant, folder)))
            found = digests(folder) if status == 0 else None
            if found != expected or leftovers(folder):
                failures.append({"delay": delay, "status": status, "left": leftovers(folder), "found": found})
        shutil.rmtree(folder)
    return {"variant": variant, "kills": len(reached), "failures": failures, "begun": sum(map(bool, reached))}


def main(root: str, kills: str, seed: str, *variants: str) -> None:
    for variant in variants or VARIANTS:
        folder = Path(root) / variant.replace(", ", "-").replace(" ", "-")
        folder.mkdir()
        print(json.dumps(kill_at_random(variant, int(kills), int(seed), folder)), flush=True)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
