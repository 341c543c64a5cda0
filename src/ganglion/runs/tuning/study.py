"""A study: what is looked for, the trials that were asked for and told, and which settings came out best."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ganglion.data.formats.stored import STORED
from ganglion.errors import CheckpointError
from ganglion.files import named
from ganglion.runs.command_lines import train_line
from ganglion.runs.folds import Spread
from ganglion.runs.several import read_description
from ganglion.runs.tuning.dimensions import Axis, Dimension
from ganglion.runs.tuning.journal import Journal
from ganglion.runs.tuning.proposals import Told
from ganglion.runs.tuning.trial import Outcome

DESCRIPTION = "study.json"
"""File that makes a folder a study: what is looked for and how."""
JOURNAL = "journal.jsonl"
REPORT = "report.html"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of values that was tried."""

    number: int
    """From 1, which is what training starts from."""
    options: dict[str, Any]
    """Values of the fields that are looked through; none of the first trial."""
    point: dict[str, Any]
    """What was drawn for each axis."""
    bars: Sequence[tuple[float, float]]
    outcome: Outcome | None = None
    """None while it is under way."""

    @property
    def name(self) -> str:
        """Of its run, in the folder of the study."""
        return f"trial-{self.number:03}"

    def told(self) -> Told:
        """Return what the proposer is told of it."""
        if self.outcome is None:
            return Told(point=self.point)
        value = self.outcome.value if self.outcome.state == "finished" else None
        reports = () if self.outcome.state == "failed" else self.outcome.reports
        return Told(point=self.point, value=value, is_over=True, reports=reports)


@dataclass(frozen=True, kw_only=True)
class Finalist:
    """One of the best trials, trained again with other seeds."""

    trial: Trial
    outcomes: Sequence[Outcome]

    @property
    def finished(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.state == "finished"]

    @property
    def value(self) -> Spread | None:
        """Of the measure on validation parts; None where fewer than two seeds finished."""
        return _spread([one.value for one in self.finished if one.value is not None])

    @property
    def score(self) -> Spread | None:
        """On test parts."""
        return _spread([one.score for one in self.finished if one.score is not None])


class Study:
    """Everything that is known of a study, read from its folder when it is asked for."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = named(folder)
        self.description = read_description(self.folder, DESCRIPTION, FORMAT, _typed)
        self.space = [Dimension.from_dict(one) for one in self.description["space"]]

    @cached_property
    def axes(self) -> list[Axis]:
        """What is drawn for each trial."""
        return [axis for dimension in self.space for axis in dimension.axes]

    @property
    def entries(self) -> list[dict[str, Any]]:
        return Journal(self.folder / JOURNAL).read()

    @property
    def trials(self) -> list[Trial]:
        """Trials in the order in which they were asked for."""
        return self._from(self.entries)[0]

    def _from(self, entries: Sequence[dict[str, Any]]) -> tuple[list[Trial], dict[str, Outcome]]:
        """Return the trials, and the outcomes of the runs of finalists by name."""
        trials: list[Trial] = []
        again: dict[str, Outcome] = {}
        try:
            for entry in entries:
                if "asked" in entry:
                    asked = {name: entry[name] for name in ("options", "point", "bars")}
                    trials.append(Trial(number=len(trials) + 1, **asked))
                elif isinstance(entry["told"], int):
                    place = entry["told"] - 1
                    trials[place] = dataclasses.replace(trials[place], outcome=Outcome(**entry["outcome"]))
                else:
                    again[entry["told"]] = Outcome(**entry["outcome"])
        except (KeyError, TypeError, IndexError) as error:
            raise CheckpointError(
                f"cannot read {JOURNAL} of the study",
                where=str(self.folder),
                found=f"{type(error).__name__}: {error}",
                remedy="put the original file back, or start a new study",
            ) from error
        return trials, again

    @property
    def result(self) -> dict[str, Any]:
        """What came out, as JSON values; empty until the study has finished."""
        return dict(self.description.get("result", {}))

    @property
    def is_finished(self) -> bool:
        return bool(self.result)

    @property
    def measure(self) -> str:
        """What trials are compared by, on the validation part."""
        return next((one.outcome.measure for one in self.trials if one.outcome and one.outcome.measure), "value")

    @property
    def higher_is_better(self) -> bool:
        return any(one.outcome.higher_is_better for one in self.trials if one.outcome)

    @property
    def ranked(self) -> list[Trial]:
        """Return the trials that are over, the best first; those that were given up or failed come last."""
        return ranked(self.trials)

    @property
    def finalists(self) -> list[Finalist]:
        """Return the best trials that were trained again, in the order in which these trainings put them."""
        trials, again = self._from(self.entries)
        found = []
        for trial in ranked(trials):
            names = [seeded(trial, number) for number in range(1, self.description["seeds"] + 1)]
            if all(name in again for name in names) and names:
                found.append(Finalist(trial=trial, outcomes=[again[name] for name in names]))
        sign = -1 if self.higher_is_better else 1
        worst = float("inf")
        return sorted(found, key=lambda one: sign * one.value.mean if one.value else worst)

    @property
    def winner(self) -> Trial | None:
        """The best by the mean over the seeds, where the best were trained again; None where no trial finished."""
        finalists = self.finalists
        if finalists and finalists[0].value:
            return finalists[0].trial
        best = self.ranked[:1]
        return best[0] if best and best[0].outcome and best[0].outcome.state == "finished" else None

    def __repr__(self) -> str:
        winner = self.winner
        best = f"trial {winner.number}" if winner else "none yet"
        return f"Study({str(self.folder)!r}, {len(self.ranked)} of {self.description['trials']} trials, best: {best})"

    def options(self, trial: Trial) -> dict[str, Any]:
        """Return all that a trial was told: what is the same for all, and its own."""
        return self.description["options"] | trial.options

    def command(self, trial: Trial) -> str:
        """Return the line that trains a trial anew."""
        data = self.description["data"]
        shown = "YOUR_DATA" if data == STORED else data
        return train_line(self.description["system"], shown, self.options(trial))

    def values(self, trial: Trial) -> dict[str, Any]:
        """Return the value of each field that is looked through; of the first trial what training starts from."""
        return {one.field: trial.options.get(one.field, one.start) for one in self.space}


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """Sort trials that are over: finished ones by value, those that were given up, the last ones first, failed ones.

    Equal ones stay in the order in which they were asked for.
    """
    order = ("finished", "pruned", "failed")

    def key(trial: Trial) -> tuple[int, float]:
        outcome = trial.outcome
        assert outcome is not None
        if outcome.state == "finished" and outcome.value is not None:
            return 0, -outcome.value if outcome.higher_is_better else outcome.value
        return order.index(outcome.state), -outcome.reports[-1][0] if outcome.reports else 0.0

    return sorted((one for one in trials if one.outcome), key=key)


def seeded(trial: Trial, number: int) -> str:
    """Return the name of the run that trains a trial again with another seed."""
    return f"{trial.name}-seed-{number}"


def _spread(values: Sequence[float]) -> Spread | None:
    if len(values) == 1:
        return Spread(values[0], 0.0)
    return Spread.of(values) if values else None


def _typed(description: dict[str, Any]) -> dict[str, Any]:
    whole = {name: int(description[name]) for name in ("trials", "at_once", "finalists", "seeds", "seed")}
    return {
        **description,
        **whole,
        "system": str(description["system"]),
        "data": str(description["data"]),
        "options": dict(description["options"]),
        "space": [Dimension.from_dict(one).to_dict() for one in description["space"]],
        **({"result": dict(description["result"])} if "result" in description else {}),
    }
