"""Proposals in a file beside pictures: boxes in which something may be, as tables, JSON, arrays or selective search's.

`proposals.csv` (or another table) has a row for each box: `picture`, `left`, `top`, `right`, `bottom` in pixels, the
right and bottom edges lying outside, and `score` where they are not in the order of how promising they are.
`proposals.json` has a list of such boxes for each picture, by its name: `{"a.png": [[0, 0, 20, 10], ...], ...}`.
`proposals.npz` has the names as `pictures`, how many boxes each has as `counts`, and `boxes` (all of them, 4).
`proposals.mat` is what selective search publishes, of MATLAB's versions up to 7: cells `images` with names and `boxes`
with top, left, bottom, right of each, which count from 1 and lie inside.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.fields import Boxes, Field
from ganglion.data.formats.images.label_tables import names_of, picture_named
from ganglion.data.formats.matlab import read_matrices
from ganglion.data.formats.npz import load_arrays
from ganglion.data.formats.tables import SUFFIXES, read_table
from ganglion.errors import DataError, GanglionError
from ganglion.files import parse_json, read_bytes

STEM = "proposals"
"""What the file is called, but for its ending."""
ENDINGS = (*SUFFIXES, ".json", ".npz", ".mat")
MOST_BYTES = 1 << 30
EDGES = (("left", "top", "right", "bottom"), ("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"))
"""What the columns of a table may be called."""
PICTURES = ("picture", "image", "file", "filename", "file_name")


def find_proposals(folder: Path) -> Path | None:
    """Return the file of proposals in a folder, if there is one."""
    found = [path for path in sorted(folder.glob(f"{STEM}.*")) if path.suffix.lower() in ENDINGS and path.is_file()]
    return found[0] if found else None


class Proposals:
    """The proposals of pictures, by the names that a file gives them.

    Raises `DataError` for a file that is broken or of another form.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        read = {".json": _json, ".npz": _npz, ".mat": _matlab}.get(path.suffix.lower(), _table)
        try:
            self._boxes = {name: _four(boxes) for name, boxes in read(path).items()}
        except GanglionError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _broken(path, f"{type(error).__name__}: {error}") from error

    def field(self, files: Sequence[Path], sizes: Sequence[tuple[int, int]]) -> tuple[Field, list[str]]:
        """Return the proposals of pictures, cut off at their borders, and what is worth saying of them.

        Args:
            files: of the pictures.
            sizes: height and width of each.

        Raises `DataError` where no picture has any.
        """
        known = names_of(files, files[0].parent if len(files) == 1 else _common(files))
        of = {picture_named(name, known): boxes for name, boxes in self._boxes.items()}
        if not any(len(of.get(file, ())) for file in files):
            raise DataError(
                "this file has no proposal for any of the pictures",
                where=str(self.path),
                expected=f"boxes of {files[0].name}",
                found=", ".join(list(self._boxes)[:3]) or "no picture",
                remedy="write the names of the files into it, with or without their endings",
            )
        values, dropped, without = [], 0, 0
        for file, (height, width) in zip(files, sizes, strict=True):
            boxes = of.get(file, np.zeros((0, 4)))
            inside = boxes.clip(0, [width, height, width, height])
            good = (inside[:, :2] < inside[:, 2:]).all(axis=1)
            dropped, without = dropped + int((~good).sum()), without + (not good.any())
            corners = inside[good].astype(np.float32)
            values.append(Boxes(corners, np.zeros(len(corners), np.int64), (height, width)))
        count = sum(len(one.corners) for one in values)
        notes = [f"{count:,} proposals are read from {self.path.name}, {count / len(files):.0f} a picture"]
        notes += [f"{dropped:,} of {self.path.name} without an inside in their picture dropped"] if dropped else []
        notes += [f"{without} of {len(files)} pictures have no proposal: nothing is found there"] if without else []
        return Field(kind="boxes", values=values, names=("proposal",)), notes


def _common(files: Sequence[Path]) -> Path:
    """Return the deepest folder that all files lie in."""
    return next(folder for folder in files[0].parents if all(file.is_relative_to(folder) for file in files))


def _four(boxes: Any) -> np.ndarray:
    """Return boxes as numbers (boxes, 4), none of which is infinite or missing."""
    array = np.asarray(boxes, dtype=np.float64)
    array = array.reshape(0, 4) if not array.size else array
    if array.ndim != 2 or array.shape[1] != 4 or not np.isfinite(array).all():
        raise ValueError(f"boxes of four finite numbers were expected, and these are of shape {array.shape}")
    return array


def _json(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = parse_json(read_bytes(path, MOST_BYTES).decode("utf-8"))
    return {str(name): boxes for name, boxes in found.items()}


def _npz(path: Path) -> Mapping[str, Any]:
    arrays = load_arrays(path)
    names, counts, boxes = (arrays[name] for name in ("pictures", "counts", "boxes"))
    ends = np.cumsum(counts)
    if names.shape != counts.shape or counts.dtype.kind not in "ui" or (counts < 0).any() or ends[-1] != len(boxes):
        raise ValueError(f"{len(names)} pictures, counts that sum to {int(ends[-1])}, and {len(boxes)} boxes")
    return dict(zip(map(str, names), np.split(boxes, ends[:-1]), strict=True))


def _table(path: Path) -> Mapping[str, Any]:
    table = read_table(path, as_text=True)
    lower = {name.lower(): name for name in table.names}
    edges = next((names for names in EDGES if set(names) <= lower.keys()), None)
    picture = next((name for name in PICTURES if name in lower), None)
    if edges is None or picture is None:
        raise _broken(path, f"columns {', '.join(table.names)}")
    boxes = np.stack([table[lower[name]].astype(np.float64) for name in edges], axis=1)
    if "score" in lower:
        order = np.argsort(-table[lower["score"]].astype(np.float64), kind="stable")
    else:
        order = np.arange(len(boxes))
    names, number = np.unique([str(cell or "").strip() for cell in table[lower[picture]]], return_inverse=True)
    order = order[np.argsort(number[order], kind="stable")]
    ends = np.searchsorted(number[order], np.arange(1, len(names)))
    return dict(zip(map(str, names), np.split(boxes[order], ends), strict=True))


def _matlab(path: Path) -> Mapping[str, Any]:
    """Read cells `images` and `boxes`: top, left, bottom and right count from 1, and lie inside."""
    found = read_matrices(path)
    names, boxes = found["images"], found["boxes"]
    if not isinstance(names, list) or not isinstance(boxes, list) or len(names) != len(boxes):
        raise ValueError("images and boxes that are not as many cells")
    return {str(name): _from_one(_four(own)) for name, own in zip(names, boxes, strict=True)}


def _from_one(boxes: np.ndarray) -> np.ndarray:
    """Return left, top, right, bottom (boxes, 4) of top, left, bottom, right that count from 1 and lie inside."""
    return boxes[:, [1, 0, 3, 2]] - np.array([1, 1, 0, 0])


def _broken(path: Path, found: str) -> DataError:
    return DataError(
        "this file of proposals cannot be read",
        where=str(path),
        expected="a table with picture, left, top, right, bottom; JSON with lists of boxes by picture; arrays "
        "pictures, counts and boxes; or selective search's MATLAB file",
        found=found,
        remedy="write it anew, or choose other proposals: --proposals blobs",
    )
