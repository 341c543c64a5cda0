"""Forecasting: no value of the future on the way to a forecast, honest baselines, answers without the data."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.cli import main
from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError, UsageError
from ganglion.figures import save
from ganglion.models.recurrent.lstm_forecaster import TINY, build
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.runs.session import train
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.forecasting import Forecasting
from tests.tasks.asking import ask

STEPS, WINDOW = 200, TINY.window
TEST, VALIDATION = 40, 20
REAL: dict[str, dict[str, object]] = {
    "airline-passengers": {"window": 24, "epochs": 150, "batch_size": 16},
    "monthly-sunspots": {"window": 36, "epochs": 10},
    "daily-min-temperatures": {"window": 30, "epochs": 8},
}
"""Options with which the forecaster beats the best naive method on real series."""
START = {"train": 0, "validation": STEPS - TEST - VALIDATION, "test": STEPS - TEST}


def wave(steps: int = STEPS, period: int = 10) -> np.ndarray:
    """A sine around 100 with some noise, and a second column that follows it."""
    random = np.random.default_rng(0)
    values = 100 + 5 * np.sin(2 * np.pi * np.arange(steps) / period) + random.normal(0, 0.3, steps)
    return np.stack([values, -np.roll(values, 1)], axis=1).astype(np.float32)


def series(values: np.ndarray, **fields: object) -> Dataset:
    names = tuple("ab"[: values.shape[1]])
    return Dataset.of(name="toy", kind="series", inputs=values, column_names=names, **fields)  # type: ignore[arg-type]


def prepared(values: np.ndarray, **settings: object) -> Forecasting:
    return Forecasting.prepare(series(values), TINY, DataSettings(**settings), seed=0)  # type: ignore[arg-type]


class Back(nn.Module):
    """Forecasts the value some steps before the end of the window."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.weight * inputs[:, -self.steps]


def back(steps: int) -> LearningRule:
    return Supervised(Back(steps), Descent(), loss="squared-error")


def test_windows_are_views_and_end_right_before_their_targets() -> None:
    task = prepared(wave())
    loader = task.loader(back(1), seed=0)
    assert loader.tensors["inputs"].untyped_storage().data_ptr() == task._scaled.untyped_storage().data_ptr()
    scaled = task.scale(wave())
    for batch in loader:
        for inputs, target, row in zip(batch["inputs"], batch["targets"], batch["index"], strict=True):
            torch.testing.assert_close(inputs, scaled[row - WINDOW : row])
            torch.testing.assert_close(target, scaled[row])
    assert sorted(loader.tensors["index"].tolist()) == list(range(WINDOW, START["validation"]))


def test_changing_the_future_changes_nothing_that_is_learnt_from() -> None:
    values, changed = wave(), wave()
    changed[START["validation"] :] += 1000
    first, second = prepared(values), prepared(changed)
    assert first.preprocessing == second.preprocessing
    assert first.season == second.season
    for one, other in zip(first.loader(back(1), 0), second.loader(back(1), 0), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in ("inputs", "targets", "index"))


def test_scaling_is_that_of_the_training_part() -> None:
    task = prepared(wave())
    training = wave()[: START["validation"]].astype(np.float64)
    np.testing.assert_allclose(task.scale.means, training.mean(axis=0))
    np.testing.assert_allclose(task.scale.deviations, training.std(axis=0))


def test_a_limit_keeps_the_latest_training_steps() -> None:
    rows = prepared(wave(), limit=50).loader(back(1), seed=0).tensors["index"]
    assert rows.tolist() == list(range(START["validation"] - 50 + WINDOW, START["validation"]))


def test_a_network_that_repeats_the_last_value_scores_like_that_baseline() -> None:
    task = prepared(wave())
    measures = task.evaluate(back(1), "test")
    assert measures["mase"] == pytest.approx(measures["last_value_mase"], rel=1e-5)
    measures = task.evaluate(back(task.season), "test")
    assert task.season == 10
    assert measures["mase"] == pytest.approx(measures["seasonal_naive_mase"], rel=1e-5)


@pytest.mark.parametrize(("target", "column"), [(None, 0), ("a", 0), ("b", 1)])
def test_measures_by_hand(target: str | None, column: int) -> None:
    task = prepared(wave(), target=target)
    values = wave()[:, column].astype(np.float64)
    off = np.abs(np.diff(values)[START["test"] - 1 :])
    scale = np.abs(np.diff(values[WINDOW : START["validation"]])).mean()
    measures = task.evaluate(back(1), "test")
    assert measures["mae"] == pytest.approx(off.mean(), rel=1e-4)
    assert measures["rmse"] == pytest.approx(np.sqrt((off**2).mean()), rel=1e-4)
    assert measures["mase"] == pytest.approx(off.mean() / scale, rel=1e-4)


def test_the_baseline_is_the_better_naive_method() -> None:
    periodic, drifting = prepared(wave()), prepared(np.cumsum(wave() - 99, axis=0))
    for task, better in ((periodic, "seasonal_naive_mase"), (drifting, "drift_mase")):
        measures = task.evaluate(back(1), "test")
        naive = [measures[f"{name}_mase"] for name in ("last_value", "seasonal_naive", "drift")]
        assert task.baseline()["mase"] == min(naive) == measures[better]


def test_the_season_can_be_given() -> None:
    assert prepared(wave(), season=7).season == 7
    with pytest.raises(ConfigurationError, match="season"):
        prepared(wave(), season=STEPS)


def test_values_that_were_filled_in_are_not_judged() -> None:
    values = wave()
    values[START["test"] + 3, 0] = np.nan
    task = prepared(values)
    assert START["test"] + 3 not in task.judged["test"]
    assert len(task.judged["test"]) == TEST - 1
    assert np.isfinite(list(task.evaluate(back(1), "test").values())).all()
    assert any("1 missing values" in note for note in task.notes)


def test_continues_all_columns_from_its_own_forecasts() -> None:
    task = prepared(wave())
    rows = ask(task, Back(10), "forecast", steps=25)
    assert [row["step"] for row in rows] == list(range(1, 26))
    expected = wave()[-10:][np.arange(25) % 10]
    np.testing.assert_allclose([[row["a"], row["b"]] for row in rows], expected, rtol=1e-5)
    with pytest.raises(ConfigurationError, match="steps"):
        ask(task, Back(10), "forecast", steps=0)


def test_predicts_every_row_after_a_window_and_one_more() -> None:
    task, values = prepared(wave()), wave(30)
    values[20, 0] = np.nan
    rows = ask(task, Back(1), "predict", inputs=values)
    assert [row["row"] for row in rows] == list(range(WINDOW + 1, 32))
    shown = np.where(np.isnan(values[:, 0]), values[19, 0], values[:, 0])
    np.testing.assert_allclose([row["predicted"] for row in rows], shown[WINDOW - 1 :], rtol=1e-5)
    assert [row["observed"] for row in rows] == [
        *values[WINDOW:20, 0].tolist(), None, *values[21:, 0].tolist(), None,
    ]  # fmt: skip


def test_predicts_from_a_file_with_the_columns_in_any_order(tmp_path: Path) -> None:
    task, values = prepared(wave()), wave(30)
    path = tmp_path / "new.csv"
    lines = [f"{b},{number % 7},{a}" for number, (a, b) in enumerate(values)]
    path.write_text("\n".join(["b,other,a", *lines]))
    assert ask(task, Back(1), "predict", inputs=[path]) == ask(task, Back(1), "predict", inputs=values)


def test_a_restored_task_answers_the_same() -> None:
    task = prepared(wave())
    rule = build(task.config)
    state = json.loads(json.dumps(task.state()))
    again = Forecasting.restore(state, from_dict(type(TINY), to_dict(task.config)))
    assert again.state() == task.state()
    assert ask(again, rule.home, "forecast", steps=5) == ask(task, rule.home, "forecast", steps=5)
    assert ask(again, rule.home, "predict", inputs=wave(30)) == ask(task, rule.home, "predict", inputs=wave(30))


def test_ways_on_spread_as_those_of_a_random_walk_do() -> None:
    """A network that repeats the last value is right about a walk; k steps ahead it is off by sqrt(k) steps."""
    steps = np.random.default_rng(0).normal(0, 2.0, 600)
    task = prepared(np.cumsum(steps)[:, None], validation=0.25)
    task.calibrate(back(1))
    assert task.errors is not None and task.errors.shape == (100, 1, 1)
    again = Forecasting.restore(json.loads(json.dumps(task.state())), task.config)
    rows = ask(task, Back(1), "forecast", steps=25, samples=800)
    assert rows == ask(again, Back(1), "forecast", steps=25, samples=800)
    assert rows != ask(task, Back(1), "forecast", steps=25, samples=800, seed=1)
    for ahead in (1, 9, 25):
        row = rows[ahead - 1]
        assert (row["a 0.9"] - row["a 0.1"]) / 2 == pytest.approx(1.2816 * 2 * ahead**0.5, rel=0.2)
    with pytest.raises(UsageError, match="no errors"):
        ask(prepared(wave()), Back(1), "forecast", samples=5)


def test_ways_on_keep_the_quantiles_of_the_network() -> None:
    task = Forecasting.prepare(series(wave()), replace(TINY, horizon=3, quantiles=(0.25, 0.5, 0.75)), DataSettings(), 0)
    rule = build(task.config)
    task.calibrate(rule)
    row = ask(task, rule.home, "forecast", steps=5, samples=50)[4]
    assert row["a 0.25"] < row["a"] < row["a 0.75"]


def test_learns_to_beat_both_naive_methods(tmp_path: Path) -> None:
    task = prepared(wave(600)[:, :1])
    torch.manual_seed(0)
    rule = build(task.config)
    loader = task.loader(rule, seed=0)
    for _ in range(30):
        for batch in loader:
            rule.step(batch)
    measures = task.evaluate(rule, "test")
    assert measures["mase"] < 0.9 * min(measures["last_value_mase"], measures["seasonal_naive_mase"])
    for name, figure in task.figures(rule).items():
        save(figure, tmp_path / f"{name}.png")
    assert {path.stem for path in tmp_path.iterdir()} == {"forecast", "continuation", "residuals"}


def test_the_configuration_takes_and_forecasts_every_column() -> None:
    task = prepared(wave())
    assert (task.config.in_features, task.config.out_features) == (2, 2)
    assert build(task.config).home(torch.zeros(2, task.config.window, 2)).shape == (2, 2)


@pytest.mark.parametrize(
    ("values", "settings", "words"),
    [
        (wave(24), {}, "too short for the window"),
        (wave(), {"test": 0.0}, "no test part"),
        (np.ones((STEPS, 1), np.float32), {}, "does not change"),
        (wave(), {"target": "c"}, "unknown column 'c'"),
    ],
)
def test_refuses_what_makes_a_forecast_meaningless(values: np.ndarray, settings: dict, words: str) -> None:
    with pytest.raises((DataError, ConfigurationError), match=words):
        prepared(values, **settings)


def test_refuses_a_series_shorter_than_the_window() -> None:
    with pytest.raises(DataError, match="shorter than the window"):
        ask(prepared(wave()), Back(1), "predict", inputs=wave(WINDOW - 1))


def test_no_validation_part_is_known_to_the_trainer() -> None:
    assert prepared(wave(), validation=0.0).has_validation is False


def stepwise(horizon: int = 4, quantiles: tuple[float, ...] = (), **fields: object) -> Forecasting:
    """A task of several steps at once."""
    config = replace(TINY, horizon=horizon, quantiles=quantiles, **fields)  # type: ignore[arg-type]
    return Forecasting.prepare(series(wave()), config, DataSettings(), seed=0)


class Repeat(nn.Module):
    """Forecasts the last value at every step, with a band of a given half width around it."""

    def __init__(self, horizon: int, width: float = 0.0, levels: int = 1) -> None:
        super().__init__()
        self.horizon = horizon
        self.levels = nn.Parameter(torch.linspace(-width, width, levels) if levels > 1 else torch.zeros(1))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs[:, -1][:, None, :, None].expand(-1, self.horizon, -1, -1) + self.levels


def test_targets_of_several_steps_follow_their_windows_and_stay_in_training() -> None:
    task = stepwise(horizon=4)
    scaled = task.scale(wave())
    met = []
    for batch in task.loader(back(1), seed=0):
        for inputs, target, row in zip(batch["inputs"], batch["targets"], batch["index"].tolist(), strict=True):
            torch.testing.assert_close(inputs, scaled[row - WINDOW : row])
            torch.testing.assert_close(target, scaled[row : row + 4])
            met.append(row)
    assert sorted(met) == list(range(WINDOW, START["validation"] - 3))


def test_the_walk_forward_by_hand() -> None:
    task = stepwise(horizon=4)
    rule = Supervised(Repeat(4), Descent(), loss="squared-error")
    measures = task.evaluate(rule, "test")
    values = wave()[:, 0].astype(np.float64)
    off = [abs(values[row + step] - values[row - 1]) for row in range(START["test"], STEPS - 3) for step in range(4)]
    assert measures["mae"] == pytest.approx(np.mean(off), rel=1e-4)
    assert measures["mase"] == pytest.approx(measures["last_value_mase"], rel=1e-5)


def test_no_forecast_of_a_walk_knows_what_it_forecasts() -> None:
    """From each place the forecast is the same whatever comes at it and after it."""
    task = stepwise(horizon=4)
    torch.manual_seed(0)
    network = build(task.config).home
    row = START["test"] + 10
    changed = wave()
    changed[row:] += 1000
    other = Forecasting.prepare(series(changed), task.config, DataSettings(), seed=0)
    here, there = (one.forecasts(network, np.array([row])) for one in (task, other))
    torch.testing.assert_close(here, there)
    after = (one.forecasts(network, np.array([row + 1])) for one in (task, other))
    assert not torch.allclose(*after)


def test_the_band_of_quantiles_is_judged_and_told() -> None:
    quantiles = (0.1, 0.5, 0.9)
    task = stepwise(2, quantiles)
    narrow, wide = (Supervised(Repeat(2, width, 3), Descent(), loss="squared-error") for width in (0.0, 50.0))
    assert task.evaluate(narrow, "test")["coverage"] == 0.0
    assert task.evaluate(wide, "test")["coverage"] == 1.0
    (first, *_) = ask(task, wide.home, "forecast", steps=5)
    assert list(first) == ["step", "a", "a 0.1", "a 0.9", "b", "b 0.1", "b 0.9"]
    assert first["a 0.1"] < first["a"] < first["a 0.9"]
    assert ask(task, wide.home, "predict", inputs=wave(30))[0].keys() == {"row", "predicted", "0.1", "0.9", "observed"}


def test_quantiles_are_learnt_that_hold_what_they_say(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(50, 3, 1200).astype(np.float32)[:, None]
    config = replace(TINY, quantiles=(0.1, 0.5, 0.9), relative=False, horizon=2)
    task = Forecasting.prepare(series(noise), config, DataSettings(), seed=0)
    torch.manual_seed(0)
    rule = build(task.config)
    loader = task.loader(rule, seed=0)
    for _ in range(6):
        for batch in loader:
            rule.step(batch)
    assert task.evaluate(rule, "test")["coverage"] == pytest.approx(0.8, abs=0.1)
    for name, figure in task.figures(rule).items():
        save(figure, tmp_path / f"{name}.png")
    drawn = {"forecast", "continuation", "residuals", "error_by_step"}
    assert {path.stem for path in tmp_path.iterdir()} == drawn


class Still(nn.Module):
    """Forecasts the mean, with a band of a given half width around it."""

    def __init__(self, horizon: int, width: float) -> None:
        super().__init__()
        self.horizon, self.levels = horizon, nn.Parameter(torch.tensor([-width, 0.0, width]))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.levels.expand(len(inputs), self.horizon, inputs.shape[2], 3)


@pytest.mark.parametrize("width", [0.05, 5.0])
def test_bands_are_calibrated_on_the_validation_part(width: float) -> None:
    """On exchangeable noise: as far as a held-out part of that size can tell, 80 percent of what comes lies within."""
    noise = np.random.default_rng(0).normal(50, 3, (6000, 2)).astype(np.float32)
    config = replace(TINY, quantiles=(0.1, 0.5, 0.9), horizon=2)
    task = Forecasting.prepare(series(noise), config, DataSettings(target="b"), seed=0)
    rule = Supervised(Still(2, width), Descent(), loss="squared-error")
    before = task.evaluate(rule, "test")
    task.calibrate(rule)
    after = task.evaluate(rule, "test")
    assert after.pop("uncalibrated_coverage") == before["coverage"] and abs(before["coverage"] - 0.8) > 0.15
    held_out, judged = (len(task.judged[part]) for part in ("validation", "test"))
    assert abs(after["coverage"] - 0.8) < 3 * np.sqrt(0.8 * 0.2 * (1 / held_out + 1 / judged))
    assert {**after, "coverage": before["coverage"]} == before
    # The margin of the second column at the second step, by hand.
    rows = task.judged["validation"] + 1
    outside = np.sort(np.abs((noise[rows, 1] - task.scale.means[1]) / task.scale.deviations[1]) - width)
    expected = outside[int(np.ceil(0.8 * (len(rows) + 1))) - 1]
    assert task.margins is not None and float(task.margins[1, 1, 0]) == pytest.approx(expected, rel=1e-4)


def test_a_restored_task_answers_with_calibrated_bands(tmp_path: Path) -> None:
    run = train(
        "lstm-forecaster", series(wave(300)), out=tmp_path / "run", epochs=2, quantiles=(0.1, 0.5, 0.9), horizon=2,
        **{name: getattr(TINY, name) for name in ("window", "hidden_features", "dense_features", "num_layers")},
    )  # fmt: skip
    margins = run.task.margins
    assert margins is not None and margins.shape == (2, 2, 1)
    assert run.evaluate() == pytest.approx(run.metrics)
    (first, *_) = run.forecast(3)
    run.task.margins = None
    (plain, *_) = run.forecast(3)
    assert first["a"] == plain["a"]
    wider = float(margins[0, 0, 0]) * run.task.scale.deviations[0]
    assert first["a 0.9"] - plain["a 0.9"] == pytest.approx(wider, abs=1e-4)
    assert plain["a 0.1"] - first["a 0.1"] == pytest.approx(wider, abs=1e-4)


def test_how_far_to_forecast_is_decided_in_one_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the rows that the data lists without values, from Python and from the command line alike."""
    table = tmp_path / "sales.csv"
    rows = [f"2024-01-{day + 1:02d},{day % 5 if day < 24 else ''}" for day in range(31)]
    table.write_text("date,sales\n" + "\n".join(rows) + "\n")
    run = train("lstm-forecaster", table, out=tmp_path / "run", steps=1, window=4, hidden_features=4, num_layers=1)
    capsys.readouterr()
    assert main(["forecast", str(run.folder), "--json"]) == 0
    assert [row["date"] for row in run.forecast()] == [f"2024-01-{day}" for day in range(25, 32)]
    assert json.loads(capsys.readouterr().out) == run.forecast()
    run.task.ahead = 0
    assert len(run.forecast()) == 10 and len(run.forecast(3)) == 3


def test_a_validation_part_too_short_to_calibrate_by_is_named() -> None:
    config = replace(TINY, quantiles=(0.025, 0.5, 0.975))
    task = Forecasting.prepare(series(wave()), config, DataSettings(validation=0.05), seed=0)
    assert any("95% stays as it is learnt" in note for note in task.notes)
    assert not any("stays as it is learnt" in note for note in stepwise(2, (0.1, 0.5, 0.9)).notes)


def test_horizons_are_continued_horizon_by_horizon() -> None:
    task = stepwise(horizon=4)
    network = build(task.config).home
    ten, four = ask(task, network, "forecast", steps=10), ask(task, network, "forecast", steps=4)
    assert len(ten) == 10 and ten[:4] == four


@pytest.mark.parametrize(
    "fields", [{"channels": 8}, {"cell": "gru"}, {"cell": "elman"}, {"cell": "peephole-lstm", "horizon": 3}]
)
def test_every_variant_learns_a_wave(fields: dict) -> None:
    values = wave(600)[:, :1]
    task = Forecasting.prepare(series(values), replace(TINY, **fields), DataSettings(), seed=0)
    torch.manual_seed(0)
    rule = build(task.config)
    loader = task.loader(rule, seed=0)
    for _ in range(20):
        for batch in loader:
            rule.step(batch)
    measures = task.evaluate(rule, "test")
    assert measures["mase"] < 0.3 * measures["last_value_mase"]


@pytest.mark.parametrize(("horizon", "words"), [(25, "shorter than the horizon"), (140, "too short for the window")])
def test_refuses_a_horizon_that_a_part_cannot_hold(horizon: int, words: str) -> None:
    with pytest.raises(DataError, match=words):
        stepwise(horizon=horizon)


@pytest.mark.data
@pytest.mark.full
@pytest.mark.parametrize(("name", "options"), REAL.items())
def test_beats_the_naive_methods_on_real_series(name: str, options: dict, tmp_path: Path) -> None:
    if not os.environ.get("GANGLION_DATA"):
        pytest.skip("GANGLION_DATA names no folder of real data")
    source = Path(os.environ["GANGLION_DATA"]) / "time-series" / f"{name}.csv"
    small = {"hidden_features": 32, "num_layers": 1, "dropout": 0.1}
    run = train("lstm-forecaster", source, out=tmp_path / "run", threads=1, **small, **options)
    assert run.metrics["mase"] < run.result["baseline_metrics"]["mase"]


def test_a_forecast_begins_at_the_first_day_without_a_value(tmp_path: Path) -> None:
    days = np.arange("2023-01-01", "2023-07-20", dtype="datetime64[D]").tolist()
    known, hole = 170, 150
    values = wave(known)[:, 0].tolist()
    cells = [f"{value:.3f}" if place != hole else "" for place, value in enumerate(values)]
    cells += [""] * (len(days) - known)
    path = tmp_path / "plan.csv"
    path.write_text("date,sales\n" + "".join(f"{day},{cell}\n" for day, cell in zip(days, cells, strict=True)))
    task = Forecasting.prepare(str(path), TINY, DataSettings(), seed=0)
    restored = Forecasting.restore(json.loads(json.dumps(task.state())), task.config)
    rows = ask(restored, build(restored.config).home, "forecast")
    assert len(rows) == len(days) - known
    assert [row["date"] for row in rows] == [str(day) for day in days[known:]]
    assert float(task._series[-1, 0]) == pytest.approx(values[-1], abs=1e-3)  # what is empty is no history
    assert hole not in task.judged["test"]
