"""What a study says: tables, a file for other programs, pictures and a report."""

import csv
import dataclasses
import io
import json
import math
from typing import Any

from ganglion import figures
from ganglion.figures.words import number
from ganglion.runs.folds import Spread
from ganglion.runs.report import Captioned, Section, write_report
from ganglion.runs.tuning.dimensions import written
from ganglion.runs.tuning.proposals import importance
from ganglion.runs.tuning.study import DESCRIPTION, REPORT, Study
from ganglion.tables import Table
from ganglion.training.durable import replace_synced, write_synced

TRIALS = "trials.csv"
SHOWN = 12
"""Trials in the table on the screen."""
CAPTIONS = {
    "course": "What came of each trial, and the best so far; crosses were given up before their end",
    "importance": "How much of the order of the trials each field decides, by an analysis of variance",
    "slices": "Trials by the value of each field, later ones darker; the best is ringed, crosses were given up",
}


def write_results(study: Study) -> Study:
    """Write table, pictures, report and sums of a study into its folder, and return it as it is then."""
    replace_synced(study.folder / TRIALS, csv_of(study).encode("utf-8"))
    shares = importance(study.axes, [one.told() for one in study.trials], study.higher_is_better)
    pictures = _drawn(study, shares)
    result = _came_out(study, shares)
    write_synced(study.folder / DESCRIPTION, json.dumps(study.description | {"result": result}, indent=1))
    study = Study(study.folder)
    winner = study.winner
    numbers = {"trials": str(len(study.ranked)), f"best {_words(study.measure)}": "-"}
    if winner and winner.outcome and winner.outcome.value is not None:
        numbers[f"best {_words(study.measure)}"] = number(winner.outcome.value)
    searched = Table(
        ("field", "from", "to try"),
        [(one.field, written(one.start), str(one)) for one in study.space],
        words=("field", "from", "to try"),
        title="What was looked through",
    )
    lead = f"{study.description['system']} on {study.description['data']}"
    said = [f"Train it again:  {study.command(winner)}"] if winner else []
    blocks = [*said, finalists_table(study), trials_table(study), *pictures, searched]
    section = Section("Tuning", [one for one in blocks if one is not None], lead=lead, numbers=numbers)
    write_report(study.folder / REPORT, [section], title=study.folder.name)
    return study


def _came_out(study: Study, shares: dict[str, float]) -> dict[str, Any]:
    """Return what came out as JSON values."""
    winner = study.winner
    states = [trial.outcome.state for trial in study.trials if trial.outcome]
    return {
        "measure": study.measure,
        "higher_is_better": study.higher_is_better,
        "trials": {state: states.count(state) for state in ("finished", "pruned", "failed")},
        "winner": winner and {"trial": winner.number, "values": study.values(winner), "command": study.command(winner)},
        "finalists": [
            {"trial": one.trial.number, "value": _spread(one.value), "score": _spread(one.score)}
            for one in study.finalists
        ],
        "importance": shares,
    }


def trials_table(study: Study, most: int | None = SHOWN) -> Table | None:
    """Return the trials, the best first; None where none is over."""
    over = study.ranked
    if not over:
        return None
    fields = [one.field for one in study.space]
    header = ("trial", "", _words(study.measure), *map(_words, fields), "seconds")
    rows = []
    for trial in over[:most]:
        outcome, values = trial.outcome, study.values(trial)
        assert outcome is not None
        state = {"finished": "", "pruned": "given up"}.get(outcome.state, outcome.state)
        value = "-" if outcome.value is None else number(outcome.value)
        rows.append((str(trial.number), state, value, *(_cell(values[one]) for one in fields), number(outcome.seconds)))
    left = len(over) - len(rows)
    return Table(header, rows, words=("",), footer=f"and {left} more in {TRIALS}" if left else "")


def finalists_table(study: Study) -> Table | None:
    """Return the best trials as trained again, means and deviations over the seeds; None where none were."""
    finalists = study.finalists
    if not finalists:
        return None
    outcomes = [one for finalist in finalists for one in finalist.finished]
    score = outcomes[0].score_name if outcomes else "score"
    header = ("trial", f"validation {_words(study.measure)}", "±", f"test {_words(score)}", "± ")
    rows = [(str(one.trial.number), *_cells(one.value), *_cells(one.score)) for one in finalists]
    seeds = study.description["seeds"]
    return Table(
        header, rows, title=f"The best {len(rows)}, each trained again with {seeds} other seeds: mean and deviation"
    )


def importance_table(study: Study) -> Table | None:
    """Return how much each field mattered; None where that cannot be said, or the study has not finished."""
    rows = [(_words(name), f"{share:.0%}") for name, share in study.result.get("importance", {}).items()]
    if not rows:
        return None
    return Table(("field", "decides of the order of the trials"), rows, words=("field",))


def csv_of(study: Study) -> str:
    """Return all trials in the order in which they were asked for, as CSV."""
    fields = [one.field for one in study.space]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["trial", "state", study.measure, *fields, "score", "steps", "parameters", "seconds", "reason"])
    for trial in study.trials:
        outcome, values = trial.outcome, study.values(trial)
        if outcome is not None:
            facts = (outcome.score, outcome.steps, outcome.parameters, outcome.seconds, outcome.reason)
            tried = [written(values[one]) for one in fields]
            rows.writerow([trial.number, outcome.state, outcome.value, *tried, *facts])
    return text.getvalue()


def _drawn(study: Study, shares: dict[str, float]) -> list[Captioned]:
    """Draw the pictures of a study into its folder."""
    over = [one for one in study.trials if one.outcome and one.outcome.value is not None]
    values = {one.number: one.outcome.value for one in over if one.outcome and one.outcome.value is not None}
    done = {one.number for one in over if one.outcome and one.outcome.state == "finished"}
    finished, pruned = ({n: at for n, at in values.items() if (n in done) is kept} for kept in (True, False))
    axes, higher = study.axes, study.higher_is_better
    drawn = {
        "course": figures.search_course(finished, pruned, study.measure, higher),
        "importance": figures.importances(shares),
        "slices": figures.slices(
            [(one.point, values[one.number], one.number in done) for one in over],
            [axis.name for axis in axes if axis.is_log],
            {axis.name: list(map(str, axis.choices)) for axis in axes if axis.choices},
            study.measure,
            higher,
        ),
    }
    return [
        Captioned(figures.save(figure, study.folder / "figures" / f"{name}.png"), CAPTIONS[name])
        for name, figure in drawn.items()
    ]


def _spread(spread: Spread | None) -> dict[str, float] | None:
    return None if spread is None else dataclasses.asdict(spread)


def _cells(spread: Spread | None) -> tuple[str, str]:
    return ("-", "-") if spread is None else (number(spread.mean), number(spread.deviation))


def _cell(value: Any) -> str:
    return number(value) if isinstance(value, float) and math.isfinite(value) else written(value)


def _words(name: str) -> str:
    return name.replace("_", " ")
