"""The guard against leaks, the season, the gaps, and errors against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from ganglion.errors import DataError
from ganglion.tasks.measures.series import errors, estimate_season, fill_gaps, naive_forecasts, refuse_leak

HONEST = {"train": np.arange(10, 60), "validation": np.arange(60, 70), "test": np.arange(70, 90)}


def test_an_honest_split_passes() -> None:
    refuse_leak(np.arange(60), HONEST)
    refuse_leak(np.arange(60), {**HONEST, "validation": np.arange(0)})


@pytest.mark.parametrize(
    ("fitted", "changed", "words"),
    [
        (np.arange(61), {}, "scaling was measured on the validation part"),
        (np.arange(90), {}, "scaling was measured on the validation part"),
        (np.arange(75), {"validation": np.arange(0)}, "scaling was measured on the test part"),
        (np.arange(60), {"train": np.arange(10, 61)}, "the validation part reaches back into the train part"),
        (np.arange(60), {"test": np.arange(69, 90)}, "the test part reaches back into the validation part"),
        (np.arange(60), {"test": np.arange(20, 40)}, "the test part reaches back into the validation part"),
        (np.arange(60), {"train": np.array([10, 12, 11])}, "the train part is not in the order of time"),
        (np.arange(60), {"train": np.array([10, 11, 11])}, "the train part is not in the order of time"),
        (np.arange(60), {"train": np.random.default_rng(0).permutation(60)}, "not in the order of time"),
    ],
)
def test_refuses_a_split_that_leaks(fitted: np.ndarray, changed: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(DataError, match=words):
        refuse_leak(fitted, {**HONEST, **changed})


def test_a_part_left_out_hides_no_leak() -> None:
    with pytest.raises(DataError, match="the test part reaches back into the train part"):
        refuse_leak(np.arange(60), {**HONEST, "validation": np.arange(0), "test": np.arange(50, 90)})


@pytest.mark.parametrize("period", [4, 7, 12, 25])
@pytest.mark.parametrize("trend", [0.0, 0.05])
def test_finds_the_season_in_noise(period: int, trend: float) -> None:
    time = np.arange(20 * period)
    pattern = np.random.default_rng(0).normal(size=period)  # any shape, not only a sine
    values = pattern[time % period] / pattern.std() + trend * time + np.random.default_rng(1).normal(0, 0.2, len(time))
    assert estimate_season(values) == period


def test_finds_a_season_that_drifts_hide() -> None:
    random, time = np.random.default_rng(0), np.arange(960)
    drift = np.cumsum(random.normal(0, 0.3, len(time)))
    assert estimate_season(np.sin(2 * np.pi * time / 24) + drift + 0.01 * (time - 480) ** 2 / 100) == 24


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=500),
        np.arange(100.0),
        np.ones(100),
        np.array([1.0, 2.0]),
        1e9 + np.arange(100.0),
        np.cumsum(np.random.default_rng(0).normal(size=500)),
    ],
    ids=["noise", "line", "constant", "two values", "line of large numbers", "random walk"],
)
def test_finds_no_season_where_there_is_none(values: np.ndarray) -> None:
    assert estimate_season(values) == 1


def test_gaps_never_know_the_future() -> None:
    values = np.array([[np.nan, 1.0], [2.0, np.inf], [np.nan, np.nan], [4.0, 5.0]])
    expected = np.array([[np.nan, 1.0], [2.0, 1.0], [2.0, 1.0], [4.0, 5.0]])
    np.testing.assert_array_equal(fill_gaps(values), expected)
    for end in range(1, len(values) + 1):  # filling a part gives what filling the whole gave there
        np.testing.assert_array_equal(fill_gaps(values[:end]), expected[:end])


def test_errors_equal_those_of_scikit_learn() -> None:
    predicted, truth = np.random.default_rng(0).normal(size=(2, 50))
    measures = errors(predicted, truth, scale=2.0)
    assert measures["rmse"] == pytest.approx(root_mean_squared_error(truth, predicted))
    assert measures["mae"] == pytest.approx(mean_absolute_error(truth, predicted))
    assert measures["mase"] == pytest.approx(measures["mae"] / 2)


def test_the_last_season_is_repeated_from_its_beginning() -> None:
    series = np.sin(2 * np.pi * np.arange(30) / 7)
    continued = naive_forecasts(series, np.array([20]), season=7, horizon=10)
    np.testing.assert_allclose(continued["seasonal naive"][0], series[20:], atol=1e-12)
    np.testing.assert_array_equal(continued["last value"][0], np.full(10, series[19]))


def test_the_drift_continues_a_line_exactly() -> None:
    line = 3 + 0.5 * np.arange(40)
    rows = np.arange(10, 30)
    drift = naive_forecasts(line, rows, season=4, horizon=5)["drift"]
    np.testing.assert_allclose(drift, line[rows[:, None] + np.arange(5)])


def test_naive_methods_see_nothing_of_what_they_forecast() -> None:
    values = np.random.default_rng(0).normal(size=60)
    changed, row = values.copy(), 40
    changed[row:] += 100
    for name, forecast in naive_forecasts(values, np.array([row]), season=7, horizon=9).items():
        np.testing.assert_array_equal(forecast, naive_forecasts(changed, np.array([row]), 7, 9)[name], name)
