"""Small data sets that come with the package or with scikit-learn: nothing to fetch in the first minute."""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint

EXAM_MARKS = (
    (80, 75, 90, 1), (35, 40, 30, 0), (60, 55, 65, 1), (45, 30, 40, 0), (90, 85, 80, 1), (20, 50, 35, 0),
    (70, 40, 60, 1), (50, 35, 45, 0), (55, 65, 50, 1), (30, 55, 40, 0), (65, 70, 70, 1), (40, 25, 55, 0),
    (85, 60, 65, 1), (25, 30, 20, 0), (75, 80, 45, 1), (45, 45, 35, 0), (50, 75, 80, 1), (60, 30, 40, 0),
    (95, 90, 85, 1), (35, 60, 25, 0), (40, 85, 70, 1), (55, 45, 30, 0), (70, 65, 55, 1), (15, 35, 60, 0),
    (60, 80, 50, 1), (50, 45, 40, 0), (85, 70, 95, 1), (30, 20, 50, 0), (45, 70, 75, 1), (65, 25, 35, 0),
)  # fmt: skip
"""Marks in three exams out of 100, and whether the candidate passed: with more than 150 altogether."""

SKLEARN = ("digits", "iris", "wine", "breast-cancer", "diabetes")
BUNDLED = ("exam-marks", *SKLEARN, "photographs")
CROP = 64
"""Side of the pieces that photographs are cut into."""


def read_bundled(name: str) -> Dataset:
    """Return a bundled set by name.

    >>> read_bundled("iris").label_names
    ('setosa', 'versicolor', 'virginica')
    """
    if name == "exam-marks":
        return _exam_marks()
    if name == "photographs":
        return _photographs()
    return (_digits() if name == "digits" else None) or _from_sklearn(name)


def _exam_marks() -> Dataset:
    rows = np.array(EXAM_MARKS)
    inputs, targets = rows[:, :3].astype(np.float32), rows[:, 3].astype(np.int64)
    return Dataset.of(
        name="exam-marks",
        kind="tabular",
        inputs=inputs,
        targets=targets,
        label_names=("fail", "pass"),
        column_names=("first mark", "second mark", "third mark"),
        target_names=("result",),
        source="exam-marks",
        fingerprint=fingerprint(inputs, targets),
    )


def _within_sklearn(*parts: str) -> Path:
    """Return a file inside scikit-learn, whose import would take longer than a short training run."""
    found = find_spec("sklearn")
    return Path(found.origin if found and found.origin else "").parent.joinpath("datasets", *parts)


def photograph(name: str) -> Image.Image:
    """Return one of the two photographs that come with scikit-learn, china.jpg or flower.jpg."""
    return Image.open(_within_sklearn("images", name)).convert("RGB")


def whole_photographs() -> list[np.ndarray]:
    """Return the two photographs that come with scikit-learn, bytes (427, 640, 3) each."""
    return [np.asarray(photograph(name)) for name in ("china.jpg", "flower.jpg")]


def _photographs() -> Dataset:
    """Cut the two photographs that come with scikit-learn into pieces that do not overlap."""
    pieces = []
    for pixels in whole_photographs():
        rows, columns = pixels.shape[0] // CROP, pixels.shape[1] // CROP
        whole = pixels[: rows * CROP, : columns * CROP]
        pieces.append(whole.reshape(rows, CROP, columns, CROP, 3).swapaxes(1, 2).reshape(-1, CROP, CROP, 3))
    inputs = np.concatenate(pieces)
    return Dataset.of(
        name="photographs", kind="image", inputs=inputs, source="photographs", fingerprint=fingerprint(inputs)
    )


def _digits() -> Dataset | None:
    """Read the digits from the file inside scikit-learn; None where another version keeps that file elsewhere."""
    path = _within_sklearn("data", "digits.csv.gz")
    if not path.is_file():
        return None
    with gzip.open(path, "rt", encoding="ascii") as file:
        rows = np.loadtxt(file, delimiter=",")
    inputs = np.round(rows[:, :-1].reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)  # pixels from 0 to 16
    targets = rows[:, -1].astype(np.int64)
    return Dataset.of(
        name="digits",
        kind="image",
        inputs=inputs,
        targets=targets,
        label_names=tuple(str(label) for label in range(10)),
        target_names=("class",),
        source="digits",
        fingerprint=fingerprint(inputs, targets),
    )


def _from_sklearn(name: str) -> Dataset:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name.replace('-', '_')}")()
    names = tuple(str(label) for label in getattr(bunch, "target_names", ()))
    targets = bunch.target.astype(np.int64 if names else np.float32)
    inputs = bunch.data.astype(np.float32)
    columns = tuple(str(column) for column in bunch.feature_names)
    if name == "digits":  # 8 x 8 pixels from 0 to 16.
        inputs, columns = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None], ()
    return Dataset.of(
        name=name,
        kind="image" if name == "digits" else "tabular",
        inputs=inputs,
        targets=targets,
        label_names=names,
        column_names=columns,
        target_names=("class",) if names else ("progression",),
        source=name,
        fingerprint=fingerprint(inputs, targets),
    )
