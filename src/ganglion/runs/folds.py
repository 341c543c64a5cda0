"""Cross-validation: one run for each fold of the data, in one folder, and what they say together."""

import dataclasses
import json
import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganglion import __version__
from ganglion.core import Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.stored import STORED, store, stored
from ganglion.errors import UsageError
from ganglion.files import named, read_json
from ganglion.models import find
from ganglion.runs.command_lines import train_line
from ganglion.runs.generated import beside_generated
from ganglion.runs.options import LENGTHS, settle
from ganglion.runs.preparing import Source, as_source
from ganglion.runs.report import Section, run_section, write_report
from ganglion.runs.run import Run
from ganglion.runs.session import Session, prepare, prepare_resume
from ganglion.runs.several import folder_of_runs, read_description
from ganglion.settings import to_dict
from ganglion.tables import Table
from ganglion.training.durable import write_synced
from ganglion.training.trainer import Callback

DESCRIPTION = "folds.json"
"""File that makes a folder a cross-validation: what it was asked for and, once it has finished, what came out."""
REPORT = "report.html"
FORMAT = 1
DECIDED = ("folds", "fold", "validation", "test", "patience")
"""Options of a cross-validation that one network on everything has no use for."""

Announce = Callable[[int, int, Session], None]
"""Is told fold, number of folds and session before each training."""


@dataclass(frozen=True)
class Spread:
    """A number that was measured several times: in each fold, or with each seed."""

    mean: float
    deviation: float
    """Standard deviation, with n - 1 in the denominator."""

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return mean and deviation of at least two values.

        >>> Spread.of([1.0, 2.0, 3.0])
        Spread(mean=2.0, deviation=1.0)
        """
        return cls(statistics.fmean(values), statistics.stdev(values))


@dataclass(frozen=True)
class Length:
    """How long to train: until the mean over the folds of what best weights are chosen by was best."""

    epochs: float
    steps: int
    monitor: str
    """What best weights are chosen by, measured on the validation part of each fold."""
    value: Spread
    """What it was there."""


class CrossValidation:
    """Everything that is known of a cross-validation, read from its folder.

    `runs` are those of the folds that have begun, in their order. The other facts are there once all have finished.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = named(folder)
        self.description = _read(self.folder)

    @property
    def runs(self) -> list[Run]:
        paths = [self.folder / f"fold-{fold}" for fold in range(1, self.description["folds"] + 1)]
        return [Run(path) for path in paths if (path / "config.json").exists()]

    @property
    def is_finished(self) -> bool:
        runs = self.runs
        return len(runs) == self.description["folds"] and all(run.result for run in runs)

    @property
    def score(self) -> Measure:
        return self.runs[0].task.measures[0]

    @property
    def measures(self) -> dict[str, Spread]:
        """What was measured on the folds held back, the score first."""
        return self._spreads("metrics")

    @property
    def baseline(self) -> dict[str, Spread]:
        """The same of a trivial method."""
        return self._spreads("baseline_metrics")

    def _spreads(self, part: str) -> dict[str, Spread]:
        found = [run.result[part] for run in self.runs]
        names = [name for name in found[0] if all(isinstance(one.get(name), int | float) for one in found)]
        names.sort(key=lambda name: name != self.score.name)
        return {name: Spread.of([one[name] for one in found]) for name in names}

    @property
    def length(self) -> Length | None:
        """How long it is best to train, by the validation parts; None where nothing was validated."""
        first = self.runs[0]
        name = read_json(first.folder / "config.json")["trainer"]["monitor"] or self.score.name
        monitor = next(measure for measure in first.task.measures if measure.name == name)
        name = f"validation_{monitor.name}"
        curves = [[row for row in run.history if name in row] for run in self.runs]
        means = [Spread.of([row[name] for row in rows]) for rows in zip(*curves, strict=False)]
        if not means:
            return None
        best = 0
        for place, spread in enumerate(means):
            if monitor.is_better(spread.mean, than=means[best].mean):
                best = place
        row = curves[0][best]
        return Length(round(float(row["epoch"]), 2), int(row["step"]), monitor.name, means[best])

    @property
    def on_everything(self) -> str | None:
        """The command that trains one network on all samples for as long as was best; None of data without a name.

        Nothing is held back, so the network is judged by what it has learnt from, and the means over the folds say what
        to expect of it. Data that brings a test part of its own keeps that apart.
        """
        options = {name: value for name, value in self.description["options"].items() if name not in DECIDED}
        data, length = self.description["data"], self.length
        if data == STORED or any(isinstance(value, dict) for value in options.values()):
            return None
        if length:
            whole = length.epochs == int(length.epochs)
            options = {key: value for key, value in options.items() if key not in LENGTHS}
            options |= {"epochs": int(length.epochs)} if whole else {"steps": length.steps}
        return train_line(self.description["system"], data, {**options, "validation": 0, "test": 0})

    def tables(self) -> tuple[Table, Table]:
        """Return a table of measures and one of folds."""
        baseline = self.baseline
        spreads = []
        for name, one in self.measures.items():
            compared = _number(baseline[name].mean) if name in baseline else "-"
            spreads.append((_words(name), _number(one.mean), _number(one.deviation), compared))
        measures = Table(("measure", "mean", "deviation", "baseline"), spreads, words=("measure",))
        rows = [
            (
                " ".join(filter(None, (str(fold), run.task.held_back))),
                *(_number(run.result[key]) for key in ("score", "baseline")),
                f"{run.result['steps']:,}",
                f"{run.result['best_step']:,}",
                _number(run.result["seconds"]),
            )
            for fold, run in enumerate(self.runs, 1)
        ]
        header = ("fold", _words(self.score.name), "baseline", "iterations", "best after", "seconds")
        return measures, Table(header, rows)

    def to_dict(self) -> dict[str, Any]:
        """Return what came out as JSON values."""
        length = self.length
        return {
            "score_name": self.score.name,
            "higher_is_better": self.score.higher_is_better,
            "measures": {name: vars(spread) for name, spread in self.measures.items()},
            "baseline": {name: vars(spread) for name, spread in self.baseline.items()},
            "length": length and {**vars(length), "value": vars(length.value)},
            "folds": [{"run": run.name, **run.result} for run in self.runs],
        }


def cross_validate(
    name: str,
    data: Source = None,
    *,
    folds: int = 5,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    announce: Announce = lambda fold, folds, session: None,
    **options: Any,
) -> CrossValidation:
    """Train a system once for each of K folds of the data, each time without that fold, and judge it there.

    The folds hold every sample once, every class in its share, equal samples together; who is where depends on
    contents and seed alone. Arguments are those of `ganglion.train`.

    Raises:
        UsageError: the data cannot be divided sample by sample.
    """
    system = find(name)
    options = {"folds": folds, **options}
    config, _, settings = settle(system, options, data)
    if settings.fold is not None:
        raise UsageError("one fold is no cross-validation", remedy="leave fold out")
    source = as_source(system, system.data if data is None else data, settings)
    source = beside_generated(system, source, config, settings)
    options.pop("generators", None)  # which have drawn what they draw
    label = source.name if isinstance(source, Dataset) else Path(source).stem
    folder, made = folder_of_runs(out, f"{name}-{label}-{settings.folds}-folds")
    if isinstance(source, Dataset):
        store(source, folder)
    plain = {key: to_dict(value) if dataclasses.is_dataclass(value) else value for key, value in options.items()}
    description = {"format": FORMAT, "ganglion": __version__, "system": name, "folds": settings.folds, "options": plain}
    description["data"] = STORED if isinstance(source, Dataset) else source
    write_synced(folder / DESCRIPTION, json.dumps(description, indent=1))
    try:
        return continue_folds(folder, callbacks=callbacks, announce=announce)
    except UsageError:
        if made and not any(folder.glob("fold-*")):  # refused before anything was learnt
            shutil.rmtree(folder, ignore_errors=True)
        raise


def continue_folds(
    folder: str | Path,
    *,
    callbacks: Sequence[Callback] = (),
    announce: Announce = lambda fold, folds, session: None,
) -> CrossValidation:
    """Train what is left to train of a cross-validation, finish the run that was stopped first, and sum up."""
    folder = named(folder)
    description = _read(folder)
    data = stored(folder) if description["data"] == STORED else description["data"]
    for fold in range(1, description["folds"] + 1):
        path = folder / f"fold-{fold}"
        if (path / "config.json").exists():
            session = prepare_resume(path, callbacks=callbacks)
        else:
            options = {**description["options"], "fold": fold}
            session = prepare(description["system"], data, out=path, callbacks=callbacks, **options)
        if isinstance(session, Session):
            announce(fold, description["folds"], session)
            session.fit()
    found = CrossValidation(folder)
    write_synced(folder / DESCRIPTION, json.dumps(description | {"result": found.to_dict()}, indent=1))
    _report(found)
    return found


def holds_folds(folder: str | Path) -> bool:
    """Whether a folder is that of a cross-validation."""
    return (named(folder) / DESCRIPTION).is_file()


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}"


def _read(folder: Path) -> dict[str, Any]:
    return read_description(folder, DESCRIPTION, FORMAT, _typed, finite=False)


def _typed(description: dict[str, Any]) -> dict[str, Any]:
    return {
        **description,
        "folds": int(description["folds"]),
        "options": dict(description["options"]),
        "data": str(description["data"]),
    }


def _report(found: CrossValidation) -> Path:
    name, length = found.score.name, found.length
    score = found.measures[name]
    numbers = {f"{_words(name)}, mean": _number(score.mean), "standard deviation": _number(score.deviation)}
    if name in found.baseline:
        numbers["trivial baseline"] = _number(found.baseline[name].mean)
    if length:
        numbers["epochs chosen"] = _number(length.epochs)
    lead = f"{found.description['system']} on {found.description['data']}, {found.description['folds']} folds"
    overview = Section("Cross-validation", found.tables(), lead=lead, numbers=numbers)
    sections = [overview, *(dataclasses.replace(run_section(run.folder), heading=run.name) for run in found.runs)]
    return write_report(found.folder / REPORT, sections, title=found.folder.name)
