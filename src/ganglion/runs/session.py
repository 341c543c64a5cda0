"""From a name and some options to a trained run: reads, builds, trains, judges, draws, reports."""

import dataclasses
import multiprocessing
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ganglion import __version__, figures
from ganglion.core import LearningRule, Loader, Players
from ganglion.core.team import Team
from ganglion.data.dataset import Dataset
from ganglion.data.formats.stored import store
from ganglion.data.settings import DataSettings
from ganglion.errors import BegunError, CheckpointError, UsageError
from ganglion.models import System, find
from ganglion.runs import weights
from ganglion.runs.doctor import Doctor
from ganglion.runs.generated import beside_generated
from ganglion.runs.migration import FORMAT
from ganglion.runs.opening import build, checked
from ganglion.runs.options import lengthened, refuse_overruled, settle
from ganglion.runs.preparing import Source, as_source, prepare_task, samples_of
from ganglion.runs.report import run_report
from ganglion.runs.run import Run
from ganglion.runs.run import load as load
from ganglion.runs.run import open_run as open_run
from ganglion.runs.sheets import Sheets
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.base import DrawsSheets, Task
from ganglion.training import checkpoint
from ganglion.training.best import monitored
from ganglion.training.freezing import freeze
from ganglion.training.machine.allocator import keep_big_blocks
from ganglion.training.machine.device import choose_device, settle_precision
from ganglion.training.machine.seeding import random_state, seed_all, set_random_state, surroundings
from ganglion.training.machine.signals import Interrupted, stop_requests
from ganglion.training.processes import refuse_alone, stopped_by, team_of
from ganglion.training.processes.folders import create, opened
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Callback, Trainer

REPORT = "report.html"


@dataclasses.dataclass
class Session:
    """A run that is ready to train: show what is to be shown, then call `fit`."""

    system: System
    task: Task
    rule: LearningRule
    trainer: Trainer
    files: RunFolder
    notes: tuple[str, ...]
    """What was inferred from the data, and what resuming could not promise; doubts are findings of the trainer."""
    random_state: dict[str, Any]
    """Of all generators when the run was ready: what others draw before it is trained changes nothing."""

    def fit(self) -> Run:
        """Train, judge the best weights on the test part, draw the figures and write the report.

        A signal leaves a checkpoint from which `resume` goes on to the same bits, whatever was being done. What is
        refused before anything was learnt leaves nothing.
        """
        self.work()
        return Run(self.files.path)

    def work(self) -> None:
        """Do all of `fit` but open the run, which only the first of several processes may be able to."""
        refused = False
        try:
            with stop_requests(raises=True):
                self.files.lock()
                for said in (*self.notes, *map(str, self.trainer.findings)):
                    self.files.log(said)
                steps, minutes = self.trainer.total_steps, self.trainer.settings.minutes
                end = f"for {minutes:g} minutes" if steps is None else f"to {steps}"
                self.files.log(f"training from step {self.trainer.iteration} {end}")
                with surroundings(self.trainer.settings.threads, self.trainer.settings.deterministic):
                    set_random_state(self.random_state)
                    self.trainer.fit()
                    if self.files.writes:
                        self._conclude()
                    stopped_by(self.trainer.team, None)  # so that all wait for the end
        except BaseException as error:
            refused = isinstance(error, UsageError) and not self.trainer.iteration
            if isinstance(error, Interrupted):
                error.saved = bool(checkpoint.steps(self.files.checkpoints))
            with suppress(CheckpointError):  # the folder may be what is wrong
                self.files.log(f"stopped at step {self.trainer.iteration}: {str(error) or type(error).__name__}")
            raise
        finally:
            self.files.unlock()
            if refused:
                self.files.withdraw()

    def _conclude(self) -> None:
        if self.trainer.learner.sharded:  # each process has a part of the network
            self.rule = build(self.system, self.task.config)
            self.rule.home.load_state_dict(self.files.usable_weights()[0])
        self.task.calibrate(self.rule)
        self.files.write("config.json", checked(self.files.read("config.json")) | {"state": self.task.state()})
        metrics, baseline = self.task.evaluate(self.rule, "test"), self.task.baseline()
        name = self.task.score
        self.files.figures.mkdir(exist_ok=True)
        drawn = {"curves": figures.curves(self.files.metrics())} | self.task.figures(self.rule)
        for title, figure in drawn.items():
            figures.save(figure, self.files.figures / f"{title}.png")
        for title, film in self.task.moving(self.rule).items():
            figures.save_film(film.frames, self.files.figures / f"{title}.gif", film.rate)
        result = {
            "score_name": name,
            "higher_is_better": self.task.higher_is_better,
            "score": metrics[name],
            "baseline": baseline.get(name),
            "metrics": metrics,
            "baseline_metrics": baseline,
            "seconds": round(self.trainer.seconds, 2),
            "steps": self.trainer.iteration,
            "best_step": self.trainer.best.step,
            "stopped_early": self.trainer.stopped_early,
            "parameters": count_parameters(self.rule),
        }
        self.files.write("result.json", result)
        self.files.log(f"finished: {name} {metrics[name]:.6g} on the test part, baseline {baseline.get(name)}")
        run_report(self.files.path)


def train(
    name: str, data: Source = None, *, out: str | Path | None = None, callbacks: Sequence[Callback] = (), **options: Any
) -> Run:
    """Train a system of the index on `data` and return its run.

    `data` is a name (`ganglion data list`), a path, a pair of arrays or a `Dataset`. `options` are fields of the
    system's `Config`, of `TrainerSettings` and of `DataSettings`; fields of a nested setting are dotted, except those
    of `descent`, the optimizer of a system that has one: `learning_rate=0.01`. With `form="published"` what is not
    given is as in the literature instead of small.
    """
    begun = begin(name, data, out=out, callbacks=callbacks, **options)
    return begun.fit() if isinstance(begun, Session) else begun


def begin(
    name: str, data: Source = None, *, out: str | Path | None = None, callbacks: Sequence[Callback] = (), **options: Any
) -> Session | Run:
    """Prepare a new run, or in several processes the one that this call began; a finished one is returned as it is."""
    try:
        return prepare(name, data, out=out, callbacks=callbacks, **options)
    except BegunError as error:
        return prepare_resume(error.where, callbacks=callbacks)


def prepare(
    name: str, data: Source = None, *, out: str | Path | None = None, callbacks: Sequence[Callback] = (), **options: Any
) -> Session:
    """Do all of `train` that comes before the first update; the run folder is locked from here on."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise UsageError(
            "this script trains while a worker process of it only imports it",
            where=name,
            remedy='put what the script does below `if __name__ == "__main__":`',
        )
    with stop_requests(raises=True):
        return _prepare(name, data, out, callbacks, options)


def _prepare(
    name: str, data: Source, out: str | Path | None, callbacks: Sequence[Callback], options: dict[str, Any]
) -> Session:
    system = find(name)
    config, trainer_settings, data_settings = settle(system, options, data)
    device = choose_device(trainer_settings.device)  # one that is not here is refused before anything is written
    precision = settle_precision(trainer_settings.precision, device, getattr(config, "bf16_is_safe", False))
    trainer_settings = dataclasses.replace(trainer_settings, precision=precision)  # resuming elsewhere keeps it
    team = team_of(trainer_settings)
    if team and team.exact and trainer_settings.threads is None:
        trainer_settings = dataclasses.replace(trainer_settings, threads=1)
    with surroundings(trainer_settings.threads, trainer_settings.deterministic):
        return _found(system, data, out, callbacks, (config, trainer_settings, data_settings), options, team)


def _found(
    system: System,
    data: Source,
    out: str | Path | None,
    callbacks: Sequence[Callback],
    settings: tuple[Any, TrainerSettings, DataSettings],
    given: Collection[str],
    team: Team | None,
) -> Session:
    """Prepare a run whose settings are known, some of them given by the user, and make its folder."""
    config, trainer_settings, data_settings = settings
    source = as_source(system, system.data if data is None else data, data_settings)
    source = beside_generated(system, source, config, data_settings)
    task = prepare_task(system, source, config, data_settings, trainer_settings.seed)
    refuse_overruled(given, config, task.config)
    monitored(task.measures, trainer_settings.monitor)  # one that is not measured is refused likewise
    foundation = _lay(system, task, trainer_settings, anew=True)
    trainer_settings = lengthened(system, trainer_settings, foundation[1].batches_per_epoch, given)
    started = weights.start(foundation[0], trainer_settings)
    freeze(foundation[0], trainer_settings.freeze)  # names that are none are refused before there is a folder
    description = {
        "format": FORMAT,
        "ganglion": __version__,
        "system": system.name,
        "task": task.name,
        "data": source.source if isinstance(source, Dataset) else source,
        "fingerprint": task.fingerprint,
        "samples": samples_of(task),
        "config": to_dict(task.config),
        "trainer": to_dict(trainer_settings),
        "data_settings": to_dict(data_settings),
        "state": task.state(),
        "started": started,
    }
    label = source.name if isinstance(source, Dataset) else Path(source).stem.rpartition(":")[2]
    refuse_alone(foundation[0], system.name, team, trainer_settings)
    files = create(team, out, f"{system.name}-{label}", description)
    with _unlocked_on_error(files):
        if isinstance(source, Dataset) and files.writes:
            store(source, files.path)
        session = _assemble(system, task, foundation, trainer_settings, files, callbacks, team)
        return dataclasses.replace(session, notes=(*started, *session.notes))


@contextmanager
def _unlocked_on_error(files: RunFolder) -> Iterator[None]:
    try:
        yield
    except BaseException:
        files.unlock()
        raise


def resume(
    folder: str | Path,
    *,
    callbacks: Sequence[Callback] = (),
    steps: int | None = None,
    epochs: int | None = None,
    data: str | Path | None = None,
    strict: bool = False,
    exact: bool = False,
) -> Run:
    """Continue a run from its newest usable checkpoint; a finished one only if told to train longer.

    `data` says where the data lies now, if it was moved; the run remembers it, a finished one, too.
    With `strict` a damaged newest checkpoint is an error, with `exact` whatever may change a bit: another torch,
    kind of device, processor or number of threads.
    """
    session = prepare_resume(
        folder, callbacks=callbacks, steps=steps, epochs=epochs, data=data, strict=strict, exact=exact
    )
    return session.fit() if isinstance(session, Session) else session


def prepare_resume(
    folder: str | Path,
    *,
    callbacks: Sequence[Callback] = (),
    steps: int | None = None,
    epochs: int | None = None,
    data: str | Path | None = None,
    strict: bool = False,
    exact: bool = False,
) -> Session | Run:
    """Do all of `resume` that comes before the next update; a run with nothing left to do is returned as it is."""
    found = RunFolder.open(folder)
    with stop_requests(raises=True):
        trained = from_dict(TrainerSettings, checked(found.read("config.json"))["trainer"], where="config.json")
        team = team_of(trained)
        files = opened(team, folder)
        files.lock()
        with _unlocked_on_error(files):
            session = _prepare_resume(files, callbacks, steps, epochs, data, strict, exact, team)
    if isinstance(session, Run):
        files.unlock()
    return session


def _prepare_resume(
    files: RunFolder,
    callbacks: Sequence[Callback],
    steps: int | None,
    epochs: int | None,
    data: str | Path | None,
    strict: bool,
    exact: bool,
    team: Team | None,
) -> Session | Run:
    description = checked(files.read("config.json"))
    longer = steps is not None or epochs is not None
    if (files.path / "result.json").exists() and not longer:
        if files.writes and not (files.path / REPORT).exists():  # killed between the two
            run_report(files.path)
        if data is not None:
            Run(files.path).prepared_task(data)
            files.write("config.json", description | {"data": str(data)})
        return Run(files.path)
    settings = from_dict(TrainerSettings, description["trainer"], where="config.json")
    if longer:
        settings = dataclasses.replace(settings, steps=steps, epochs=epochs, minutes=None)
    with surroundings(settings.threads, settings.deterministic):
        return _continue(files, description, settings, longer, callbacks, data, strict, exact, team)


def _continue(
    files: RunFolder,
    description: dict[str, Any],
    settings: TrainerSettings,
    longer: bool,
    callbacks: Sequence[Callback],
    data: str | Path | None,
    strict: bool,
    exact: bool,
    team: Team | None,
) -> Session:
    """Take up a run whose settings are known where it was left."""
    run, anew = Run(files.path), not checkpoint.steps(files.checkpoints)
    if anew and run.result:
        raise CheckpointError(
            "this run has finished, and none of its checkpoints is left",
            where=str(files.checkpoints),
            remedy="put them back, or start a new run",
        )
    task = run.prepared_task(data)
    foundation = _lay(run.system, task, settings, anew)
    if team:
        refuse_alone(foundation[0], run.system.name, team, settings)
    session = _assemble(run.system, task, foundation, settings, files, callbacks, team)
    doubts = session.trainer.resume(strict, exact)
    if anew:
        doubts = ["there is no checkpoint of this run yet: it begins from the start"]
    if longer and files.writes:  # and it can be: a run that cannot go on keeps its result
        # In this order: a run that is killed here ends as it would have, and never passes for a longer one.
        (files.path / "result.json").unlink(missing_ok=True)
    if longer or data is not None:
        files.write(
            "config.json", description | {"trainer": to_dict(settings), "data": str(data or description["data"])}
        )
    return dataclasses.replace(session, notes=(*session.notes, *doubts), random_state=random_state())


def _lay(system: System, task: Task, settings: TrainerSettings, anew: bool) -> tuple[LearningRule, Loader]:
    """Build what a run stands on; whatever cannot be is refused here, before anything is written."""
    keep_big_blocks()
    seed_all(settings.seed)
    rule = build(system, task.config)
    if settings.adversarial_epsilon:
        task.harden(rule, settings.adversarial_epsilon, settings.adversarial_steps)
    if settings.mixup:
        task.mix(rule, settings.mixup)
    if anew:
        task.begin(rule)
    return rule, task.loader(rule, settings.seed)


def _assemble(
    system: System,
    task: Task,
    foundation: tuple[LearningRule, Loader],
    settings: TrainerSettings,
    files: RunFolder,
    callbacks: Sequence[Callback],
    team: Team | None,
) -> Session:
    (rule, loader), every = foundation, settings.sample_every
    callbacks = callbacks if files.writes else ()
    if files.writes and not settings.shard and isinstance(task, DrawsSheets) and every != "off":
        callbacks = [Sheets(task.sheet, None if every == "auto" else every), *callbacks]
    if isinstance(rule, Players):
        callbacks = [*callbacks, Doctor.of(task, settings.on_collapse)]
    trainer = Trainer(
        rule,
        loader,
        settings,
        evaluate=task.evaluate if task.has_validation else None,
        measures=task.measures,
        run=files,
        callbacks=callbacks,
        findings=task.findings,
        team=team,
    )
    notes = task.notes if team is None else (*task.notes, f"in {team}")
    return Session(system, task, rule, trainer, files, notes, random_state())


def count_parameters(rule: LearningRule) -> int:
    """Return the trainable parameters of all networks of a rule."""
    return sum(
        parameter.numel()
        for network in rule.networks.values()
        for parameter in network.parameters()
        if parameter.requires_grad
    )
