"""The readers on real, published files."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from ganglion.data.catalogue import read
from ganglion.data.check import check
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split

pytestmark = pytest.mark.data


@pytest.fixture
def folder() -> Path:
    if not os.environ.get("GANGLION_DATA"):
        pytest.skip("GANGLION_DATA names no folder of real data")
    return Path(os.environ["GANGLION_DATA"])


def test_mnist_is_the_published_one(folder: Path) -> None:
    mnist = read("mnist", DataSettings())
    assert mnist.inputs.shape == (60_000, 28, 28, 1)
    assert mnist.targets[:5].tolist() == [5, 0, 4, 1, 9]
    # The pixels of the original file, whose header is 16 bytes long.
    header = bytes.fromhex("00000803 0000ea60 0000001c 0000001c")
    original = "6bbc9ace898e44ae57da46a324031adb"
    assert hashlib.md5(header + np.asarray(mnist.inputs).tobytes()).hexdigest() == original
    assert mnist.inputs.mean() / 255 == pytest.approx(0.1307, abs=1e-4)
    assert check(mnist) == []
    parts = split(mnist, DataSettings(), 0)
    assert len(parts["test"]) == 10_000
    assert np.abs(np.bincount(parts["validation"].targets) / np.bincount(mnist.targets) - 0.1).max() < 0.02


def test_fashion_mnist_has_the_published_statistics(folder: Path) -> None:
    fashion = read("fashion-mnist", DataSettings())
    assert fashion.inputs.mean() / 255 == pytest.approx(0.2860, abs=1e-4)
    assert fashion.inputs.std() / 255 == pytest.approx(0.3530, abs=1e-4)
    assert fashion.label_names[fashion.targets[0]] == "Ankle boot"
    assert read(folder / "fashion-mnist", DataSettings()).label_names == fashion.label_names


@pytest.mark.full
def test_cifar_from_archives(folder: Path) -> None:
    cifar = read("cifar-10", DataSettings())
    assert cifar.inputs.shape == (50_000, 32, 32, 3)
    assert np.bincount(cifar.targets).tolist() == [5000] * 10
    assert np.bincount(cifar.test_targets).tolist() == [1000] * 10
    assert cifar.inputs.mean(axis=(0, 1, 2)) / 255 == pytest.approx([0.4914, 0.4822, 0.4465], abs=2e-3)


def test_faces(folder: Path) -> None:
    faces = read(folder / "cmu-faces" / "faces_4", DataSettings())
    assert faces.inputs.shape == (624, 30, 32, 1)
    assert len(faces.label_names) == 20


@pytest.mark.parametrize(
    ("name", "samples", "columns", "classes"),
    [
        ("iris", 150, 4, 3),
        ("wine", 178, 13, 3),
        ("sonar", 208, 60, 2),
        ("ionosphere", 351, 34, 2),
        ("banknote_authentication", 1372, 4, 2),
        ("pima-indians-diabetes", 768, 8, 2),
        ("abalone", 4177, 8, 0),
        ("glass", 214, 9, 6),
        ("wheat-seeds", 210, 7, 3),
        ("breast-cancer-wisconsin", 699, 9, 2),
        ("winequality-red", 1599, 11, 6),
        ("winequality-white", 4898, 11, 7),
    ],
)
def test_tables(folder: Path, name: str, samples: int, columns: int, classes: int) -> None:
    table = read(folder / "tabular" / f"{name}.csv", DataSettings())
    assert table.inputs.shape == (samples, columns)
    assert len(table.label_names) == classes
    if name == "breast-cancer-wisconsin":
        assert np.isnan(np.asarray(table.inputs)).sum() == 16


@pytest.mark.parametrize(
    ("path", "steps", "columns", "first", "last"),
    [
        ("time-series/airline-passengers", 144, 1, 112, 432),
        ("time-series/shampoo", 36, 1, 266.0, 646.9),
        ("time-series/daily-min-temperatures", 3650, 1, 20.7, 13.0),
        ("time-series/pollution", 43_800, 7, 129.0, 12.0),
        ("ett/ETTh1", 17_420, 7, 5.827, 10.114),
        ("finance/WIKI-AAPL", 9400, 12, 28.75, 173.68),
        ("finance/vix-daily", 9235, 4, 17.24, None),
    ],
)
def test_series(folder: Path, path: str, steps: int, columns: int, first: float, last: float | None) -> None:
    series = read(folder / f"{path}.csv", DataSettings(), kind="series")
    assert series.inputs.shape == (steps, columns)
    assert series.inputs[0, 0] == pytest.approx(first, rel=1e-4)
    if last is not None:
        assert series.inputs[-1, 0] == pytest.approx(last, rel=1e-4)


def test_text(folder: Path) -> None:
    play = read(folder / "tinyshakespeare", DataSettings())
    assert play.kind == "text"
    assert len(play.inputs[0]) == 1_115_394
