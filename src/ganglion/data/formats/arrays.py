"""Data that a program hands over as arrays."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset, Kind
from ganglion.data.formats.films.arrays import films_of_arrays
from ganglion.data.formats.npz import INPUT_NAMES, TARGET_NAMES
from ganglion.data.formats.short_series import refuse_too_short
from ganglion.data.formats.stored import STORED
from ganglion.data.formats.targets import Targets, Task, read_targets
from ganglion.data.pixels import Range, channels_last, find_range, said, to_pixels
from ganglion.errors import DataError


def from_arrays(
    inputs: Any,
    targets: Any = None,
    *,
    kind: Kind | None = None,
    name: str = "arrays",
    task: Task = "auto",
    pixels: Range | None = None,
    weights: np.ndarray | None = None,
) -> Dataset:
    """Return a data set of arrays: `(samples, columns)` rows, `(samples, height, width[, channels])` images.

    Targets are classes or quantities by the rules of `read_targets`, whichever file or program they come from;
    `weights` `(samples,)` say how much each sample counts in the loss. Raises `DataError` for arrays that do not fit
    together.

    >>> from_arrays([[0.0, 1.0], [2.0, 3.0]], ["yes", "no"]).label_names
    ('no', 'yes')
    """
    inputs = _array(inputs, "inputs")
    if kind == "films":
        described: dict[str, Any] = {"name": name, "source": STORED, "pixels": pixels}
        return films_of_arrays(inputs, None if targets is None else _array(targets, "targets"), **described)
    black_white: Range | None = None
    remarks: tuple[str, ...] = ()
    kind = (
        "short-series"
        if kind == "series" and inputs.ndim == 3
        else kind or ("image" if inputs.ndim >= 3 else "tabular")
    )
    if inputs.dtype.kind not in "buif" or inputs.ndim not in {
        "image": (3, 4),
        "series": (1, 2),
        "short-series": (2, 3),
    }.get(kind, (2,)):
        raise DataError(
            "cannot use these inputs",
            expected="numbers as (samples, columns), (samples, height, width) or (samples, height, width, channels)",
            found=f"{inputs.dtype} of shape {inputs.shape}",
        )
    if kind == "image":
        inputs = inputs[..., None] if inputs.ndim == 3 else channels_last(inputs)
        black_white = find_range(inputs, pixels, where="inputs")
        remarks = (said(black_white, inputs.min(), inputs.max()),) if inputs.size else ()
        inputs = to_pixels(inputs, black_white)
    elif kind == "short-series":
        refuse_too_short(inputs.shape[1], "inputs")
        inputs = (inputs[..., None] if inputs.ndim == 2 else inputs).astype(np.float64)
    else:
        inputs = inputs.astype(np.float64).reshape(len(inputs), -1 if inputs.size else 0)
    read = None if targets is None else _targets(_array(targets, "targets"), len(inputs), task, kind == "image")
    numbers, labels, notes = (None, (), ()) if read is None else (read.values, read.labels, (read.note,))
    digest = hashlib.sha256(b"".join(part.tobytes() for part in (inputs, numbers, weights) if part is not None))
    columns = (
        () if kind in ("image", "short-series") else tuple(f"column {number}" for number in range(inputs.shape[1]))
    )
    return Dataset.of(
        name=name,
        kind=kind,
        inputs=inputs,
        targets=numbers,
        label_names=labels,
        column_names=columns,
        source=STORED,
        fingerprint=digest.hexdigest(),
        notes=(*remarks, *notes),
        pixels=black_white,
        weights=weights,
    )


def named_arrays(arrays: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return inputs and targets by the names that they have in NPZ files, too.

    >>> named_arrays({"x": [[0.0]], "y": [1]})
    ([[0.0]], [1])
    """
    lower = {str(name).lower(): name for name in arrays}
    found = [next((lower[name] for name in names if name in lower), None) for names in (INPUT_NAMES, TARGET_NAMES)]
    if found[0] is None:
        raise DataError(
            "these arrays have none that is called like inputs",
            where="data",
            expected=f"one of {', '.join(INPUT_NAMES)}",
            found=", ".join(map(str, arrays)),
            remedy="give a pair of inputs and targets",
        )
    return arrays[found[0]], None if found[1] is None else arrays[found[1]]


def _array(values: Any, what: str) -> np.ndarray:
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(
            f"the {what} are no array", found=str(error), expected="numbers, one row for every sample"
        ) from error


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
