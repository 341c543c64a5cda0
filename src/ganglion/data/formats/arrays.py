"""Data that a program hands over as arrays."""

import hashlib
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset, Kind
from ganglion.data.formats.stored import STORED
from ganglion.data.formats.targets import Targets, Task, read_targets
from ganglion.errors import DataError


def from_arrays(
    inputs: Any, targets: Any = None, *, kind: Kind | None = None, name: str = "arrays", task: Task = "auto"
) -> Dataset:
    """Return a data set of arrays: `(samples, columns)` rows, `(samples, height, width[, channels])` images.

    Targets are classes or quantities by the rules of `read_targets`, whichever file or program they come from. Raises
    `DataError` for arrays that do not fit together.

    >>> from_arrays([[0.0, 1.0], [2.0, 3.0]], ["yes", "no"]).label_names
    ('no', 'yes')
    """
    inputs = _array(inputs, "inputs")
    kind = kind or ("image" if inputs.ndim >= 3 else "tabular")
    if inputs.dtype.kind not in "buif" or inputs.ndim not in {"image": (3, 4), "series": (1, 2)}.get(kind, (2,)):
        raise DataError(
            "cannot use these inputs",
            expected="numbers as (samples, columns), (samples, height, width) or (samples, height, width, channels)",
            found=f"{inputs.dtype} of shape {inputs.shape}",
        )
    if kind == "image":
        inputs = _pixels(inputs[..., None] if inputs.ndim == 3 else inputs)
    else:
        inputs = inputs.astype(np.float64).reshape(len(inputs), -1 if inputs.size else 0)
    read = None if targets is None else _targets(_array(targets, "targets"), len(inputs), task, kind == "image")
    numbers, labels, notes = (None, (), ()) if read is None else (read.values, read.labels, (read.note,))
    digest = hashlib.sha256(inputs.tobytes() + (b"" if numbers is None else numbers.tobytes())).hexdigest()
    columns = () if kind == "image" else tuple(f"column {number}" for number in range(inputs.shape[1]))
    return Dataset.of(
        name=name,
        kind=kind,
        inputs=inputs,
        targets=numbers,
        label_names=labels,
        column_names=columns,
        source=STORED,
        fingerprint=digest,
        notes=notes,
    )


def _array(values: Any, what: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(
            f"the {what} are no array", found=str(error), expected="numbers, one row for every sample"
        ) from error


def _pixels(images: np.ndarray) -> np.ndarray:
    """Return bytes; fractions are taken to run from 0 to 1, larger numbers up to 255."""
    if images.dtype == np.uint8:
        return images
    low, high = (float(images.min()), float(images.max())) if images.size else (0.0, 0.0)
    if not (low >= 0 and high <= 255):
        raise DataError("pixels must lie within 0..1 or 0..255", found=f"{low:g} to {high:g}")
    return np.rint(images * (255 if high <= 1 else 1)).astype(np.uint8)


def _targets(targets: np.ndarray, samples: int, task: Task, pictures: bool) -> Targets:
    if targets.shape[:1] != (samples,):
        raise DataError(
            "inputs and targets differ in number",
            where="targets",
            expected=f"{samples} class names or numbers, or as many rows of numbers",
            found=f"{targets.dtype} of shape {targets.shape}",
            remedy="give one target for every sample",
        )
    return read_targets(targets, where="targets", task=task, pictures=pictures)
