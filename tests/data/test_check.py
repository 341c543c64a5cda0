"""The data check finds what was put wrong, and nothing else."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.check import check, check_path
from ganglion.data.dataset import Dataset
from ganglion.errors import UsageError

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(60, 3)).astype(np.float32)
NAMES = {"label_names": ("a", "b", "c"), "column_names": ("x", "y", "z")}


def changed(**parts: object) -> Dataset:
    """Return the sound data with other parts."""
    sound = {"inputs": ROWS, "targets": np.arange(60) % 3, **NAMES}
    return Dataset.of(name="sound", kind="tabular", **{**sound, **parts})  # type: ignore[arg-type]


SOUND = changed()


def messages(dataset: Dataset, level: str) -> str:
    return "\n".join(f"{f.message} {f.where}" for f in check(dataset) if f.level == level)


def test_sound_data_has_no_findings() -> None:
    assert check(SOUND) == []
    for name in ("digits", "wine", "breast-cancer", "diabetes", "two-moons", "sine", "bars-and-stripes"):
        assert check_path(name) == []


def test_classes() -> None:
    assert "one class, 'b'" in messages(changed(targets=np.ones(60, np.int64)), "stop")
    uneven = np.where(np.arange(60) < 58, 0, 1)
    found = messages(changed(targets=uneven), "warn")
    assert "29 times" in found
    assert "classes of fewer than 3 samples: 1 ('b: 2',)" in found
    assert "classes without a sample: 1 ('c',)" in found


def test_repetitions_contradictions_and_overlap() -> None:
    repeated = ROWS.copy()
    repeated[[10, 20]] = repeated[[13, 23]]  # The first has the same class, as has the second.
    assert "repeat another one: 2 ('sample 13 = sample 10', 'sample 23 = sample 20')" in messages(
        changed(inputs=repeated), "warn"
    )
    repeated[0] = repeated[1]
    assert "with another target: 1 ('sample 1 = sample 0',)" in messages(changed(inputs=repeated), "warn")
    test = RANDOM.normal(size=(20, 3)).astype(np.float32)
    test[4] = ROWS[7]
    part = {"test_inputs": test, "test_targets": np.zeros(20, np.int64)}
    assert "also training samples: 1 (5.0%) ('sample 4 = sample 7',)" in messages(changed(**part), "warn")
    assert "(100.0%)" in messages(changed(test_inputs=ROWS, test_targets=SOUND.targets), "stop")


def test_columns() -> None:
    rows = ROWS.copy()
    rows[:, 0] = 4
    rows[:40, 1] = np.nan
    rows[:, 2] = SOUND.targets
    found = messages(changed(inputs=rows), "warn")
    assert "never change: 1 ('x',)" in found
    assert "missing in most rows: 1 ('y (67%)',)" in found
    assert "copy of the target ('z',)" in found
    texts = np.array([["same", float(number)] for number in range(60)], dtype=object)
    assert "never change: 1 ('x',)" in messages(changed(inputs=texts, column_names=("x", "y")), "warn")


def test_quantities_and_counts() -> None:
    values = np.arange(60, dtype=np.float32)
    values[3] = np.inf
    assert "infinite: 1" in messages(changed(targets=values, label_names=()), "stop")
    assert "the same" in messages(changed(targets=np.ones(60, np.float32), label_names=()), "stop")
    assert "too few" in messages(changed(inputs=ROWS[:1], targets=None), "stop")
    assert "only 10" in messages(changed(inputs=ROWS[:10], targets=None), "warn")
    flat = Dataset.of(name="flat", kind="series", inputs=np.ones((50, 1), np.float32))
    assert "never changes" in messages(flat, "stop")


def test_folders_of_images(tmp_path: Path) -> None:
    for part, count in (("train", 15), ("test", 5)):
        for label in ("a", "b"):
            (tmp_path / part / label).mkdir(parents=True)
            for number in range(count):
                pixels = RANDOM.integers(0, 256, (32, 32), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / label / f"{number}.png")
    assert check_path(tmp_path) == []
    cut = tmp_path / "train/a/3.png"
    cut.write_bytes(cut.read_bytes()[:600])
    (tmp_path / "train/b/1.png").write_bytes((tmp_path / "train/b/0.png").read_bytes())
    (tmp_path / "test/b/2.png").write_bytes((tmp_path / "train/b/4.png").read_bytes())
    found = {finding.message: finding for finding in check_path(tmp_path)}
    assert found["images that cannot be read: 1"].level == "stop"
    assert "train/a/3.png" in found["images that cannot be read: 1"].where[0]
    assert "train/b/1.png" in found["samples that repeat another one: 1"].where[0]
    assert "test/b/2.png" in found["test samples that are also training samples: 1 (10.0%)"].where[0]


def test_what_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "broken.csv").write_text("a,b\n1,2\n3\n4,5\n")
    (finding,) = check_path(tmp_path / "broken.csv")
    assert finding.level == "stop"
    assert "line 3" in finding.where[0]
    with pytest.raises(UsageError):
        check_path("digts")
