"""What is to be predicted is judged alike in tables, in array files and in memory."""

from pathlib import Path

import numpy as np
import pytest

from ganglion.data.catalogue import read
from ganglion.data.check import check
from ganglion.data.dataset import Dataset
from ganglion.data.formats.arrays import from_arrays
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(120, 3))
THREE = np.arange(120) % 3


def everywhere(folder: Path, targets: np.ndarray, **settings: object) -> list[Dataset]:
    """Return the same targets read from memory, from an array file and, where they are one column, from a table."""
    asked = DataSettings(**settings)  # type: ignore[arg-type]
    np.savez(folder / "a.npz", x=ROWS, y=targets)
    found = [from_arrays(ROWS, targets, task=asked.task), read(folder / "a.npz", asked)]
    if targets.ndim == 1 or targets.shape[1] == 1:
        lines = [",".join(map(str, [*row, *np.ravel(target)])) for row, target in zip(ROWS, targets, strict=True)]
        (folder / "t.csv").write_text("a,b,c,y\n" + "\n".join(lines) + "\n")
        found.append(read(folder / "t.csv", asked))
    return found


@pytest.mark.parametrize(
    ("targets", "labels"),
    [
        (THREE, ("0", "1", "2")),
        (THREE.astype(float), ("0", "1", "2")),
        (THREE[:, None], ("0", "1", "2")),
        (np.array(["jam", "ham", "none"])[THREE], ("ham", "jam", "none")),
        (THREE > 0, ("False", "True")),
        (np.where(THREE > 0, 1, -1), ("-1", "1")),
        (np.eye(3)[THREE], ("0", "1", "2")),
        (np.eye(3, dtype=int)[THREE], ("0", "1", "2")),
        (np.eye(3, dtype=bool)[THREE], ("0", "1", "2")),
        (np.where(np.arange(120) < 3, 1, 0), ("0", "1")),
    ],
)
def test_classes(tmp_path: Path, targets: np.ndarray, labels: tuple[str, ...]) -> None:
    expected = targets.argmax(axis=1) if targets.ndim == 2 and targets.shape[1] > 1 else np.ravel(targets)
    for dataset in everywhere(tmp_path, targets):
        assert dataset.label_names == labels
        said = np.array(labels)[dataset.targets]
        assert said.tolist() == [str(value.item() if value.dtype.kind != "f" else int(value)) for value in expected]


@pytest.mark.parametrize(
    "targets",
    [
        ROWS[:, 0],
        np.arange(120),
        np.minimum(np.arange(120) // 4, 12),  # the last of 13 whole numbers often, the others 4 times each
        ROWS[:, :2],
        RANDOM.integers(0, 50, size=(120, 2)),
        ROWS[:, :1],
        2_000_000_000 + 10 * np.arange(120),
    ],
)
def test_quantities(tmp_path: Path, targets: np.ndarray) -> None:
    for dataset in everywhere(tmp_path, targets):
        assert not dataset.is_classification
        assert np.array_equal(dataset.targets, targets[:, 0] if targets.shape[1:] == (1,) else targets)


def test_what_is_asked_for_overrules(tmp_path: Path) -> None:
    for dataset in everywhere(tmp_path, THREE, task="regression"):
        assert dataset.targets.tolist() == THREE.tolist() and not dataset.is_classification
    for dataset in everywhere(tmp_path, np.arange(120) // 4, task="classification"):
        assert len(dataset.label_names) == 30
    for wrong, task in ((np.array(["a", "b"])[THREE % 2], "regression"), (ROWS[:, :2], "classification")):
        with pytest.raises(DataError):
            from_arrays(ROWS, wrong, task=task)


@pytest.mark.parametrize(
    "targets", [np.zeros((120, 2, 2)), np.array([None] * 120), np.array(["a"] * 119), np.full(120, None), ROWS[:5]]
)
def test_what_is_no_target_is_an_error_of_ours(targets: np.ndarray) -> None:
    with pytest.raises(DataError) as caught:
        from_arrays(ROWS, targets)
    assert caught.value.remedy


def test_several_values_beside_a_repeated_row_are_checked() -> None:
    rows = np.vstack([ROWS, ROWS[:1]])
    messages = [one.message for one in check(from_arrays(rows, np.vstack([ROWS[:, :2], ROWS[1:2, :2]])))]
    assert "samples that repeat another one with another target: 1" in messages


def test_large_numbers_stay_exact(tmp_path: Path) -> None:
    times = 1_700_000_000 + np.arange(120) * 7 % 119
    (tmp_path / "t.csv").write_text("time,noise,y\n" + "".join(f"{t},{n / 7},{n % 2}\n" for n, t in enumerate(times)))
    dataset = read(tmp_path / "t.csv", DataSettings(columns=("time",)))
    assert np.array_equal(dataset.inputs[:, 0], times)
