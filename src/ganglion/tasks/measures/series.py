"""What an honest forecast needs: gaps filled from the past, a split that does not leak, naive methods, errors."""

from collections.abc import Mapping

import numpy as np

from ganglion.core import Measure
from ganglion.data.splits import Part
from ganglion.errors import DataError

MASE = Measure(
    name="mase",
    higher_is_better=False,
    meaning="Mean absolute error, in mean changes from step to step over the training part.",
)
MAE = Measure(name="mae", higher_is_better=False, meaning="Mean absolute error, in the target's units.")
RMSE = Measure(name="rmse", higher_is_better=False, meaning="Root of the mean squared error, in the target's units.")
NAIVE_METHODS = ("last value", "seasonal naive", "drift")
NAIVE_MASE = tuple(
    Measure(name=f"{method.replace(' ', '_')}_mase", higher_is_better=False, meaning=f"The mase of {method}.")
    for method in NAIVE_METHODS
)

SIGNIFICANT = 0.2
"""Autocorrelation that a season must reach."""


def fill_gaps(values: np.ndarray) -> np.ndarray:
    """Give missing values of `(time, columns)` the last known one, never a later one; leading gaps stay open.

    >>> fill_gaps(np.array([[np.nan], [1.0], [np.nan], [3.0]])).ravel().tolist()
    [nan, 1.0, 1.0, 3.0]
    """
    known = np.isfinite(values)
    latest = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], 0), axis=0)
    filled = np.take_along_axis(values, latest, axis=0)
    return np.where(np.isfinite(filled), filled, np.nan)


def refuse_leak(fitted: np.ndarray, targets: Mapping[Part, np.ndarray]) -> None:
    """Verify that nothing of a later part reaches an earlier one.

    Args:
        fitted: numbers of the rows, (rows,), that scaling was measured on.
        targets: rows to forecast in each part, from the earliest part to the latest.

    Raises `DataError` if a part is not in the order of time, if a target of one part lies in or before an earlier
    part, or if scaling saw a row of a part after the first.
    """
    latest, previous = -1, ""
    for name, rows in targets.items():
        if not len(rows):
            continue
        if (np.diff(rows) <= 0).any():
            raise _leak(f"the {name} part is not in the order of time", f"row {_first_step_back(rows)} out of order")
        if rows[0] <= latest:
            raise _leak(f"the {name} part reaches back into the {previous} part", f"row {rows[0]} is in or before it")
        if previous and fitted.max(initial=-1) >= rows[0]:
            raise _leak(f"scaling was measured on the {name} part", f"row {fitted.max()} was seen")
        latest, previous = int(rows[-1]), name


def _leak(what: str, found: str) -> DataError:
    return DataError(
        f"this split leaks the future: {what}",
        expected="training, validation and test one after the other, scaling from training alone",
        found=found,
        remedy="put the rows in the order of time",
    )


def _first_step_back(rows: np.ndarray) -> int:
    return int(rows[1:][np.diff(rows) <= 0][0])


def estimate_season(values: np.ndarray) -> int:
    """Return the steps in one season of `(time,)`, or 1 without a season.

    It is the highest peak of the autocorrelation without the trend; of that of the changes where slow drifts hide it.

    >>> estimate_season(np.sin(np.arange(200) * 2 * np.pi / 25) + np.arange(200))
    25
    """
    values = values[np.isfinite(values)]
    if len(values) < 8:
        return 1
    time = np.arange(len(values))
    without_trend = values - np.polyval(np.polyfit(time, values, 1), time)
    return _peak(without_trend, values) or _peak(np.diff(values), values) or 1


def _peak(rest: np.ndarray, values: np.ndarray) -> int | None:
    """Return the lag of the highest autocorrelation after the first negative one, if that is more than chance."""
    rest = rest - rest.mean()
    if rest.std() <= 1e-9 * np.abs(values).max(initial=1e-300):
        return None  # nothing but rounding
    power = np.abs(np.fft.rfft(rest, 2 * len(rest))) ** 2  # padded, so that the end does not meet the beginning
    correlation = np.fft.irfft(power)[: len(rest) // 2 + 1]
    correlation /= correlation[0]
    below = np.flatnonzero(correlation < 0)
    if not len(below):
        return None
    peak = int(below[0] + correlation[below[0] :].argmax())
    return peak if correlation[peak] >= max(SIGNIFICANT, 3 / np.sqrt(len(rest))) else None


def naive_forecasts(series: np.ndarray, rows: np.ndarray, season: int, horizon: int = 1) -> dict[str, np.ndarray]:
    """Return what naive methods forecast from before each of `rows`, for it and the steps after it `(rows, horizon)`.

    They are the last value, the last season repeated, and the last value carried on by the mean change so far. Nothing
    at or after a row is looked at.

    >>> naive = naive_forecasts(np.array([0.0, 1.0, 5.0, 6.0, 10.0, 0.0]), np.array([5]), season=2, horizon=3)
    >>> {name: values.tolist() for name, values in naive.items()}
    {'last value': [[10.0, 10.0, 10.0]], 'seasonal naive': [[6.0, 10.0, 6.0]], 'drift': [[12.5, 15.0, 17.5]]}
    """
    ahead, last = np.arange(horizon), series[rows - 1][:, None]
    first = int(np.isfinite(series).argmax())
    passed = np.maximum(rows - 1 - first, 1)[:, None]
    forecasts = (
        np.repeat(last, horizon, axis=1),
        series[rows[:, None] - season + ahead % season],
        last + (ahead + 1) * (last - series[first]) / passed,
    )
    return dict(zip(NAIVE_METHODS, forecasts, strict=True))


def errors(predicted: np.ndarray, truth: np.ndarray, scale: float) -> dict[str, float]:
    """Return root mean square, mean absolute and mean absolute scaled error, the scale being a naive method's error.

    >>> errors(np.array([1.0, 3.0]), np.array([0.0, 1.0]), scale=0.5)
    {'rmse': 1.5811388300841898, 'mae': 1.5, 'mase': 3.0}
    """
    off = np.abs(predicted - truth)
    return {"rmse": float(np.sqrt((off**2).mean())), "mae": float(off.mean()), "mase": float(off.mean() / scale)}
