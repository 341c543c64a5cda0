"""Boxes as Pascal VOC and COCO write them, and what may be wrong with them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Boxes
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split
from ganglion.errors import DataError

Objects = list[tuple[str, tuple[float, float, float, float]]]
TWO: dict[str, Objects] = {
    "a": [("cat", (1, 1, 10, 20)), ("dog", (5, 5, 8, 8))],
    "b": [("dog", (11, 2, 30, 20))],
    "c": [("cat", (2, 2, 3, 3))],
}
"""As VOC counts: from 1, with the last row and column."""
SIDES = ("xmin", "ymin", "xmax", "ymax")


def picture(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 30, 3), 40 * number, np.uint8)).save(path)


def voc(folder: Path, objects: dict[str, Objects], pictures: str = "JPEGImages") -> Path:
    for number, (name, own) in enumerate(objects.items()):
        picture(folder / pictures / f"{name}.png", number)
        items = "".join(
            f"<object><name>{label}</name><bndbox>"
            + "".join(f"<{side}>{value}</{side}>" for side, value in zip(SIDES, box, strict=True))
            + "</bndbox></object>"
            for label, box in own
        )
        path = folder / "Annotations" / f"{name}.xml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"<annotation><filename>{name}.jpg</filename>{items}</annotation>")
    return folder


def coco(path: Path, objects: dict[str, Objects]) -> Path:
    names = {"dog": 7, "cat": 3}
    images = [{"id": number, "file_name": f"{name}.png"} for number, name in enumerate(objects)]
    annotations = [
        {"image_id": number, "category_id": names[label], "bbox": [x - 1, y - 1, right - x + 1, bottom - y + 1]}
        for number, own in enumerate(objects.values())
        for label, (x, y, right, bottom) in own
    ]
    categories = [{"id": number, "name": name} for name, number in names.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def boxes(dataset: Dataset) -> list[Boxes]:
    return list(dataset.fields["boxes"].values)


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    one = read(str(voc(tmp_path / "voc", TWO)), DataSettings())
    for number, name in enumerate(TWO):
        picture(tmp_path / "coco" / "images" / f"{name}.png", number)
    coco(tmp_path / "coco" / "annotations" / "instances.json", TWO)
    other = read(str(tmp_path / "coco"), DataSettings())
    for dataset in (one, other):
        assert dataset.kind == "image-boxes" and len(dataset) == 3
        assert dataset.fields["boxes"].names == ("cat", "dog")
        assert "objects: 2 cat, 2 dog" in dataset.notes
        assert boxes(dataset)[0].corners.tolist() == [[0, 0, 10, 20], [4, 4, 8, 8]]
        assert boxes(dataset)[0].classes.tolist() == [0, 1]
        assert boxes(dataset)[0].image_size == (20, 30)
    assert boxes(one)[1].corners.tolist() == boxes(other)[1].corners.tolist()


def test_a_list_or_a_name_says_what_is_the_test_part(tmp_path: Path) -> None:
    folder = voc(tmp_path / "voc", TWO)
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "ImageSets" / "Main" / "test.txt").write_text("b\n")
    divided = read(str(folder), DataSettings())
    assert len(divided) == 2 and len(divided.test_fields["boxes"]) == 1
    for number, name in enumerate(TWO):
        picture(tmp_path / "coco" / f"{name}.png", number)
    coco(tmp_path / "coco" / "instances_train.json", {"a": TWO["a"], "c": TWO["c"]})
    coco(tmp_path / "coco" / "instances_val.json", {"b": TWO["b"]})
    other = read(str(tmp_path / "coco"), DataSettings())
    assert len(other) == 2 and len(other.test_fields["boxes"]) == 1
    assert "the file for validation is used as the test part" in other.notes


@pytest.mark.parametrize("form", ["voc", "coco"])
def test_a_part_for_validation_beside_one_for_testing_chooses_the_weights(tmp_path: Path, form: str) -> None:
    part_of = {"a": "train", "b": "val", "c": "test"}
    if form == "voc":
        (voc(tmp_path, TWO) / "ImageSets" / "Main").mkdir(parents=True)
        for name, part in part_of.items():
            (tmp_path / "ImageSets" / "Main" / f"{part}.txt").write_text(f"{name}\n")
    for number, (name, part) in enumerate(part_of.items() if form == "coco" else ()):
        picture(tmp_path / f"{name}.png", number)
        coco(tmp_path / f"instances_{part}2017.json", {name: TWO[name]})
    dataset = read(str(tmp_path), DataSettings())
    assert len(dataset) == 2 and len(dataset.test_fields["boxes"]) == 1
    parts = split(dataset, DataSettings(), seed=0)
    assert {part: held.index.tolist() for part, held in parts.items()} == {"train": [0], "validation": [1], "test": [0]}


def test_boxes_without_an_inside_go_and_others_are_cut_off_at_the_border(tmp_path: Path) -> None:
    objects = {**TWO, "d": [("cat", (5, 5, 5, 9)), ("cat", (40, 5, 50, 9)), ("dog", (20, 10, 60, 60))]}
    dataset = read(str(voc(tmp_path, objects)), DataSettings())
    assert boxes(dataset)[3].corners.tolist() == [[19, 9, 30, 20]]
    notes = " ".join(dataset.notes)
    assert "1 box without an inside dropped" in notes
    assert "1 box outside of the picture dropped" in notes
    assert "1 box cut off at the border" in notes


def test_a_picture_may_have_no_object(tmp_path: Path) -> None:
    dataset = read(str(voc(tmp_path, {**TWO, "d": []})), DataSettings())
    assert len(boxes(dataset)[3].classes) == 0
    with pytest.raises(DataError, match="there is no object in these pictures"):
        read(str(voc(tmp_path / "none", {"a": [], "b": []})), DataSettings())


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<annotation><object><name>cat</name></object></annotation>", "an object 'cat' with the corners"),
        ("<annotation><object><bndbox><xmin>1</xmin></bndbox></object></annotation>", "an object '' with the corners"),
        ("<annotation><object>", "no element found"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>', "a declaration of entities"),
    ],
)
def test_broken_xml_is_refused_by_name(tmp_path: Path, text: str, found: str) -> None:
    folder = voc(tmp_path, TWO)
    (folder / "Annotations" / "b.xml").write_text(text)
    with pytest.raises(DataError) as caught:
        read(str(folder), DataSettings())
    assert "b.xml" in str(caught.value) and found in str(caught.value)


@pytest.mark.parametrize("broken", ['{"annotations": [], "images": []}', '{"annotations": 1', '{"annotations": [1]}'])
def test_broken_json_is_refused_by_name(tmp_path: Path, broken: str) -> None:
    picture(tmp_path / "a.png", 0)
    (tmp_path / "all.json").write_text(broken)
    with pytest.raises(DataError, match=r"all\.json"):
        read(str(tmp_path), DataSettings())


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    folder = voc(tmp_path, TWO)
    (folder / "JPEGImages" / "b.png").unlink()
    with pytest.raises(DataError, match=r"(?s)picture that is not there.*a picture b"):
        read(str(folder), DataSettings())
