"""Arrays in NPZ files, never pickled: images, rows or a series, with or without targets and a test part."""

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from ganglion.data.dataset import Dataset, Kind
from ganglion.data.digests import fingerprint, single
from ganglion.data.formats.short_series import refuse_too_short
from ganglion.data.formats.targets import Targets, Task, read_targets
from ganglion.data.formats.weights import array_of_weights
from ganglion.data.pixels import CHANNELS, Range, channels_last, find_range, said, to_pixels
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, GanglionError
from ganglion.files import refuse_bomb, regular

MOST_ARRAYS = 1000
Objects = Callable[[bytes, int, Path], list[np.ndarray]]
"""From what stands in an array of objects, how many these are, and the file, to the arrays that they are."""
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""Readers of what stands before the numbers, by version."""
INPUT_NAMES = ("inputs", "x", "images", "data", "features")
TARGET_NAMES = ("targets", "y", "labels", "target", "label")


def read_arrays(path: Path, settings: DataSettings, kind: Kind | None = None) -> Dataset:
    """Read inputs, targets and a test part by their usual names (`x_train`, `inputs`, `test_labels`, ...).

    Arrays of three or four axes are images; of two, rows, or a series where that is asked for. Where series are asked
    for, an array of three axes is many short ones.
    """
    arrays = load_arrays(path)
    inputs, test_inputs = _inputs(arrays, path)
    found = [_find(arrays, TARGET_NAMES, part) for part in ("train", "test")]
    if kind == "films":
        from ganglion.data.formats.films.arrays import films_of_arrays

        described: dict[str, Any] = {"name": path.stem, "source": str(path), "pixels": settings.pixels}
        return films_of_arrays(inputs, found[0], test_inputs, found[1], **described)
    _refuse_uneven(inputs, found[0], path)
    _refuse_uneven(test_inputs, found[1], path)
    shape: Kind = kind or ("image" if inputs.ndim > 2 else "tabular")
    if kind == "series" and inputs.ndim == 3:
        shape = "short-series"
    targets, notes = _targets(found, path, settings.task, pictures=shape == "image")
    weights = None if settings.weights is None else array_of_weights(arrays, settings.weights, path)
    parts = [_as(shape, part, path) for part in (inputs, test_inputs) if part is not None]
    black_white: Range | None = None
    if shape == "image":
        parts, black_white, said = _as_pixels(parts, settings, path)
        notes = (said, *notes)
        if parts[0].shape[1:] != inputs.shape[1:] and inputs.ndim == 4:
            notes = ("the channels of the pictures come first", *notes)
    inputs, test_inputs = parts[0], parts[1] if len(parts) > 1 else None
    return Dataset.of(
        name=path.stem,
        kind=shape,
        inputs=inputs,
        targets=None if targets is None else targets.values,
        test_inputs=test_inputs,
        test_targets=None if targets is None else targets.test_values,
        label_names=() if targets is None else targets.labels,
        column_names=tuple(f"column {number + 1}" for number in range(inputs.shape[1])) if inputs.ndim == 2 else (),
        weights=weights,
        source=str(path),
        fingerprint=_fingerprint(inputs, targets, test_inputs, weights),
        notes=(f"arrays {', '.join(f'{name} {array.shape}' for name, array in arrays.items())}", *notes),
        pixels=black_white,
    )


def _inputs(arrays: dict[str, np.ndarray], path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the inputs, and those of the test part where there are any."""
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
    if not inputs.size or inputs.ndim == 0:
        raise DataError(
            "there are no inputs in this file",
            where=str(path),
            found=f"shape {inputs.shape}",
            expected="one row for every sample",
        )
    test_inputs = _find(arrays, INPUT_NAMES, "test")
    if test_inputs is not None and (test_inputs.ndim == 0 or test_inputs.shape[1:] != inputs.shape[1:]):
        raise DataError(
            "the test part has another shape than the training part",
            where=str(path),
            expected=str(inputs.shape[1:]),
            found=str(test_inputs.shape[1:]),
        )
    return inputs, test_inputs


def _as_pixels(parts: list[np.ndarray], settings: DataSettings, path: Path) -> tuple[list[np.ndarray], Range, str]:
    """Return images as pixels, what was black and white in all of them, and that in words."""
    filled = [part for part in parts if part.size]
    black_white = find_range(np.concatenate([part.ravel() for part in filled]), settings.pixels, str(path))
    low, high = min(part.min() for part in filled), max(part.max() for part in filled)
    return [to_pixels(part, black_white) for part in parts], black_white, said(black_white, low, high)


def read_array(path: Path) -> np.ndarray:
    """Return the inputs alone, in the shape and type that they have."""
    arrays = load_arrays(path)
    found = _find(arrays, INPUT_NAMES, "train")
    array = next(iter(arrays.values())) if found is None else found
    if array.dtype.kind not in "iufb" or array.ndim == 0:
        raise DataError(
            "these are no numbers",
            where=str(path),
            found=f"{array.dtype} of shape {array.shape}",
            remedy="save plain numbers with numpy.save",
        )
    return array


def load_arrays(path: Path, beside: tuple[str, ...] = (), objects: Objects | None = None) -> dict[str, Any]:
    """Return the arrays of a file by name, none of which is read before its size has been compared with the file.

    Args:
        beside: endings of entries that are no arrays, and are left alone.
        objects: reads the arrays within an array of objects, which is refused if this is not given.
    """
    size = regular(path).stat().st_size
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                return {"inputs": _array(file, size, path, objects)}
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
                _refuse_entries(entries, size, path)
                arrays = {}
                for entry in entries:
                    if entry.filename.endswith(beside):
                        continue
                    with archive.open(entry) as member:
                        arrays[entry.filename.removesuffix(".npy")] = _array(member, entry.file_size, path, objects)
    except GanglionError:
        raise
    except Exception as error:  # NumPy and zipfile raise anything for files that are cut off, damaged or made to harm.
        raise DataError(
            "this file cannot be read",
            where=str(path),
            found=str(error) or type(error).__name__,
            remedy="save it again with numpy.save or numpy.savez",
        ) from error
    if not arrays and not beside:
        raise DataError("this file holds no arrays", where=str(path), expected="at least one")
    return arrays


def _refuse_entries(entries: list[zipfile.ZipInfo], size: int, path: Path) -> None:
    """Refuse archives that repeat names, hold too many entries, or unpack to far more than arrays compress."""
    if len(entries) > MOST_ARRAYS or len({entry.filename for entry in entries}) < len(entries):
        raise DataError(
            "this archive is not made by NumPy",
            where=str(path),
            expected=f"at most {MOST_ARRAYS} arrays of different names",
            found=f"{len(entries)} entries",
        )
    refuse_bomb(path, size, sum(entry.file_size for entry in entries))


def _array(file: IO[bytes], size: int, path: Path, objects: Objects | None = None) -> Any:
    """Return the array in NumPy's format that takes `size` bytes of an open file, or the arrays within it."""
    file.seek(0)
    if file.read(len(np.lib.format.MAGIC_PREFIX)) != np.lib.format.MAGIC_PREFIX:
        raise DataError(
            "this is not an array in NumPy's format",
            where=str(path),
            expected="what numpy.save or numpy.savez writes",
            remedy="files that were pickled can run programs and are never opened; save plain arrays with numpy.savez",
        )
    file.seek(0)
    shape, _, kind = HEADERS[np.lib.format.read_magic(file)](file)
    if kind.kind == "O" and objects is not None and len(shape) == 1:
        return objects(file.read(), shape[0], path)
    if kind.hasobject:
        raise DataError(
            "this file holds Python objects, which could run code",
            where=str(path),
            remedy="save plain arrays with numpy.savez",
        )
    expected, found = math.prod(shape) * kind.itemsize, size - file.tell()
    if expected != found or min(shape, default=1) < 0:
        raise DataError(
            "this array is not as long as its header says",
            where=str(path),
            expected=f"{expected} bytes for {kind} of shape {shape}",
            found=f"{found} bytes",
        )
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def _find(arrays: dict[str, np.ndarray], names: tuple[str, ...], part: str) -> np.ndarray | None:
    spellings = [spelling for name in names for spelling in (f"{name}_{part}", f"{part}_{name}")]
    if part == "train":
        spellings += names
    lower = {name.lower(): name for name in arrays}
    return next((arrays[lower[spelling]] for spelling in spellings if spelling in lower), None)


def _refuse_uneven(inputs: np.ndarray | None, targets: np.ndarray | None, path: Path) -> None:
    if inputs is not None and targets is not None and targets.shape[:1] != inputs.shape[:1]:
        found = f"inputs of shape {inputs.shape}, targets of shape {targets.shape}"
        raise DataError(
            "inputs and targets differ in number",
            where=str(path),
            found=found,
            remedy="save one target for every input",
        )


def _fingerprint(
    inputs: np.ndarray, targets: Targets | None, test_inputs: np.ndarray | None, weights: np.ndarray | None
) -> str:
    values, test_values = (None, None) if targets is None else (targets.values, targets.test_values)
    rest = [None if part is None else single(part) for part in (values, test_values)]
    return fingerprint(single(inputs), rest[0], test_inputs, rest[1], weights)


def _targets(
    found: list[np.ndarray | None], path: Path, task: Task, pictures: bool
) -> tuple[Targets | None, tuple[str, ...]]:
    """Return the targets of both parts, and how they were read."""
    first, test = found
    if first is None:
        return None, ()
    targets = read_targets(first, test, where=str(path), called="the target", task=task, pictures=pictures)
    return targets, (targets.note,)


def _as(kind: Kind, values: np.ndarray, path: Path) -> np.ndarray:
    """Return arrays of the type and the axes that their kind has."""
    if kind == "short-series":
        if values.ndim not in (2, 3) or values.dtype.kind not in "iufb":
            raise DataError(
                "these are no series",
                where=str(path),
                found=f"{values.dtype} of shape {values.shape}",
                expected="numbers (samples, steps) or (samples, steps, channels)",
            )
        refuse_too_short(values.shape[1], str(path))
        return (values[..., None] if values.ndim == 2 else values).astype(np.float64)
    if kind != "image":
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or values.dtype.kind not in "iufb":
            raise DataError(
                "these are no rows of numbers",
                where=str(path),
                found=f"{values.dtype} of shape {values.shape}",
                expected="(samples, columns)",
            )
        return values.astype(np.float64)
    values = values[..., None] if values.ndim == 3 else channels_last(values)
    if values.ndim != 4 or values.shape[-1] not in CHANNELS:
        raise DataError(
            "these are no images",
            where=str(path),
            expected="(samples, height, width) or (samples, height, width, 1 or 3)",
            found=str(values.shape),
            remedy="move the axes with numpy.moveaxis, or save rows (samples, columns)",
        )
    return values
