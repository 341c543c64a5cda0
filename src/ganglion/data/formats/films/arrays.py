"""Films as arrays of frames, from NPZ and NPY files or from memory, with a class each or a class at every frame."""

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.targets import Targets, read_targets
from ganglion.data.pixels import CHANNELS, Range, channels_last, find_range, said, to_pixels
from ganglion.errors import DataError

PUBLISHED_FIRST = (20, 10_000)
"""Frames and films of the published test part of Moving MNIST, in which time comes first."""


def films_of_arrays(
    inputs: np.ndarray,
    targets: np.ndarray | None = None,
    test_inputs: np.ndarray | None = None,
    test_targets: np.ndarray | None = None,
    *,
    name: str,
    source: str,
    pixels: Range | None = None,
) -> Dataset:
    """Return films of arrays as a data set.

    Args:
        inputs, test_inputs: (films, frames, height, width), with a last or third axis of 1 or 3 channels or without;
            or one film in colour (frames, height, width, 3).
        targets, test_targets: a class for each film (films,), or one for each of its frames (films, frames).
        pixels: values of black and white; found out when not given.

    Raises `DataError` where these are no films, or where targets do not fit.
    """
    parts = [_films(part, source) for part in (inputs, test_inputs) if part is not None]
    black_white = find_range(np.concatenate([part.ravel() for part in parts]), pixels, source)
    notes = [said(black_white, min(part.min() for part in parts), max(part.max() for part in parts))]
    fields = [{"inputs": Field(kind="films", values=to_pixels(part, black_white))} for part in parts]
    if targets is not None:
        read, key = _targets(targets, test_targets, parts, source)
        notes.append(read.note)
        for part, classes, films in zip(fields, (read.values, read.test_values), parts, strict=False):
            if classes is not None:
                part[key] = _field(key, classes.reshape(films.shape[: 1 + (key != "targets")]), read.labels)
    values = [np.asarray(field.values) for part in fields for field in part.values()]
    return Dataset(
        name=name,
        source=source,
        fields=fields[0],
        test_fields=fields[1] if len(fields) > 1 else {},
        fingerprint=fingerprint(*values),
        notes=tuple(notes),
    )


def _films(values: np.ndarray, where: str) -> np.ndarray:
    """Return films (films, frames, height, width, channels)."""
    if values.shape[:2] == PUBLISHED_FIRST:
        values = values.swapaxes(0, 1)
    films = channels_last(values)
    if films.ndim == 4:
        films = films[None] if films.shape[-1] in CHANNELS else films[..., None]
    if films.ndim != 5 or films.shape[-1] not in CHANNELS or films.dtype.kind not in "iufb":
        raise DataError(
            "these are no films",
            where=where,
            expected="numbers (films, frames, height, width) or (films, frames, height, width, 1 or 3)",
            found=f"{values.dtype} of shape {values.shape}",
            remedy="move the axes with numpy.moveaxis",
        )
    if films.shape[1] < 2 or not films.size:
        raise DataError(
            "a film needs at least two frames",
            where=where,
            expected="(films, frames, height, width)",
            found=str(values.shape),
        )
    return films


def _targets(
    targets: np.ndarray, test_targets: np.ndarray | None, films: list[np.ndarray], where: str
) -> tuple[Targets, str]:
    """Return classes (films,) or (films x frames,), and the name of the field that they belong into."""
    given = [part for part in (targets, test_targets) if part is not None]
    by_frame = all(part.shape == one.shape[:2] for part, one in zip(given, films, strict=False))
    if not by_frame and any(part.shape[:1] != one.shape[:1] for part, one in zip(given, films, strict=False)):
        raise DataError(
            "inputs and targets differ in number",
            where=where,
            expected=f"a class for each of {len(films[0])} films, or for each of their {films[0].shape[1]} frames",
            found=f"targets of shape {targets.shape}",
            remedy="save one target for every film, or one for every frame",
        )
    first, *rest = [part.reshape(-1) if by_frame else part for part in given]
    read = read_targets(first, rest[0] if rest else None, where=where, task="classification")
    return read, "frame_labels" if by_frame else "targets"


def _field(key: str, values: np.ndarray, names: tuple[str, ...]) -> Field:
    return Field(kind="classes" if key == "targets" else "step-classes", values=values, names=names)
