"""A long run: memory, descriptors and threads stay where they are."""

import os
from pathlib import Path

import pytest

from ganglion.training.trainer import Callback, Trainer
from tests.faults.conftest import Record
from tests.faults.toy import toy

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")


class Watch(Callback):
    """Notes resident bytes, open descriptors and threads, and the hour, a hundred times a run."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.rows: list[tuple[float, int, int, int]] = []

    def on_step(self, trainer: Trainer) -> None:
        if trainer.iteration % self.every == 0:
            resident = 4096 * int(Path("/proc/self/statm").read_text().split()[1])
            threads = len(os.listdir("/proc/self/task"))
            self.rows.append((os.times().elapsed / 3600, resident, len(os.listdir("/proc/self/fd")), threads))


@pytest.mark.parametrize("steps", [5_000, pytest.param(1_000_000, marks=pytest.mark.full)])
def test_soak(steps: int, place: Path, survived: Record) -> None:
    watch = Watch(steps // 100)
    often = {"checkpoint_every": steps // 50, "report_every": steps // 200, "evaluate_every": steps // 100}
    toy(place / "run", (watch,), steps=steps, **often).fit()
    first, last = watch.rows[20], watch.rows[-1]
    grown = (last[1] - first[1]) / 2**20
    hours = last[0] - first[0]
    # A short run cannot tell a slope of a megabyte an hour: it may grow by less than one in all.
    # Threads of an earlier test may end meanwhile.
    flat = grown < max(1.0, hours) and last[2] <= first[2] and last[3] <= first[3]
    how = f"{steps:,} steps, 50 checkpoints: {grown:+.2f} MiB in {hours * 60:.1f} minutes, descriptors and threads flat"
    survived(f"a run of {steps:,} steps", how, 1, int(flat))
