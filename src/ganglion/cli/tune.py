"""`tune`: look for good settings of a system, or go on with a study that was stopped."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from ganglion.cli.arguments import Switch
from ganglion.cli.flags import parse_flags, train_settings
from ganglion.cli.output import answer, duration, note
from ganglion.cli.wording import number, words
from ganglion.errors import UsageError
from ganglion.models import find
from ganglion.models.system import System
from ganglion.runs import facts
from ganglion.runs.tuning.dimensions import searchable, usual, written
from ganglion.runs.tuning.plan import Plan

if TYPE_CHECKING:
    from ganglion.runs.tuning.study import Study, Trial

USAGE = """usage: ganglion tune NAME [--data D] [--trials N] [--workers N]
           [--search FIELD=LOW..HIGH FIELD=A,B,C FIELD ...] [flags of NAME]
       ganglion tune STUDY [--trials N] [--workers N]

Look for good settings of a system, by Optuna. Every trial is an ordinary run;
trials that do worse than the middle of those before them are given up, and the
best are trained again with other seeds. A study that was stopped goes on where
it was: ganglion tune STUDY, or ganglion resume STUDY.

  ganglion tune mlp --data iris --trials 40 --workers 2
  ganglion tune mlp --search learning_rate=1e-4..1e-1 activation=relu,tanh
  ganglion tune mlp --search hidden_features=1..3x16..256 usual

`ganglion tune NAME --help` shows which fields are looked through, and where."""


def tune(words_: list[str]) -> None:
    """Look for good settings: `tune NAME [flags]`, or go on: `tune STUDY`."""
    if not words_ or words_[0] in ("-h", "--help"):
        print(USAGE)
        return
    first, rest = words_[0], words_[1:]
    if first.startswith("-"):
        raise UsageError("name the system before its flags", found=first, remedy="ganglion tune mlp --trials 20")
    if given(first):
        tyro.cli(_go_on(first), prog=f"ganglion tune {first}", args=rest, description="Go on with a study.")
        return
    system = find(first)
    search, rest = _search_of(rest)
    program, settings = f"ganglion tune {system.name}", train_settings(system)
    settings["data"] = [field for field in settings["data"] if field["name"] != "workers"]  # which load data
    settings = {"tuning": facts.fields(Plan()), **settings}
    summary = f"Look for good settings of {system.name}. The usual fields of this system, and where they are looked for"
    command, options = parse_flags(program, f"{summary}: {_usual(system)}.", Command, settings, rest)

    def work(announce: Any) -> "Study":
        from ganglion.runs.tuning.tuning import tune as look

        own = {"search": search, "workers": command.workers, "out": command.out, "announce": announce}
        return look(system.name, command.data, **own, **options)

    _run(work, command.json, command.quiet)


def given(folder: str) -> bool:
    """Whether a folder is that of a study."""
    return (Path(folder) / "study.json").is_file()


def resume(folder: str, as_json: bool, quiet: bool, **options: Any) -> None:
    """Go on with a study that was stopped."""

    def work(announce: Any) -> "Study":
        from ganglion.runs.tuning.tuning import continue_study

        return continue_study(folder, announce=announce, **options)

    _run(work, as_json, quiet)


def _go_on(folder: str) -> Callable[..., None]:
    def go_on(trials: int | None = None, workers: int = 1, json: bool = False, quiet: bool = False) -> None:
        """Go on.

        Args:
            trials: So many trials in all, instead of as many as it began with.
            workers: Processes that train at the same time.
            json: Print the result as JSON.
            quiet: Print the result only.
        """
        resume(folder, json, quiet, trials=trials, workers=workers)

    return go_on


def _search_of(rest: list[str]) -> tuple[list[str], list[str]]:
    """Part the words behind `--search` from the others: what they say looks like flags."""
    found: list[str] = []
    others: list[str] = []
    searching = False
    for word in rest:
        if word.startswith("-"):
            flag, equals, value = word.partition("=")
            searching = flag == "--search"
            if searching and equals:
                found.append(value)
            elif not searching:
                others.append(word)
        elif searching:
            found.append(word)
        else:
            others.append(word)
    if "--search" in rest and not found:
        raise UsageError("--search names nothing", expected="fields, such as learning_rate=1e-4..1e-1 dropout")
    return found, others


def _usual(system: System) -> str:
    """Return which fields are looked through where none is named, and where."""
    fields = searchable(system, (field for group in train_settings(system).values() for field in group))
    return "; ".join(f"{one.field}: {one}" for one in usual(fields)) or "none"


@dataclass(frozen=True, kw_only=True)
class Command:
    """Flags of `tune` itself."""

    data: Annotated[str | None, tyro.conf.arg(metavar="DATA", help_behavior_hint="")] = None
    """Name of a data set, or path of your own data."""
    out: Annotated[str | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")] = None
    """Folder of the study; runs/DATE_NAME when not given."""
    search: Annotated[tuple[str, ...], tyro.conf.arg(metavar="FIELD ...", help_behavior_hint="")] = ()
    """Fields to look through: NAME=LOW..HIGH, NAME=A,B,C, or NAME alone; widths of layers as 1..3x16..256; usual stands
    for those above."""
    workers: int = 1
    """Processes that train at the same time."""
    json: Switch = False
    """Print the result as JSON."""
    quiet: Switch = False
    """Print the result only."""


def _run(work: "Callable[[Any], Study]", as_json: bool, quiet: bool) -> None:
    """Look, say what comes of each trial, and print what came out."""
    folders: list[Path] = []

    def announce(study: "Study", trial: "Trial", run: str) -> None:
        if not folders:
            folders.append(study.folder)
            if not quiet:
                note(f"study: {study.folder}")
                for one in study.space:
                    note(f"  {words(one.field)}: {one}")
        if not quiet:
            note(_line(study, trial, run))

    try:
        study = work(announce)
    except KeyboardInterrupt:
        if folders:
            note(f"continue with  ganglion resume {quote(str(folders[0]))}")
        raise
    answer({"study": str(study.folder), **study.result}, as_json, lambda: _show(study))


def _line(study: "Study", trial: "Trial", run: str) -> str:
    """Return what came of a trial in a line."""
    outcome = trial.outcome
    assert outcome is not None
    name = run or f"trial {trial.number}/{study.description['trials']}"
    value = "" if outcome.value is None else f"  {words(outcome.measure)} {number(outcome.value)}"
    state = "" if outcome.state == "finished" else f"  {'given up' if outcome.state == 'pruned' else outcome.state}"
    reason = f": {outcome.reason}" if outcome.reason else ""
    tried = "  ".join(f"{words(name)} {value}" for name, value in _short(study, trial).items()) if not run else ""
    return f"{name}{value}{state}{reason}  {duration(outcome.seconds)}{'  ' * bool(tried)}{tried}"


def _short(study: "Study", trial: "Trial") -> dict[str, str]:
    return {name: written(value) for name, value in study.values(trial).items()}


def _show(study: "Study") -> None:
    """Print the tables, and the line that trains the winner."""
    from rich import print as show

    from ganglion.runs.tuning.reporting import finalists_table, importance_table, trials_table

    for table in (trials_table(study), importance_table(study), finalists_table(study)):
        if table is not None:
            (show if sys.stdout.isatty() else print)(table)
            print()
    winner = study.winner
    print(f"report  {study.folder / 'report.html'}")
    print(f"table   {study.folder / 'trials.csv'}")
    if winner:
        print(f"best    trial {winner.number}; to train it anew:")
        print(study.command(winner))
