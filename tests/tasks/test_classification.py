"""Classification from raw data to answers: what is fitted, judged, drawn, saved and refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.core import LearningRule
from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.formats.images.folders import ImageFiles
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.models import find
from ganglion.rules.descend import Descent
from ganglion.runs.session import train
from ganglion.tasks.classification import Classification
from ganglion.tasks.shared import prepared as shared
from ganglion.tasks.shared.classes import VERDICTS
from ganglion.tasks.shared.inputs import asked
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.tasks.asking import ask

QUICK = Descent(learning_rate=1e-2)
RANDOM = np.random.default_rng(0)


def squares(channels: int = 1, size: int = 20, samples: int = 60) -> Dataset:
    """Images with a bright left or right half."""
    targets = np.arange(samples) % 2
    images = RANDOM.integers(0, 100, size=(samples, size, size, channels), dtype=np.uint8)
    images[targets == 0, :, : size // 2] += 150
    images[targets == 1, :, size // 2 :] += 150
    return Dataset.of(name="halves", kind="image", inputs=images, targets=targets, label_names=("left", "right"))


def prepared(name: str, data: str | Dataset, settings: DataSettings | None = None, **fields: Any) -> Classification:
    config = find(name).load().Config(**fields)
    return Classification.prepare(data, config, settings or DataSettings(batch_size=10), seed=0)


def trained(name: str, task: Classification, **settings: Any) -> LearningRule:
    torch.manual_seed(0)
    rule: LearningRule = find(name).load().build(task.config)
    Trainer(rule, task.loader(rule, 0), TrainerSettings(threads=1, **settings)).fit()
    return rule


def test_fields_that_exist_are_fitted_to_the_data() -> None:
    config = prepared("convnet", squares(channels=3, size=24)).config
    assert (config.in_channels, config.image_size, config.num_classes) == (3, 24, 2)
    assert prepared("mlp", squares(channels=3, size=24)).config.in_features == 3 * 24 * 24
    assert prepared("mlp", "iris").config.num_classes == 3
    assert prepared("perceptron", "exam-marks").config.in_features == 3


def test_fields_changed_by_the_user_are_kept() -> None:
    task = prepared("convnet", squares(channels=3, size=24), image_size=32)
    assert task.config.image_size == 32
    assert task.data.some("train", np.arange(2)).shape == (2, 3, 32, 32)


def test_small_and_large_images_are_brought_within_what_a_network_takes() -> None:
    task = prepared("convnet", "digits")
    assert task.config.image_size == type(task.config).smallest_image
    assert any("8 x 8 are resized to 18 x 18" in note for note in task.notes)
    assert prepared("convnet", squares(size=200, samples=20)).config.image_size == type(task.config).largest_image


def test_lenet_gets_grey_images_of_its_own_size_and_range() -> None:
    task = prepared("lenet5", squares(channels=3))
    images = task.data.some("train", np.arange(2))
    assert images.shape == (2, 1, 32, 32)
    assert -0.1 <= images.min() < images.max() <= 1.175
    black = task.preprocessing["inputs"](np.zeros((1, 8, 8), dtype=np.uint8))
    white = task.preprocessing["inputs"](np.full((1, 8, 8), 255, dtype=np.uint8))
    torch.testing.assert_close(black, torch.full_like(black, -0.1))
    torch.testing.assert_close(white, torch.full_like(white, 1.175))


def test_evaluate_counts_right_answers_and_leaves_no_trace() -> None:
    task = prepared("mlp", "iris", hidden_features=(8,), dropout=0.3)
    rule = trained("mlp", task, epochs=3)
    rule.home.train()
    state = torch.get_rng_state()
    found = task.evaluate(rule, "test")
    assert torch.equal(state, torch.get_rng_state())
    assert rule.home.training
    test = task.data["test"]
    answers = [row["label"] for row in ask(task, rule.home, "predict", inputs=test.inputs)]
    right = [task.label_names[label] == answer for label, answer in zip(test.targets, answers, strict=True)]
    assert found["accuracy"] == pytest.approx(np.mean(right))


def test_the_size_of_evaluation_batches_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    task = prepared("mlp", "iris", hidden_features=(8,))
    rule = trained("mlp", task, epochs=1)
    whole = task.evaluate(rule, "train")
    monkeypatch.setattr(shared, "EVALUATION_BATCH", 7)
    assert task.evaluate(rule, "train") == pytest.approx(whole, rel=1e-5)


def test_baseline_is_the_commonest_class_of_the_training_part() -> None:
    task = prepared("mlp", "breast-cancer")
    train, test = (task.data[name].targets for name in ("train", "test"))
    assert (train == 1).mean() > 0.5
    assert task.baseline() == {"accuracy": (test == 1).mean()}


@pytest.mark.parametrize("rule", ["1958", "logistic"])
def test_exam_marks(rule: str) -> None:
    task = prepared("perceptron", "exam-marks", DataSettings(batch_size=1), rule=rule)
    rule_ = trained("perceptron", task, epochs=100)
    assert task.evaluate(rule_, "train")["accuracy"] == 1
    assert task.evaluate(rule_, "test")["accuracy"] > task.baseline()["accuracy"]
    good, bad = ask(task, rule_.home, "predict", inputs=[[95, 90, 85], [20, 10, 15]])
    assert (good["label"], bad["label"]) == ("pass", "fail")
    assert set(task.figures(rule_)) == {*VERDICTS, "decision_regions"}


def test_regions_of_inputs_with_gaps_are_drawn() -> None:
    inputs = RANDOM.normal(size=(60, 2))
    inputs[::7, 1] = np.nan
    gaps = Dataset.of(name="gaps", kind="tabular", inputs=inputs, targets=np.arange(60) % 2, label_names=("a", "b"))
    task = prepared("mlp", gaps)
    drawn = task.figures(find("mlp").load().build(task.config))["decision_regions"]
    (seen,) = drawn.axes[0].images
    assert np.isfinite(seen.get_extent()).all()


def test_learns_and_answers_from_files_after_a_restart(tmp_path: Path) -> None:
    task = prepared("convnet", squares(), channels=(4, 4, 4), descent=QUICK)
    rule = trained("convnet", task, epochs=12)
    assert task.evaluate(rule, "test")["accuracy"] > 0.9
    restored = Classification.restore(json.loads(json.dumps(task.state())), task.config)
    raw, targets = task.data["test"].inputs, task.data["test"].targets
    assert ask(restored, rule.home, "predict", inputs=raw) == ask(task, rule.home, "predict", inputs=raw)

    Image.fromarray(raw[0, :, :, 0]).save(tmp_path / "one.png")
    (row,) = ask(restored, rule.home, "predict", inputs=[str(tmp_path / "one.png")])
    named = {"input": str(tmp_path / "one.png")}
    assert row == named | ask(restored, rule.home, "predict", inputs=raw[:1])[0]
    assert row["label"] == task.label_names[targets[0]]
    shares = [entry["probability"] for entry in row["top"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)


def test_columns_of_a_file_may_come_in_another_order(tmp_path: Path) -> None:
    task = prepared("perceptron", "exam-marks", DataSettings(batch_size=1))
    rule = trained("perceptron", task, epochs=50)
    path = tmp_path / "marks.csv"
    path.write_text("third mark,name,first mark,second mark\n85,Ada,95,90\n15,Bob,20,10\n")
    assert [row["label"] for row in ask(task, rule.home, "predict", inputs=[path])] == ["pass", "fail"]


def test_a_folder_of_images_can_be_streamed(tmp_path: Path) -> None:
    data = squares(samples=40)
    for number, (image, target) in enumerate(zip(data.inputs, data.targets, strict=True)):
        folder = tmp_path / data.label_names[target]
        folder.mkdir(exist_ok=True)
        Image.fromarray(image[:, :, 0]).save(folder / f"{number}.png")
    settings = DataSettings(batch_size=8, stream="yes")
    task = prepared("convnet", read(str(tmp_path), settings), settings, channels=(4, 4, 4), descent=QUICK)
    assert isinstance(task.data["train"].inputs, ImageFiles)
    rule = trained("convnet", task, epochs=8)
    assert task.evaluate(rule, "test")["accuracy"] > 0.8
    assert set(task.figures(rule)) >= {"confusion_matrix", "filters"}
    raw = np.stack([task.data["test"].inputs[place] for place in range(len(task.data["test"]))])
    answers = [row["label"] for row in ask(task, rule.home, "predict", inputs=raw)]
    truth = [task.label_names[label] for label in task.data["test"].targets]
    assert np.mean(np.array(answers) == truth) == pytest.approx(task.evaluate(rule, "test")["accuracy"])


@pytest.mark.parametrize("stream", ["no", "yes"])
@pytest.mark.parametrize("resize", ["crop", "letterbox"])
def test_images_of_all_sizes_are_seen_by_answers_as_in_training(resize: Any, stream: Any, tmp_path: Path) -> None:
    data = squares(samples=24)
    for number, (image, target) in enumerate(zip(data.inputs, data.targets, strict=True)):
        folder = tmp_path / data.label_names[target]
        folder.mkdir(exist_ok=True)
        Image.fromarray(image[: 14 + number % 7, :, 0]).save(folder / f"{number:02}.png")
    settings = DataSettings(batch_size=8, stream=stream, resize=resize)
    task = prepared("convnet", read(str(tmp_path), settings), settings, channels=(4, 4, 4))
    assert task.preprocessing["inputs"].resize == resize
    batch = next(iter(task.data.batches("train")))
    files = [path for label in ("left", "right") for path in sorted((tmp_path / label).iterdir())]
    for image, place in zip(batch["inputs"], batch["index"].tolist(), strict=True):
        _, asked_about = asked([files[place]], task.preprocessing["inputs"])
        assert torch.equal(asked_about[0], image)


def test_figures_of_images() -> None:
    task = prepared("lenet5", "digits", DataSettings(limit=50))
    drawn = task.figures(trained("lenet5", task, steps=1))
    assert set(drawn) == {*VERDICTS, "misclassified", "filters"}


def test_without_a_validation_part() -> None:
    task = prepared("mlp", "iris", DataSettings(validation=0, test=0))
    assert not task.has_validation
    rule = trained("mlp", task, steps=1)
    assert task.evaluate(rule, "test") == task.evaluate(rule, "train")


@pytest.mark.parametrize(
    ("name", "data", "settings", "message"),
    [
        ("lenet5", "iris", DataSettings(), "looks at images"),
        ("mlp", "iris", DataSettings(augment="shift"), "only images can be augmented"),
        ("mlp", "diabetes", DataSettings(), "needs classes"),
        ("mlp", "sine", DataSettings(), "not for classification"),
    ],
)
def test_data_that_does_not_suit(name: str, data: str, settings: DataSettings, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepared(name, data, settings)


def test_mirrored_answers_are_the_mean_of_an_image_and_its_mirror_image(tmp_path: Path) -> None:
    run = train("convnet", "digits", out=tmp_path / "run", steps=3, limit=64, threads=1)
    images = np.random.default_rng(0).integers(0, 256, (3, 18, 18), dtype=np.uint8)

    def shares(found: list[dict[str, Any]]) -> list[dict[str, float]]:
        return [{one["label"]: one["probability"] for one in row["top"]} for row in found]

    plain, turned = (shares(run.predict(each)) for each in (images, images[:, :, ::-1].copy()))
    for one, other, both in zip(plain, turned, shares(run.predict(images, mirrored=True)), strict=True):
        for label in set(one) & set(other) & set(both):
            assert both[label] == pytest.approx((one[label] + other[label]) / 2, abs=1e-6)
    rows = train("mlp", "iris", out=tmp_path / "rows", steps=2, threads=1)
    with pytest.raises(UsageError, match="mirror"):
        rows.predict(np.zeros((1, 4)), mirrored=True)
