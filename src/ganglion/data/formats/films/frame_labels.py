"""Tables that say what happens in a clip from which frame on: a class at every frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganglion.data.fields import UNJUDGED
from ganglion.data.formats.folder_layout import readable
from ganglion.data.formats.tables import SUFFIXES, Table, read_table
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

COLUMNS = ("clip", "frame", "label")


@dataclass(frozen=True)
class FrameLabels:
    """What each frame of each clip shows."""

    names: tuple[str, ...]
    of: Mapping[Path, np.ndarray]
    """Class numbers (frames,) by clip; `UNJUDGED` before the first row that names the clip."""


def read_frame_labels(folder: Path, lengths: Mapping[Path, int], settings: DataSettings) -> FrameLabels | None:
    """Read the table with the columns clip, frame and label that lies in a folder of clips; None where there is none.

    A row says that from a frame on, of which the first is 0, a clip shows a label, until its next row. A clip is named
    by its place in the folder or by its name, with or without ending.

    Args:
        lengths: frames of each clip.

    Raises:
        DataError: a row names no clip or a frame that there is not, or a clip has no row.
    """
    found = _table(folder, settings)
    if found is None:
        return None
    path, table = found
    known = {name: clip for clip in lengths for name in _names(clip, folder)}
    clips, starts, labels = (table[name] for name in COLUMNS)
    names = tuple(sorted(set(map(str, labels))))
    of = {clip: np.full(length, UNJUDGED, dtype=np.int64) for clip, length in lengths.items()}
    rows = sorted(range(len(table)), key=lambda row: float(starts[row]) if _is_number(starts[row]) else -1)
    for row in rows:
        clip = known.get(str(clips[row]).casefold())
        if clip is None or not _is_number(starts[row]) or not 0 <= float(starts[row]) < lengths[clip]:
            expected = "a clip of this folder" if clip is None else f"a frame from 0 to {lengths[clip] - 1}"
            raise DataError(
                "a row of this table names nothing that there is",
                where=f"{path}, line {table.line(row)}",
                expected=expected,
                found=f"clip {clips[row]}, frame {starts[row]}",
                remedy="mend the row, or take it out",
            )
        of[clip][int(float(starts[row])) :] = names.index(str(labels[row]))
    if without := [clip for clip, classes in of.items() if (classes == UNJUDGED).all()]:
        raise DataError(
            "clips without a label at any frame",
            where=str(path),
            expected="at least one row for every clip",
            found=", ".join(readable(clip.name) for clip in without[:3]),
            remedy="add rows for them, or take the clips out",
        )
    return FrameLabels(names, of)


def _table(folder: Path, settings: DataSettings) -> tuple[Path, Table] | None:
    """Return the table beside the clips whose columns are `COLUMNS`, and where it lies."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and path.is_file():
            table = read_table(path, settings, as_text=True)
            if set(COLUMNS) <= set(table.names):
                return path, table
    return None


def _names(clip: Path, folder: Path) -> set[str]:
    """Return what a clip may be called."""
    inside = clip.relative_to(folder)
    names = {inside.as_posix(), inside.with_suffix("").as_posix(), inside.name, inside.stem}
    return {readable(name).casefold() for name in names}


def _is_number(cell: object) -> bool:
    try:
        return float(str(cell)).is_integer()
    except ValueError:
        return False
