"""Data that a program hands over as arrays, and its copy inside a run, so that the run can be resumed."""

import hashlib
import json
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset, Kind
from ganglion.data.formats.npz import load_arrays
from ganglion.errors import DataError
from ganglion.files import parse_json
from ganglion.settings import from_dict, to_dict

STORED = "data.npz"
ABOUT = "about.json"
PARTS = ("inputs", "targets", "test_inputs", "test_targets")


@dataclass(frozen=True, kw_only=True)
class About:
    """What is stored beside the arrays."""

    name: str
    kind: Kind
    fingerprint: str
    label_names: tuple[str, ...]
    column_names: tuple[str, ...]


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
    return Dataset(
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


def store(dataset: Dataset, folder: Path) -> None:
    """Write the arrays and names of a data set into a run folder."""
    about = to_dict(About(**{field.name: getattr(dataset, field.name) for field in fields(About)}))
    arrays = {name: array for name in PARTS if (array := getattr(dataset, name)) is not None}
    with zipfile.ZipFile(folder / STORED, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(ABOUT, json.dumps(about))
        for name, array in arrays.items():
            if isinstance(array, np.ndarray) and array.dtype == object:  # Rows with columns of text.
                file.writestr(f"{name}.json", json.dumps(array.tolist()))
                continue
            with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)


def stored(folder: Path) -> Dataset:
    """Read what `store` wrote. Raises `DataError` where that is not what lies there."""
    path = folder / STORED
    tables = tuple(f"{name}.json" for name in PARTS)
    arrays = load_arrays(path, beside=(ABOUT, *tables))
    parts: dict[str, Any] = {name: array for name, array in arrays.items() if name in PARTS}
    try:
        with zipfile.ZipFile(path) as file:
            about = from_dict(About, parse_json(file.read(ABOUT).decode()), where=ABOUT)
            for table in set(tables) & set(file.namelist()):
                rows = parse_json(file.read(table).decode(), finite=False)
                parts[table.removesuffix(".json")] = np.array(rows, dtype=object)
        return Dataset(**vars(about), **parts, source=STORED)
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            "the data of this run is damaged",
            where=str(path),
            found=str(error),
            remedy="put back the file that training saved, or name the data anew",
        ) from error
