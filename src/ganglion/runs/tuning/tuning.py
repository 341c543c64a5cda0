"""Tuning: asks for trials, lets them be trained, tells what came of them, and trains the best again."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, final

import filelock

from ganglion import __version__
from ganglion.data.dataset import Dataset
from ganglion.data.formats.stored import STORED, store
from ganglion.data.settings import DataSettings
from ganglion.errors import CheckpointError, ConfigurationError, DataError, UsageError
from ganglion.models import System, find
from ganglion.runs import facts
from ganglion.runs.generated import beside_generated
from ganglion.runs.options import settle
from ganglion.runs.preparing import Source, as_source
from ganglion.runs.several import folder_of_runs
from ganglion.runs.tuning.dimensions import Dimension, parsed, search_texts, searchable, usual
from ganglion.runs.tuning.journal import Journal
from ganglion.runs.tuning.plan import Plan
from ganglion.runs.tuning.proposals import optuna, propose
from ganglion.runs.tuning.pruning import bars
from ganglion.runs.tuning.reporting import write_results
from ganglion.runs.tuning.study import DESCRIPTION, FORMAT, JOURNAL, Study, Trial, ranked, seeded
from ganglion.runs.tuning.trial import Assignment
from ganglion.runs.tuning.workers import Crew
from ganglion.settings import at_least, between, bounded, to_dict
from ganglion.training.durable import write_synced
from ganglion.training.machine.signals import stop_requests
from ganglion.training.settings import TrainerSettings

Workers = Annotated[int, between(1, 1024)]
Announce = Callable[[Study, Trial, str], None]
"""Is told of a study and a trial when it is over, and of the name of its run where it was trained with another seed."""


@bounded
def tune(
    name: str,
    data: Source = None,
    *,
    search: Any = (),
    workers: Workers = 1,
    executor: Executor | None = None,
    out: str | Path | None = None,
    announce: Announce = lambda study, trial, run: None,
    trials: int = Plan.trials,
    at_once: int = Plan.at_once,
    warm_up: float = Plan.warm_up,
    finalists: int = Plan.finalists,
    seeds: int = Plan.seeds,
    by_chance: bool = False,
    **options: Any,
) -> Study:
    """Look for good settings of a system on `data` and return the study.

    Each trial is an ordinary run; the best are trained again with other seeds. A study that was killed goes on with
    `continue_study` as if it had not been.

    Args:
        name: of the system.
        data: as for `ganglion.train`.
        search: where to look: `{"learning_rate": (1e-4, 1e-1), "activation": ["relu", "tanh"], "dropout": None}`, or as
            on the command line, `["learning_rate=1e-4..1e-1"]`; the usual fields of the system when not given.
        workers: processes that train at the same time.
        executor: any `concurrent.futures.Executor` that trains instead, here or on other machines that see the folder.
        out: folder of the study.
        announce: is told of each trial that is over.
        trials: sets of values to try.
        at_once: trials that may be under way at once.
        warm_up: share of a run before which no trial is given up.
        finalists: best trials that are trained again.
        seeds: with how many seeds.
        by_chance: draw values evenly instead.
        options: fields that are the same for all trials, as for `ganglion.train`.

    Raises:
        UsageError: there is no such field, or what training starts from is refused.
        MissingExtraError: Optuna is not installed.
    """
    plan = Plan(trials=trials, at_once=at_once, warm_up=warm_up, finalists=finalists, seeds=seeds, by_chance=by_chance)
    optuna()
    system = find(name)
    config, _, data_settings = settle(system, options, data)
    source = as_source(system, system.data if data is None else data, data_settings)
    fixed = {key: to_dict(value) if dataclasses.is_dataclass(value) else value for key, value in options.items()}
    space = _space(system, config, search_texts(search), fixed, data)
    source = beside_generated(system, source, config, data_settings)
    fixed.pop("generators", None)  # which have drawn what they draw
    if "threads" not in {**system.starting_from(data), **fixed}:
        fixed["threads"] = 1  # bits follow from the number of threads, and workers share the processors
    label = source.name if isinstance(source, Dataset) else Path(source).stem.rpartition(":")[2]
    folder, made = folder_of_runs(out, f"{name}-{label}-tuning")
    if isinstance(source, Dataset):
        store(source, folder)
    description = {
        "format": FORMAT,
        "ganglion": __version__,
        "optuna": optuna().__version__,
        "system": name,
        "data": STORED if isinstance(source, Dataset) else source,
        "options": fixed,
        "space": [one.to_dict() for one in space],
        "seed": settle(system, options, data)[1].seed,
        **to_dict(plan),
    }
    write_synced(folder / DESCRIPTION, json.dumps(description, indent=1))
    try:
        return continue_study(folder, workers=workers, executor=executor, announce=announce)
    except (UsageError, DataError):
        if made and not any(folder.glob("trial-*/result.json")):  # refused before anything was learnt
            shutil.rmtree(folder, ignore_errors=True)
            if out is None:
                with suppress(OSError):  # other runs are in it
                    folder.parent.rmdir()
        raise


@bounded
def continue_study(
    folder: str | Path,
    *,
    trials: Annotated[int, at_least(1)] | None = None,
    workers: Workers = 1,
    executor: Executor | None = None,
    announce: Announce = lambda study, trial, run: None,
) -> Study:
    """Train what is left of a study, the trials under way from their checkpoints, and sum up.

    Args:
        folder: of the study.
        trials: so many in all, instead of as many as it began with.
        workers: processes that train at the same time, which may be others than before.
        executor: trains instead.
        announce: is told of each trial that is over.
    """
    optuna()
    study = Study(folder)
    lock = filelock.FileLock(study.folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise CheckpointError(
            "the study is in use by another process", where=str(study.folder), remedy="wait for it or stop it"
        ) from None
    try:
        if trials is not None and trials != study.description["trials"]:
            study.description.pop("result", None)
            study.description["trials"] = trials
            write_synced(study.folder / DESCRIPTION, json.dumps(study.description, indent=1))
        with stop_requests(raises=True), Crew(workers, executor) as crew:
            tuning = _Tuning(study, crew, announce)
            tuning.look()
            tuning.train_again()
        return write_results(Study(folder))
    finally:
        lock.release()


@final
class _Tuning:
    """A study under way: this alone writes its journal."""

    def __init__(self, study: Study, crew: Crew, announce: Announce) -> None:
        self.study, self.crew, self.announce = study, crew, announce
        self.journal = Journal(study.folder / JOURNAL)
        self.journal.mend()
        self.trials = study.trials

    def look(self) -> None:
        """Ask for trials, at most so many ahead, and tell them in their order."""
        plan, over = self.study.description, sum(one.outcome is not None for one in self.trials)
        while over < plan["trials"]:
            while len(self.trials) < min(plan["trials"], over + plan["at_once"]) and self._ask():
                pass
            if over == len(self.trials):  # there is nothing left to try
                return
            for trial in self.trials[over:]:
                self.crew.start(trial.name, self._assignment(trial, trial.name))
            trial = self.trials[over]
            outcome = self.crew.outcome(trial.name)
            self.journal.append({"told": trial.number, "outcome": dataclasses.asdict(outcome)})
            self.trials[over] = dataclasses.replace(trial, outcome=outcome)
            over += 1
            self.announce(self.study, self.trials[over - 1], "")

    def _ask(self) -> bool:
        """Propose the next trial by what was told of all but the last few; return whether there is one."""
        study, number = self.study, len(self.trials) + 1
        known = max(0, number - study.description["at_once"])
        told = [one.told() for one in self.trials[:known]]
        open_ = [dataclasses.replace(one, outcome=None).told() for one in self.trials[known:]]
        options: dict[str, Any] = {}
        point: dict[str, Any] | None = {name: at for one in study.space for name, at in one.starting().items()}
        if number > 1:
            point = propose(
                study.axes,
                [*told, *open_],
                seed=study.description["seed"],
                higher_is_better=study.higher_is_better,
                by_chance=study.description["by_chance"],
            )
            if point is None:
                return False
            options = {one.field: one.value(point) for one in study.space}
        entry = {"asked": number, "options": options, "point": point, "bars": bars(told, study.description["warm_up"])}
        self.journal.append(entry)
        entry = json.loads(json.dumps(entry))
        self.trials.append(Trial(number=number, **{name: entry[name] for name in ("options", "point", "bars")}))
        return True

    def _assignment(self, trial: Trial, run: str, **options: Any) -> Assignment:
        study = self.study
        return Assignment(
            system=study.description["system"],
            data=study.description["data"],
            folder=str(study.folder / run),
            options=study.options(trial) | options,
            bars=() if options else trial.bars,
            is_first=trial.number == 1 and not options,
        )

    def train_again(self) -> None:
        """Train the best trials with other seeds."""
        plan = self.study.description
        best = [one for one in ranked(self.trials) if one.outcome and one.outcome.state == "finished"]
        known = {entry["told"] for entry in self.study.entries if "told" in entry}
        to_do: list[tuple[str, Trial]] = []
        for trial in best[: plan["finalists"]]:
            for number in range(1, plan["seeds"] + 1):
                name = seeded(trial, number)
                if name not in known:
                    to_do.append((name, trial))
                    self.crew.start(name, self._assignment(trial, name, seed=plan["seed"] + number))
        for name, trial in to_do:
            outcome = self.crew.outcome(name)
            self.journal.append({"told": name, "outcome": dataclasses.asdict(outcome)})
            self.announce(self.study, dataclasses.replace(trial, outcome=outcome), name)


def _space(
    system: System, config: Any, texts: Sequence[str], fixed: Mapping[str, Any], data: object
) -> list[Dimension]:
    """Return where is looked, with every end and choice checked against the settings of the system."""
    start = {**system.starting_from(data), **fixed}
    fields = searchable(
        system,
        (
            {**field, "default": start.get(field["name"], field["default"])}
            for settings in (config, TrainerSettings(), DataSettings())
            for field in facts.fields(settings)
        ),
    )
    space = parsed(texts, fields, fixed) if texts else usual(fields, fixed)
    if not space:
        raise UsageError(
            f"{system.name} has no usual fields to look through",
            where="search",
            remedy=f"name some: --search learning_rate=1e-4..1e-1; `ganglion info {system.name}` lists all",
        )
    for one in space:
        for end in one.ends():
            try:
                settle(system, {**fixed, one.field: end}, data)
            except ConfigurationError as error:
                error.where = f"search {one.field}" + (f", {error.where}" if error.where else "")
                raise
    return space
