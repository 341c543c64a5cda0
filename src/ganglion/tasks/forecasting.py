"""Forecasting a series: cut it in the order of time, judge one step ahead against naive methods, continue it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional

from ganglion import figures
from ganglion.core import LearningRule
from ganglion.data.catalogue import read
from ganglion.data.dataset import Dataset
from ganglion.data.loaders import InMemoryLoader
from ganglion.data.preprocessing import SeriesPreprocessing, read_inputs
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split_series
from ganglion.errors import ConfigurationError, DataError
from ganglion.figures.style import styled
from ganglion.settings import from_dict, to_dict, unknown_name
from ganglion.tasks.answering import evaluating
from ganglion.tasks.base import Part, Task
from ganglion.tasks.series_quality import (
    errors,
    estimate_season,
    fill_gaps,
    naive_continuations,
    naive_forecasts,
    refuse_leak,
    residuals,
)

CHUNK = 1024
"""Windows judged at once."""
DRAWN = 120
"""Steps of the test part drawn at most, and as many of the past."""


@final
class Forecasting(Task):
    """Forecasts the next value of every column from a window of past ones, and judges the target column.

    Windows are views into one scaled series; a batch gathers the few it needs. A window of the test part may reach
    back into earlier parts, because that past is known when the forecast is made. Scores are errors of forecasts of
    one step; `mase` is relative to the mean change from step to step over the training part.
    """

    score: ClassVar[str] = "mase"
    higher_is_better: ClassVar[bool] = False

    def __init__(
        self,
        config: Any,
        preprocessing: SeriesPreprocessing,
        columns: Sequence[str],
        target: int,
        season: int,
        last_window: np.ndarray,
    ) -> None:
        self.config = config
        self.preprocessing = preprocessing
        self.columns = tuple(columns)
        self.target, self.season = target, season
        self.last_window = last_window  # (window, columns), in the units of the data

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = read(source, settings, kind="series") if isinstance(source, str) else source
        if dataset.kind != "series":
            raise DataError(
                "forecasting needs a series",
                where=dataset.source,
                found=f"{dataset.kind} data",
                remedy="give a table of numbers in the order of time",
            )
        raw = np.asarray(dataset.inputs, dtype=np.float64)  # (time, columns)
        columns = dataset.column_names or tuple(f"column {number + 1}" for number in range(raw.shape[1]))
        parts = {name: samples.index for name, samples in split_series(dataset, settings).items()}
        targets = {**parts, "train": parts["train"][config.window :]}
        _refuse_short(parts, config.window)
        refuse_leak(parts["train"], targets)

        series = fill_gaps(raw)
        training, target = series[parts["train"]], _target(columns, dataset, settings)
        season = settings.season or estimate_season(training[:, target])
        if not 1 <= season < len(training):
            raise ConfigurationError(
                "the season does not fit into the training part",
                expected=f"1 to {len(training) - 1} steps",
                found=str(season),
            )
        config = replace(config, in_features=len(columns), out_features=len(columns))
        preprocessing = SeriesPreprocessing.fit(training)
        last_window = preprocessing.inverse(preprocessing(series[-config.window :]))  # leading gaps become the mean
        task = cls(config, preprocessing, columns, target, season, last_window)
        task.fingerprint, task.has_validation = dataset.fingerprint, len(targets["validation"]) > 0
        task.notes = (*dataset.notes, *task._describe(raw, targets, estimated=settings.season is None))
        task._hold(raw, series, targets, settings)
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        preprocessing = from_dict(SeriesPreprocessing, state["preprocessing"], where="preprocessing of the run")
        window = np.array(state["last_window"], dtype=np.float64)
        return cls(config, preprocessing, state["columns"], state["target"], state["season"], window)

    def state(self) -> dict[str, Any]:
        return {
            "preprocessing": to_dict(self.preprocessing),
            "columns": list(self.columns),
            "target": self.target,
            "season": self.season,
            "last_window": self.last_window.tolist(),
        }

    def _describe(self, raw: np.ndarray, targets: dict[str, np.ndarray], estimated: bool) -> list[str]:
        """Return what the user should know about columns, parts, gaps and the season."""
        counts = ", ".join(f"{name} {len(rows)}" for name, rows in targets.items())
        notes = [f"target column {self.columns[self.target]}; steps to forecast in the order of time: {counts}"]
        if len(self.columns) > 1:
            notes.append(f"all {len(self.columns)} columns are forecast, so that a forecast can be continued")
        if missing := int((~np.isfinite(raw)).sum()):
            notes.append(f"{missing} missing values were given the last known one; none of them is judged by")
        how = "estimated on the training part" if estimated else "as given"
        notes.append(f"season of {self.season} steps, {how}" if self.season > 1 else "no season found")
        return notes

    def _hold(
        self, raw: np.ndarray, series: np.ndarray, targets: dict[str, np.ndarray], settings: DataSettings
    ) -> None:
        """Keep the data, and the windows as views into it."""
        self._series, self._targets, self._batch_size = series, targets, settings.batch_size
        # A value that was filled in is no truth to be judged by.
        self._judged = {name: rows[np.isfinite(raw[rows, self.target])] for name, rows in targets.items()}
        self._scaled = self.preprocessing(series)  # (time, columns)
        self._windows = _windows(self._scaled, self.config.window)
        changes = np.abs(np.diff(series[targets["train"], self.target]))
        self._scale = float(np.nanmean(changes)) if np.isfinite(changes).any() else 0.0
        if not self._scale:
            raise DataError(
                "the target does not change over the training part",
                where=self.columns[self.target],
                remedy="choose another target, or a longer training part",
            )
        if not len(self._judged["test"]):
            raise DataError(
                "the test part has no known value of the target",
                where=self.columns[self.target],
                remedy="a larger test share, or another target",
            )

    def loader(self, rule: LearningRule, seed: int) -> InMemoryLoader:
        rows = self._targets["train"]
        first, last = int(rows[0]), int(rows[-1]) + 1
        tensors = {
            "inputs": self._windows[first - self.config.window : last - self.config.window],
            "targets": self._scaled[first:last],
            "index": torch.from_numpy(rows),
        }
        return InMemoryLoader(tensors, self._batch_size, seed)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge forecasts of one step; on the test part beside those of the naive methods."""
        rows = self._judged[part]
        scaled = self._one_step(rule.network, rows)
        loss = float(functional.mse_loss(scaled, self._scaled[rows]))
        measures = {"loss": loss, **self._errors(self._in_units(scaled), rows)}
        if part == "test":
            naive = naive_forecasts(self._series[:, self.target], rows, self.season)
            measures |= {f"{name.replace(' ', '_')}_mase": self._errors(it, rows)["mase"] for name, it in naive.items()}
        return measures

    def baseline(self) -> dict[str, float]:
        """Return the errors of the better of the naive methods."""
        rows = self._judged["test"]
        naive = naive_forecasts(self._series[:, self.target], rows, self.season).values()
        return min((self._errors(values, rows) for values in naive), key=lambda measures: measures[self.score])

    def figures(self, rule: LearningRule) -> dict[str, Figure]:
        series, name = self._series[:, self.target], self.columns[self.target]
        rows = self._targets["test"][:DRAWN]
        start, steps = int(rows[0]), len(rows)
        ahead = {"network": self._in_units(self._one_step(rule.network, rows))}
        ahead |= naive_forecasts(series, rows, self.season)
        window = self._scaled[start - self.config.window : start]
        onward = {"network": self._in_units(_continued(rule.network, window, steps))}
        onward |= naive_continuations(series[:start], steps, self.season)
        drawn = {
            "forecast": figures.forecast(series[:start][-DRAWN:], series[rows], ahead),
            "continuation": figures.forecast(series[:start][-DRAWN:], series[rows], onward),
        }
        _entitle(drawn["forecast"], f"{name}: each step forecast from the true past (mean absolute error)")
        _entitle(drawn["continuation"], f"{name}: each step forecast from the forecasts before it")
        judged = self._judged["test"]
        predicted = self._in_units(self._one_step(rule.network, judged))
        return drawn | {"residuals": residuals(predicted, series[judged], name)}

    def example(self) -> Tensor:
        return torch.zeros(2, self.config.window, len(self.columns))

    def predict(self, network: nn.Module, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """Forecast every row of a series that has a whole window before it, and the first row after its end.

        `inputs` are paths of files, or rows (time, columns) with the columns of the training data.
        """
        raw, window = self._rows(inputs), self.config.window
        if len(raw) < window:
            raise DataError("the series is shorter than the window", expected=f"{window} rows", found=str(len(raw)))
        scaled = self.preprocessing(fill_gaps(raw))
        answers = self._in_units(_answers(network, _windows(scaled, window)))
        observed = [float(value) if np.isfinite(value) else None for value in raw[window:, self.target]]
        return [
            {"row": row, "predicted": float(answer), "observed": value}
            for row, (answer, value) in enumerate(zip(answers, [*observed, None], strict=True), start=window)
        ]

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        """Return the last window of the series in a file, and the target's value at each step."""
        raw = fill_gaps(self._rows([source]))[-self.config.window :]
        return self.preprocessing(raw)[None], [f"{value:.4g}" for value in raw[:, self.target]]

    def forecast(self, network: nn.Module, steps: int) -> list[dict[str, float]]:
        """Continue all columns after the end of the data, each step from the forecasts of the steps before."""
        if steps < 1:
            raise ConfigurationError("steps must be at least 1", found=str(steps))
        values = self.preprocessing.inverse(_continued(network, self.preprocessing(self.last_window), steps))
        return [
            {"step": number, **dict(zip(self.columns, row, strict=True))}
            for number, row in enumerate(values.tolist(), start=1)
        ]

    def _one_step(self, network: nn.Module, rows: np.ndarray) -> Tensor:
        """Return scaled forecasts (rows, columns), each from the true values before it."""
        return _answers(network, self._windows, torch.from_numpy(rows) - self.config.window)

    def _in_units(self, scaled: Tensor) -> np.ndarray:
        """Return the target column (rows,) in the units of the data."""
        return self.preprocessing.inverse(scaled)[:, self.target]

    def _errors(self, predicted: np.ndarray, rows: np.ndarray) -> dict[str, float]:
        return errors(predicted, self._series[rows, self.target], self._scale)

    def _rows(self, inputs: Sequence[Any]) -> np.ndarray:
        if len(inputs) and all(isinstance(item, str | Path) for item in inputs):
            return read_inputs(inputs, "series", self.columns).astype(np.float64)
        return np.asarray(inputs, dtype=np.float64).reshape(-1, len(self.columns))


def _windows(scaled: Tensor, window: int) -> Tensor:
    """Return all windows (windows, window, columns) of a series (time, columns), without copying it."""
    return scaled.unfold(0, window, 1).transpose(1, 2)


def _answers(network: nn.Module, windows: Tensor, chosen: Tensor | None = None) -> Tensor:
    """Return what the network makes of (chosen) windows, on the CPU."""
    chosen = torch.arange(len(windows)) if chosen is None else chosen
    with evaluating(network) as device:
        return torch.cat([network(windows[places].to(device)).cpu() for places in chosen.split(CHUNK)])


def _continued(network: nn.Module, window: Tensor, steps: int) -> Tensor:
    """Return `steps` forecasts (steps, columns) after a scaled window, fed back one by one."""
    series = torch.cat((window, window.new_zeros(steps, window.shape[1])))
    for step in range(steps):
        series[len(window) + step] = _answers(network, series[None, step : step + len(window)])[0]
    return series[len(window) :]


@styled
def _entitle(figure: Figure, title: str) -> None:
    figure.axes[0].set_title(title)


def _target(columns: Sequence[str], dataset: Dataset, settings: DataSettings) -> int:
    """Return the place of the column to judge: the one asked for, found while reading, or the first."""
    if settings.target is not None and settings.target not in columns:
        raise unknown_name("column", settings.target, list(columns), where=dataset.source)
    wanted = settings.target or next((name for name in dataset.target_names if name in columns), columns[0])
    return list(columns).index(wanted)


def _refuse_short(parts: dict[str, np.ndarray], window: int) -> None:
    if len(parts["train"]) < window + 2:
        raise DataError(
            "the training part is too short for the window",
            expected=f"at least {window + 2} rows",
            found=f"{len(parts['train'])} rows",
            remedy="choose a smaller window, or smaller validation and test shares",
        )
    if not len(parts["test"]):
        raise DataError("there is no test part to judge a forecast by", remedy="give test a share above 0")
