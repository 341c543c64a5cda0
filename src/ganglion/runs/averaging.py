"""Several runs that forecast one series, as one forecaster: their mean, with weights fitted on the validation part."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.errors import DataError, UsageError
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.runs.run import Run, open_run
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part
from ganglion.tasks.forecasting import Forecast, Forecasting
from ganglion.tasks.shared.series.averaging import AveragedForecaster, fitted_weights

JUDGED: tuple[Part, ...] = ("validation", "test")
SHOWN = ("mase", "mae", "rmse")
"""Errors that are told of each run and of the mean."""


@dataclass(frozen=True, kw_only=True)
class Averaged:
    """Runs that forecast together."""

    runs: tuple[Run, ...]
    weights: tuple[float, ...]
    """How much the forecast of each run counts; they sum to one."""
    errors: tuple[dict[str, dict[str, float]], ...]
    """Errors of each run by part of the data and by measure."""
    own_errors: dict[str, dict[str, float]]
    """Errors of the mean, likewise. Those on the validation part flatter it: its weights were fitted there."""
    network: AveragedForecaster
    task: Forecasting

    def forecast(self, steps: int | None = None) -> Rows:
        """Continue the series that the runs were trained on, each step from the mean forecasts before it."""
        return self.task.forecast(self.network, Forecast(steps=steps))


def average(folders: Sequence[str | Path], data: str | Path | None = None) -> Averaged:
    """Return the mean of the forecasts of several runs, weighted so that it is best on their validation part.

    Weights are none below zero and sum to one: argmin_w sum (sum_m w_m y_m - s)^2 over all places of the validation
    part and all steps forecast there, for the target column.

    Args:
        folders: of two runs or more, which may be of different systems and windows.
        data: name or path of their data, if it has been moved since.

    Raises:
        UsageError: runs that do not forecast, or not the same: other data, columns, scale, parts, steps or quantiles.
        DataError: there is no validation part.
    """
    places = [Path(folder).expanduser().resolve() for folder in folders]
    if len(set(places)) < len(places) or len(places) < 2:
        found = "the same run twice" if len(places) > 1 else f"{len(places)} run"
        raise UsageError("a mean is made of several runs", expected="two runs or more, all different", found=found)
    runs = [open_run(folder) for folder in folders]
    for run in runs:
        if not isinstance(run.task, Forecasting):
            raise UsageError(
                "only runs that forecast can be averaged",
                where=str(run.folder),
                expected="a forecasting run, such as one of series-convnet or lstm-forecaster",
                found=f"{run.system.name}, a {run.task.name} run",
                remedy="leave it out",
            )
    tasks: list[Any] = [run.task for run in runs]
    _refuse_unlike(runs, tasks)
    tasks = [run.prepared_task(data) for run in runs]
    _refuse_unlike(runs, tasks)
    longest = max(tasks, key=lambda task: task.config.window)
    rows = longest.judged["validation"]
    if not len(rows):
        raise DataError(
            "there is no validation part to fit the weights on",
            where=str(runs[0].folder),
            expected="a validation part with at least one whole horizon",
            remedy="train both with a validation share above 0",
        )
    # Each is asked through the task with the longest window, so that all are judged alike.
    windows = [task.config.window for task in tasks]
    alone = [AveragedForecaster([run.network], [window], np.ones(1)) for run, window in zip(runs, windows, strict=True)]
    each = [longest.in_units(longest.forecasts(one, rows))[..., longest.point].ravel() for one in alone]
    weights = fitted_weights(np.stack(each, axis=1), longest.truth(rows).ravel())
    network = AveragedForecaster([run.network for run in runs], windows, weights).eval()
    return Averaged(
        runs=tuple(runs),
        weights=tuple(weights.tolist()),
        errors=tuple(_judged(longest, one) for one in alone),
        own_errors=_judged(longest, network),
        network=network,
        task=longest,
    )


def _judged(task: Forecasting, network: Any) -> dict[str, dict[str, float]]:
    """Return the errors of a network by part of the data, and calibrate its bands where it has some."""
    rule = Supervised(network, Descent(), loss="squared-error")
    task.calibrate(rule)
    measured = {part: task.evaluate(rule, part) for part in JUDGED}
    return {part: {name: measures[name] for name in SHOWN} for part, measures in measured.items()}


def _refuse_unlike(runs: Sequence[Run], tasks: Sequence[Any]) -> None:
    """Raise `UsageError` where runs do not forecast the same, naming the first thing in which they differ."""
    for what, of in {
        "columns": lambda task: task.columns,
        "target column": lambda task: task.columns[task.target],
        "steps forecast at once (horizon)": lambda task: task.config.horizon,
        "quantiles": lambda task: task.config.quantiles,
        "data": lambda task: task.fingerprint[:12],
        "scale of the columns": lambda task: tuple(
            f"{mean:.6g} ± {deviation:.6g}"
            for mean, deviation in zip(task.scale.means, task.scale.deviations, strict=True)
        ),
        "validation part": lambda task: _span(task),
    }.items():
        first = of(tasks[0])
        for run, task in zip(runs[1:], tasks[1:], strict=True):
            if of(task) != first:
                raise UsageError(
                    f"these runs differ in their {what}, so that their forecasts have no mean",
                    where=f"{runs[0].folder}, {run.folder}",
                    expected=f"the same as the first: {_words(first)}",
                    found=_words(of(task)),
                    remedy="train both on the same data, with the same columns, parts, horizon and quantiles",
                )


def _span(task: Any) -> str:
    rows = getattr(task, "judged", {}).get("validation", ())
    return f"rows {rows[0] + 1} to {rows[-1] + 1}" if len(rows) else "none"


def _words(value: Any) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)
