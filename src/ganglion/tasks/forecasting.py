"""Forecasting a series: cut it in the order of time, judge by walking forward beside naive methods, continue it."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion import figures
from ganglion.core import LearningRule
from ganglion.data.clock import Clock
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import SeriesPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split_series
from ganglion.errors import ConfigurationError, DataError
from ganglion.rules.losses import LOSS
from ganglion.settings import at_least, from_dict, settings, to_dict
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.bands import (
    COVERAGE,
    UNCALIBRATED_COVERAGE,
    bands,
    least_count,
    margins,
    promised,
    widened,
)
from ganglion.tasks.measures.series import (
    MAE,
    MASE,
    NAIVE_MASE,
    RMSE,
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
from ganglion.tasks.shared.onward import Onward, kept_errors, named_levels
from ganglion.tasks.shared.series_parts import refuse_short_parts, target_column

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STEPS = 10
"""Steps that are forecast where neither the user nor the data says how many."""
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
class Forecasting(Task):
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
    measures = (MASE, MAE, RMSE, LOSS, COVERAGE, UNCALIBRATED_COVERAGE, *NAIVE_MASE)
    captions: ClassVar = {
        "forecast": "The end of the series: truth, forecast, and what naive methods say",
        "continuation": "The end of the series, continued from the forecasts alone",
        "error_by_step": "Mean absolute scaled error at each step ahead, walking forward through the test part",
        "residuals": "How far the forecasts of one step are off, in the order of time and by size",
    }
    verbs: ClassVar = {"predict": Predict, "forecast": Forecast}
    next_step = "ganglion forecast {run}"

    target: int
    """Place of the column that is judged."""
    season: int
    """Steps of a season; 1 where there is none."""
    last_window: np.ndarray
    """The end of the series `(window, columns)`, in its own units."""
    clock: Clock | None = None
    """When the series was measured; None where that is unknown."""
    ahead: int = 0
    """Rows after its end that the data lists without values."""
    judged: dict[str, np.ndarray]
    """First rows `(rows,)` of each part from which the target is known over a whole horizon; none once restored."""
    margins: Tensor | None = None
    """By how much bands are widened `(horizon, columns, bands)`, scaled; None until calibrated."""
    errors: Tensor | None = None
    """Errors of some places of the validation part `(places, horizon, columns)`, scaled."""

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        raw = np.asarray(dataset.main.values, dtype=np.float64)  # (time, columns)
        columns = dataset.main.names or tuple(f"column {number + 1}" for number in range(raw.shape[1]))
        stretches = split_series(dataset, settings)
        parts: dict[str, np.ndarray] = {name: samples.index for name, samples in stretches.items()}
        targets: dict[str, np.ndarray] = {**parts, "train": parts["train"][config.window :]}
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
        task.target, task.season = state["target"], state["season"]
        task.last_window = np.array(state["last_window"], dtype=np.float64)
        task.clock = from_dict(Clock, state["clock"], where="clock of the run") if state.get("clock") else None
        task.ahead = state.get("ahead", 0)
        for name in ("margins", "errors"):
            if state.get(name) is not None:
                setattr(task, name, torch.tensor(state[name], dtype=torch.float32))
        return task

    def state(self) -> dict[str, Any]:
        return super().state() | {
            "target": self.target,
            "season": self.season,
            "last_window": self.last_window.tolist(),
            "clock": None if self.clock is None else to_dict(self.clock),
            "ahead": self.ahead,
            "margins": None if self.margins is None else self.margins.tolist(),
            "errors": None if self.errors is None else self.errors.tolist(),
        }

    @property
    def scale(self) -> SeriesPreprocessing:
        scale: SeriesPreprocessing = self.preprocessing["inputs"]
        return scale

    @property
    def columns(self) -> tuple[str, ...]:
        """What the columns are called."""
        return self.scale.names

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
        quantiles, held_out = self.config.quantiles, len(targets["validation"]) + 1 - self.config.horizon
        for share in (promised(quantiles, band) for band in bands(quantiles)):
            if held_out < least_count(share):
                found = f"{max(0, held_out)} places in the validation part, {least_count(share)} are needed"
                notes.append(f"the band of {share:.0%} stays as it is learnt and is not calibrated: {found}")
        return notes

    def _hold(
        self, raw: np.ndarray, series: np.ndarray, targets: dict[str, np.ndarray], settings: DataSettings
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

    def calibrate(self, rule: LearningRule) -> None:
        rows = self.judged["validation"]
        if not len(rows):
            return
        places = rows[:, None] + np.arange(self.config.horizon)
        truth = np.where(self._known[places], self._scaled[places].numpy(), np.nan)  # (rows, horizon, columns)
        levels = self.forecasts(rule.home, rows)
        self.errors = kept_errors(levels[..., self.point], torch.from_numpy(truth))
        if bands(self.config.quantiles):
            found = margins(levels.numpy(), truth, self.config.quantiles)
            self.margins = torch.from_numpy(found).float()

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Walk forward through a part and judge the forecasts; on the test part beside those of the naive methods."""
        rows = self.judged[part]
        forecasts = self.forecasts(rule.home, rows)
        truth = self._scaled[rows[:, None] + np.arange(self.config.horizon)]  # (rows, horizon, columns)
        loss = float(functional.mse_loss(forecasts[..., self.point], truth))
        measures = {"loss": loss, **self._errors(self.in_units(forecasts)[..., self.point], rows)}
        if self.config.quantiles:
            measures["coverage"] = self._coverage(self._calibrated(forecasts), rows)
        if self.margins is not None:
            measures["uncalibrated_coverage"] = self._coverage(forecasts, rows)
        if part == "test":
            naive = self._naive(rows)
            measures |= {f"{name.replace(' ', '_')}_mase": self._errors(it, rows)["mase"] for name, it in naive.items()}
        return measures

    def _coverage(self, forecasts: Tensor, rows: np.ndarray) -> float:
        """Return how often the truth lies between the outer quantiles."""
        levels, truth = self.in_units(forecasts), self.truth(rows)
        return float(np.mean((levels[..., 0] <= truth) & (truth <= levels[..., -1])))

    def baseline(self) -> dict[str, float]:
        """Return the errors of the best of the naive methods."""
        rows = self.judged["test"]
        judged = (self._errors(values, rows) for values in self._naive(rows).values())
        return min(judged, key=lambda measures: measures[self.score])

    def _naive(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return naive_forecasts(self._series[:, self.target], rows, self.season, self.config.horizon)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        series, name = self._series[:, self.target], self.columns[self.target]
        rows = self._targets["test"][:DRAWN]
        start, steps = int(rows[0]), len(rows)
        first = self.in_units(self._calibrated(self.forecasts(rule.home, rows)))[:, 0]  # (rows, levels)
        ahead = {"network": first[:, self.point]}
        ahead |= {name: values[:, 0] for name, values in naive_forecasts(series, rows, self.season).items()}
        before = self._scaled[None, start - self.config.window : start]
        (continued,) = self._onward(rule.home).steps(before, before.new_zeros(1, before.shape[1] + steps, 0), steps)
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
            methods = {"network": predicted, **self._naive(judged)}
            off = {name: np.abs(values - self.truth(judged)).mean(axis=0) for name, values in methods.items()}
            drawn["error_by_step"] = figures.errors_by_step({name: one / self._scale for name, one in off.items()})
        return drawn | {"residuals": figures.residuals(predicted[:, 0], series[judged], name)}

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for each row that has a window before it, counted from 1, the forecast and what came."""
        raw, window = asked_series(question.inputs, self.columns, self.settings), self.config.window
        if len(raw) < window:
            raise DataError("the series is shorter than the window", expected=f"{window} rows", found=str(len(raw)))
        scaled = self.scale(fill_gaps(raw))
        forecasts = self._calibrated(self._shaped(ask(network, _windows(scaled, window))))
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
        onward = self._onward(network)
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

    @property
    def point(self) -> int:
        """The place of the forecast proper among the levels: the median's, or that of the only one."""
        quantiles = self.config.quantiles
        return quantiles.index(0.5) if quantiles else 0

    def _shaped(self, outputs: Tensor) -> Tensor:
        """Return outputs of the network as (rows, horizon, columns, levels)."""
        return outputs.reshape(len(outputs), self.config.horizon, len(self.columns), -1)

    def forecasts(self, network: nn.Module, rows: np.ndarray) -> Tensor:
        """Return scaled forecasts (rows, horizon, columns, levels), each from the true values before its row."""
        return self._shaped(ask(network, self._windows, places=torch.from_numpy(rows) - self.config.window))

    def _calibrated(self, forecasts: Tensor) -> Tensor:
        """Return forecasts (..., horizon, columns, levels) with the bands widened, if they have been calibrated."""
        return forecasts if self.margins is None else widened(forecasts, self.margins, self.config.quantiles)

    def _onward(self, network: nn.Module) -> Onward:
        def shaped(outputs: Tensor) -> Tensor:
            return self._calibrated(self._shaped(outputs))

        return Onward(network, self.config.horizon, shaped, self.config.quantiles, self.errors)

    def in_units(self, scaled: Tensor) -> np.ndarray:
        """Return the target column of (..., columns, levels) in the units of the data (..., levels)."""
        values = self.scale.inverse(scaled.transpose(-1, -2))  # (..., levels, columns)
        return values[..., self.target]

    def truth(self, rows: np.ndarray) -> np.ndarray:
        """Return the true values (rows, horizon) from each row on."""
        return self._series[rows[:, None] + np.arange(self.config.horizon), self.target]

    def _errors(self, predicted: np.ndarray, rows: np.ndarray) -> dict[str, float]:
        return errors(predicted, self.truth(rows), self._scale)


def _windows(scaled: Tensor, window: int) -> Tensor:
    """Return all windows (windows, window, columns) of a series (time, columns), without copying it."""
    return scaled.unfold(0, window, 1).transpose(1, 2)


TASK = Forecasting
