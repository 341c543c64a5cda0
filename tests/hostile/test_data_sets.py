"""Data from which nothing can be learnt is named before training: nothing is written, nothing is built."""

from pathlib import Path

import numpy as np
import pytest

import ganglion
from ganglion.errors import GanglionError
from tests.hostile.case import put

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(60, 3))
HALVES = np.arange(60) % 2


def csv(folder: Path, rows: np.ndarray, targets: np.ndarray, name: str = "t.csv") -> Path:
    lines = [",".join(map(str, (*row, target))) for row, target in zip(rows, targets, strict=True)]
    return put(folder / name, "a,b,c,class\n" + "\n".join(lines) + "\n")


def test_one_class(tmp_path: Path) -> None:
    refused("all samples are of one class", "mlp", csv(tmp_path, ROWS, np.zeros(60, dtype=int)), tmp_path)


def test_one_sample(tmp_path: Path) -> None:
    refused("too few samples: 1", "mlp", csv(tmp_path, ROWS[:1], HALVES[:1]), tmp_path)


def test_an_empty_test_part(tmp_path: Path) -> None:
    refused("no sample is left for the", "mlp", csv(tmp_path, ROWS[:2], HALVES[:2]), tmp_path, validation=0.4)


def test_shares_that_leave_nothing(tmp_path: Path) -> None:
    refused("must leave something to train on", "mlp", csv(tmp_path, ROWS, HALVES), tmp_path, validation=0.5, test=0.5)


def test_labels_that_the_training_part_lacks(tmp_path: Path) -> None:
    csv(tmp_path, ROWS, np.array(["x", "y"])[HALVES], "train.csv")
    csv(tmp_path, RANDOM.normal(size=(20, 3)), np.array(["x", "z"])[HALVES[:20]], "test.csv")
    refused("classes that the training part lacks", "mlp", tmp_path, tmp_path, found="z")


def test_a_test_part_that_is_the_training_part(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv"):
        csv(tmp_path, ROWS, HALVES, name)
    refused("test samples that are also training samples: 60", "mlp", tmp_path, tmp_path)


def test_the_same_sample_over_and_over(tmp_path: Path) -> None:
    refused("all 60 samples are the same", "mlp", csv(tmp_path, np.ones((60, 3)), HALVES), tmp_path)


def test_targets_that_never_change(tmp_path: Path) -> None:
    refused("all targets are the same", "mlp", csv(tmp_path, ROWS, np.full(60, 0.5)), tmp_path)


def test_a_series_that_is_too_short(tmp_path: Path) -> None:
    source = put(tmp_path / "s.csv", "date,value\n2024-01-01,1\n2024-01-02,2\n")
    refused("", "lstm-forecaster", source, tmp_path)


def test_a_series_that_never_changes(tmp_path: Path) -> None:
    source = put(tmp_path / "s.csv", "value,other\n" + "1,1\n" * 300)
    refused("the series never changes", "lstm-forecaster", source, tmp_path)


def test_rows_for_a_system_that_looks_at_images(tmp_path: Path) -> None:
    refused("looks at images", "lenet5", csv(tmp_path, ROWS, HALVES), tmp_path)


ARRAYS = {
    "ragged": [[1.0], [2.0, 3.0]],
    "objects": [[{}], [[]]],
    "texts": [["a"], ["b"]],
    "nothing": [],
    "a number": 3.0,
    "six axes": np.zeros((2, 1, 1, 1, 1, 1)),
    "infinite": np.full((30, 2), np.inf),
    "no numbers": np.full((30, 2), np.nan),
    "beyond single precision": np.full((30, 2), 1e300) * np.arange(30)[:, None],
    "complex": np.zeros((30, 2), dtype=complex),
    "dates": np.zeros((30, 2), dtype="M8[s]"),
    "pixels below zero": np.full((30, 8, 8), -1.0),
}


@pytest.mark.parametrize("inputs", ARRAYS.values(), ids=ARRAYS)
def test_arrays_that_are_no_inputs(inputs: object, tmp_path: Path) -> None:
    count = len(inputs) if hasattr(inputs, "__len__") else 1
    refused("", "mlp", (inputs, np.arange(count) % 2), tmp_path)


TARGETS = {
    "too few": np.arange(59) % 2,
    "missing": np.full(60, np.nan),
    "objects": np.array([{}] * 60, dtype=object),
    "three axes": np.zeros((60, 1, 1)),
    "a number": 3,
    "dates": np.zeros(60, dtype="M8[s]"),
}


@pytest.mark.parametrize("targets", TARGETS.values(), ids=TARGETS)
def test_arrays_that_are_no_targets(targets: object, tmp_path: Path) -> None:
    refused("", "mlp", (ROWS, targets), tmp_path)


def refused(said: str, system: str, source: object, folder: Path, found: str = "", **options: object) -> None:
    out = folder / "run"
    with pytest.raises(GanglionError) as caught:
        ganglion.train(system, source, out=out, **options)
    assert said in caught.value.what
    assert found in caught.value.found
    assert len(str(caught.value).splitlines()) > 1
    assert not out.exists()
