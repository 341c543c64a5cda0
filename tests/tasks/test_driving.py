"""Driving: what is measured when, own pictures with a table, films and pictures, and what is refused."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError, DataError, UsageError
from ganglion.models.feedforward.steering import SMALL, TINY, build
from ganglion.runs.session import train
from ganglion.tasks import driving
from ganglion.tasks.answers import Film, Rows
from ganglion.tasks.driving import DIRECT, DRIVER, HILL, Driving, Play, Predict
from ganglion.tasks.shared.inputs import Read


def some_scenes(count: int = 200) -> Dataset:
    return generate("road-scenes", count=count)


def task(source: str | Dataset, **settings: object) -> Driving:
    return Driving.prepare(source, TINY, DataSettings(batch_size=32, validation=0.2, **settings), 0)


def own_pictures(folder: Path, columns: tuple[str, ...] = ("file", "angle")) -> Path:
    """Views as PNG files of another size, with a table that names them."""
    made = some_scenes(100)
    with (folder / "directions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns)
        for number, (picture, direction) in enumerate(zip(made.inputs, made.targets[:, 0], strict=True)):
            Image.fromarray(picture[..., 0]).resize((64, 60)).save(folder / f"view{number:03}.png")
            table.writerow([f"view{number:03}.png", round(float(direction), 2)])
    return folder


def test_the_last_output_stands_beyond_the_sharpest_turn() -> None:
    made = task(some_scenes())
    largest = float(made.data.columns("train")["targets"].abs().max())
    assert made.config.largest_direction == pytest.approx(1.1 * largest)
    assert made.surface == "bright"


def test_roads_are_driven_at_the_end_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driving, "JUDGED_ROADS", 2)
    made = task(some_scenes())
    rule = build(made.config)
    assert {*made.evaluate(rule)} == {"loss", "error", "direct_error"}
    tested = made.evaluate(rule, "test")
    assert {*tested} == {"loss", "error", "direct_error", "metres", "offset", "direct_metres"}
    assert 0 <= tested["metres"] <= 20 and {*made.baseline()} == {"error", "metres", "offset"}
    assert {*made.figures(rule)} == {"predictions", "hidden_units", "drives"}


def test_playing_drives_and_films(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = task(some_scenes())
    rule = build(made.config)
    answer = made.play(rule.home, Play(roads=2, metres=30, animation=tmp_path / "drive.gif"))
    assert isinstance(answer, Rows)
    assert [{*row} for row in answer.rows] == [{"road", HILL, DIRECT, DRIVER}] * 2
    assert answer.totals[f"mean of {DRIVER}"] == 30
    (film,) = answer.also
    assert isinstance(film, Film) and film.frames.dtype == np.uint8
    assert 1 <= len(film.frames) <= 30 and film.frames.shape[1:] == (406, 542, 3)
    again = made.play(rule.home, Play(roads=2, metres=30))
    assert again.rows == answer.rows


def test_a_picture_of_the_road_is_answered_in_degrees() -> None:
    made = task(some_scenes())
    torch.manual_seed(0)
    rule = build(made.config)
    for batch in made.loader(rule, 0):
        rule.step(batch)
    answer = made.predict(rule.home, Predict(inputs=list(some_scenes().test_inputs[:3])))
    assert [{*row} for row in answer.rows] == [{"direction", "height_of_hill"}] * 3
    assert all(0 <= row["height_of_hill"] <= 1 and abs(row["direction"]) < 60 for row in answer.rows)
    parts = [made.read_inputs("predict", [one], made.settings) for one in some_scenes().test_inputs[:3]]
    together = Read.joined([part for part in parts if isinstance(part, Read)])
    assert made.predict(rule.home, Predict(inputs=together)).rows == answer.rows  # a server asks so, to the last bit


def test_own_pictures_with_a_table_are_learnt_from_and_not_driven(tmp_path: Path) -> None:
    folder = own_pictures(tmp_path)
    made = task(str(folder))
    assert made.surface is None and made.preprocessing["targets"].names == ("angle",)
    rule = build(made.config)
    assert {*made.evaluate(rule, "test")} == {"loss", "error", "direct_error"}
    assert {*made.figures(rule)} == {"predictions", "hidden_units"} and not made.moving(rule)
    with pytest.raises(UsageError, match="other roads"):
        made.play(rule.home, Play())
    (row,) = made.predict(rule.home, Predict(inputs=[str(folder / "view000.png")])).rows
    assert {"angle", "height_of_hill"} <= {*row}


def test_mirrored_roads_and_several_directions_are_refused() -> None:
    for augment in ("flip", "shift-flip", "flips", "flips-elastic"):
        with pytest.raises(ConfigurationError, match="other side"):
            task(some_scenes(), augment=augment)
    with pytest.raises(DataError, match="driving needs"):
        task("digits")
    made = some_scenes()
    doubled = made.with_values(targets=np.repeat(made.targets, 2, axis=1))
    with pytest.raises(DataError, match="one direction"):
        task(dataclasses.replace(doubled, test_fields={}))


@pytest.mark.full
def test_it_drives_where_nobody_learnt(tmp_path: Path) -> None:
    run = train("steering", epochs=15, out=str(tmp_path / "run"), validation=0.1)
    found = run.result["metrics"]
    assert found["metres"] > 150 > 2 * run.result["baseline_metrics"]["metres"]
    assert found["error"] < 4 and SMALL.beside
