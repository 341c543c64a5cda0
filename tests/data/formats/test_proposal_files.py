"""Proposals in files beside pictures: four forms say the same, and what is wrong with one is said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.formats.images.proposals import Proposals
from ganglion.data.formats.matlab import read_matrices
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

BOXES = {
    "000001": [[4, 5, 20, 18], [0, 0, 40, 30], [7, 8, 12, 11]],
    "000002": [[1, 2, 9, 12]],
    "000003": [[3, 3, 10, 10], [20, 10, 30, 22]],
}
"""The surest first."""


def picture_folder(folder: Path) -> Path:
    """Three pictures of 40 x 30 with an object each."""
    images, annotations = [], []
    for number, name in enumerate(BOXES, 1):
        Image.fromarray(np.full((30, 40, 3), 30 * number, np.uint8)).save(folder / f"{name}.png")
        images.append({"id": number, "file_name": f"{name}.png", "width": 40, "height": 30})
        annotations.append({"image_id": number, "category_id": 1, "bbox": [4, 5, 16, 13]})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    (folder / "objects.json").write_text(json.dumps(content))
    return folder


def as_csv(path: Path, boxes: dict[str, Any]) -> None:
    rows = [(name, *box, 1 / (1 + place)) for name, own in boxes.items() for place, box in enumerate(own)]
    lines = ["picture,left,top,right,bottom,score", *(",".join(map(str, row)) for row in rows[::-1])]
    path.write_text("\n".join(lines))


def as_json(path: Path, boxes: dict[str, Any]) -> None:
    path.write_text(json.dumps({f"{name}.png": own for name, own in boxes.items()}))


def as_npz(path: Path, boxes: dict[str, Any]) -> None:
    values = np.concatenate([np.reshape(own, (-1, 4)) for own in boxes.values()]).astype(np.float32)
    np.savez(path, pictures=np.array(list(boxes)), counts=[len(own) for own in boxes.values()], boxes=values)


def as_mat(path: Path, boxes: dict[str, Any], packed: bool = True) -> None:
    """As selective search is published: rows top, left, bottom, right, of which the first row and column are 1."""
    cells, names = np.empty((1, len(boxes)), object), np.empty((len(boxes), 1), object)
    for place, (name, own) in enumerate(boxes.items()):
        left, top, right, bottom = np.reshape(own, (-1, 4)).T.astype(float)
        cells[0, place], names[place, 0] = np.stack([top + 1, left + 1, bottom, right], axis=1), name
    savemat(path, {"boxes": cells, "images": names}, do_compression=packed)


FORMS: dict[str, Callable[[Path, dict[str, Any]], None]] = {
    ".csv": as_csv, ".json": as_json, ".npz": as_npz, ".mat": as_mat
}  # fmt: skip


def opened(folder: Path) -> Dataset:
    return read(str(folder), DataSettings(), kind="image-boxes")


@pytest.mark.parametrize("ending", FORMS)
def test_every_form_says_the_same(ending: str, tmp_path: Path) -> None:
    FORMS[ending](picture_folder(tmp_path) / f"proposals{ending}", BOXES)
    data = opened(tmp_path)
    found = data.fields["proposals"]
    assert found.called == f"proposals{ending}" and data.kind == "image-boxes"
    for one, own in zip(found.values, BOXES.values(), strict=True):
        assert one.corners.tolist() == own and one.image_size == (30, 40)
    assert any("6 proposals are read" in note for note in data.notes)


def test_what_lies_outside_is_cut_off_or_dropped_and_pictures_without_are_told_of(tmp_path: Path) -> None:
    boxes = {"000001.png": [[-5, -5, 10, 10], [50, 50, 60, 60], [7, 7, 7, 9]], "000002.png": []}
    (picture_folder(tmp_path) / "proposals.json").write_text(json.dumps(boxes))
    data = opened(tmp_path)
    assert [one.corners.tolist() for one in data.fields["proposals"].values] == [[[0, 0, 10, 10]], [], []]
    said = "\n".join(data.notes)
    assert "2 of proposals.json without an inside" in said and "2 of 3 pictures have no proposal" in said


BROKEN: dict[str, tuple[str, bytes]] = {
    "no box of these pictures": ("json", b'{"other.png": [[0, 0, 1, 1]]}'),
    "three edges": ("json", b'{"000001": [[0, 0, 1]]}'),
    "a list": ("json", b"[[0, 0, 1, 1]]"),
    "not a number": ("json", b'{"000001": [[0, 0, 1, NaN]]}'),
    "cut off": ("json", b'{"000001": [[0, 0'),
    "bytes": ("json", b"\xff\xfe\x00"),
    "other columns": ("csv", b"picture,left,top\n000001,1,2\n000002,1,2\n"),
    "words": ("csv", b"picture,left,top,right,bottom\n000001,a,b,c,d\n000002,1,2,3,4\n"),
    "not NumPy's": ("npz", b"PK\x03\x04 nonsense"),
    "not MATLAB's": ("mat", b"MATLAB 5.0 MAT-file" + bytes(200)),
    "nothing": ("mat", b""),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused(case: str, tmp_path: Path) -> None:
    ending, content = BROKEN[case]
    path = picture_folder(tmp_path) / f"proposals.{ending}"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        opened(tmp_path)
    assert caught.value.where.startswith(str(path))


def test_counts_that_do_not_fit_and_other_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "proposals.npz"
    for arrays in (
        {"pictures": np.array(["a"]), "counts": np.array([2]), "boxes": np.zeros((1, 4))},
        {"pictures": np.array(["a", "b"]), "counts": np.array([2, -1]), "boxes": np.zeros((1, 4))},
        {"inputs": np.zeros((2, 4))},
    ):
        np.savez(path, **arrays)  # type: ignore[arg-type]
        with pytest.raises(DataError, match="cannot be read"):
            Proposals(path)


@pytest.mark.parametrize("packed", [False, True])
def test_what_scipy_saves_is_read(packed: bool, tmp_path: Path) -> None:
    cells = np.empty((2, 2), object)
    cells[0, 0], cells[1, 0], cells[0, 1], cells[1, 1] = "one", np.arange(6.0).reshape(2, 3), "zwölf", np.zeros((0, 4))
    known = {"whole": np.arange(-3, 3, dtype=np.int16), "cells": cells, "text": "words", "f": np.float32([[1.5]])}
    savemat(tmp_path / "a.mat", {**known, "record": {"field": 1}}, do_compression=packed)
    found = read_matrices(tmp_path / "a.mat")
    assert set(found) == set(known) and found["text"] == "words"
    assert found["whole"].tolist() == [[-3, -2, -1, 0, 1, 2]] and found["f"].tolist() == [[1.5]]
    assert found["cells"][0] == "one" and found["cells"][2] == "zwölf"
    assert found["cells"][1].tolist() == [[0, 1, 2], [3, 4, 5]] and found["cells"][3].shape == (0, 4)


@pytest.mark.parametrize("packed", [False, True])
def test_changed_bytes_in_a_file_of_matlab_are_read_or_refused(packed: bool, tmp_path: Path) -> None:
    """Of such files scipy's reader ends the process."""
    as_mat(tmp_path / "proposals.mat", BOXES, packed)
    content = (tmp_path / "proposals.mat").read_bytes()
    draw, refused = np.random.default_rng(0), 0
    for number in range(300):
        changed = bytearray(content)
        for place in draw.integers(0, len(content), 3):
            changed[place] = draw.integers(256)
        path = tmp_path / "changed.mat"
        path.write_bytes(changed[: draw.integers(100, len(content) + 1) if number % 2 else None])
        try:
            Proposals(path)
        except DataError:
            refused += 1
    assert refused > 100
