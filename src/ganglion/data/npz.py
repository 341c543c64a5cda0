"""Arrays in NPZ files, never pickled: images, rows or a series, with or without targets and a test part."""

import zipfile
from pathlib import Path

import numpy as np

from ganglion.data.contents import fingerprint
from ganglion.data.dataset import Dataset, Kind
from ganglion.data.tabular import MOST_CLASSES
from ganglion.errors import DataError

INPUT_NAMES = ("inputs", "x", "images", "data", "features")
SAMPLES_OF_A_CLASS = 10
"""Samples that each of many classes has on average at least, where whole numbers are taken for classes."""
TARGET_NAMES = ("targets", "y", "labels", "target", "label")


def read_arrays(path: Path, kind: Kind | None = None) -> Dataset:
    """Read inputs, targets and a test part by their usual names (`x_train`, `inputs`, `test_labels`, ...).

    Arrays of three or four axes are images; of two, rows, or a series where that is asked for.
    """
    arrays = _load(path)
    inputs = _find(arrays, INPUT_NAMES, "train")
    if inputs is None and len(arrays) == 1:
        inputs = next(iter(arrays.values()))
    if inputs is None:
        raise DataError(
            "this file has no array that is called like inputs",
            where=str(path),
            expected=f"one of {', '.join(INPUT_NAMES)}",
            found=", ".join(arrays),
        )
    test_inputs = _find(arrays, INPUT_NAMES, "test")
    found = [_find(arrays, TARGET_NAMES, part) for part in ("train", "test")]
    _refuse_uneven(inputs, found[0], path)
    _refuse_uneven(test_inputs, found[1], path)
    (targets, test_targets), labels = _targets(found)
    shape: Kind = kind or ("image" if inputs.ndim > 2 else "tabular")
    inputs = _as(shape, inputs, path)
    return Dataset(
        name=path.stem,
        kind=shape,
        inputs=inputs,
        targets=targets,
        test_inputs=None if test_inputs is None else _as(shape, test_inputs, path),
        test_targets=test_targets,
        label_names=labels,
        column_names=tuple(f"column {number + 1}" for number in range(inputs.shape[1])) if inputs.ndim == 2 else (),
        source=str(path),
        fingerprint=fingerprint(inputs, targets, test_inputs, test_targets),
        notes=(f"arrays {', '.join(f'{name} {array.shape}' for name, array in arrays.items())}",),
    )


def read_array(path: Path) -> np.ndarray:
    """Return the inputs alone, as they are."""
    arrays = _load(path)
    found = _find(arrays, INPUT_NAMES, "train")
    return next(iter(arrays.values())) if found is None else found


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            single = isinstance(content, np.ndarray)
            arrays = {"inputs": content} if single else {name: content[name] for name in content}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        pickled = "allow_pickle" in str(error)
        raise DataError(
            "this file holds Python objects, which could run code" if pickled else "this file cannot be read",
            where=str(path),
            found="" if pickled else str(error),
            remedy="save plain arrays with numpy.savez" if pickled else "",
        ) from error
    if not arrays:
        raise DataError("this file holds no arrays", where=str(path))
    return arrays


def _find(arrays: dict[str, np.ndarray], names: tuple[str, ...], part: str) -> np.ndarray | None:
    spellings = [spelling for name in names for spelling in (f"{name}_{part}", f"{part}_{name}")]
    if part == "train":
        spellings += names
    lower = {name.lower(): name for name in arrays}
    return next((arrays[lower[spelling]] for spelling in spellings if spelling in lower), None)


def _refuse_uneven(inputs: np.ndarray | None, targets: np.ndarray | None, path: Path) -> None:
    if inputs is not None and targets is not None and len(targets) != len(inputs):
        found = f"{len(inputs)} inputs, {len(targets)} targets"
        raise DataError("inputs and targets differ in number", where=str(path), found=found)


def _targets(parts: list[np.ndarray | None]) -> tuple[list[np.ndarray | None], tuple[str, ...]]:
    """Return the targets of all parts and class names: texts, and whole numbers that recur, are classes."""
    parts = [part[:, 0] if part is not None and part.ndim == 2 and part.shape[1] == 1 else part for part in parts]
    there = [part for part in parts if part is not None]
    if not there:
        return parts, ()
    if there[0].dtype.kind in "US":
        names = np.unique(np.concatenate(there).astype(str))
        numbers = [None if part is None else np.searchsorted(names, part.astype(str)) for part in parts]
        return numbers, tuple(names.tolist())
    first = there[0]
    few = len(np.unique(first)) <= max(MOST_CLASSES, len(first) // SAMPLES_OF_A_CLASS)
    if first.ndim == 1 and first.dtype.kind in "iub" and min(part.min(initial=0) for part in there) >= 0 and few:
        count = max(int(part.max(initial=0)) for part in there) + 1
        return [None if part is None else part.astype(np.int64) for part in parts], tuple(map(str, range(count)))
    return [None if part is None else part.astype(np.float32) for part in parts], ()


def _as(kind: Kind, values: np.ndarray, path: Path) -> np.ndarray:
    """Return arrays of the type and the axes that their kind has."""
    if kind != "image":
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or values.dtype.kind not in "iufb":
            raise DataError(
                "these are no rows of numbers", where=str(path), found=f"{values.dtype} of shape {values.shape}"
            )
        return values.astype(np.float32)
    values = values[..., None] if values.ndim == 3 else values
    if values.ndim != 4 or values.shape[-1] not in (1, 3):
        raise DataError(
            "these are no images",
            where=str(path),
            expected="(samples, height, width) or (samples, height, width, 1 or 3)",
            found=str(values.shape),
        )
    if values.dtype == np.uint8:
        return values
    largest = 1.0 if values.dtype.kind == "f" and values.max() <= 1 else 255.0
    if values.dtype.kind not in "iufb" or values.min() < 0 or values.max() > largest:
        raise DataError("pixels must go from 0 to 255, or from 0 to 1 as fractions", where=str(path))
    return np.round(values * (255 / largest)).astype(np.uint8)
