"""Authenticity: what is learnt from, generators left out, measures by hand, answers about pictures of any size."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ganglion
from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.distortions import Distortions, blurred, compressed, rescaled
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError, DataError, UsageError
from ganglion.figures import save
from ganglion.models.adversarial.generated_image_detector import SMALL, Config, build
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.authenticity import Authenticity
from ganglion.tasks.measures.authenticity import average_precision, platt, reliability
from tests.tasks.asking import ask
from tests.tasks.training import trained

FEW = generate("redrawn-photographs", count=300)
QUICK = replace(SMALL, image_size=16, window=16)


def prepared(data: str | Dataset = FEW, config: Config = QUICK, **settings: Any) -> Authenticity:
    return Authenticity.prepare(data, config, DataSettings(**settings), seed=0)


def folder(path: Path, **classes: int) -> Path:
    """Write pictures of noise, some of each class; of real ones every second pixel differs from its neighbour."""
    random = np.random.default_rng(0)
    for name, count in classes.items():
        (path / name).mkdir(parents=True)
        for number in range(count):
            side = 12 if "real" in name else 6
            pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((12, 12), Image.Resampling.NEAREST).save(path / name / f"{number}.png")
    return path


def test_pieces_of_the_default_data_are_in_one_part_only() -> None:
    dataset = read("redrawn-photographs", DataSettings())
    parts = prepared(dataset).data.samples
    assert [len(parts[part]) for part in parts] == [1050, 150, 300]  # type: ignore[index]
    names = dataset.label_names
    assert names == ("real", "transposed", "repeated", "shuffled", "smoothed")
    for part in (dataset.fields, dataset.test_fields):
        pictures = np.asarray(part["inputs"].values).reshape(5, -1, 32, 32, 3).astype(float)
        errors = [10 * np.log10(255**2 / np.square(one - pictures[0]).mean()) for one in pictures[1:]]
        assert all(20 < error < 35 for error in errors)  # the same pieces, in decibels


def test_a_generator_that_is_left_out_is_only_tested_on() -> None:
    task = prepared(config=replace(QUICK, leave_out="shuffled"))
    number = 1 + task.generators.index("shuffled")
    assert [int((task._source(part) == number).sum() > 0) for part in ("train", "validation", "test")] == [0, 0, 1]  # type: ignore[arg-type]
    assert task.held_back == "shuffled"
    folds = [prepared(folds=4, fold=fold).held_back for fold in (1, 2, 3, 4)]
    assert folds == list(task.generators)


def test_average_precision_by_hand() -> None:
    """Thresholds from the surest: recall 1/2, 1/2, 1 at precisions 1, 1/2, 2/3."""
    found = average_precision(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False]))
    assert found == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    many = average_precision(np.array([0.9, *[0.8] * 3, 0.7, *[0.1] * 3]), np.array([1, 0, 0, 0, 1, 0, 0, 0], bool))
    assert many == pytest.approx(found)  # three times as many real ones count as much


def test_platt_finds_the_logistic_that_made_the_classes() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(0, 3, 20_000)
    generated = random.random(20_000) < 1 / (1 + np.exp(-(0.5 * scores + 0.7)))
    slope, offset = platt(scores, generated)
    share = generated.mean()
    expected = 0.7 - np.log(share / (1 - share))  # what is left of it where half are generated
    assert slope == pytest.approx(0.5, abs=0.03) and offset == pytest.approx(expected, abs=0.1)
    assert reliability(slope * scores + offset, generated).error < 0.03 < reliability(5 * scores, generated).error


def test_distortions_are_what_they_say() -> None:
    images = torch.rand(2, 3, 16, 12, generator=torch.Generator().manual_seed(0))
    smooth = blurred(images, 2.0)
    wide = torch.nn.functional.avg_pool2d(images, 9, stride=1, padding=4, count_include_pad=False)
    assert smooth.std() < 0.35 * images.std() and (smooth - wide).abs().mean() < 0.05
    errors = [float((compressed(images, quality) - images).abs().mean()) for quality in (100, 60, 20)]
    assert 0 < errors[0] < errors[1] < errors[2]
    assert rescaled(images, 0.5).shape == (2, 3, 8, 6)
    batch = {"inputs": 2 * images - 1, "index": torch.arange(2)}
    changes = Distortions("inputs", 0.9, (-1.0,) * 3, (1.0,) * 3)
    assert not torch.equal(changes(batch, 0, 0)["inputs"], batch["inputs"])
    assert torch.equal(changes(batch, 0, 0)["inputs"], changes(batch, 0, 0)["inputs"])
    assert not torch.equal(changes(batch, 0, 0)["inputs"], changes(batch, 0, 1)["inputs"])
    assert torch.equal(Distortions("inputs", 0.0, (-1.0,) * 3, (1.0,) * 3)(batch, 0, 0)["inputs"], batch["inputs"])


def test_it_learns_from_a_folder_and_says_where(tmp_path: Path) -> None:
    task = prepared(str(folder(tmp_path / "data", **{"0_real": 60, "1_fake": 60})), replace(SMALL, distorted=0.1))
    assert task.config.window == 12
    rule = trained(task, build, 8)
    task.calibrate(rule)
    measures = task.evaluate(rule, "test")
    assert measures["average_precision"] > 0.95 and measures["balanced_accuracy"] > 0.85
    assert {"jpeg_average_precision", "blur_average_precision", "resize_average_precision"} <= set(measures)
    for name, figure in task.figures(rule).items():
        save(figure, tmp_path / f"{name}.png")
    again = Authenticity.restore(json.loads(json.dumps(task.state())), from_dict(Config, to_dict(task.config)))
    paths = sorted((tmp_path / "data" / "1_fake").iterdir())[:3]
    answer = again.ask("predict", rule.home, again.verbs["predict"](inputs=paths))
    assert [row["label"] for row in answer.rows].count("made by a network") >= 2
    (alone,) = ask(again, rule.home, "predict", inputs=paths[1:2])
    assert alone == answer.value[1]  # whatever else is asked about
    (shown,) = [form.pixels for form in answer.also][:1]
    assert shown[0].shape == (14 * 12, 14 * 25, 3)


def test_large_pictures_are_looked_at_whole() -> None:
    task = prepared()
    torch.manual_seed(0)
    network = build(task.config).home.eval()
    small, large = (np.random.default_rng(0).integers(0, 256, (side, 40, 3), dtype=np.uint8) for side in (30, 300))
    for picture in (small, large):
        logit, evidence = task._looked_at(network, picture)
        assert evidence.shape == picture.shape[:2] and np.isfinite(logit)
        assert evidence.mean() == pytest.approx(logit, abs=0.05 * max(1.0, abs(logit)))


def test_what_cannot_be_told_apart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no class of this data is that of real pictures"):
        prepared("digits")
    with pytest.raises(DataError, match="needs classes"):
        prepared(str(folder(tmp_path / "one", real=20)))
    with pytest.raises(ConfigurationError, match="generator"):
        prepared(config=replace(QUICK, leave_out="stylegan"))
    with pytest.raises(UsageError, match="each fold leaves out one generator"):
        prepared(folds=3, fold=1)
    with pytest.raises(UsageError, match="cannot be left out"):
        prepared(str(folder(tmp_path / "two", real=20, fake=20)), Config(leave_out="fake"))


def test_runs_draw_what_is_told_from_their_data(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (80, 8, 8, 1), dtype=np.uint8)
    options: dict[str, Any] = {"steps": 2, "image_size": 16, "sample_every": "off", "latent_features": 8}
    for name in ("first", "second"):
        ganglion.train("gan", images, out=tmp_path / name, generator_features=(8,), **options)
    generators = (str(tmp_path / "first"), str(tmp_path / "second"))
    told = {"generators": generators, "leave_out": "second", "steps": 3}
    run = ganglion.train("generated-image-detector", images, out=tmp_path / "run", **told)
    assert list(run.task.generators) == ["first", "second"] and run.task.held_back == "second"
    assert run.evaluate("test")["average_precision"] == pytest.approx(run.metrics["average_precision"])
    with pytest.raises(UsageError, match="draws no pictures"):
        ganglion.train("generated-image-detector", images, generators=(str(tmp_path / "run"),), out=tmp_path / "no")
