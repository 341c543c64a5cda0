"""Data that a program hands over as arrays."""

import hashlib
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset, Kind
from ganglion.data.formats.stored import STORED
from ganglion.errors import DataError


def from_arrays(inputs: Any, targets: Any = None, *, kind: Kind | None = None, name: str = "arrays") -> Dataset:
    """Return a data set of arrays: `(samples, columns)` rows, `(samples, height, width[, channels])` images.

    Targets that are text or whole numbers are classes, other numbers are values. Raises `DataError` for arrays that
    do not fit together.

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
        with np.errstate(over="ignore"):  # What is too large becomes infinite, which the data check finds.
            inputs = inputs.astype(np.float32).reshape(len(inputs), -1 if inputs.size else 0)
    numbers, labels = (None, ()) if targets is None else _targets(_array(targets, "targets"), len(inputs))
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


def _targets(targets: np.ndarray, samples: int) -> tuple[np.ndarray, tuple[str, ...]]:
    if targets.shape[:1] != (samples,) or targets.ndim > 2 or targets.dtype.kind not in "buifUS":
        raise DataError(
            "cannot use these targets",
            expected=f"{samples} class names or whole numbers, or as many rows of numbers",
            found=f"{targets.dtype} of shape {targets.shape}",
        )
    if targets.dtype.kind == "f":
        return targets.astype(np.float32), ()
    names, numbers = np.unique(targets, return_inverse=True)
    return numbers.astype(np.int64), tuple(str(name) for name in names)
