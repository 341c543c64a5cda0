"""Pictures with captions in every form in which they are given."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

COUNT = 6


def pictures(folder: Path, place: str = "{}.png") -> Path:
    for number in range(COUNT):
        path = folder / place.format(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), 40 * number, np.uint8)).save(path)
    return folder


def reading(path: Path, **settings: object) -> Dataset:
    return read(path, DataSettings(**settings), "captions")  # type: ignore[arg-type]


def said(dataset: Dataset) -> dict[int, str]:
    """Return the caption of each picture, by the picture's number."""
    shades = [int(np.asarray(picture).max()) // 40 for picture in dataset.fields["inputs"].values]
    return dict(zip(shades, dataset.fields["captions"].values, strict=True))


EXPECTED = {number: f"thing number {number}" for number in range(COUNT)}
COCO = {
    "images": [{"id": 7 * number, "file_name": f"{number}.png"} for number in range(COUNT)],
    "annotations": [{"image_id": 7 * number, "caption": f"thing number {number}"} for number in range(COUNT)],
}
FILES = {
    "metadata.csv": "file_name,text\n" + "".join(f"{n}.png,thing number {n}\n" for n in EXPECTED),
    "list.tsv": "label\twords\tphoto\n" + "".join(f"x\tthing number {n}\t{n}\n" for n in EXPECTED),
    "metadata.jsonl": "".join(json.dumps({"file_name": f"{n}.png", "text": EXPECTED[n]}) + "\n" for n in EXPECTED),
    "captions.txt": "image,caption\n" + "".join(f"{n}.png,thing number {n}\n" for n in EXPECTED),
    "Flickr8k.token.txt": "".join(f"{n}.png#0\tthing number {n}\n" for n in EXPECTED),
    "captions_train.json": json.dumps(COCO),
}


@pytest.mark.parametrize("name", FILES)
def test_every_form_says_the_same(name: str, tmp_path: Path) -> None:
    (pictures(tmp_path) / name).write_text(FILES[name])
    dataset = reading(tmp_path)
    assert dataset.kind == "captions" and said(dataset) == EXPECTED and not dataset.findings
    assert said(reading(tmp_path / name)) == EXPECTED


def test_a_text_beside_each_picture(tmp_path: Path) -> None:
    for number in EXPECTED:
        (pictures(tmp_path) / f"{number}.txt").write_text(f"thing number {number}\n\nor so\n")
    assert said(reading(tmp_path)) == {number: f"thing number {number}\nor so" for number in EXPECTED}


def test_several_captions_of_a_picture_stay_together(tmp_path: Path) -> None:
    rows = [{"image": f"{n}.png", "captions": ["one", {"raw": "two\n lines"}]} for n in EXPECTED]
    (pictures(tmp_path) / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = reading(tmp_path)
    assert set(said(dataset).values()) == {"one\ntwo lines"} and len(dataset) == COUNT
    assert any("12 captions of 6 pictures" in note for note in dataset.notes)


def test_parts_by_folders_with_a_file_in_each(tmp_path: Path) -> None:
    for part in ("train", "test"):
        pictures(tmp_path / part)
        (tmp_path / part / "metadata.csv").write_text(FILES["metadata.csv"])
    dataset = reading(tmp_path)
    assert len(dataset) == COUNT and len(dataset.test_fields["captions"].values) == COUNT


def test_the_column_of_captions_can_be_named(tmp_path: Path) -> None:
    rows = "".join(f"{n}.png,thing number {n},Ding {n}\n" for n in EXPECTED)
    (pictures(tmp_path) / "metadata.csv").write_text(f"file_name,text,german\n{rows}")
    assert said(reading(tmp_path, target="german"))[3] == "Ding 3"
    (tmp_path / "metadata.csv").write_text("file_name,text\nelsewhere.png,a thing\n")
    with pytest.raises(DataError, match="has a caption"):
        reading(tmp_path)


def test_emoji_are_learnt_in_some_styles_and_judged_in_another(tmp_path: Path) -> None:
    known = [{"name": f"FACE {n}", "sheet_x": n, "sheet_y": 0, "has_img_a": True, "has_img_b": n > 0} for n in (0, 1)]
    (tmp_path / "emoji.json").write_text(json.dumps(known))
    for style in "ab":
        Image.fromarray(np.full((8, 16, 4), (9, 9, 9, 0), np.uint8)).save(tmp_path / f"sheet_{style}_8.png")
    dataset = reading(tmp_path)
    assert list(dataset.fields["captions"].values) == ["face 0", "face 1"]
    assert list(dataset.test_fields["captions"].values) == ["face 1"]
    assert np.asarray(dataset.fields["inputs"].values).min() == 255  # what is transparent is white
