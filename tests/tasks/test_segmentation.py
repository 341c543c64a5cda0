"""Segmentation: windows to learn from, whole pictures to judge, thresholds, answers at the picture's own size."""

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
from ganglion.data.fields import UNJUDGED, Field
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import CheckpointError, DataError
from ganglion.models.convolutional.unet import TINY, build
from ganglion.rules.descend import Descent
from ganglion.rules.pixelwise import Pixelwise
from ganglion.tasks.answers import Images
from ganglion.tasks.segmentation import Predict, Segmentation

CELLS = generate("cells", count=20)


def prepared(dataset: Dataset = CELLS, **options: Any) -> Segmentation:
    return Segmentation.prepare(dataset, TINY, DataSettings(**options), seed=0)


class Brighter(nn.Module):
    """A pixel is of class 1 with logit 10 (x - 0.5), whatever is around it."""

    reach = 0

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.weight, self.classes = nn.Parameter(torch.tensor(10.0)), classes

    def forward(self, images: Tensor) -> Tensor:
        return self.at_every_pixel(images)

    def at_every_pixel(self, images: Tensor) -> Tensor:
        logit = self.weight * (images[:, :1] - 0.5)
        return torch.cat([torch.zeros_like(logit), logit, *[logit - 99] * (self.classes - 2)], dim=1)


def stripes(classes: int = 2, unjudged: bool = False, count: int = 10) -> Dataset:
    """Pictures of bright bars on black, whose masks say so but for a last column."""
    images = np.zeros((count, 12, 16, 1), np.uint8)
    images[:, :, 2:6], images[:, :, 8:12] = 255, 255
    images[:, 0, 0, 0] = np.arange(count)
    masks = (images[..., 0] > 128).astype(np.int16)
    if unjudged:
        images[:, :, 15] = 255
        masks[:, :, 15] = UNJUDGED
    names = tuple(f"kind {number}" for number in range(classes))
    return Dataset(
        name="stripes",
        fields={"inputs": Field(kind="images", values=images), "masks": Field(kind="masks", values=masks, names=names)},
    )


def test_it_learns_from_windows_and_weights_move_with_them() -> None:
    task = prepared(batch_size=5, augment="flips")
    assert task.config.image_size == 32 and task.config.num_classes == 2
    for batch in task.loader(build(task.config), seed=0):
        size = tuple(batch["inputs"].shape[2:])
        assert size == tuple(batch["targets"].shape[1:]) == tuple(batch["pixel_weights"].shape[1:]) == (32, 32)
        inside = batch["targets"] == 1
        assert len(batch["pixel_weights"][inside].unique()) == 1
        assert float(batch["pixel_weights"][~inside].max()) > float(batch["pixel_weights"][inside][0])
    plain = Segmentation.prepare(CELLS, replace(TINY, balanced=False, border_weight=0.0), DataSettings(), 0)
    assert "pixel_weights" not in next(iter(plain.loader(build(plain.config), 0)))


def test_windows_follow_the_pictures_unless_they_are_asked_for() -> None:
    config = replace(TINY, image_size=None)
    assert Segmentation.prepare(CELLS, config, DataSettings(), 0).config.image_size == 64
    assert Segmentation.prepare(stripes(), config, DataSettings(), 0).config.image_size == 12
    valid = replace(config, padding="valid")
    task = Segmentation.prepare(stripes(), valid, DataSettings(batch_size=4), 0)
    rule = build(task.config)
    batch = next(iter(task.loader(rule, 0)))
    assert batch["inputs"].shape[2:] == (task.config.image_size,) * 2 and task.config.image_size >= 12 + 2 * 8
    assert torch.isfinite(rule.step(batch)["loss"])
    assert 0 <= task.evaluate(rule)["iou"] <= 1


def test_a_perfect_answer_is_perfect_and_the_baseline_is_not() -> None:
    task = prepared(stripes(), test=0.3)
    rule = Pixelwise(Brighter(), Descent())
    scores = task.evaluate(rule, "test")
    assert (scores["iou"], scores["dice"], scores["pixel_error"], scores["v_rand"]) == (1, 1, 0, 1)
    assert scores["loss"] == pytest.approx(float(nn.functional.softplus(torch.tensor(-5.0))), rel=0.01)
    assert task.baseline()["iou"] == pytest.approx(0.25)
    assert task.baseline()["pixel_error"] == pytest.approx(0.5)


def test_pixels_of_no_class_are_neither_learnt_from_nor_judged() -> None:
    task = prepared(stripes(unjudged=True))
    rule = Pixelwise(Brighter(), Descent())
    assert task.evaluate(rule)["pixel_error"] == 0
    batch = next(iter(task.loader(rule, 0)))
    before = rule._objective(batch)["loss"]
    batch["inputs"][batch["targets"][:, None] == UNJUDGED] = 0
    assert torch.equal(rule._objective(batch)["loss"], before)


def test_the_threshold_that_parts_objects_is_found_and_kept() -> None:
    """A bridge of brightness 0.6 merges the bars of every picture, unless a pixel has to be surer than that."""
    data = stripes()
    pixels = np.array(data.inputs)
    pixels[:, 5, 6:8] = 153
    task = prepared(data.with_values(inputs=pixels))
    rule = Pixelwise(Brighter(), Descent())
    merged = task.evaluate(rule)["v_rand"]
    task.calibrate(rule)
    assert task.evaluate(rule)["v_rand"] == 1 > merged
    assert task.threshold > float(torch.tensor(1.0).sigmoid())
    restored = Segmentation.restore(task.state(), task.config)
    answer = restored.predict(rule.home, Predict(inputs=[pixels[0]]))
    assert answer.rows[0]["objects"] == 2 and restored.label_names == ("kind 0", "kind 1")


def test_answers_have_the_size_and_the_name_of_their_picture(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name, size in {"a": (40, 57), "b": (7, 9)}.items():
        Image.fromarray(random.integers(0, 256, size, dtype=np.uint8)).save(tmp_path / f"{name}.png")
    task = prepared(stripes())
    answer = task.predict(Brighter(), Predict(inputs=[tmp_path]))
    assert isinstance(answer, Images)
    assert list(answer.names) == ["a-mask", "a-overlay", "b-mask", "b-overlay"]
    for name, mask, over in zip("ab", answer.pixels[::2], answer.pixels[1::2], strict=True):
        picture = np.asarray(Image.open(tmp_path / f"{name}.png"))
        np.testing.assert_array_equal(mask[..., 0], np.where(picture > 127, 255, 0))
        assert over.shape == (*picture.shape, 3)
    row = answer.rows[2]
    assert (row["height"], row["width"]) == (7, 9)
    assert row["share of kind 1"] == pytest.approx(float(np.mean(answer.pixels[2] > 0)), abs=1e-4)
    assert len(task.predict(Brighter(), Predict(inputs=[tmp_path], overlays=False)).pixels) == 2


def test_several_classes_keep_their_numbers() -> None:
    data = stripes(classes=3)
    masks = np.array(data.fields["masks"].values)
    masks[:, :, 8:12] *= 2
    task = prepared(data.with_values(masks=masks))
    assert task.config.num_classes == 3
    task.calibrate(Pixelwise(Brighter(3), Descent()))
    assert task.threshold == 0.5
    assert task.grey(masks[0]).max() == 2
    assert set(task.figures(Pixelwise(Brighter(3), Descent()))) == {"overlays", "confusion_matrix"}


def test_classes_that_no_training_mask_has_are_refused() -> None:
    data = stripes(classes=3)
    masks = np.array(data.fields["masks"].values)
    test = {**data.fields, "masks": replace(data.fields["masks"], values=masks * 2)}
    with pytest.raises(DataError, match=r"(?s)test part has classes that no training mask has.*kind 2"):
        prepared(replace(data, test_fields=test))
    nothing = data.with_values(masks=np.full_like(masks, UNJUDGED))
    with pytest.raises(DataError, match="no pixel of the training part has a class"):
        prepared(nothing)


def test_a_damaged_run_is_refused() -> None:
    state = prepared().state()
    with pytest.raises(CheckpointError, match="what its classes are called"):
        Segmentation.restore({**state, "classes": ["one"]}, TINY)
    with pytest.raises(CheckpointError, match="from which probability"):
        Segmentation.restore({**state, "threshold": None}, TINY)


def test_masks_of_another_size_are_refused(tmp_path: Path) -> None:
    for number in range(4):
        for folder, side in (("images", 16), ("masks", 12 if number == 2 else 16)):
            (tmp_path / folder).mkdir(exist_ok=True)
            pixels = np.random.default_rng(number).integers(0, 2, (side, side), dtype=np.uint8) * 255
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    with pytest.raises(DataError, match=r"(?s)2\.png.*16 x 16.*12 x 12"):
        read(str(tmp_path), DataSettings())


def test_pictures_of_different_sizes_keep_their_scale_and_their_borders_are_not_judged(tmp_path: Path) -> None:
    for number, (height, width) in enumerate([(16, 20), (24, 12), (16, 12), (20, 20)] * 2):
        pixels = np.zeros((height, width), np.uint8)
        pixels[4:10, 2 + number : 8 + number // 2] = 255
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    task = Segmentation.prepare(str(tmp_path), TINY, DataSettings(), seed=0)
    assert task.preprocessing["inputs"].size == (24, 20)
    assert task.evaluate(Pixelwise(Brighter(), Descent()))["pixel_error"] == 0


def test_a_run_tells_cells_from_their_background(tmp_path: Path) -> None:
    run = ganglion.train(
        "unet", out=tmp_path / "run", steps=60, limit=40, width=4, depth=1, batch_size=4, image_size=32, validation=0.1
    )
    assert run.result["score_name"] == "iou"
    assert run.metrics["iou"] > run.result["baseline"] + 0.1
    assert {"overlays", "confusion_matrix"} <= set(run.figures)
    picture = np.asarray(CELLS.inputs[0])
    mask, over = run.predict([picture])
    assert mask.shape[:2] == over.shape[:2] == (64, 64)
