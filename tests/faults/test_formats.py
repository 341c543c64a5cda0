"""Checkpoints that earlier versions wrote stay loadable: one of each format is kept, and never made again."""

import shutil
from pathlib import Path

import pytest

from ganglion.errors import CheckpointError
from ganglion.runs.session import Session, prepare_resume
from ganglion.training import checkpoint
from tests.faults.conftest import Record
from tests.faults.families import STEPS

KEPT = Path(__file__).parents[1] / "fixtures" / "checkpoints"
WEIGHTS = {
    "format-1": "7072020368d91e84918be6ef36d446cc932a82e69f47d74266237e3b710ce937",
    "format-2": "3eac3f2e892f7a753b5c28d2114c32388d36fdac1d31d2d8b1c0b93d9ca6b58a",
}
"""SHA-256 of the weights in each of them; the runs are of the variant `mlp`, stopped at step 6."""


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_run_of_every_format_can_be_continued(name: str, place: Path, survived: Record) -> None:
    assert int(name.removeprefix("format-")) <= checkpoint.FORMAT
    run = shutil.copytree(KEPT / name, place / "run")
    _, state, complaints = checkpoint.load_newest(run / "checkpoints")
    assert not complaints and checkpoint.digest(state["weights"]) == WEIGHTS[name]
    session = prepare_resume(run)
    assert isinstance(session, Session) and session.trainer.iteration == 6
    session.trainer.fit()
    assert session.trainer.iteration == STEPS
    survived(f"a run of {name.replace('-', ' ')}", "kept in tests/fixtures, continued", 1, 1)


def test_every_format_is_kept() -> None:
    assert set(WEIGHTS) == {f"format-{number}" for number in range(1, checkpoint.FORMAT + 1)}


def test_a_newer_format_is_refused_in_words(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "FORMAT", 99)
    path = checkpoint.save(place, 1, {"trainer": {"iteration": 1}})
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="newer ganglion"):
        checkpoint.load(path)
