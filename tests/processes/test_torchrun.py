"""What a user types: `torchrun -m ganglion train ...`, of which a process is killed, and the same line again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ganglion.training import checkpoint
from tests.processes.conftest import Record
from tests.processes.runs import state_of

LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
TRAIN = ["-m", "ganglion", "train", "mlp", "--data", "iris", "--epochs", "60", "--checkpoint-every", "5"]
SETTINGS = ["--threads", "1", "--quiet"]


def started(folder: Path, *flags: str) -> "subprocess.Popen[str]":
    line = [*LAUNCH, *flags, *TRAIN, *SETTINGS, "--out", str(folder)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def children_of(process: int) -> list[int]:
    """Return the processes that a process has started, in the order of their numbers."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return sorted(int(child) for one in tasks for child in one.read_text().split())


def killed(launcher: "subprocess.Popen[str]", folder: Path, rank: int) -> float:
    """Kill a process that is training as soon as a checkpoint is there, and return when that was."""
    while not checkpoint.steps(folder / "checkpoints"):
        assert launcher.poll() is None, launcher.stderr and launcher.stderr.read()
        time.sleep(0.01)
    workers = [child for child in children_of(launcher.pid) if rank_of(child) == rank]
    assert len(workers) == 1
    os.kill(workers[0], signal.SIGKILL)
    return time.monotonic()


def rank_of(process: int) -> int | None:
    """Return the rank that a process was started with; None where it was started otherwise."""
    words = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    return next((int(word.partition(b"=")[2]) for word in words if word.startswith(b"RANK=")), None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run that nobody killed leaves."""
    folder = tmp_path_factory.mktemp("torchrun") / "whole"
    launcher = started(folder)
    answer, errors = launcher.communicate(timeout=300)
    assert launcher.returncode == 0, errors
    assert answer.count("accuracy") == 1  # one of both has spoken
    assert "in 2 processes, batch statistics synchronised" in (folder / "log.txt").read_text(encoding="utf-8")
    return state_of(folder)


pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="this system does not list processes as files"),
]


@pytest.mark.parametrize("rank", [0, 1])
def test_the_same_line_goes_on_where_a_process_was_killed(
    whole: dict[str, str], seen: Record, place: Path, rank: int
) -> None:
    launcher = started(place / "run")
    then = killed(launcher, place / "run", rank)
    _, errors = launcher.communicate(timeout=300)
    took = time.monotonic() - then
    assert launcher.returncode == 1 and took < 30
    assert f"local_rank: {rank}" in errors  # says the launcher, which may end the other one before it can say so itself
    assert errors.count("another process of this training has ended") + errors.count(f"process {rank} of 2") <= 1
    again = started(place / "run")
    _, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    same = state_of(place / "run") == whole
    seen("killed under torchrun", rank=rank, seconds=took, same=same)
    assert same


def test_the_launcher_goes_on_by_itself(whole: dict[str, str], place: Path) -> None:
    launcher = started(place / "run", "--max-restarts", "1")
    killed(launcher, place / "run", 1)
    _, errors = launcher.communicate(timeout=300)
    assert launcher.returncode == 0, errors
    assert state_of(place / "run") == whole
