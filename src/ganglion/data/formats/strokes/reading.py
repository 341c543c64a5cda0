"""Drawings in files: arrays of pen moves, JSON, SVG, and folders of these."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.formats.npz import INPUT_NAMES, load_arrays
from ganglion.data.formats.strokes.json_lines import read_json_lines
from ganglion.data.formats.strokes.object_arrays import arrays_within
from ganglion.data.formats.strokes.svg import read_svg
from ganglion.data.settings import DataSettings
from ganglion.data.strokes import moves_of
from ganglion.errors import DataError
from ganglion.files import files_below

ARRAYS, OBJECTS, SVG = (".npz", ".npy"), (".ndjson", ".jsonl", ".json"), ".svg"
ENDINGS = (*ARRAYS, *OBJECTS, SVG)
PARTS = {"train": INPUT_NAMES, "validation": ("valid", "val"), "test": ("test",)}
"""Parts of a set, and what else their arrays are called."""
LARGEST_MOVE = 1000.0
"""What longer moves are cut to in arrays of moves, as those who published such sets do."""
MOST_CLASSES = 100
"""Different words from which on they are no classes."""


@dataclass(frozen=True)
class Drawing:
    """A drawing that somebody made, as moves of the pen."""

    moves: np.ndarray
    """Across, down, pen lifted after `(points, 3)`."""
    word: str = ""
    """What it shows; empty where that is not said."""
    begin: tuple[float, float] = (0.0, 0.0)
    """Where on its paper its first point lies."""
    paper: float | None = None
    """Longer side of its paper; None where that is not known."""


def read_drawings(path: Path, settings: DataSettings) -> Dataset:
    """Read a file of drawings; an NPZ with the arrays `train`, `valid` and `test` brings its own parts.

    Words that stand beside the drawings are their classes, where there are several.

    Raises:
        DataError: this is no such file, or a part of it is no drawing.
    """
    if path.suffix.lower() in ARRAYS:
        parts = _array_parts(path)
        return _dataset(path, parts["train"], parts["validation"], parts["test"])
    return _dataset(path, drawings_in(path))


def read_drawing_folder(folder: Path, settings: DataSettings) -> Dataset:
    """Read a folder of SVG files, a drawing each, or of files of drawings; folders within it are what they show.

    Of files of drawings, the words within are taken, or where there are none the names of the files.
    """
    files = sorted(path for path in files_below(folder) if path.suffix.lower() in (*OBJECTS, SVG) and path.is_file())
    if not files:
        raise DataError(
            "this folder holds no drawings",
            where=str(folder),
            expected="files ending in .svg, .ndjson or .json",
            found=", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing",
            remedy="of arrays of moves (.npz) give the file itself",
        )
    drawings: list[Drawing] = []
    for path in files:
        inside = path.parent.name if path.parent != folder else "" if path.suffix.lower() == SVG else path.stem
        drawings += [one if one.word else Drawing(one.moves, inside) for one in drawings_in(path)]
    return _dataset(folder, drawings)


def drawings_in(path: Path) -> list[Drawing]:
    """Return all drawings of a file of any of the endings."""
    suffix = path.suffix.lower()
    if suffix in ARRAYS:
        parts = _array_parts(path)
        return [drawing for part in parts.values() for drawing in part]
    if suffix == SVG:
        lines, paper = read_svg(path)
        return [Drawing(moves_of(lines), begin=_begin(lines), paper=paper)]
    if suffix in OBJECTS:
        found, words = read_json_lines(path)
        return [Drawing(moves_of(lines), word, _begin(lines)) for lines, word in zip(found, words, strict=True)]
    raise DataError(
        "files of this kind hold no drawings", where=str(path), expected=", ".join(ENDINGS), found=suffix or "no ending"
    )


def _begin(lines: Sequence[np.ndarray]) -> tuple[float, float]:
    return float(lines[0][0, 0]), float(lines[0][0, 1])


def _array_parts(path: Path) -> dict[str, list[Drawing]]:
    """Return the drawings of each part of a file of arrays, none of which is run."""
    arrays: dict[str, Sequence[np.ndarray]] = {
        name.lower(): array if isinstance(array, list) else list(array) if array.ndim > 2 else [array]
        for name, array in load_arrays(path, objects=arrays_within).items()
    }
    names = {part: next((name for name in (part, *others) if name in arrays), None) for part, others in PARTS.items()}
    if names["train"] is None and len(arrays) == 1:
        names["train"] = next(iter(arrays))
    if names["train"] is None:
        raise DataError(
            "this file has no array of drawings to learn from",
            where=str(path),
            expected=f"train, or one of {', '.join(INPUT_NAMES)}",
            found=", ".join(arrays),
        )
    return {
        part: [_checked(one, f"{path}, {name} {place}") for place, one in enumerate(arrays[name])] if name else []
        for part, name in names.items()
    }


def _checked(array: np.ndarray, where: str) -> Drawing:
    """Return an array of moves as a drawing: three columns, or five of which the last three are the pen's states."""
    if array.ndim != 2 or array.shape[1] not in (3, 5) or array.dtype.kind not in "iufb":
        raise DataError(
            "this is no drawing",
            where=where,
            expected="moves (points, 3): across, down, pen lifted",
            found=f"{array.dtype} of shape {array.shape}",
        )
    moves = array.astype(np.float32)
    if moves.shape[1] == 5:
        ends = np.flatnonzero(moves[:, 4] > 0.5)
        moves = moves[: ends[0] if len(ends) else len(moves), [0, 1, 3]]
    if not np.isfinite(moves).all() or not np.isin(moves[:, 2], (0, 1)).all():
        raise DataError(
            "this is no drawing", where=where, expected="finite moves, and a pen of 0 or 1", found="other numbers"
        )
    moves[:, :2] = moves[:, :2].clip(-LARGEST_MOVE, LARGEST_MOVE)
    return Drawing(moves)


def _dataset(
    path: Path, train: list[Drawing], validation: Sequence[Drawing] = (), test: Sequence[Drawing] = ()
) -> Dataset:
    drawings = [*train, *validation]
    words = sorted({one.word for one in drawings})
    classes = tuple(words) if 1 < len(words) <= MOST_CLASSES and "" not in words else ()
    fields = {"inputs": Field(kind="strokes", values=[one.moves for one in drawings])}
    if classes:
        numbers = np.array([classes.index(one.word) for one in drawings], dtype=np.int64)
        fields["targets"] = Field(kind="classes", values=numbers, names=classes)
    digest = hashlib.sha256()
    for one in (*drawings, *test):
        digest.update(f"{len(one.moves)} {one.word}".encode() + one.moves.tobytes())
    counts = {"training": len(train), "validation": len(validation), "test": len(test)}
    said = ", ".join(f"{count:,} {part}" for part, count in counts.items() if count)
    return Dataset(
        name=path.stem,
        fields=fields,
        test_fields={"inputs": Field(kind="strokes", values=[one.moves for one in test])} if test else {},
        validation=np.arange(len(train), len(drawings)) if validation else None,
        source=str(path),
        fingerprint=digest.hexdigest(),
        notes=(f"drawings in parts of their own: {said}",) if validation or test else (),
    )
