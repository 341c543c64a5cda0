"""Many series, one network: nothing of the future on the way to a forecast but what is said to be known in advance."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.figures import save
from ganglion.models.convolutional import series_convnet
from ganglion.models.recurrent import lstm_forecaster
from ganglion.models.recurrent.lstm_forecaster import TINY, LSTMForecaster, build
from ganglion.rules.descend import Descent
from ganglion.runs.session import open_run, train
from ganglion.settings import ConfigurationError, from_dict, to_dict
from ganglion.tasks.panel_forecasting import PanelForecasting
from tests.tasks.asking import ask

CONFIG = replace(TINY, window=10, horizon=3)
RANDOM = np.random.default_rng(0)


def panel(series: Sequence[np.ndarray], known: Sequence[np.ndarray] | None = None) -> Dataset:
    """Series `(time, columns)` with daily dates, and what is known of them in advance."""
    names = tuple("ab"[: series[0].shape[1]])
    fields = {
        "inputs": Field(kind="panel", values=list(series), names=names),
        "series": Field(kind="texts", values=[f"s{place}" for place in range(len(series))]),
    }
    rows = [len(one) for one in (series if known is None else known)]
    if known is not None:
        fields["known"] = Field(kind="panel", values=list(known), names=tuple("kl"[: known[0].shape[1]]))
    fields["times"] = Field(
        kind="panel", values=[np.arange(count, dtype=np.float64)[:, None] * 86400 for count in rows]
    )
    return Dataset(name="toy", fields=fields)


def driven(count: int = 3, steps: int = 120, ahead: int = 5) -> Dataset:
    """Series of two columns whose first follows a column that is known in advance, and noise otherwise."""
    random = np.random.default_rng(1)
    known = [random.normal(size=(steps + ahead + 10 * place, 1)) for place in range(count)]
    series = [
        np.column_stack([10.0**place * (5 + one[:-ahead, 0]), random.normal(size=len(one) - ahead)])
        for place, one in enumerate(known)
    ]
    return panel(series, known)


def prepared(dataset: Dataset, config: object = CONFIG, **settings: object) -> PanelForecasting:
    return PanelForecasting.prepare(dataset, config, DataSettings(**settings), seed=0)  # type: ignore[arg-type]


def learnt(task: PanelForecasting, steps: int, module: object = lstm_forecaster) -> LearningRule:
    """Train for some steps."""
    torch.manual_seed(0)
    rule: LearningRule = module.build(task.config)  # type: ignore[attr-defined]
    loader, done = task.loader(rule, seed=0), 0
    while done < steps:
        for batch in loader:
            rule.step(batch)
            done += 1
    return rule


def test_no_window_reaches_into_another_series_or_into_a_later_part() -> None:
    dataset = driven()
    task = prepared(dataset)
    loader = task.loader(build(task.config), seed=0)
    owner, first, horizon = task._flat.owner, task._flat.first, task.config.horizon
    seen = set()
    for batch in loader:
        for inputs, targets, row in zip(batch["inputs"], batch["targets"], batch["index"].tolist(), strict=True):
            number = owner[row]
            scaled = task.scale.of(number)(dataset.fields["inputs"][number])
            place = row - first[number]
            assert CONFIG.window <= place
            assert place + horizon <= round(len(scaled) * 0.7)
            torch.testing.assert_close(inputs[:-horizon, :2], scaled[place - CONFIG.window : place])
            torch.testing.assert_close(targets, scaled[place : place + horizon])
            assert not inputs[-horizon:, :2].any()  # what comes is hidden
            seen.add(number)
    assert seen == {0, 1, 2}


def test_scaling_is_that_of_each_series_own_training_part() -> None:
    dataset = driven()
    task = prepared(dataset)
    for number, values in enumerate(dataset.fields["inputs"].values):
        training = values[: len(values) - round(len(values) * 0.2) - round(len(values) * 0.1)]
        np.testing.assert_allclose(task.scale.means[number], training.mean(axis=0))
        np.testing.assert_allclose(task.scale.deviations[number], training.std(axis=0))


@pytest.mark.parametrize("column", [0, 1])
def test_what_is_known_afterwards_changes_no_forecast_before(column: int) -> None:
    """A column of values, the target or another one, counts up to the window's end, whatever the horizon."""
    dataset = driven()
    changed = [values.copy() for values in dataset.fields["inputs"].values]
    for values in changed:
        values[-10:, column] += 50
    other = prepared(dataset.with_values(inputs=changed))
    task = prepared(dataset)
    assert task.scale == other.scale and task.season == other.season
    rule = build(task.config)
    for one, two in zip(task.loader(rule, 0), other.loader(rule, 0), strict=True):
        assert all(torch.equal(one[name], two[name]) for name in one)
    places = task.judged["test"]
    row = places - task._flat.first[task._flat.owner[places]]
    steps = np.array([len(values) for values in changed])[task._flat.owner[places]]
    before = places[row <= steps - 10]
    assert torch.equal(task.forecasts(rule.home, before), other.forecasts(rule.home, before))
    after = places[row > steps - 10]
    assert not torch.equal(task.forecasts(rule.home, after), other.forecasts(rule.home, after))


@pytest.mark.parametrize("module", [lstm_forecaster, series_convnet])
def test_what_is_known_in_advance_counts_up_to_its_own_step(module: object) -> None:
    """The first step ahead does not hang on what is known of the second: a horizon may be longer than what is told."""
    config = replace(module.TINY, window=10, horizon=3, in_features=2, out_features=2, known_features=1)  # type: ignore[attr-defined]
    network = module.build(config).home.eval()  # type: ignore[attr-defined]
    inputs = torch.randn(4, 13, 3)
    changed = inputs.clone()
    changed[:, 11, 2] += 3
    first, second = network(inputs), network(changed)
    torch.testing.assert_close(first[:, 0], second[:, 0])
    assert not torch.allclose(first[:, 1], second[:, 1])
    changed[:, 10:, :2] = 7.0  # values that come are not looked at
    changed[:, 11, 2] -= 3
    torch.testing.assert_close(network(changed), first)


def test_counts_with_columns_known_in_advance_by_hand() -> None:
    config = replace(TINY, in_features=2, out_features=2, known_features=3, horizon=5, num_layers=1)
    network = LSTMForecaster(config)
    recurrent = 4 * 16 * (2 + 3 + 1 + 16 + 1)  # the values, what is known, how far ahead, the state, the bias
    head = 16 * 8 + 8 + 8 * 2 + 2  # for one step, whatever the horizon
    assert sum(parameter.numel() for parameter in network.parameters()) == recurrent + head


@pytest.mark.parametrize("module", [lstm_forecaster, series_convnet])
def test_a_column_known_in_advance_makes_the_difference(module: object, tmp_path: Path) -> None:
    config = replace(module.TINY, window=8, horizon=2, relative=False)  # type: ignore[attr-defined]
    dataset = driven(steps=240)
    errors = {}
    for known in (True, False):
        fields = {name: field for name, field in dataset.fields.items() if known or name != "known"}
        task = prepared(replace(dataset, fields=fields), config, batch_size=32)
        rule = learnt(task, 160, module)
        errors[known] = task.evaluate(rule, "test")["mase"]
        if known:
            for name, figure in task.figures(rule).items():
                save(figure, tmp_path / f"{name}.png")
            groups = task.groups(rule, "test")
            assert {row["series"] for row in groups.value} == {"s0", "s1", "s2"}
            assert np.mean([row["mase"] for row in groups.value]) == pytest.approx(errors[True])
    assert errors[True] < 0.35 * errors[False]


def test_short_series_together_beat_each_alone() -> None:
    """Thirty waves of forty steps, of one kind but of other levels, sizes and beginnings."""
    random = np.random.default_rng(2)
    sizes, levels, begins = 10 ** random.uniform(0, 3, 30), random.uniform(0, 9, 30), random.uniform(0, 8, 30)
    waves = [
        size * (level + np.sin(2 * np.pi * (np.arange(40) + begin) / 8) + 0.05 * random.normal(size=40))[:, None]
        for size, level, begin in zip(sizes, levels, begins, strict=True)
    ]
    config = replace(TINY, window=8, horizon=1, relative=False, descent=Descent(learning_rate=5e-3))
    together = prepared(panel(waves), config, validation=0.0, batch_size=16)
    rule = learnt(together, 240)
    errors = {row["series"]: row["mase"] for row in together.groups(rule, "test").value}
    for number in (0, 1, 2):
        alone = prepared(panel(waves[number : number + 1]), config, validation=0.0, batch_size=16)
        own = alone.evaluate(learnt(alone, 240), "test")["mase"]
        assert errors[f"s{number}"] < 0.8 * own
    measures = together.evaluate(rule, "test")
    assert measures["mase"] < 0.5 * measures["last_value_mase"]
    assert measures["mase"] == pytest.approx(np.mean(list(errors.values())))


def test_measures_by_hand() -> None:
    """A network that repeats the last value: its errors, of each series relative to its own changes."""
    values = [np.cumsum(RANDOM.normal(size=(length, 1)), axis=0) * scale for length, scale in ((60, 1), (90, 50))]
    config = replace(TINY, window=10, horizon=1)
    dataset = panel(values)
    without_dates = {name: field for name, field in dataset.fields.items() if name != "times"}
    task = prepared(replace(dataset, fields=without_dates), config)
    rule = build(task.config)
    for parameter in rule.home.parameters():
        torch.nn.init.zeros_(parameter)  # relative to the last value, and nothing is added to it
    measures = task.evaluate(rule, "test")
    off = [np.abs(np.diff(one[:, 0])) for one in values]
    tested = [one[-round(len(series) * 0.2) :] for one, series in zip(off, values, strict=True)]
    changes = [one[: len(one) - round(1.0 * len(series) * 0.2) - round(len(series) * 0.1)].mean()
               for one, series in zip(off, values, strict=True)]  # fmt: skip
    mase = np.mean([one.mean() / change for one, change in zip(tested, changes, strict=True)])
    assert measures["mase"] == pytest.approx(mase, rel=1e-4)
    assert measures["last_value_mase"] == pytest.approx(mase, rel=1e-4)
    assert measures["mae"] == pytest.approx(np.concatenate(tested).mean(), rel=1e-4)


def test_series_that_are_too_short_or_even_are_said_and_left_out() -> None:
    values = [RANDOM.normal(size=(60, 1)), RANDOM.normal(size=(11, 1)), RANDOM.normal(size=(5, 1)), np.ones((60, 1))]
    task = prepared(panel(values), replace(TINY, window=10, horizon=1))
    said = " ".join(task.notes)
    assert "2 of 4 series are too short to be learnt from" in said
    assert "2 of 4 series are too short, or too even, to be judged" in said
    assert "1 of 4 series are shorter than a window" in said
    with pytest.raises(DataError, match="long enough"):
        prepared(panel(values[1:3]), replace(TINY, window=10))


def test_bands_hold_what_they_promise_over_all_series() -> None:
    random = np.random.default_rng(3)
    values = [size * (9 + random.normal(size=(150, 1))) for size in (1, 100)]
    task = prepared(panel(values), replace(TINY, window=8, quantiles=(0.1, 0.5, 0.9), relative=False))
    rule = learnt(task, 60)
    task.calibrate(rule)
    assert task.evaluate(rule, "test")["coverage"] == pytest.approx(0.8, abs=0.13)
    row = ask(task, rule.home, "forecast", steps=1)[0]
    assert row["a 0.1"] < row["a"] < row["a 0.9"]


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shops whose sales follow a price that is known in advance, with five rows still to come."""
    random = np.random.default_rng(0)
    days = np.arange("2024-01-01", "2024-05-01", dtype="datetime64[D]")
    lines = ["day,shop,sold,price"]
    for place, shop in enumerate(("north", "south", "west")):
        prices = random.choice([1, 2, 3], len(days))
        for number, (day, price) in enumerate(zip(days, prices, strict=True)):
            sold = "" if number >= len(days) - 5 else f"{10**place * (20 - 5 * price):.1f}"
            lines.append(f"{day},{shop},{sold},{price}")
    path = tmp_path_factory.mktemp("sales") / "sales.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def run(sales: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {**to_dict(replace(TINY, window=8, horizon=2, relative=False)), "epochs": 8, "batch_size": 16}
    sizes = ("in_features", "out_features", "known_features")
    options = {name: value for name, value in options.items() if name not in (*sizes, "descent")}
    return train(
        "lstm-forecaster", sales, key=("shop",), known=("price",), learning_rate=1e-2,
        out=tmp_path_factory.mktemp("run") / "it", **options,
    ).folder  # fmt: skip


def test_a_run_continues_every_series_with_dates(run: Path, sales: Path, tmp_path: Path) -> None:
    opened = open_run(run)
    rows = opened.forecast()
    assert [(row["series"], row["step"], row["date"]) for row in rows][4:6] == [
        ("north", 5, "2024-04-30"),
        ("south", 1, "2024-04-26"),
    ]
    prices = [line.split(",") for line in sales.read_text().splitlines()[1:]]
    for row in rows:
        (price,) = [int(cells[3]) for cells in prices if cells[0] == row["date"] and cells[1] == row["series"]]
        level = 10 ** ("north", "south", "west").index(row["series"])
        assert row["sold"] == pytest.approx(level * (20 - 5 * price), abs=2.5 * level)
    assert opened.forecast(series="south") == rows[5:10]
    future = tmp_path / "future.csv"
    future.write_text("day,shop,price\n" + "".join(f"2024-04-{day},west,{1 + day % 2 * 2}\n" for day in (26, 27, 28)))
    told = opened.forecast(future=str(future))
    assert [row["series"] for row in told] == ["west"] * 3
    assert told[0]["sold"] > told[1]["sold"] < told[2]["sold"]


def test_ways_on_are_drawn_of_every_series(run: Path) -> None:
    rows = open_run(run).forecast(samples=40)
    assert [row["series"] for row in rows] == ["north"] * 5 + ["south"] * 5 + ["west"] * 5
    assert all(row["sold 0.1"] < row["sold"] < row["sold 0.9"] for row in rows)
    assert rows == open_run(run).forecast(samples=40)


def test_what_is_known_must_reach_as_far_as_a_forecast(run: Path, sales: Path, tmp_path: Path) -> None:
    opened = open_run(run)
    with pytest.raises(UsageError, match="does not reach so far") as caught:
        opened.forecast(steps=6)
    assert "--future" in caught.value.remedy
    future = tmp_path / "future.csv"
    for text, said in (
        ("day,shop,price\n2024-04-26,west,\n2024-04-27,west,2\n", "does not say all"),
        ("day,shop,price\n2023-04-26,west,1\n2023-04-27,west,2\n", "no row after the end"),
    ):
        future.write_text(text)
        with pytest.raises(DataError, match=said):
            opened.forecast(future=str(future))
    with pytest.raises(DataError, match="does not exist"):
        opened.forecast(future=str(tmp_path / "none.csv"))
    with pytest.raises(ConfigurationError, match="unknown series 'nort'"):
        opened.forecast(series="nort")


def test_a_run_answers_about_series_that_it_did_not_have(run: Path, sales: Path, tmp_path: Path) -> None:
    opened = open_run(run)
    rows = opened.predict(str(sales))
    assert {row["series"] for row in rows} == {"north", "south", "west"}
    assert [row["row"] for row in rows if row["series"] == "west"] == list(range(9, 118))
    other = tmp_path / "other.csv"
    other.write_text(sales.read_text().replace("west", "harbour"))
    answer = opened.answer("predict", inputs=(str(other),))
    assert any("harbour was not in training" in note for note in answer.notes)
    same = [row for row in answer.value if row["series"] == "north"]
    assert same == [row for row in rows if row["series"] == "north"]


def test_a_restored_task_answers_the_same(run: Path) -> None:
    opened = open_run(run)
    task = opened.task
    assert isinstance(task, PanelForecasting)
    again = PanelForecasting.restore(json.loads(json.dumps(task.state())), from_dict(type(TINY), to_dict(task.config)))
    assert ask(again, opened.network, "forecast") == opened.forecast()


def test_only_the_calendar_goes_on_by_itself() -> None:
    """Without columns known in advance the days of the week do, as far as anybody asks."""
    random = np.random.default_rng(0)
    week = np.array([5.0, 1, 1, 1, 1, 9, 12])
    values = [(10 * week[np.arange(140) % 7] + random.normal(size=140))[:, None] for _ in range(2)]
    task = prepared(panel(values), replace(TINY, window=4, horizon=2, relative=False), batch_size=16)
    assert task.told_names == ("weekday",)
    rows = ask(task, learnt(task, 250).home, "forecast", steps=9, series="s1")
    expected = 10 * week[(np.arange(9) + 140) % 7]
    np.testing.assert_allclose([row["a"] for row in rows], expected, atol=15)
    with pytest.raises(UsageError, match="no column in advance"):
        ask(task, learnt(task, 1).home, "forecast", future="rows.csv")
