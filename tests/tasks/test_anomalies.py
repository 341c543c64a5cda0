"""Anomalies: what is learnt from, thresholds that keep their promise, marks on rows, pictures and steps."""

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
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError, DataError
from ganglion.figures import save
from ganglion.models.autoencoder.anomaly_detector import Config, build
from ganglion.rules.descend import Descent
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.anomalies import Anomalies
from ganglion.tasks.measures.anomalies import auroc, shares_as_odd, threshold, with_foreign_parts
from tests.tasks.asking import ask
from tests.tasks.training import trained

CONFIG = Config(hidden_features=(16,), code_size=3, channels=(8,), window=16, descent=Descent(learning_rate=3e-3))


def prepared(data: str | Dataset, config: Config = CONFIG, **settings: Any) -> Anomalies:
    return Anomalies.prepare(data, config, DataSettings(**settings), seed=0)


def calibrated(task: Anomalies, epochs: int) -> LearningRule:
    rule = trained(task, build, epochs)
    task.calibrate(rule)
    return rule


@pytest.mark.parametrize(("data", "normal"), [("digits", ("3",)), ("digits", ("1", "7")), ("iris", ("setosa",))])
def test_no_odd_sample_is_learnt_from_and_none_is_lost(data: str, normal: tuple[str, ...]) -> None:
    whole = read(data, DataSettings())
    task = prepared(data, Config(normal=normal))
    of_normal = np.isin(np.array(whole.label_names)[whole.targets], normal)
    assert not task._is_odd("train").any()
    held = {part: task._is_odd(part) for part in ("validation", "test")}  # type: ignore[arg-type]
    assert sum(len(task.data[part]) for part in ("train", *held)) == len(whole)
    assert sum(int(odd.sum()) for odd in held.values()) == int((~of_normal).sum())
    seen = {np.asarray(one).tobytes() for one in task.data["train"].inputs}
    assert not seen & {np.asarray(one).tobytes() for one in whole.inputs[~of_normal]}


def test_the_commonest_class_is_normal_where_none_is_named() -> None:
    assert prepared("breast-cancer").normal == ("benign",)


def test_the_promise_is_kept_whatever_the_errors() -> None:
    """Of 400 draws of 39 held-out errors, a further one is above the threshold once in twenty at most."""
    random = np.random.default_rng(0)
    above = [float(one[-1]) > threshold(one[:-1], 0.05) for one in random.lognormal(0, 2, (4000, 40))]
    assert 0.04 < np.mean(above) <= 0.056  # exactly 0.05 for continuous errors


def test_marks_and_shares_agree() -> None:
    random = np.random.default_rng(1)
    held_out, errors = random.normal(size=57), random.normal(0.5, 1, 200)
    for rate in (0.02, 0.05, 0.3):
        marked = errors > threshold(held_out, rate)
        np.testing.assert_array_equal(marked, shares_as_odd(held_out, errors) <= rate)


def test_auroc_by_counting_pairs() -> None:
    random = np.random.default_rng(2)
    normal, odd = random.integers(0, 6, 30).astype(float), random.integers(2, 8, 20).astype(float)
    pairs = np.sign(odd[:, None] - normal[None])
    assert auroc(normal, odd) == pytest.approx(float((pairs + 1).mean() / 2))


@pytest.mark.parametrize("shape", [(9,), (12, 2), (3, 8, 9)])
def test_foreign_parts_come_from_other_samples(shape: tuple[int, ...]) -> None:
    samples = torch.arange(6.0).reshape(6, *[1] * len(shape)).expand(6, *shape).clone()
    made = with_foreign_parts(samples)
    changed = (made != samples).flatten(1).float().mean(dim=1)
    assert ((changed > 0.05) & (changed < 0.5)).all()
    assert all(len(one.unique()) == 2 for one in made)
    assert torch.equal(made, with_foreign_parts(samples))


def test_rows_are_marked_and_said_why(tmp_path: Path) -> None:
    task = prepared("breast-cancer")
    rule = calibrated(task, 60)
    measures = task.evaluate(rule, "test")
    assert measures["auroc"] > 0.9 and measures["isolation_forest_auroc"] > 0.9
    assert measures["false_alarm_rate"] < 0.2 < measures["detection_rate"]
    for name, figure in task.figures(rule).items():
        save(figure, tmp_path / f"{name}.png")
    assert {path.stem for path in tmp_path.iterdir()} == {"errors", "found", "columns"}
    row = read("breast-cancer", DataSettings()).inputs[:1].copy()
    row[0, 0] *= 20
    again = Anomalies.restore(json.loads(json.dumps(task.state())), from_dict(Config, to_dict(task.config)))
    (answer,) = ask(again, rule.home, "predict", inputs=row)
    assert answer["odd"] and answer["why"].startswith("mean radius ")
    assert ask(task, rule.home, "predict", inputs=row) == [answer]
    (easier,) = ask(again, rule.home, "predict", inputs=row, false_alarms=1e-6)
    assert easier["error"] == answer["error"] and easier["normal_as_odd"] == answer["normal_as_odd"]


def test_pictures_are_marked_where_they_are_odd(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(90, 110, (80, 12, 14, 3)).astype(np.uint8)
    task = prepared(Dataset.of(name="grey", kind="image", inputs=images))
    rule = calibrated(task, 40)
    spot = images[0].copy()
    spot[2:5, 9:12] = 255
    Image.fromarray(spot).save(tmp_path / "spot.png")
    answer = task.ask("predict", rule.home, task.verbs["predict"](inputs=[tmp_path / "spot.png"]))
    assert answer.rows[0]["odd"] and answer.totals["marked"] == 1
    (picture,) = answer.also[0].value
    height, width = picture.shape[0], picture.shape[1] // 3
    redness = picture[..., 0].astype(int) - picture[..., 2]
    row, column = np.unravel_index(redness[:, -width:].argmax(), (height, width))
    assert 1 <= row * 12 / height < 6 and 8 <= column * 14 / width < 13
    figures = task.figures(rule)
    assert set(figures) == {"errors", "found", "heat_maps"}


def test_steps_of_one_long_series_are_marked(tmp_path: Path) -> None:
    time = np.arange(1200)
    values = np.stack([np.sin(time / 4), np.cos(time / 4)], axis=1)
    values += np.random.default_rng(0).normal(0, 0.02, values.shape)
    odd = np.zeros(len(time))
    values[1100:1110, 1] *= -1
    odd[1100:1110] = 1
    table = np.concatenate([values, odd[:, None]], axis=1)
    names = ("up", "across", "fault")
    task = prepared(Dataset.of(name="wheel", kind="series", inputs=table, column_names=names))
    assert task.columns == ("up", "across") and task.odd_steps["test"].sum() == 10
    rule = calibrated(task, 30)
    measures = task.evaluate(rule, "test")
    assert measures["auroc"] > 0.9 > measures["false_alarm_rate"]
    assert set(task.figures(rule)) == {"errors", "found", "series"}
    path = tmp_path / "wheel.csv"
    path.write_text("across,up\n" + "\n".join(f"{b:.5f},{a:.5f}" for a, b in values[1000:]))
    again = Anomalies.restore(json.loads(json.dumps(task.state())), from_dict(Config, to_dict(task.config)))
    rows = ask(again, rule.home, "predict", inputs=[path])
    assert len(rows) == 200 and max(rows, key=lambda row: row["error"])["step"] in range(100, 112)
    with pytest.raises(DataError, match="shorter than a window"):
        ask(again, rule.home, "predict", inputs=values[:5])


def test_short_series_and_data_without_classes_are_judged() -> None:
    task = prepared(generate("waves", count=200), Config(normal=("sine",), code_size=3, hidden_features=(16,)))
    rule = calibrated(task, 5)
    assert {"auroc", "isolation_forest_auroc"} <= set(task.evaluate(rule, "test"))
    assert "oddest step" in ask(task, rule.home, "predict", inputs=generate("waves", count=4).inputs)[0]
    waves = generate("sine")
    task = prepared(waves, CONFIG)
    assert any("made-up" in note for note in task.notes)
    assert task.evaluate(calibrated(task, 3), "validation")["auroc"] > 0.5


def test_what_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="sad"):
        prepared("digits", Config(normal=("sad",)))
    with pytest.raises(DataError, match="every class is normal"):
        prepared("iris", Config(normal=("setosa", "versicolor", "virginica")))
    with pytest.raises(DataError, match="no classes"):
        prepared(generate("bars-and-stripes"), Config(normal=("bars",)))
    with pytest.raises(DataError, match="whether it is odd"):
        prepared("heartbeats", CONFIG, target="voltage")
    with pytest.raises(DataError, match="shorter than a window"):
        prepared("sine", Config(window=400))


def test_few_held_out_samples_are_said_to_promise_nothing() -> None:
    task = prepared("iris", Config(normal=("setosa",), false_alarms=0.01))
    assert any("too few to promise" in note for note in task.notes)
