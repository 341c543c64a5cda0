"""Many short series: read from rows and arrays, told apart, drawn, and asked about; what is no series is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.cli import main
from ganglion.data.catalogue import read
from ganglion.data.check import check
from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import ShortSeriesPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError, GanglionError, ShapeError
from ganglion.models.convolutional.gramian_convnet import TINY as FIELDS
from ganglion.models.convolutional.gramian_convnet import GramianConvNet
from ganglion.models.convolutional.series_convnet import TINY
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import classifier
from ganglion.runs.session import Session, prepare
from ganglion.tasks.series_classification import Predict, SeriesClassification

WAVES = generate("waves", count=120)


class Knows(nn.Module):
    """Answers as the first value of a series says, which is the number of its class."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, inputs: Tensor) -> Tensor:
        classes = torch.tensor([-1.0, 1.0])
        return -self.weight * 20 * (inputs[:, 0, :1].sign() - classes).abs()


def told(count: int = 60) -> Dataset:
    """Return series (samples, 8, 2) whose first value is their class."""
    random, classes = np.random.default_rng(0), np.arange(count) % 2
    values = random.normal(0, 0.2, (count, 8, 2))
    values[:, 0, 0] = classes * 2.0 - 1
    return Dataset.of(name="told", kind="short-series", inputs=values, targets=classes, label_names=("low", "high"))


def test_judges_beside_commonest_class_and_nearest_neighbour() -> None:
    task = SeriesClassification.prepare(told(), TINY, DataSettings(), seed=0)
    assert (task.config.window, task.config.in_features, task.config.num_classes) == (8, 2, 2)
    measures = task.evaluate(classifier(Knows(), Descent()), "test")
    assert measures["accuracy"] == measures["nearest_neighbour_accuracy"] == 1
    assert task.baseline()["accuracy"] < 0.7
    assert set(measures) <= {measure.name for measure in task.measures}


def test_the_nearest_neighbour_is_the_one_of_least_squared_difference() -> None:
    task = SeriesClassification.prepare(WAVES, TINY, DataSettings(), seed=0)
    train, test = (task.data.columns(part) for part in ("train", "test"))
    off = ((test["inputs"][:, None] - train["inputs"][None]) ** 2).sum(dim=(2, 3))  # type: ignore[operator]
    nearest = train["targets"][off.argmin(dim=1)]  # type: ignore[index]
    expected = float((nearest == test["targets"]).float().mean())
    assert task._nearest() == pytest.approx(expected)


def test_draws_series_and_fields() -> None:
    plain = SeriesClassification.prepare(WAVES, TINY, DataSettings(), seed=0)
    rule = classifier(GramianConvNet(replace(FIELDS, window=64, num_classes=4)), Descent())
    drawn = plain.figures(rule)
    assert {"series", "fields", "confusion_matrix"} <= set(drawn) <= set(plain.captions)
    titles = [panel.get_title(loc="left") for panel in drawn["series"].axes]
    assert titles == ["noise", "saw", "sine", "square"]
    assert [panel.get_title(loc="left") for panel in drawn["fields"].axes[:3]] == ["noise", "summation", "difference"]


def test_a_restored_task_answers_alike() -> None:
    task = SeriesClassification.prepare(told(), TINY, DataSettings(), seed=0)
    restored = SeriesClassification.restore(task.state(), task.config)
    question = Predict(inputs=np.asarray(told().main.values)[:4])  # type: ignore[arg-type]
    rows = restored.predict(Knows(), question).value
    assert [row["label"] for row in rows] == ["low", "high", "low", "high"]
    assert rows == task.predict(Knows(), question).value


def test_missing_values_become_the_last_known_ones() -> None:
    scale = ShortSeriesPreprocessing(means=(1.0, 0.0), deviations=(2.0, 1.0), steps=3)
    series = np.array([[[3.0, np.nan], [np.nan, 4.0], [5.0, np.nan]]])
    assert scale(series)[0].tolist() == [[1.0, 0.0], [1.0, 4.0], [2.0, 4.0]]
    np.testing.assert_allclose(scale.inverse(scale(series))[0, :, 0], [3, 3, 5])
    with pytest.raises(ShapeError, match="shape of the training data"):
        scale(np.zeros((1, 4, 2)))


def test_waves_have_mean_0_and_deviation_1_whatever_their_class() -> None:
    waves = generate("waves", count=4000)
    values, classes = np.asarray(waves.main.values)[..., 0], waves.targets
    for number in range(4):
        of_class = values[classes == number]
        assert of_class.mean() == pytest.approx(0, abs=0.03)
        assert of_class.std() == pytest.approx((1 + 0.3**2) ** 0.5, abs=0.03)
    assert {finding.name for finding in check(waves)} == set()


# Reading.


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with a series in each row and a column of classes."""
    values, names = np.asarray(WAVES.main.values)[..., 0], WAVES.label_names
    rows = [
        ",".join([*(f"{value:.4f}" for value in row), names[one]])
        for row, one in zip(values, WAVES.targets, strict=True)
    ]
    path = tmp_path_factory.mktemp("series") / "waves.csv"
    path.write_text("\n".join([",".join([*(f"t{step}" for step in range(64)), "shape"]), *rows]))
    return path


def test_rows_of_a_table_are_series(table: Path) -> None:
    data = read(table, DataSettings(), kind="short-series")
    assert data.kind == "short-series" and np.asarray(data.main.values).shape == (120, 64, 1)
    assert data.label_names == WAVES.label_names
    assert any("each row is a series of 64 steps, from column 't0' to 't63'" in note for note in data.notes)


@pytest.mark.parametrize("kind", ["series", "short-series"])
def test_arrays_of_three_axes_are_many_series(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "many.npz"
    np.savez(path, x=np.zeros((6, 9, 2)) + np.arange(6)[:, None, None], y=np.array(list("ababab")))
    data = read(path, DataSettings(), kind=kind)
    assert data.kind == "short-series" and np.asarray(data.main.values).shape == (6, 9, 2)
    assert data.label_names == ("a", "b")


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros((6, 9, 2, 3)), "y": np.arange(6)}, "no series"),
        ({"x": np.array([["a", "b"]] * 6), "y": np.arange(6)}, "no series"),
        ({"x": np.zeros((6, 1)), "y": np.arange(6)}, "too short"),
    ],
)
def test_refuses_what_is_no_series(tmp_path: Path, arrays: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "odd.npz", **arrays)
    with pytest.raises(DataError, match=said):
        read(tmp_path / "odd.npz", DataSettings(), kind="short-series")


def test_refuses_text_among_the_steps_and_series_without_classes(tmp_path: Path) -> None:
    path = tmp_path / "text.csv"
    path.write_text("a,b,c,shape\n" + "1.5,red,2.5,x\n2.5,blue,1.25,y\n3.5,red,9.5,x\n" * 10)
    with pytest.raises(DataError, match="must be numbers") as refusal:
        read(path, DataSettings(target="shape"), kind="short-series")
    assert "b" in refusal.value.found and "--drop" in refusal.value.remedy
    bare = Dataset.of(name="bare", kind="short-series", inputs=np.zeros((9, 8, 1)))
    with pytest.raises(DataError, match="needs classes as targets"):
        SeriesClassification.prepare(bare, TINY, DataSettings(), seed=0)


def test_finds_series_that_say_nothing() -> None:
    values = np.random.default_rng(0).normal(size=(40, 6, 1))
    values[3], values[5] = 1.0, np.nan
    found = {finding.name: finding for finding in check(Dataset.of(name="odd", kind="short-series", inputs=values))}
    assert found["flat-series"].where == ("sample 3",) and found["empty-samples"].where == ("sample 5",)


def test_one_system_forecasts_and_classifies(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny: dict[str, Any] = {"channels": 4, "num_blocks": 2, "steps": 3, "threads": 1}
    folders = {}
    for task in ("classification", "auto"):
        session = prepare("series-convnet", table, out=tmp_path / task, task=task, **tiny)
        assert isinstance(session, Session)
        session.trainer.fit()
        session.files.unlock()
        folders[task] = session.files.path
        assert session.task.name == {"classification": "series_classification", "auto": "forecasting"}[task]
    assert main(["predict", str(folders["classification"]), str(table)]) == 0
    assert "t0" not in capsys.readouterr().out
    lacking = tmp_path / "lacking.csv"
    lacking.write_text("t0,t1\n1,2\n")
    assert main(["predict", str(folders["classification"]), str(lacking)]) in (1, 2)
    assert "lacks columns" in capsys.readouterr().err


def test_the_forecaster_refuses_many_series() -> None:
    with pytest.raises(GanglionError, match="not for forecasting") as refusal:
        prepare("lstm-forecaster", "waves")
    assert "short-series" in str(refusal.value)
