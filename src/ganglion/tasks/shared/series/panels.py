"""Several series in one flat array: which rows are of which, what may be forecast in each part, what is known ahead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.calendar import Cycle, calendar_columns, cycles
from ganglion.data.clock import Clock
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.windows import Windows
from ganglion.data.preprocessing import PanelPreprocessing, SeriesPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.splits import PARTS, Part, split_series
from ganglion.errors import DataError
from ganglion.tasks.measures.series import NAIVE_METHODS, estimate_season, fill_gaps, naive_forecasts

MOST_SEASONS = 50
"""Series by which the season is estimated."""
DRAWN = 120
"""Steps before the test part of a series that are drawn, and as many of it at most."""
MOST_DRAWN = 6
"""Series that are drawn."""
Drawn = dict[str, tuple[np.ndarray, np.ndarray]]
"""What was and what was forecast (time,), by the title of each series."""


@final
@dataclass(frozen=True)
class Told:
    """What a forecast is told beside the values: columns known in advance, standardised, and points of the calendar."""

    scale: SeriesPreprocessing | None
    """Of the columns known in advance, over the training parts of all series; None where there are none."""
    cycles: tuple[Cycle, ...] = ()

    @property
    def given(self) -> tuple[str, ...]:
        """The columns known in advance as the table calls them, each once."""
        names = self.scale.names if self.scale else ()
        return tuple(dict.fromkeys(name.partition("=")[0] for name in names))

    def __len__(self) -> int:
        return (len(self.scale.means) if self.scale else 0) + 2 * len(self.cycles)

    def __call__(self, known: np.ndarray, seconds: np.ndarray | None) -> np.ndarray:
        """Return the columns that a network reads `(rows, columns)`, of known ones `(rows, known)` and of moments."""
        parts = [np.zeros((len(known), 0))]
        if self.scale is not None:
            parts.append(self.scale(known).numpy().astype(np.float64))
        if self.cycles and seconds is not None:
            parts.append(calendar_columns(seconds, self.cycles))
        return np.concatenate(parts, axis=1)


@final
@dataclass(frozen=True)
class SeriesData:
    """One series as it was read: values `(time, columns)`, and of these rows and those to come what is known."""

    name: str
    raw: np.ndarray
    """NaN where a value is missing."""
    known: np.ndarray
    """`(time + ahead, known)`."""
    seconds: np.ndarray | None

    @property
    def clock(self) -> Clock | None:
        return None if self.seconds is None else Clock.of(self.seconds[: len(self.raw)])


def series_of(dataset: Dataset) -> list[SeriesData]:
    """Return the series of a panel."""
    names, values = dataset.fields["series"].values, dataset.fields["inputs"].values
    known, times = dataset.fields.get("known"), dataset.fields.get("times")
    found = []
    for place, (name, raw) in enumerate(zip(names, values, strict=True)):
        seconds = None if times is None else np.asarray(times[place], dtype=np.float64)[:, 0]
        rows = len(raw) if seconds is None else len(seconds)
        advance = np.zeros((rows, 0)) if known is None else np.asarray(known[place], dtype=np.float64)
        found.append(SeriesData(name, np.asarray(raw, dtype=np.float64), advance, seconds))
    return found


def stretches(series: Sequence[SeriesData], settings: DataSettings) -> list[Mapping[Part, np.ndarray]]:
    """Return for each series the rows of its training, validation and test part, one after the other in time."""
    found: list[Mapping[Part, np.ndarray]] = []
    for one in series:
        alone = Dataset.of(name=one.name, kind="series", inputs=one.raw)
        try:
            found.append({name: part.index for name, part in split_series(alone, settings).items()})
        except DataError:  # too short for three parts: it is forecast, but neither learnt from nor judged
            found.append({"train": np.arange(len(one.raw)), "validation": np.arange(0), "test": np.arange(0)})
    return found


def told_of(series: Sequence[SeriesData], training: Sequence[np.ndarray], names: Sequence[str]) -> Told:
    """Return what forecasts are told: known columns by their scale over the training rows, cycles that these show."""
    scale = None
    if names:
        rows = np.concatenate([one.known[rows] for one, rows in zip(series, training, strict=True)])
        scale = SeriesPreprocessing.fit(rows, names)
    longest = max(range(len(series)), key=lambda place: len(training[place]))
    seconds, clock = series[longest].seconds, series[longest].clock
    if seconds is None or clock is None:
        return Told(scale)
    own = seconds[training[longest]]
    return Told(scale, cycles(clock, float(own[-1] - own[0])))


def usual_season(training: Sequence[np.ndarray]) -> int:
    """Return the season that most series `(time,)` show, of those that show one; 1 where none does."""
    longest = sorted(training, key=len, reverse=True)[:MOST_SEASONS]
    found = [estimate_season(values) for values in longest]
    seasons = [one for one in found if one > 1]
    if 2 * len(seasons) < len(found):
        return 1
    values, counts = np.unique(seasons, return_counts=True)
    return int(values[counts.argmax()])


@final
class Flat:
    """All series one below the other, standardised, beside what is told of each row.

    Args:
        series: as they were read.
        scale: of each.
        told: what forecasts are told.
        window: steps of the past that are read.
        horizon: steps that are forecast at once.
    """

    def __init__(
        self, series: Sequence[SeriesData], scale: PanelPreprocessing, told: Told, window: int, horizon: int
    ) -> None:
        self.window, self.horizon, self.columns = window, horizon, len(scale.means[0])
        self.ahead = horizon if len(told) else 0
        self.names = tuple(one.name for one in series)
        self.filled = [fill_gaps(one.raw) for one in series]
        self.first = np.cumsum([0, *(len(one.known) for one in series)])
        """First row of each series, and one past the last."""
        rows = []
        for place, (one, values) in enumerate(zip(series, self.filled, strict=True)):
            scaled = scale.of(place)(values)
            to_come = torch.zeros(len(one.known) - len(values), self.columns)
            about = torch.from_numpy(told(one.known, one.seconds)).float()
            rows.append(torch.cat((torch.cat((scaled, to_come)), about), dim=1))
        self.rows: Tensor = torch.cat(rows)  # (rows, columns + told)
        self.owner = np.repeat(np.arange(len(series)), np.diff(self.first))
        """Number of the series of each row."""

    def places(self, series: Sequence[SeriesData], parts: Sequence[Mapping[Part, np.ndarray]], target: int | None
               ) -> dict[Part, np.ndarray]:  # fmt: skip
        """Return for each part the rows from which a whole horizon of it may be forecast, after a whole window.

        Args:
            target: column that must be known over the horizon; none has to be where nothing is judged.
        """
        steps = np.arange(self.horizon)
        found: dict[Part, list[np.ndarray]] = {name: [] for name in PARTS}
        for first, one, own in zip(self.first, series, parts, strict=False):
            for name, rows in own.items():
                begins = rows[: max(0, len(rows) - self.horizon + 1)]
                earliest = own["train"][0] if len(own["train"]) else 0
                begins = begins[begins >= earliest + self.window]
                if target is not None and len(begins):
                    begins = begins[np.isfinite(one.raw[begins[:, None] + steps, target]).all(axis=1)]
                found[name].append(begins + first)
        return {name: np.concatenate(several) for name, several in found.items()}

    def windows(self, places: np.ndarray) -> Windows:
        """Return what is read to forecast from some rows on `(places,)`; values from there on are hidden."""
        starts = torch.from_numpy(places - self.window)
        columns = self.columns if self.ahead else 0
        return Windows(self.rows, starts, self.window + self.ahead, columns, self.window)

    def following(self, places: np.ndarray) -> Windows:
        """Return the standardised values from some rows on `(places,)`, over a horizon."""
        return Windows(self.rows[:, : self.columns], torch.from_numpy(places), self.horizon)

    def truth(self, places: np.ndarray, column: int) -> np.ndarray:
        """Return the values of a column from some rows on, over a horizon, in their own units `(places, horizon)`."""
        steps = np.arange(self.horizon)
        owners = self.owner[places]
        found = np.empty((len(places), self.horizon))
        for number in np.unique(owners):
            own = owners == number
            found[own] = self.filled[number][(places[own] - self.first[number])[:, None] + steps, column]
        return found

    def naive(self, places: np.ndarray, season: int, column: int) -> dict[str, np.ndarray]:
        """Return what naive methods forecast from each place on, of its own series alone `(places, horizon)`."""
        found = {name: np.empty((len(places), self.horizon)) for name in NAIVE_METHODS}
        owners = self.owner[places]
        for number in np.unique(owners):
            own = owners == number
            rows, values = places[own] - self.first[number], self.filled[number][:, column]
            fitting = season if season <= rows.min() else 1
            for name, forecasts in naive_forecasts(values, rows, fitting, self.horizon).items():
                found[name][own] = forecasts
        return found

    def drawn(self, predicted: np.ndarray, places: np.ndarray, errors: Mapping[str, float], column: int) -> Drawn:
        """Return for some series, from the best to the worst, what was and what was forecast one horizon after another.

        Args:
            predicted: what was forecast from each place on `(places, horizon)`.
            errors: of each series by its name.
        """
        ranked = sorted(errors, key=lambda name: errors[name])
        some = np.unique(np.linspace(0, len(ranked) - 1, MOST_DRAWN).round().astype(int))
        found: Drawn = {}
        for name in (ranked[place] for place in some):
            number = self.names.index(name)
            own = np.flatnonzero(self.owner[places] == number)
            rows = places[own] - self.first[number]
            kept = (rows - rows[0]) % self.horizon == 0
            steps = rows[kept, None] + np.arange(self.horizon)
            values = self.filled[number][:, column]
            forecast = np.full(len(values), np.nan)
            forecast[steps] = predicted[own[kept]]
            shown = slice(max(0, int(rows[0]) - DRAWN), int(rows[0]) + DRAWN)
            found[f"{name}, mase {errors[name]:.3g}"] = values[shown], forecast[shown]
        return found
