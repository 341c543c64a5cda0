"""Pickles: none is ever opened, whatever they are called and wherever they come in."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import ganglion
from ganglion.cli import main
from ganglion.data.catalogue import read
from ganglion.data.check import check_path
from ganglion.data.preprocessing import read_inputs
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.training import checkpoint
from tests.hostile.bounded import attempt
from tests.hostile.entries import refusals
from tests.hostile.payloads import ENDINGS, files

MOST_TOGETHER = 80
"""Files that one attempt opens, so that all of them come to some dozens of processes."""


def strict_check(path: Path) -> object:
    """Raise where the data check stops; a text that is read as text holds no programs."""
    findings = check_path(path)
    stops = [finding for finding in findings if finding.level == "stop"]
    if stops:
        raise DataError(stops[0].message, where=str(path))
    return findings


def doors(path: Path, run: Path, images: Path) -> dict[str, Callable[[], Any]]:
    """Return every way in which a path can come in."""
    return {
        "read": partial(read, path, DataSettings()),
        "read as a series": partial(read, path, DataSettings(), "series"),
        "read as drawings": partial(read, path, DataSettings(), "drawings"),
        "check": partial(strict_check, path),
        "predict rows": lambda: ganglion.open_run(run).predict(path),
        "predict images": lambda: ganglion.open_run(images).predict([path]),
        "read as text": partial(read_inputs, [path], "tabular", ("a", "b")),
        "train": partial(ganglion.train, "mlp", str(path)),
        "open as a run": partial(ganglion.open_run, path),
        "load as a network": partial(ganglion.load, path),
        "resume": partial(ganglion.resume, path),
        "load as a checkpoint": partial(checkpoint.load, path),
    }


def knock(paths: list[Path], run: Path, images: Path) -> list[str]:
    """Try every door with every file, and return what was not refused in words."""
    return [
        f"{path.name}, {door}: {what}" for path in paths for door, what in refusals(doors(path, run, images)).items()
    ]


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.full)])
def test_no_pickle_is_ever_run(every: int, tmp_path: Path, runs: Callable[[str], Path]) -> None:
    canary, folder = tmp_path / "canary", tmp_path / "payloads"
    folder.mkdir()
    paths = files(folder, canary)
    assert len(paths) >= 100 and {path.suffix for path in paths} == set(ENDINGS)
    run, images, paths = runs("mlp"), runs("lenet5"), paths[::every]
    for start in range(0, len(paths), MOST_TOGETHER):
        outcome = attempt(knock, paths[start : start + MOST_TOGETHER], run, images)
        assert not outcome.defect, outcome.defect
        assert outcome.value == "[]"
        assert not canary.exists()


@pytest.mark.parametrize(
    "door",
    ["evaluate", "resume", *(pytest.param(door, marks=pytest.mark.full) for door in ("predict", "inspect", "runs"))],
)
def test_no_pickle_in_a_run_folder_is_run(door: str, tmp_path: Path, runs: Callable[[str], Path]) -> None:
    canary, folder, payloads = tmp_path / "canary", tmp_path / "run", tmp_path / "payloads"
    payloads.mkdir()
    paths = files(payloads, canary)
    shutil.copytree(runs("mlp"), folder)
    targets = [path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".png", ".html", ".txt")]
    for number, target in enumerate(sorted(targets)):
        kept = target.read_bytes()
        shutil.copy(paths[7 * number % len(paths)], target)
        words = {"predict": ["predict", str(folder), __file__], "inspect": ["inspect", "summary", str(folder)]}
        outcome = attempt(
            main, words.get(door, ["runs", "list", str(folder)] if door == "runs" else [door, str(folder)])
        )
        assert not outcome.defect and "Traceback" not in outcome.output and "defect" not in outcome.output, (
            target.name,
            outcome.output,
            outcome.defect,
        )
        assert not canary.exists()
        target.write_bytes(kept)


def test_the_canary_would_sing(tmp_path: Path) -> None:
    import subprocess
    import sys

    canary, folder = tmp_path / "canary", tmp_path / "payloads"
    folder.mkdir()
    path = next(path for path in files(folder, canary) if path.read_bytes().startswith(b"cos\nsystem"))
    subprocess.run([sys.executable, "-c", f"import pickle; pickle.load(open({str(path)!r}, 'rb'))"], check=True)
    assert canary.exists()
