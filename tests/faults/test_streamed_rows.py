"""A run on rows that stay on disk is killed in the middle of a pass, and ends with the bits of one that was not."""

import os
import signal
from pathlib import Path

import pytest

from ganglion.runs.session import train
from ganglion.training.trainer import Callback, Trainer
from tests.contract.test_contract import final_digests
from tests.data.formats.test_parquet_sets import by_spark, table
from tests.warm import WarmProcess

STEPS = 40  # two and a half passes over the training part


class Killer(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, trainer: Trainer) -> None:
        if trainer.iteration == self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def begin(rows: str, out: str, killed_at: int) -> None:
    """Train on rows of a folder of Parquet, and die at a step."""
    often = {"checkpoint_every": 7, "evaluate_every": 10, "report_every": 7, "threads": 1, "sample_every": "off"}
    small = {"hidden_features": (8,), "batch_size": 32}
    train("mlp", rows, out=out, stream="yes", steps=STEPS, callbacks=[Killer(killed_at)], **small, **often)


@pytest.mark.parametrize("killed_at", [4, 19])
def test_rows_on_disk(killed_at: int, tmp_path: Path, warm: WarmProcess) -> None:
    rows = tmp_path / "rows"
    rows.mkdir()
    by_spark(rows, table())
    begin(str(rows), str(tmp_path / "whole"), STEPS + 1)
    place = "tests.faults.test_streamed_rows:begin"
    assert warm.run(place, rows, tmp_path / "run", killed_at).status == -signal.SIGKILL
    continued = warm.run("tests.contract.killed:go_on", tmp_path / "run")
    assert continued.status == 0, continued.errors
    assert final_digests(tmp_path / "run") == final_digests(tmp_path / "whole")
