"""Forecasting a series: cut it in the order of time, judge by walking forward beside naive methods, continue it."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule
from ganglion.data.clock import Clock
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import SeriesPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.splits import Part, split_series
from ganglion.errors import ConfigurationError, DataError
from ganglion.settings import at_least, from_dict, settings, to_dict
from ganglion.tasks.answers import Rows
from ganglion.tasks.measures.bands import (
    bands,
    least_count,
    promised,
)
from ganglion.tasks.measures.series import (
    errors,
    estimate_season,
    fill_gaps,
    naive_forecasts,
    refuse_leak,
)
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.inputs import asked_series
from ganglion.tasks.shared.series.forecasts import STEPS, Forecasts
from ganglion.tasks.shared.series.onward import named_levels
from ganglion.tasks.shared.series.parts import refuse_short_parts, target_column

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN = 120
"""Steps of the test part drawn at most, and as many of the past."""


@settings
class Predict:
    """Forecast every row of a series that has a whole window before it, and the first row after its end."""

    inputs: Given
    """CSV, NPZ or Parquet files, or rows (time, columns) with the columns of the training data."""


@settings
class Forecast:
    """Continue the series that the run was trained on."""

    steps: Annotated[int, at_least(1)] | None = None
    """Steps beyond the end of the series; those that the data lists without values, or 10, when not given."""
    samples: Annotated[int, at_least(2)] | None = None
    """Draw so many ways on, with errors as large as those of the validation part, and give quantiles of them; without,
    quantiles are those of each step given the medians before."""
    seed: int = 0
    """Of the ways that are drawn."""


@final
class Forecasting(Forecasts):
    """Forecasts the next values of every column from a window of past ones, and judges the target column.

    Windows are views into one scaled series; a batch gathers the few it needs. Judging walks forward: from every place
    of a part the network forecasts its horizon, and the true values are known as far as that place, also where a
    window reaches back into earlier parts. Scores are means over all places and steps; `mase` is relative to the mean
    change from step to step over the training part. With quantiles the median is judged, and `coverage` is how often
    the truth lies between the outer ones.

    Quantiles promise how often the truth lies between them, and break it where training has fitted its own noise or a
    trend goes on. After training every band is therefore widened by how far the truth lay outside on the validation
    part, at each step ahead on its own. The promise then holds as far as what comes is like the validation part,
    which also chose the best weights; `uncalibrated_coverage` is that of the quantiles as they were learnt.
    """

    name = "forecasting"
    reads = ("series",)
    fields: ClassVar = {"inputs": ("series",)}
    takes = "a series: a table of numbers in the order of time"
    captions: ClassVar = {
        "forecast": "The end of the series: truth, forecast, and what naive methods say",
        "continuation": "The end of the series, continued from the forecasts alone",
        "error_by_step": "Mean absolute scaled error at each step ahead, walking forward through the test part",
        "residuals": "How far the forecasts of one step are off, in the order of time and by size",
    }
    verbs: ClassVar = {"predict": Predict, "forecast": Forecast}

    last_window: np.ndarray
    """The end of the series `(window, columns)`, in its own units."""
    clock: Clock | None = None
    """When the series was measured; None where that is unknown."""
    ahead: int = 0
    """Rows after its end that the data lists without values."""

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        raw = np.asarray(dataset.main.values, dtype=np.float64)  # (time, columns)
        columns = dataset.main.names or tuple(f"column {number + 1}" for number in range(raw.shape[1]))
        stretches = split_series(dataset, settings)
        parts: dict[Part, np.ndarray] = {name: samples.index for name, samples in stretches.items()}
        targets: dict[Part, np.ndarray] = {**parts, "train": parts["train"][config.window :]}
        refuse_short_parts(parts, config)
        refuse_leak(parts["train"], targets)

        series = fill_gaps(raw)
        training, target = series[parts["train"]], target_column(columns, dataset, settings)
        season = settings.season or estimate_season(training[:, target])
        if not 1 <= season < len(training):
            raise ConfigurationError(
                "the season does not fit into the training part",
                expected=f"1 to {len(training) - 1} steps",
                found=str(season),
            )
        scale = SeriesPreprocessing.fit(training, columns)
        task = cls(adapt(config, **sizes({"inputs": scale})), {"inputs": scale})
        task.target, task.season = target, season
        task.last_window = scale.inverse(scale(series[-config.window :]))  # leading gaps become the mean
        task.clock, task.ahead = dataset.clock, dataset.ahead
        task.fingerprint, task.has_validation = dataset.fingerprint, len(targets["validation"]) > 0
        task.notes = (*dataset.notes, *task._describe(raw, targets, estimated=settings.season is None))
        task._hold(raw, series, targets, settings)
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        task.last_window = np.array(state["last_window"], dtype=np.float64)
        task.clock = from_dict(Clock, state["clock"], where="clock of the run") if state.get("clock") else None
        task.ahead = state.get("ahead", 0)
        return task

    def state(self) -> dict[str, Any]:
        return super().state() | {
            "last_window": self.last_window.tolist(),
            "clock": None if self.clock is None else to_dict(self.clock),
            "ahead": self.ahead,
        }

    @property
    def scale(self) -> SeriesPreprocessing:
        scale: SeriesPreprocessing = self.preprocessing["inputs"]
        return scale

    def _describe(self, raw: np.ndarray, targets: dict[Part, np.ndarray], estimated: bool) -> list[str]:
        """Return what the user should know about columns, parts, gaps and the season."""
        counts = ", ".join(f"{name} {len(rows)}" for name, rows in targets.items())
        notes = [f"target column {self.columns[self.target]}; steps to forecast in the order of time: {counts}"]
        if len(self.columns) > 1:
            notes.append(f"all {len(self.columns)} columns are forecast, so that a forecast can be continued")
        if missing := int((~np.isfinite(raw)).sum()):
            notes.append(f"{missing} missing values were given the last known one; none of them is judged by")
        how = "estimated on the training part" if estimated else "as given"
        notes.append(f"season of {self.season} steps, {how}" if self.season > 1 else "no season found")
        quantiles, held_out = self.config.quantiles, len(targets["validation"]) + 1 - self.config.horizon
        for share in (promised(quantiles, band) for band in bands(quantiles)):
            if held_out < least_count(share):
                found = f"{max(0, held_out)} places in the validation part, {least_count(share)} are needed"
                notes.append(f"the band of {share:.0%} stays as it is learnt and is not calibrated: {found}")
        return notes

    def _hold(
        self, raw: np.ndarray, series: np.ndarray, targets: dict[Part, np.ndarray], settings: DataSettings
    ) -> None:
        """Keep the data, and the windows as views into it."""
        self._series, self._targets, self._batch_size = series, targets, settings.batch_size
        # A value that was filled in is no truth to be judged by, and what lies beyond the part is not looked at.
        self._known = np.isfinite(raw)  # (time, columns)
        known = self._known[:, self.target]
        steps = np.arange(self.config.horizon)
        begins = {name: rows[: max(0, len(rows) - len(steps) + 1)] for name, rows in targets.items()}
        self.judged = {name: rows[known[rows[:, None] + steps].all(axis=1)] for name, rows in begins.items()}
        self._scaled = self.scale(series)  # (time, columns)
        self._windows = _windows(self._scaled, self.config.window)
        changes = np.abs(np.diff(series[targets["train"], self.target]))
        self._scale = float(np.nanmean(changes)) if np.isfinite(changes).any() else 0.0
        if not self._scale:
            raise DataError(
                "the target does not change over the training part",
                where=self.columns[self.target],
                remedy="choose another target, or a longer training part",
            )
        if not len(self.judged["test"]):
            raise DataError(
                "the test part has no known value of the target",
                where=self.columns[self.target],
                remedy="a larger test share, or another target",
            )

    def loader(self, rule: LearningRule, seed: int) -> InMemoryLoader:
        rows, horizon = self._targets["train"], self.config.horizon
        first, last = int(rows[0]), int(rows[-1]) + 2 - horizon  # the last place whose whole horizon is training
        following = self._scaled[first : last + horizon - 1]
        tensors = {
            "inputs": self._windows[first - self.config.window : last - self.config.window],
            "targets": following if horizon == 1 else _windows(following, horizon),  # (places, [horizon,] columns)
            "index": torch.from_numpy(rows[: last - first]),
        }
        return InMemoryLoader(tensors, self._batch_size, seed)

    def naive(self, places: np.ndarray) -> dict[str, np.ndarray]:
        return naive_forecasts(self._series[:, self.target], places, self.season, self.config.horizon)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        series, name = self._series[:, self.target], self.columns[self.target]
        rows = self._targets["test"][:DRAWN]
        start, steps = int(rows[0]), len(rows)
        first = self.in_units(self.calibrated(self.forecasts(rule.home, rows)))[:, 0]  # (rows, levels)
        ahead = {"network": first[:, self.point]}
        ahead |= {name: values[:, 0] for name, values in naive_forecasts(series, rows, self.season).items()}
        before = self._scaled[None, start - self.config.window : start]
        (continued,) = self.onward(rule.home).steps(before, before.new_zeros(1, before.shape[1] + steps, 0), steps)
        onward = {"network": self.in_units(continued)[..., self.point]}
        onward |= {name: values[0] for name, values in naive_forecasts(series, rows[:1], self.season, steps).items()}
        past = series[:start][-DRAWN:]
        drawn = {
            "forecast": figures.forecast(past, series[rows], ahead),
            "continuation": figures.forecast(past, series[rows], onward),
        }
        if self.config.quantiles:
            figures.add_band(drawn["forecast"], first[:, 0], first[:, -1], self.config.quantiles)
        figures.entitle(drawn["forecast"], f"{name}: each step forecast from the true past (mean absolute error)")
        figures.entitle(drawn["continuation"], f"{name}: each step forecast from the forecasts before it")
        judged = self.judged["test"]
        predicted = self.in_units(self.forecasts(rule.home, judged))[..., self.point]
        if self.config.horizon > 1:
            methods = {"network": predicted, **self.naive(judged)}
            off = {name: np.abs(values - self.truth(judged)).mean(axis=0) for name, values in methods.items()}
            drawn["error_by_step"] = figures.errors_by_step({name: one / self._scale for name, one in off.items()})
        return drawn | {"residuals": figures.residuals(predicted[:, 0], series[judged], name)}

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for each row that has a window before it, counted from 1, the forecast and what came."""
        raw, window = asked_series(question.inputs, self.columns, self.settings), self.config.window
        if len(raw) < window:
            raise DataError("the series is shorter than the window", expected=f"{window} rows", found=str(len(raw)))
        scaled = self.scale(fill_gaps(raw))
        forecasts = self.calibrated(self.levels(ask(network, _windows(scaled, window))))
        answers = self.in_units(forecasts)[:, 0]  # (rows, levels)
        observed = [float(value) if np.isfinite(value) else None for value in raw[window:, self.target]]
        rows = enumerate(zip(answers, [*observed, None], strict=True), start=window + 1)
        return Rows(
            [
                {"row": row, **named_levels(answer, self.config.quantiles, "predicted"), "observed": value}
                for row, (answer, value) in rows
            ]
        )

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        """Return the last window of the series in a file, and the target's value at each step."""
        raw = fill_gaps(asked_series([source], self.columns, self.settings))[-self.config.window :]
        return self.scale(raw)[None], [f"{value:.4g}" for value in raw[:, self.target]]

    def forecast(self, network: nn.Module, question: Forecast) -> Rows:
        """Continue all columns after the end of the data: each horizon from the forecasts before it.

        Quantiles are those of their own step given the medians before, or of ways on that are drawn.
        """
        steps, end = question.steps or self.ahead or STEPS, self.scale(self.last_window)[None]
        nothing = end.new_zeros(1, end.shape[1] + steps, 0)  # is known in advance
        onward = self.onward(network)
        (scaled,), quantiles = onward.answer(end, nothing, steps, question.samples, question.seed)
        dates = self.clock.following(steps) if self.clock else []
        values = np.stack([self.scale.inverse(level) for level in scaled.unbind(-1)], axis=-1)
        rows = []
        for number, row in enumerate(values, start=1):
            named: dict[str, Any] = {"step": number, **({"date": dates[number - 1]} if dates else {})}
            for name, levels in zip(self.columns, row, strict=True):
                named |= named_levels(levels, quantiles, name, f"{name} ")
            rows.append(named)
        return Rows(rows)

    def forecasts(self, network: nn.Module, places: np.ndarray) -> Tensor:
        return self.levels(ask(network, self._windows, places=torch.from_numpy(places) - self.config.window))

    def in_units(self, scaled: Tensor, places: np.ndarray | None = None) -> np.ndarray:
        """Return the target column of (..., columns, levels) in the units of the data (..., levels), of any places."""
        values = self.scale.inverse(scaled.transpose(-1, -2))  # (..., levels, columns)
        return values[..., self.target]

    def truth(self, places: np.ndarray) -> np.ndarray:
        return self._series[self._following(places), self.target]

    def scaled_truth(self, places: np.ndarray) -> Tensor:
        return self._scaled[self._following(places)]

    def scaled_where_known(self, places: np.ndarray) -> Tensor:
        known = torch.from_numpy(self._known[self._following(places)])
        return self.scaled_truth(places).masked_fill(~known, np.nan)

    def measured(self, predicted: np.ndarray, places: np.ndarray) -> dict[str, float]:
        return errors(predicted, self.truth(places), self._scale)

    def _following(self, places: np.ndarray) -> np.ndarray:
        """Return the rows (places, horizon) that are forecast from each place."""
        return places[:, None] + np.arange(self.config.horizon)


def _windows(scaled: Tensor, window: int) -> Tensor:
    """Return all windows (windows, window, columns) of a series (time, columns), without copying it."""
    return scaled.unfold(0, window, 1).transpose(1, 2)


TASK = Forecasting
