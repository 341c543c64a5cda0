"""Forecasting many series with one network: each cut in time and scaled on its own, told what is known in advance."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import PanelPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.settings import at_least, from_dict, settings, to_dict
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part
from ganglion.tasks.questions import FileName, Given
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.fitting import adapt
from ganglion.tasks.shared.series.forecasts import STEPS, Forecasts
from ganglion.tasks.shared.series.onward import named_levels
from ganglion.tasks.shared.series.panel_ends import End, asked_panel, ends_called, ends_of, told_for, with_future
from ganglion.tasks.shared.series.panels import Flat, SeriesData, Told, series_of, stretches, told_of, usual_season
from ganglion.tasks.shared.series.parts import target_column

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@settings
class Predict:
    """Forecast every row that has a whole window before it in its series, and the first row after the end of each."""

    inputs: Given
    """Tables with the columns of the training data; series that training did not have are scaled by themselves."""


@settings
class Forecast:
    """Continue every series that the run was trained on."""

    steps: Annotated[int, at_least(1)] | None = None
    """Steps beyond the end of each series; those of which the data says what is known in advance, or 10, when not
    given."""
    series: str | None = None
    """Series to continue, by its name; all when not given."""
    future: FileName | None = None
    """Table with the rows to come, and in them what is known in advance."""
    samples: Annotated[int, at_least(2)] | None = None
    """Draw so many ways on, with errors as large as those of the validation part, and give quantiles of them; without,
    quantiles are those of each step given the medians before."""
    seed: int = 0
    """Of the ways that are drawn."""


@final
class PanelForecasting(Forecasts):
    """Forecasts the next values of many series with one network, from a window of each and what is known in advance.

    Each series is cut in time into training, validation and test part, and standardised by its own training part; no
    window reaches from one series into another. Columns that are known in advance, and the hour, the day of the week
    and the month where dates say them, are read for the window and for the steps to forecast; all others only as far
    as the window. `mase` is that of each series, relative to the mean change from step to step over its own training
    part, and then the mean over the series; `mae` and `rmse` are over all forecasts, in the target's units.
    """

    name = "panel_forecasting"
    reads = ("panel",)
    fields: ClassVar = {"inputs": ("panel",)}
    takes = "several series in one table, told apart by --key, or one with columns known in advance (--known)"
    captions: ClassVar = {
        "forecast": "Some series, from the one forecast best to the worst, each horizon from the true past",
        "errors_by_series": "Mean absolute scaled error of each series, beside that of the last value",
        "error_by_step": "Mean absolute scaled error at each step ahead, over all series",
    }
    verbs: ClassVar = {"predict": Predict, "forecast": Forecast}

    told: Told
    ends: tuple[End, ...]
    """The end of each series, from which it is continued."""

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        series, columns = series_of(dataset), dataset.main.names
        columns = columns or tuple(f"column {number + 1}" for number in range(series[0].raw.shape[1]))
        parts = stretches(series, settings)
        training = [one["train"] for one in parts]
        filled = [one.raw[rows] for one, rows in zip(series, training, strict=True)]
        scale = PanelPreprocessing.fit(filled, columns)
        known = dataset.fields.get("known")
        told = told_of(series, training, () if known is None else known.names)
        preprocessing: dict[str, Any] = {"inputs": scale} | ({"known": told.scale} if told.scale else {})
        sizes = {"in_features": len(columns), "out_features": len(columns), "known_features": len(told)}
        task = cls(adapt(config, **sizes), preprocessing)
        task.target = target_column(columns, dataset, settings)
        task.told, task.settings, task.fingerprint = told, settings, dataset.fingerprint
        of_target = [one[:, task.target] for one in filled]
        task.season = settings.season or usual_season(of_target)
        task._hold(series, parts)
        task.ends = ends_of(series, scale, told, config.window)
        task.has_validation = len(task.judged["validation"]) > 0
        task.notes = (*dataset.notes, *task._describe(estimated=settings.season is None))
        return task

    def _hold(self, series: Sequence[SeriesData], parts: Sequence[Any]) -> None:
        """Keep the data, and which rows may be learnt from and judged by."""
        config = self.config
        self._flat = Flat(series, self.scale, self.told, config.window, config.horizon)
        self._learnt = self._flat.places(series, parts, None)["train"]
        self.judged = self._flat.places(series, parts, self.target)
        changes = [np.abs(np.diff(one.raw[own["train"], self.target])) for one, own in zip(series, parts, strict=True)]
        found = [float(np.nanmean(one)) if np.isfinite(one).any() else 0.0 for one in changes]
        self._changes = np.array([one if one else np.nan for one in found])  # (series,)
        flat = np.isnan(self._changes[self._flat.owner])
        self.judged = {name: places[~flat[places]] for name, places in self.judged.items()}
        for where, places in (("training", self._learnt), ("test", self.judged["test"])):
            if not len(places):
                raise DataError(
                    f"no series is long enough for its {where} part",
                    expected=f"a window of {config.window} and a horizon of {config.horizon} steps in some series",
                    found=f"at most {max(len(one.raw) for one in series)} steps, of which the target changes",
                    remedy="choose a smaller --window or --horizon, or other shares of --validation and --test",
                )

    def _describe(self, estimated: bool) -> list[str]:
        """Return what the user should know of columns, parts, the season, and of series that are left out."""
        learnt, judged = (set(self._flat.owner[places]) for places in (self._learnt, self.judged["test"]))
        counts = ", ".join(f"{name} {len(self.judged[name])}" for name in ("validation", "test"))
        notes = [
            f"target column {self.columns[self.target]}; places to forecast from: train {len(self._learnt)}, {counts}",
            f"told in advance: {', '.join(self.told_names) or 'nothing'}",
        ]
        if len(self.columns) > 1:
            notes.append(f"all {len(self.columns)} columns are forecast, so that a forecast can be continued")
        for count, what in (
            (len(self._flat.names) - len(learnt), "too short to be learnt from"),
            (len(self._flat.names) - len(judged), "too short, or too even, to be judged"),
            (len(self._flat.names) - len(self.ends), "shorter than a window, and cannot be forecast"),
        ):
            if count:
                notes.append(f"{count} of {len(self._flat.names)} series are {what}")
        how = "estimated on the training parts" if estimated else "as given"
        notes.append(f"season of {self.season} steps, {how}" if self.season > 1 else "no season found")
        return notes

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        task.told = Told(task.preprocessing.get("known"), tuple(state["cycles"]))
        task.ends = tuple(from_dict(End, one, where="ends of the run") for one in state["ends"])
        return task

    def state(self) -> dict[str, Any]:
        return super().state() | {
            "cycles": list(self.told.cycles),
            "ends": [to_dict(one) for one in self.ends],
        }

    @property
    def scale(self) -> PanelPreprocessing:
        scale: PanelPreprocessing = self.preprocessing["inputs"]
        return scale

    @property
    def told_names(self) -> tuple[str, ...]:
        """What forecasts are told in advance."""
        return (*(self.told.scale.names if self.told.scale else ()), *self.told.cycles)

    def loader(self, rule: LearningRule, seed: int) -> InMemoryLoader:
        following = self._flat.following(self._learnt)
        tensors = {
            "inputs": self._flat.windows(self._learnt),
            "targets": following[torch.arange(len(following))][:, 0] if self.config.horizon == 1 else following,
            "index": torch.from_numpy(self._learnt),
        }
        return InMemoryLoader(tensors, self.settings.batch_size, seed)

    def forecasts(self, network: nn.Module, places: np.ndarray) -> Tensor:
        return self.levels(ask(network, self._flat.windows(places)))

    def scaled_truth(self, places: np.ndarray) -> Tensor:
        return self._flat.following(places)[torch.arange(len(places))]

    def truth(self, places: np.ndarray) -> np.ndarray:
        return self._flat.truth(places, self.target)

    def in_units(self, scaled: Tensor, places: np.ndarray) -> np.ndarray:
        owners = self._flat.owner[places]
        return self.scale.inverse(scaled[..., self.target, :], owners, self.target)

    def groups(self, rule: LearningRule, part: Part) -> Rows:
        """Return the errors of every series on a part, the worst first."""
        places = self.judged[part]
        predicted = self.in_units(self.forecasts(rule.home, places), places)[..., self.point]
        naive = {name: self._by_series(values, places) for name, values in self.naive(places).items()}
        rows = [
            {"series": name, "mase": error, **{f"{method} mase": found[name] for method, found in naive.items()}}
            for name, error in self._by_series(predicted, places).items()
        ]
        return Rows(sorted(rows, key=lambda row: -float(str(row["mase"]))))

    def _by_series(self, predicted: np.ndarray, places: np.ndarray) -> dict[str, float]:
        """Return the scaled error of each series by its name."""
        owners = self._flat.owner[places]
        off = np.abs(predicted - self.truth(places)).mean(axis=1) / self._changes[owners]
        totals, counts = np.bincount(owners, off), np.bincount(owners)
        return {self._flat.names[number]: float(totals[number] / counts[number]) for number in np.unique(owners)}

    def measured(self, predicted: np.ndarray, places: np.ndarray) -> dict[str, float]:
        off = np.abs(predicted - self.truth(places))
        scaled = list(self._by_series(predicted, places).values())
        if not scaled:
            return {"rmse": float("nan"), "mae": float("nan"), "mase": float("nan")}
        return {"rmse": float(np.sqrt((off**2).mean())), "mae": float(off.mean()), "mase": float(np.mean(scaled))}

    def naive(self, places: np.ndarray) -> dict[str, np.ndarray]:
        return self._flat.naive(places, self.season, self.target)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        places = self.judged["test"]
        predicted = self.in_units(self.forecasts(rule.home, places), places)[..., self.point]
        by_series, last = self._by_series(predicted, places), self._by_series(self.naive(places)["last value"], places)
        named = {name: (error, last[name]) for name, error in by_series.items()}
        drawn = {
            "forecast": figures.several_forecasts(self._flat.drawn(predicted, places, by_series, self.target)),
            "errors_by_series": figures.errors_by_series(named, "the last value"),
        }
        if self.config.horizon > 1:
            methods = {"network": predicted, **self.naive(places)}
            scale, truth = self._changes[self._flat.owner[places]][:, None], self.truth(places)
            steps = {name: (np.abs(values - truth) / scale).mean(axis=0) for name, values in methods.items()}
            drawn["error_by_step"] = figures.errors_by_step(steps)
        return drawn

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for each row of each series after a first window, counted from 1, the forecast and what came."""
        known = self.told.scale.names if self.told.scale else ()
        numbers = {end.name: end.number for end in self.ends}
        rows: list[dict[str, Any]] = []
        notes: list[str] = []
        for source in question.inputs:
            for one, scale, remark in asked_panel(source, self.scale, known, numbers, self.settings):
                notes += [remark] if remark else []
                rows += self._walked(network, one, scale)
        return Rows(rows, notes=tuple(notes))

    def _walked(self, network: nn.Module, one: SeriesData, scale: PanelPreprocessing) -> list[dict[str, Any]]:
        flat = Flat([one], scale, self.told, self.config.window, self.config.horizon)
        filled_up = flat.rows[-1:].expand(self.config.horizon, -1)  # what comes after the end, which nothing is read of
        flat.rows = torch.cat((flat.rows, filled_up))
        count = len(one.raw) + (len(one.known) > len(one.raw) or not len(self.told))
        if count <= self.config.window:
            return []
        places = np.arange(self.config.window, count)
        outputs = self.calibrated(self.levels(ask(network, flat.windows(places))))
        levels = scale.inverse(outputs[:, 0, self.target], np.zeros(len(places), int), self.target)
        observed = [*one.raw[self.config.window :, self.target], np.nan][: len(places)]
        return [
            {
                "series": one.name,
                "row": place + 1,
                **named_levels(answer, self.config.quantiles, "predicted"),
                "observed": float(value) if np.isfinite(value) else None,
            }
            for place, answer, value in zip(places.tolist(), levels, observed, strict=True)
        ]

    def forecast(self, network: nn.Module, question: Forecast) -> Rows:
        """Continue each series after its end, each horizon from the forecasts before it.

        Quantiles are those of their own step given the medians before, or of ways on that are drawn.
        """
        ends = ends_called(self.ends, question.series)
        if question.future:
            ends = with_future(ends, question.future, self.told, self.settings)
        counts = [question.steps or end.ahead or STEPS for end in ends]
        onward = self.onward(network)
        rows: list[dict[str, Any]] = []
        for steps in dict.fromkeys(counts):
            together = [end for end, count in zip(ends, counts, strict=True) if count == steps]
            values = torch.tensor([end.values for end in together], dtype=torch.float32)
            told = torch.from_numpy(np.stack([told_for(end, steps, self.told) for end in together])).float()
            levels, quantiles = onward.answer(values, told, steps, question.samples, question.seed)
            for end, scaled in zip(together, levels, strict=True):
                rows += self._named(end, scaled, quantiles)
        order = {end.name: place for place, end in enumerate(ends)}
        return Rows(sorted(rows, key=lambda row: order[row["series"]]))

    def _named(self, end: End, scaled: Tensor, quantiles: tuple[float, ...]) -> list[dict[str, Any]]:
        """Return a row for each step of a forecast (steps, columns, levels), in the units of its series."""
        scale = self.scale.of(end.number)
        values = np.stack([scale.inverse(level) for level in scaled.unbind(-1)], axis=-1)
        dates = end.clock.following(len(values)) if end.clock else [""] * len(values)
        rows = []
        for number, (date, row) in enumerate(zip(dates, values, strict=True), start=1):
            named: dict[str, Any] = {"series": end.name, "step": number, **({"date": date} if date else {})}
            for name, levels in zip(self.columns, row, strict=True):
                named |= named_levels(levels, quantiles, name, f"{name} ")
            rows.append(named)
        return rows

    def steps(self, source: str) -> tuple[Tensor, list[str]]:
        """Return the last window of the first series in a file, and the target's value at each step."""
        known = self.told.scale.names if self.told.scale else ()
        numbers = {end.name: end.number for end in self.ends}
        one, scale, _ = next(iter(asked_panel(source, self.scale, known, numbers, self.settings)))
        window, ahead = self.config.window, self.config.horizon if len(self.told) else 0
        if len(one.raw) < window + ahead:
            found = f"{len(one.raw)} rows of {one.name}"
            raise DataError("the series is shorter than the window", expected=f"{window + ahead} rows", found=found)
        flat = Flat([one], scale, self.told, window, self.config.horizon)
        shown = [f"{value:.4g}" for value in flat.filled[0][-window - ahead :, self.target]]
        return flat.windows(np.array([len(one.raw) - ahead]))[torch.tensor([0])], shown


TASK = PanelForecasting
