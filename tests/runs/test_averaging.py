"""Runs that forecast together: weights against another solver, the mean by hand, and runs that have no mean."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

from ganglion.cli import main
from ganglion.errors import DataError, UsageError
from ganglion.runs.averaging import average
from ganglion.runs.run import open_run
from ganglion.runs.session import Session, prepare
from ganglion.tasks.shared.series.averaging import AveragedForecaster, fitted_weights

FIELDS: dict[str, dict[str, Any]] = {
    "series-convnet": {"window": 12, "channels": 4, "num_blocks": 2},
    "lstm-forecaster": {"window": 8, "hidden_features": 4, "num_layers": 1, "dense_features": 4},
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sine and its cosine with noise, 160 rows."""
    time, random = np.arange(160), np.random.default_rng(0)
    columns = np.stack([np.sin(time / 3), 5 + np.cos(time / 3)], axis=1) + random.normal(0, 0.1, (160, 2))
    path = tmp_path_factory.mktemp("data") / "waves.csv"
    path.write_text("sine,cosine\n" + "".join(f"{a:.4f},{b:.4f}\n" for a, b in columns))
    return path


@pytest.fixture(scope="module")
def trained(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return the folder of a run of a few steps, without its report."""
    root, known = tmp_path_factory.mktemp("runs"), {}

    def folder(name: str, **options: Any) -> Path:
        key = repr((name, options))
        if key not in known:
            out = root / f"run-{len(known)}"
            usual = {"steps": 6, "evaluate_every": 3, "threads": 1, "batch_size": 16}
            session = prepare(name, options.pop("data", table), out=out, **FIELDS.get(name, {}) | usual | options)
            assert isinstance(session, Session)
            session.trainer.fit()
            session.files.unlock()
            known[key] = out
        return known[key]

    return folder


@pytest.mark.parametrize("forecasters", [2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_weights_are_those_of_another_solver(forecasters: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.normal(size=60) * 1000
    forecasts = truth[:, None] + 300 * random.normal(size=(60, forecasters)) @ random.normal(size=(forecasters,) * 2)

    def error(weights: np.ndarray) -> float:
        return float(((forecasts @ weights - truth) ** 2).mean()) / 1e4

    weights = fitted_weights(forecasts, truth)
    assert (weights >= 0).all() and weights.sum() == pytest.approx(1)
    start, sums = np.full(forecasters, 1 / forecasters), {"type": "eq", "fun": lambda weights: weights.sum() - 1}
    other = minimize(error, start, bounds=[(0, 1)] * forecasters, constraints=sums, tol=1e-12)
    assert error(weights) <= other.fun * (1 + 1e-6)
    np.testing.assert_allclose(weights, other.x, atol=2e-3)


def test_who_is_right_has_all_the_weight() -> None:
    truth = np.arange(10.0)
    assert fitted_weights(np.stack([truth, truth + 1, truth * 2], axis=1), truth).tolist() == [1, 0, 0]
    assert fitted_weights(np.stack([truth, truth], axis=1), truth).sum() == pytest.approx(1)


def test_each_network_reads_the_end_of_the_window() -> None:
    networks = [nn.Flatten(), nn.Flatten()]
    averaged = AveragedForecaster([*networks], [2, 2], np.array([0.25, 0.75]))
    assert averaged(torch.tensor([[[9.0], [1.0], [3.0]]])).tolist() == [[1.0, 3.0]]


def test_the_mean_is_that_of_the_answers_and_no_worse_on_the_validation_part(trained: Callable[..., Path]) -> None:
    folders = [trained("series-convnet"), trained("lstm-forecaster")]
    averaged = average(folders)
    assert averaged.task.config.window == 12
    first = [open_run(folder).forecast(1)[0] for folder in folders]
    mean = averaged.forecast(1).value[0]
    for column in ("sine", "cosine"):
        by_hand = sum(weight * one[column] for weight, one in zip(averaged.weights, first, strict=True))
        assert mean[column] == pytest.approx(by_hand, abs=1e-5)
    assert (
        averaged.own_errors["validation"]["rmse"] <= min(each["validation"]["rmse"] for each in averaged.errors) + 1e-9
    )
    for folder, errors in zip(folders, averaged.errors, strict=True):
        assert errors["test"]["mae"] == pytest.approx(open_run(folder).evaluate("test")["mae"], rel=1e-5)
    assert len(averaged.forecast(7).value) == 7 and len(averaged.forecast().value) == 10


def test_bands_are_averaged_and_calibrated_anew(trained: Callable[..., Path]) -> None:
    options = {"quantiles": (0.1, 0.5, 0.9), "horizon": 2}
    averaged = average([trained(name, **options) for name in FIELDS])
    row = averaged.forecast(3).value[2]
    assert row["sine 0.1"] <= row["sine"] <= row["sine 0.9"]
    assert averaged.task.margins is not None


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"data": "sine"}, "columns"),
        ({"columns": ("sine",)}, "columns"),
        ({"target": "cosine"}, "target column"),
        ({"horizon": 2}, "horizon"),
        ({"quantiles": (0.25, 0.5)}, "quantiles"),
        ({"test": 0.3}, "scale"),
        ({"validation": 0.2, "test": 0.1}, "validation part"),
    ],
)
def test_refuses_runs_that_have_no_mean(trained: Callable[..., Path], options: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=f"differ in their .*{what}") as refusal:
        average([trained("lstm-forecaster"), trained("series-convnet", **options)])
    assert refusal.value.remedy and refusal.value.found


def test_refuses_other_data_of_the_same_columns(trained: Callable[..., Path], table: Path) -> None:
    lines = table.read_text().splitlines()
    other = table.with_name("other.csv")
    other.write_text("\n".join([*lines[:-1], "0.5,5.5"]))
    with pytest.raises(UsageError, match="differ in their data"):
        average([trained("lstm-forecaster"), trained("series-convnet", data=other)])


def test_refuses_what_is_no_forecast_or_only_one(trained: Callable[..., Path]) -> None:
    run = trained("lstm-forecaster")
    for folders in ([run], [run, run.parent / ".." / run.parent.name / run.name]):
        with pytest.raises(UsageError, match="several runs"):
            average(folders)
    with pytest.raises(UsageError, match="only runs that forecast"):
        average([run, trained("perceptron", data="exam-marks")])
    with pytest.raises(DataError, match="no validation part"):
        average([trained(name, validation=0) for name in FIELDS])


def test_the_command_prints_weights_and_errors(
    trained: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [str(trained(name)) for name in FIELDS]
    assert main(["forecast", *folders, "--steps", "3", "--out", str(tmp_path / "mean.csv")]) == 0
    told = capsys.readouterr().out
    assert all(
        word in told for word in ("series-convnet", "lstm-forecaster", "weight", "validation mase", "their mean")
    )
    assert len((tmp_path / "mean.csv").read_text().splitlines()) == 4
    assert main(["forecast", "--json", *folders, "--steps", "2"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["rows"]) == 2 and sum(one["weight"] for one in document["runs"]) == pytest.approx(1)
    for words, code, said in (
        ([folders[0], "nowhere"], 2, "not a run folder"),
        ([*folders, "--steps", "0"], 2, "at least 1"),
        ([*folders, "--out", str(tmp_path / "no" / "mean.csv")], 2, "cannot write"),
    ):
        assert main(["forecast", *words]) == code, capsys.readouterr().err
        assert said in capsys.readouterr().err
