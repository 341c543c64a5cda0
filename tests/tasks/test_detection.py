"""Detection: proposals beside the data, answers in pixels of the picture, misses and false alarms."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import ganglion
from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Boxes, Field
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import CheckpointError, DataError, UsageError
from ganglion.models.convolutional.fast_rcnn import TINY
from ganglion.nn.images.boxes import overlaps
from ganglion.rules.descend import Descent
from ganglion.rules.detection import Detection as Rule
from ganglion.tasks.answers import Binary, Images
from ganglion.tasks.detection import Detection, Predict

SHAPES = generate("shapes", count=20)


def squares(proposals: bool = True, size: tuple[int, int] = (32, 48)) -> Dataset:
    """Pictures with a bright square of class 1 and a dark one of class 0 on grey, and proposals for both and more."""
    images = np.full((12, *size, 1), 128, np.uint8)
    boxes = []
    for number, image in enumerate(images):
        bright, dark = np.array([4 + number, 5, 16 + number, 17]), np.array([30, 18, 42, 30])
        for box, value in ((bright, 255), (dark, 0)):
            image[box[1] : box[3], box[0] : box[2]] = value
        boxes.append(Boxes(np.stack([bright, dark]).astype(np.float32), np.array([1, 0]), size))
    fields = {
        "inputs": Field(kind="images", values=images),
        "boxes": Field(kind="boxes", values=boxes, names=("dark", "bright")),
    }
    if proposals:
        nothing = np.array([[0, 0, 6, 4]], np.float32)
        own = [
            Boxes(np.concatenate([one.corners + np.array([1, 0, 1, 0]), one.corners, nothing]), np.zeros(5, int), size)
            for one in boxes
        ]
        fields["proposals"] = Field(kind="boxes", values=own, names=("proposal",))
    return Dataset(name="squares", fields=fields)


def inside(image: Tensor, left: int, top: int, right: int, bottom: int) -> Tensor:
    """The pixels of an image in a box, one at least."""
    top, left = min(top, image.shape[1] - 1), min(left, image.shape[2] - 1)
    return image[0, top : max(bottom, top + 1), left : max(right, left + 1)]


class Sees(nn.Module):
    """Says of boxes what the mean of their pixels is: bright, dark, or background; and moves none."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(20.0))

    def forward(self, images: Tensor, boxes: Tensor) -> Tensor:
        means = torch.tensor(
            [
                [float(inside(image, *map(int, box)).mean()) for box in own]
                for image, own in zip(images, boxes.tolist(), strict=True)
            ]
        )
        logits = self.weight * torch.stack([torch.full_like(means, 0.3), 0.5 - means, means - 0.5], dim=2)
        return torch.cat([logits.unsqueeze(3), torch.zeros(*means.shape, 3, 4)], dim=3)


def prepared(dataset: Dataset, **options: Any) -> Detection:
    return Detection.prepare(dataset, TINY, DataSettings(**options), seed=0)


def test_what_is_seen_perfectly_is_perfect() -> None:
    task = prepared(squares(), resize="stretch")
    assert task.config.num_classes == 2 and task.preprocessing["inputs"].size == (21, 32)
    rule = Rule(Sees(), Descent())
    assert task.evaluate(rule, "test")["map_50"] == 1
    assert 0 < task.baseline()["map_50"] < 0.7
    assert any("proposals cover 100.0% of dark, 100.0% of bright" in note for note in task.notes)
    assert set(task.figures(rule)) == {"found", "free_response", "precision_recall"}
    assert task.sheet(rule.home).ndim == 3


def test_few_proposals_are_told_of() -> None:
    data = squares()
    far = [Boxes(np.array([[0, 0, 3, 3]], np.float32), np.zeros(1, int), (32, 48))] * 12
    task = prepared(data.with_values(proposals=far))
    assert any("cover 0.0% of dark" in note for note in task.notes)
    assert any("--proposals both" in note for note in task.notes)


def test_proposals_are_made_where_there_are_none_and_move_with_their_pictures() -> None:
    task = prepared(SHAPES, augment="flips", batch_size=4)
    batch = next(iter(task.loader(Rule(Sees(), Descent()), seed=0)))
    assert batch["inputs"].shape[2:] == (32, 32)
    assert batch["proposals"].shape[1] <= TINY.most_proposals and batch["targets"].shape[2] == 5
    covered = overlaps(batch["targets"][..., :4], batch["proposals"][..., :4]).amax(2)[batch["targets"][..., 4] >= 0]
    assert float((covered > 0.5).float().mean()) > 0.9


def test_boxes_follow_pictures_that_are_turned_over() -> None:
    """After any mirroring the pixels inside of each box are what they were."""
    task = prepared(squares(), augment="flips", batch_size=10, resize="stretch")
    turned = set()
    for epoch in range(6):
        loader = task.loader(Rule(Sees(), Descent()), seed=epoch)
        for batch in loader:
            for image, own in zip(batch["inputs"], batch["targets"].tolist(), strict=True):
                for left, top, right, bottom, number in own:
                    middle = inside(image, round(left + 1), round(top + 1), round(right - 1), round(bottom - 1))
                    assert float(middle.mean()) == pytest.approx(number, abs=0.05)
                turned.add((own[0][0] < own[1][0], own[0][1] < own[1][1]))
    assert len(turned) == 4


def test_answers_are_in_pixels_of_the_picture(tmp_path: Path) -> None:
    data = squares(proposals=False, size=(64, 96))
    Image.fromarray(np.asarray(data.inputs[0])[..., 0]).save(tmp_path / "one.png")
    Image.fromarray(np.full((50, 40), 128, np.uint8)).save(tmp_path / "two.png")
    task = Detection.restore(prepared(squares()).state(), prepared(squares()).config)
    answer = task.predict(Sees(), Predict(inputs=[tmp_path], least=0.3))
    assert {row["input"] for row in answer.rows} == {str(tmp_path / "one.png")}
    bright = [row for row in answer.rows if row["label"] == "bright"]
    box = [bright[0][side] for side in ("left", "top", "right", "bottom")]
    assert np.abs(np.array(box) - [4, 5, 16, 17]).max() <= 4
    (pictures,) = answer.also
    assert isinstance(pictures, Images)
    assert [row["objects"] for row in pictures.rows] == [len(answer.rows), 0]
    assert all(picture.shape[2] == 3 for picture in pictures.pixels)
    nothing = task.predict(Sees(), Predict(inputs=[tmp_path / "two.png"]))
    assert list(nothing.rows) == [] and "no object is found" in nothing.notes[-1]


def test_boxes_of_a_large_photo_are_in_its_own_pixels(tmp_path: Path) -> None:
    """Large pictures are made smaller as they are decoded; what is said of them is not."""
    small = np.asarray(squares(proposals=False, size=(64, 96)).inputs[0])[..., 0]
    Image.fromarray(np.kron(small, np.ones((12, 12), np.uint8))).save(tmp_path / "large.png")
    task = Detection.restore(prepared(squares()).state(), prepared(squares()).config)
    answer = task.predict(Sees(), Predict(inputs=[tmp_path / "large.png"], least=0.3))
    boxes = [
        [row[side] for side in ("left", "top", "right", "bottom")] for row in answer.rows if row["label"] == "bright"
    ]
    assert np.abs(np.array(boxes) / 12 - [4, 5, 16, 17]).max(axis=1).min() <= 4


def test_answers_as_coco_can_be_learnt_from(tmp_path: Path) -> None:
    """What is found is written beside the pictures, and read as boxes of the same names, places and pictures."""
    data = squares(proposals=False, size=(64, 96))
    for number in range(2):
        Image.fromarray(np.asarray(data.inputs[number])[..., 0]).save(tmp_path / f"{number}.png")
    task = Detection.restore(prepared(squares()).state(), prepared(squares()).config)
    rows = task.predict(Sees(), Predict(inputs=[tmp_path], least=0.3)).rows
    answer = task.predict(Sees(), Predict(inputs=[tmp_path], least=0.3, coco=True))
    assert isinstance(answer, Binary) and answer.ending == ".json"
    (tmp_path / "annotations.json").write_bytes(answer.content)
    back = read(str(tmp_path), DataSettings(), kind="image-boxes")
    assert set(back.fields["boxes"].names) == {row["label"] for row in rows} and len(back) == 2
    corners = np.concatenate([one.corners for one in back.fields["boxes"].values])
    told = [[row[side] for side in ("left", "top", "right", "bottom")] for row in rows]
    np.testing.assert_allclose(corners, told, atol=0.11)


def in_files(folder: Path, count: int = 3) -> Dataset:
    """Pictures in files with their boxes, and proposals in a table beside them."""
    data = squares(size=(64, 96))
    images, annotations, rows = [], [], ["picture,left,top,right,bottom"]
    for number in range(count):
        name = f"{number}.png"
        Image.fromarray(np.asarray(data.inputs[number])[..., 0]).save(folder / name)
        images.append({"id": number, "file_name": name})
        own = data.fields["boxes"].values[number]
        for (left, top, right, bottom), of in zip(own.corners.tolist(), own.classes.tolist(), strict=True):
            box = [left, top, right - left, bottom - top]
            annotations.append({"image_id": number, "category_id": int(of), "bbox": box})
        rows += [f"{name},{','.join(map(str, box))}" for box in own.corners.tolist()]
    categories = [{"id": number, "name": name} for number, name in enumerate(("dark", "bright"))]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "objects.json").write_text(json.dumps(content))
    (folder / "proposals.csv").write_text("\n".join(rows))
    return read(str(folder), DataSettings(), kind="image-boxes")


def test_proposals_of_a_file_are_looked_at_where_they_are_asked_for(tmp_path: Path) -> None:
    data = in_files(tmp_path)
    config = replace(TINY, proposals="file", most_proposals=1)
    task = Detection.prepare(data, config, DataSettings(), seed=0)
    (column,) = [batch["proposals"] for batch in task.data.batches("test")]
    assert column.shape[1] == 1  # of two in the file
    both = Detection.restore(task.state(), replace(task.config, most_proposals=9))
    answer = both.predict(Sees(), Predict(inputs=[tmp_path / "0.png"], least=0.3))
    boxes = sorted([row[side] for side in ("left", "top", "right", "bottom")] for row in answer.rows)
    assert np.abs(np.array(boxes) - [[4, 5, 16, 17], [30, 18, 42, 30]]).max() < 0.5  # just as they are in the file
    assert "2 proposals are read from proposals.csv" in answer.notes[0]
    made = Detection.prepare(data, TINY, DataSettings(), seed=0)
    assert any("proposals.csv is not used" in note for note in made.notes)
    (column,) = [batch["proposals"] for batch in made.data.batches("test")]
    assert column.shape[1] > 2


def test_where_no_file_proposes_anything_it_is_said(tmp_path: Path) -> None:
    data, config = in_files(tmp_path), replace(TINY, proposals="file")
    task = Detection.prepare(data, config, DataSettings(), seed=0)
    (tmp_path / "new").mkdir()
    (tmp_path / "proposals.csv").rename(tmp_path / "boxes.csv")
    (tmp_path / "0.png").rename(tmp_path / "new" / "0.png")
    for inputs in ([tmp_path / "new" / "0.png"], [np.asarray(data.inputs[0])]):
        with pytest.raises(UsageError, match="that a file proposes"):
            task.predict(Sees(), Predict(inputs=inputs))
    named = Predict(inputs=[tmp_path / "new" / "0.png"], proposals=str(tmp_path / "boxes.csv"), least=0.3)
    assert len(task.predict(Sees(), named).rows) == 2
    with pytest.raises(DataError, match="no file of proposals"):
        Detection.prepare(SHAPES, config, DataSettings(), seed=0)


def test_a_damaged_run_is_refused() -> None:
    with pytest.raises(CheckpointError, match="what its classes are called"):
        Detection.restore({**prepared(squares()).state(), "classes": ["one"]}, TINY)


def test_a_run_finds_shapes(tmp_path: Path) -> None:
    run = ganglion.train(
        "fast-rcnn",
        out=tmp_path / "run",
        steps=40,
        limit=24,
        channels=(8, 16),
        depths=(1, 1),
        pooled=3,
        hidden_features=32,
        image_size=32,
        most_proposals=60,
        batch_size=8,
    )
    assert run.result["score_name"] == "map_50" and run.metrics["map_50"] > 0
    assert {"found", "precision_recall"} <= set(run.figures)
    for row in run.predict([np.asarray(SHAPES.inputs[0])], least=0.1):
        assert row["label"] in ("disc", "square", "triangle") and row["left"] < row["right"]
