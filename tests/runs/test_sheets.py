"""Sheets of what networks draw while they learn: the same with and without kills, and without a trace in training."""

import io
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ganglion.data.formats.arrays import from_arrays
from ganglion.runs import session
from ganglion.runs.report import run_report
from ganglion.runs.sheets import Sheets
from ganglion.tasks.base import DrawsSheets
from ganglion.training import checkpoint
from tests.faults.children import fork, wait
from tests.faults.toy import At, toy

PIXELS = np.random.default_rng(0).integers(0, 256, (64, 8, 8), dtype=np.uint8)
OPTIONS: dict[str, dict[str, Any]] = {
    "gan": {"image_size": 8, "ema_decay": 0.9, "latent_features": 4},
    "autoencoder": {},
    "rbm": {"hidden_units": 8},
    "denoiser": {},
}


def line(home: nn.Module) -> np.ndarray:
    """Return the weights of a line in grey, with a careless use of random numbers."""
    torch.rand(3)
    weight = float(next(home.parameters()).detach())
    return np.full((4, 6, 3), int(80 * weight) % 256, np.uint8)


def drawn(folder: Path, every: int | None = 3, *callbacks: At, **fields: Any) -> dict[str, bytes]:
    """Train the line of the faults and return its sheets and film."""
    trainer = toy(folder, **fields)
    trainer.callbacks = (Sheets(line, every), *callbacks)
    if checkpoint.steps(folder / "checkpoints"):
        trainer.resume()
    trainer.fit()
    return {path.name: path.read_bytes() for path in sorted((folder / "samples").iterdir())}


def without_sheets(folder: Path) -> str:
    state = checkpoint.load(checkpoint.steps(folder / "checkpoints")[0])
    for name in ("seconds", "reported", "metrics_size"):
        del state["trainer"][name]
    return checkpoint.digest({name: part for name, part in state.items() if name != "callbacks"})


def test_sheets_come_at_regular_steps_and_become_a_film(place: Path) -> None:
    sheets = drawn(place / "run", 8)
    assert list(sheets) == ["film.gif", *(f"step-{step:06d}.png" for step in (0, 8, 16, 20))]
    with Image.open(place / "run" / "samples" / "film.gif") as film:
        levels, lasting = [], []
        for place_ in range(film.n_frames):  # type: ignore[attr-defined]
            film.seek(place_)
            levels.append(int(np.asarray(film.convert("L"))[0, 0]))
            lasting.append(film.info["duration"])
    grey = [int(np.asarray(Image.open(io.BytesIO(sheet)))[0, 0, 0]) for name, sheet in sheets.items() if name[0] == "s"]
    assert levels == grey and len(set(grey)) == 4
    assert lasting[:-1] == [250] * 3 and lasting[-1] == 2000
    assert "data:image/gif;base64," in run_report(place / "run").read_text()


def test_auto_draws_about_twenty(place: Path) -> None:
    assert len(drawn(place / "long", None, steps=100)) == 22  # with the beginning, and the film
    assert len(drawn(place / "short", None, steps=5)) == 7


def test_training_does_not_notice(place: Path) -> None:
    drawn(place / "with", 1)
    toy(place / "without").fit()
    assert without_sheets(place / "with") == without_sheets(place / "without")


@pytest.mark.parametrize("step", [1, 6, 7, 15, 20])
def test_killed_runs_have_the_same_sheets_and_film(step: int, place: Path) -> None:
    kill = At(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert wait(fork(lambda: drawn(place / "killed", 3, kill))) == -signal.SIGKILL
    assert drawn(place / "killed") == drawn(place / "whole")


def test_a_run_that_is_trained_longer_has_a_longer_film(place: Path) -> None:
    drawn(place / "run", 8)
    longer = drawn(place / "run", 8, steps=30)
    assert [name[5:11] for name in longer][1:] == ["000000", "000008", "000016", "000020", "000024", "000030"]


@pytest.mark.parametrize("system", OPTIONS)
def test_every_kind_of_task_that_draws_has_a_sheet_of_its_own(system: str, tmp_path: Path) -> None:
    options = {"steps": 4, "threads": 1, "batch_size": 16, "device": "cpu"} | OPTIONS[system]
    ready = session.prepare(system, from_arrays(PIXELS, None, kind="image"), out=tmp_path / "run", **options)
    task, home = ready.task, ready.rule.home
    assert isinstance(task, DrawsSheets) and isinstance(ready.trainer.callbacks[0], Sheets)
    random = torch.get_rng_state()
    sheets = [task.sheet(home), task.sheet(home)]
    assert torch.equal(random, torch.get_rng_state())
    for batch in ready.trainer.loader:
        ready.rule.step(batch)
    sheets.append(task.sheet(home))
    ready.files.unlock()
    first, again, later = (sheet for sheet in sheets if sheet is not None)
    assert first.dtype == np.uint8 and first.ndim == 3 and first.shape[2] == 3
    assert np.array_equal(first, again) and not np.array_equal(first, later)


def test_sheets_can_be_switched_off_and_tables_have_none(tmp_path: Path) -> None:
    images, rows = from_arrays(PIXELS, None, kind="image"), from_arrays(np.eye(8), None, kind="tabular")
    off = session.prepare("rbm", images, out=tmp_path / "off", sample_every="off", hidden_units=4)
    assert not any(isinstance(callback, Sheets) for callback in off.trainer.callbacks)
    table = session.prepare("rbm", rows, out=tmp_path / "table", hidden_units=4)
    assert isinstance(table.task, DrawsSheets) and table.task.sheet(table.rule.home) is None
    off.files.unlock(), table.files.unlock()
