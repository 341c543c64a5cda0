"""Folders of faces and of scenery: what becomes of them, and who is held back."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError


def folder_of(where: Path, people: int, grey: bool = True) -> Path:
    """White faces of some people, three pictures each, and dark scenery."""
    for person in range(people):
        (where / "faces" / f"person{person}").mkdir(parents=True)
        for number in range(3):
            face = np.full((40, 40) if grey else (40, 40, 3), 255, np.uint8)
            Image.fromarray(face).save(where / "faces" / f"person{person}" / f"{number}.png")
    (where / "scenery").mkdir()
    for number in range(10):
        Image.fromarray(np.full((200, 640, 3), number, np.uint8)).save(where / "scenery" / f"{number}.png")
    return where


def test_faces_lie_where_their_boxes_say(tmp_path: Path) -> None:
    dataset = read(folder_of(tmp_path, 5), DataSettings(), kind="image-boxes")
    assert dataset.kind == "image-boxes" and dataset.fields["boxes"].names == ("face",)
    assert "15 faces, pasted into 10 pictures" in dataset.notes[0] and "1 of 5 people" in dataset.notes[1]
    boxes = [*dataset.fields["boxes"].values, *dataset.test_fields["boxes"].values]
    images = [*dataset.inputs, *dataset.test_fields["inputs"].values]
    assert sum(len(one.corners) for one in boxes) > 4
    for image, own in zip(images, boxes, strict=True):
        assert image.shape == (100, 320, 1) and own.image_size == (100, 320)
        bright = image[..., 0] > 60
        covered = np.zeros_like(bright)
        for left, top, right, bottom in own.corners.round().astype(int):
            assert 20 < right - left == pytest.approx(bottom - top, abs=2)
            middle = bright[(top + bottom) // 2, (left + right) // 2]
            covered[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1] = True
            assert middle
        assert not bright[~covered].any()


def test_scenery_is_held_back_with_people(tmp_path: Path) -> None:
    dataset = read(folder_of(tmp_path, 5), DataSettings(), kind="image-boxes")
    shades = [
        {int(np.median(image)) for image in part["inputs"].values} for part in (dataset.fields, dataset.test_fields)
    ]
    assert len(shades[0]) == 8 and len(shades[1]) == 2 and not shades[0] & shades[1]


def test_the_same_folder_is_read_the_same_twice_and_in_colour_if_faces_are(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 2, grey=False)
    one, other = (read(folder, DataSettings(), kind="image-boxes") for _ in range(2))
    assert one.fingerprint == other.fingerprint and one.inputs[0].shape[2] == 3


def test_a_single_person_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too few pictures"):
        read(folder_of(tmp_path, 1), DataSettings(), kind="image-boxes")


def test_a_damaged_face_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 3)
    (folder / "faces" / "person1" / "2.png").write_bytes(b"no picture")
    with pytest.raises(DataError) as raised:
        read(folder, DataSettings(), kind="image-boxes")
    assert "person1" in str(raised.value)
