"""Masks from the outlines in COCO's files, against matplotlib's polygons and runs that pycocotools packed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.path import Path as Polygon
from PIL import Image

from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.formats.images.outlines import DrawnMasks, drawn, inside, unpacked
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split
from ganglion.errors import DataError

SQUARE = [[2.0, 1.0, 6.0, 1.0, 6.0, 5.0, 2.0, 5.0]]
INNER = [[3.0, 2.0, 5.0, 2.0, 5.0, 4.0, 3.0, 4.0]]
PACKED = "126OO0L13ON15OO0L0O01001OO0060K040L020N0O031N1O06NK1OO50M010102020L1LO80N0K020M060K0103000N031NOL020310OK11O1"
"""The beginning of what pycocotools 2.0.11 packs of random pixels."""


def coco(folder: Path, outlines: dict[str, list[tuple[str, Any]]], name: str = "instances.json") -> Path:
    """Write pictures of 8 x 10 pixels with outlines by their names."""
    numbers = {"cell": 4, "nucleus": 9}
    folder.mkdir(exist_ok=True)
    for place, picture in enumerate(outlines):
        Image.fromarray(np.full((8, 10, 3), 40 * place, np.uint8)).save(folder / f"{picture}.png")
    content = {
        "images": [{"id": place, "file_name": f"{picture}.png"} for place, picture in enumerate(outlines)],
        "categories": [{"id": number, "name": label} for label, number in numbers.items()],
        "annotations": [
            {"image_id": place, "category_id": numbers[label], "bbox": [2, 1, 4, 4], "segmentation": outline}
            for place, own in enumerate(outlines.values())
            for label, outline in own
        ],
    }
    (folder / name).write_text(json.dumps(content))
    return folder


def masks(folder: Path, **settings: Any) -> Dataset:
    return read(str(folder), DataSettings(**settings), "image-masks")


def test_polygons_hold_the_pixels_whose_middle_they_hold() -> None:
    rng = np.random.default_rng(0)
    middles = np.stack(np.meshgrid(np.arange(44) + 0.5, np.arange(40) + 0.5), -1).reshape(-1, 2)
    for corners in range(3, 20):
        angles, radii = np.sort(rng.random(corners)) * 2 * np.pi, 4 + 14 * rng.random(corners)
        points = np.stack([22 + radii * np.cos(angles), 20 + radii * np.sin(angles)], 1)
        expected = Polygon(points).contains_points(middles).reshape(40, 44)
        np.testing.assert_array_equal(inside([points.ravel().tolist()], (40, 44)), expected)


def test_runs_go_down_the_columns() -> None:
    found = inside({"size": [3, 2], "counts": [1, 2, 1, 2]}, (3, 2))
    assert found.tolist() == [[False, False], [True, True], [True, True]]
    assert unpacked(PACKED)[:6] == [1, 2, 6, 1, 5, 1]


def test_a_mask_has_the_smaller_object_on_top(tmp_path: Path) -> None:
    found = masks(coco(tmp_path / "set", {"a": [("nucleus", INNER), ("cell", SQUARE)], "b": []}))
    assert found.kind == "image-masks"
    assert found.fields["masks"].names == ("background", "cell", "nucleus")
    one, other = np.asarray(found.fields["masks"].values)
    assert (one[1:5, 2:6] > 0).all() and (one > 0).sum() == 16 and (one == 2).sum() == 4 and one[2, 3] == 2
    assert not other.any()


def test_masks_follow_pictures_that_stay_in_their_files() -> None:
    kept = DrawnMasks((Path("a.png"), Path("b.png")), (((1, SQUARE),), ()), (8, 10))
    assert len(kept.take(np.array([1, 0, 1]))) == 3 and kept.take(np.array([1])).objects == ((),)
    assert len(set(kept.contents())) == 2
    assert drawn((), (2, 3)).shape == (2, 3)


def test_parts_are_those_of_the_files(tmp_path: Path) -> None:
    coco(tmp_path / "set", {name: [("cell", SQUARE)] for name in "abcd"}, "instances_train.json")
    coco(tmp_path / "set", {name: [("cell", SQUARE)] for name in "ef"}, "instances_val.json")
    coco(tmp_path / "set", {name: [("nucleus", SQUARE)] for name in "g"}, "instances_test.json")
    found = masks(tmp_path / "set")
    parts = split(found, DataSettings(), seed=0)
    assert [len(parts[name]) for name in ("train", "validation", "test")] == [4, 2, 1]


def test_objects_without_outline_are_counted_and_told(tmp_path: Path) -> None:
    found = masks(coco(tmp_path / "set", {"a": [("cell", SQUARE), ("cell", [])], "b": [("nucleus", SQUARE)]}))
    assert "1 objects have no outline and are left out" in found.notes


@pytest.mark.parametrize(
    ("outline", "said"),
    [
        ([], "no object in these pictures has an outline"),
        ({"size": [3, 3], "counts": [9]}, "outline of an object cannot be read"),
        ([[1.0, 2.0, 3.0]], "outline of an object cannot be read"),
        ("everything", "outline of an object cannot be read"),
    ],
)
def test_outlines_that_say_nothing_are_refused(outline: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        masks(coco(tmp_path / "set", {"a": [("cell", outline)], "b": [("cell", outline)]}))
