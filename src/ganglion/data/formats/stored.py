"""The copy of a data set inside a run, for data that a program handed over, so that the run can be resumed."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset, Kind
from ganglion.data.fields import Boxes, Field, FieldKind, Values
from ganglion.data.formats.npz import load_arrays
from ganglion.data.mixed_rows import MixedRows
from ganglion.errors import DataError
from ganglion.files import parse_json
from ganglion.settings import from_dict, to_dict

STORED = "data.npz"
DESCRIPTION = "about.json"
PARTS = ("fields", "test_fields")
FIRST_PARTS = ("inputs", "targets", "test_inputs", "test_targets")
"""Arrays of a run of format 1, which knew no fields."""


@dataclass(frozen=True, kw_only=True)
class FieldDescription:
    """What is stored of a field beside its values."""

    kind: FieldKind
    names: tuple[str, ...] = ()
    called: str = ""
    rate: int = 0
    pixels: tuple[float, float] | None = None
    paired: bool = True


@dataclass(frozen=True, kw_only=True)
class Description:
    """What is stored of a data set beside its fields' values."""

    name: str
    fingerprint: str
    fields: dict[str, FieldDescription]
    test_fields: dict[str, FieldDescription]
    validation: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class FirstDescription:
    """What a run of format 1 has stored beside the arrays."""

    name: str
    kind: Kind
    fingerprint: str
    label_names: tuple[str, ...]
    column_names: tuple[str, ...]


def store(dataset: Dataset, folder: Path) -> None:
    """Write all fields of a data set into a run folder."""
    described = {part: {name: _description(field) for name, field in getattr(dataset, part).items()} for part in PARTS}
    description = {"name": dataset.name, "fingerprint": dataset.fingerprint, **described}
    if dataset.validation is not None:
        description["validation"] = dataset.validation.tolist()
    with zipfile.ZipFile(folder / STORED, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(DESCRIPTION, json.dumps(description))
        for part in PARTS:
            for name, field in getattr(dataset, part).items():
                _write(file, f"{part}/{name}", field)


def stored(folder: Path) -> Dataset:
    """Read what `store` wrote, now or in format 1. Raises `DataError` where that is not what lies there."""
    path = folder / STORED
    try:
        arrays: dict[str, Any] = load_arrays(path, beside=(".json",))  # refuses what unpacks to too much
        with zipfile.ZipFile(path) as file:
            texts = {name: file.read(name).decode() for name in file.namelist() if name.endswith(".json")}
        description = parse_json(texts.pop(DESCRIPTION))
        arrays |= {name.removesuffix(".json"): parse_json(text, finite=False) for name, text in texts.items()}
        return _restored(description, arrays) if "fields" in description else _first_format(description, arrays)
    except DataError as error:
        raise _damaged(path, error.found or error.what) from error
    except (OSError, KeyError, TypeError, ValueError, IndexError, zipfile.BadZipFile) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, found: str) -> DataError:
    return DataError(
        "the data of this run is damaged",
        where=str(path),
        found=found,
        remedy="put back the file that training saved, or name the data anew",
    )


def _description(field: Field) -> dict[str, Any]:
    return to_dict(FieldDescription(**{one.name: getattr(field, one.name) for one in fields(FieldDescription)}))


def _restored(values: dict[str, Any], arrays: Mapping[str, Any]) -> Dataset:
    description = from_dict(Description, values, where=DESCRIPTION)
    parts: dict[str, Any] = {
        part: {name: _read(one, arrays, f"{part}/{name}") for name, one in getattr(description, part).items()}
        for part in PARTS
    }
    places = description.validation
    return Dataset(
        name=description.name,
        fingerprint=description.fingerprint,
        source=STORED,
        validation=None if places is None else np.array(places, dtype=np.int64),
        **parts,
    )


def _first_format(values: dict[str, Any], arrays: Mapping[str, Any]) -> Dataset:
    description = from_dict(FirstDescription, values, where=DESCRIPTION)
    parts: dict[str, Any] = {name: _rows(arrays[name]) for name in FIRST_PARTS if name in arrays}
    parts = {name: values.tolist() if values.dtype.kind == "U" else values for name, values in parts.items()}
    return Dataset.of(**vars(description), **parts, source=STORED)


def _rows(values: Any) -> np.ndarray:
    """Return an array of what stands in a file as an array, or as JSON because some columns are text."""
    return values if isinstance(values, np.ndarray) else np.array(values, dtype=object)


def _write(file: zipfile.ZipFile, name: str, field: Field) -> None:
    """Write the values of a field: as one array, as one after the other with their shapes, or as JSON."""
    values = field.values
    is_mixed = isinstance(values, np.ndarray | MixedRows) and values.dtype == object
    if field.kind in ("text", "texts", "tagged") or is_mixed:
        file.writestr(f"{name}.json", json.dumps(values.tolist() if hasattr(values, "tolist") else list(values)))
    elif isinstance(values, list | tuple):
        samples = [_joined(value) if isinstance(value, Boxes) else value for value in values]
        _write_array(file, f"{name}.values", np.concatenate([np.ravel(sample) for sample in samples]))
        _write_array(file, f"{name}.shapes", np.array([sample.shape for sample in samples], dtype=np.int64))
        if field.kind == "boxes":
            sizes = [boxes.image_size for boxes in values]
            _write_array(file, f"{name}.sizes", np.array(sizes, dtype=np.int64).reshape(-1, 2))
    else:
        _write_array(file, name, np.asarray(values))


def _write_array(file: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with file.open(f"{name}.npy", "w", force_zip64=True) as entry:
        np.lib.format.write_array(entry, array, allow_pickle=False)


def _read(description: FieldDescription, arrays: Mapping[str, Any], name: str) -> Field:
    values: Values
    if f"{name}.shapes" in arrays:
        values = _apart(arrays[f"{name}.values"], arrays[f"{name}.shapes"])
        if description.kind == "boxes":
            values = [_boxes(rows, size) for rows, size in zip(values, arrays[f"{name}.sizes"].tolist(), strict=True)]
    elif description.kind == "rows":
        values = _rows(arrays[name])
    elif description.kind == "tagged":
        values = [tuple(map(tuple, sequence)) for sequence in arrays[name]]
    else:
        values = arrays[name]
    return Field(**vars(description), values=values)


def _apart(values: np.ndarray, shapes: np.ndarray) -> list[np.ndarray]:
    """Return the samples that were written one after the other."""
    sizes = shapes.prod(axis=1)
    if sizes.min(initial=0) < 0 or sizes.sum() != len(values):
        raise ValueError(f"{len(values)} numbers for samples of {sizes.sum()}")
    pieces = np.split(values, np.cumsum(sizes)[:-1])
    return [piece.reshape(shape) for piece, shape in zip(pieces, shapes.tolist(), strict=True)]


def _joined(boxes: Boxes) -> np.ndarray:
    return np.column_stack([boxes.corners, boxes.classes]).astype(np.float64)  # (boxes, 5)


def _boxes(rows: np.ndarray, size: Sequence[int]) -> Boxes:
    return Boxes(rows[:, :4].astype(np.float32), rows[:, 4].astype(np.int64), (size[0], size[1]))
