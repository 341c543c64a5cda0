"""What a user asks about, as raw samples each of which has a name: its file, its row, its id."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ganglion.data.formats.asked_rows import read_rows
from ganglion.data.formats.image_files import decode, in_threads, picture_files
from ganglion.data.formats.npz import read_array
from ganglion.data.preprocessing import ImagePreprocessing, TabularPreprocessing
from ganglion.errors import DataError, ShapeError
from ganglion.files import named
from ganglion.tasks.answers import Rows

ARRAYS = (".npz", ".npy")
TEXT_FILES = (".txt", ".md", ".csv", ".tsv", ".json", ".jsonl", ".parquet")
"""Endings by which a word that names nothing is a file that is missing, and no text."""

Name = Mapping[str, Any]


@dataclass(frozen=True)
class Asked:
    """Raw samples, and what each is called: nothing for arrays, whose order tells."""

    samples: Any
    names: Sequence[Name]
    own: Sequence[Name] = ()
    """All that stood beside each sample in its file, for a file of answers."""
    notes: tuple[str, ...] = ()
    """What the user should know of how the samples were read."""

    def name(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return one row of an answer for each sample, with the sample's name before it."""
        return [{**name, **row} for name, row in zip(self.names, rows, strict=True)]

    def answer(self, rows: Sequence[Mapping[str, Any]]) -> Rows:
        """Return an answer of one row for each sample, with all that is known of the samples."""
        return Rows(self.name(rows), notes=self.notes, beside=self.own)


def asked(inputs: Sequence[Any], preprocessing: ImagePreprocessing | TabularPreprocessing) -> tuple[Asked, Tensor]:
    """Return what a user asks about, raw images or rows with their names, and the same prepared `(samples, ...)`."""
    found = raw(inputs, preprocessing if isinstance(preprocessing, TabularPreprocessing) else None)
    return found, preprocessing(found.samples)


def raw(inputs: Sequence[Any], table: TabularPreprocessing | None = None) -> Asked:
    """Return what a user asks about: the contents of files and folders, or arrays as they are.

    Args:
        table: whose columns rows are wanted in; images are read where there is none.
    """
    if all(isinstance(item, str | Path) for item in inputs):
        paths = [existing(item) for item in inputs]
        found = _images(paths) if table is None else _rows(paths, table)
        if not found.names:
            raise DataError(
                "there is nothing to answer for", where=str(inputs[0]), expected="at least one sample", found="none"
            )
        return found
    if isinstance(inputs, np.ndarray):
        return Asked(inputs, [{}] * len(inputs))
    samples = list(inputs) if table is None else np.stack([np.asarray(item) for item in inputs])
    return Asked(samples, [{}] * len(inputs))


def existing(item: str | Path) -> Path:
    """Return a path; raise `DataError` where there is nothing."""
    if not named(item).exists():
        raise DataError("this file does not exist", where=str(item), remedy="give files that exist")
    return Path(item)


def named_texts(inputs: Sequence[Any], read: Callable[[Path], Sequence[tuple[int, str]]]) -> list[tuple[Name, str]]:
    """Return texts with their names: those of files, which `read` gives with the numbers of their rows, or as they are.

    A text that is given as it is has no name but itself.
    """
    found: list[tuple[Name, str]] = []
    for item in inputs:
        if isinstance(item, Path) or _is_file(str(item)):
            numbered = read(existing(item))
            several = len(numbered) > 1
            found += [({"input": str(item), **({"row": row} if several else {})}, text) for row, text in numbered]
        else:
            found.append(({}, str(item)))
    return found


def _is_file(text: str) -> bool:
    """Whether a text is the path of a file; raise `DataError` for what can only be the path of one that is missing."""
    try:
        if Path(text).is_file():
            return True
    except (OSError, ValueError):  # too long for a name, or with signs that no name has
        return False
    if text.lower().endswith(TEXT_FILES) and len(text.split()) == 1:
        raise DataError("this file does not exist", where=text, remedy="give files that exist, or texts")
    return False


def _images(paths: Sequence[Path]) -> Asked:
    samples: list[np.ndarray] = []
    names: list[Name] = []
    for path in paths:
        if path.suffix.lower() in ARRAYS:
            arrays = read_array(path)
            samples += list(arrays)
            names += [{"input": str(path), "row": row} for row in range(1, len(arrays) + 1)]
        else:
            files = picture_files([path])
            samples += in_threads(decode, files)
            names += [{"input": str(file)} for file in files]
    same = len({sample.shape for sample in samples}) == 1
    return Asked(np.stack(samples) if same else samples, names)


def _rows(paths: Sequence[Path], preprocessing: TabularPreprocessing) -> Asked:
    """Return the rows of files in the order of the network's columns, each named by its file, its place and its id."""
    found = [read_rows(path, preprocessing.columns, preprocessing.categories) for path in paths]
    parts = [one.rows for one in found]
    if len({part.shape[1:] for part in parts}) > 1:
        shapes = ", ".join(f"{part.shape[1:]} in {path.name}" for part, path in zip(parts, paths, strict=True))
        raise ShapeError("these files hold rows of different shapes", found=shapes, remedy="ask about one at a time")
    names: list[Name] = []
    for path, one in zip(paths, found, strict=True):
        for number in range(len(one.rows)):
            name: dict[str, Any] = {"input": str(path), "row": number + 1}
            names.append(name if one.ids is None else name | {"id": one.ids[number]})
    if len(names) == len(paths):  # a row each: the file says it
        names = [{key: name[key] for key in name if key != "row"} for name in names]
    own = [row for one in found for row in one.own]
    notes = [note for one in found for note in one.notes]
    return Asked(np.concatenate(parts), names, own if len(own) == len(names) else (), tuple(notes))
