"""The one trainer: it drives any learning rule with any loader, and can name neither."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, final

from ganglion.core import Batch, LearningRule, Loader, Measure
from ganglion.core.team import Team
from ganglion.errors import CollapseError, NonFiniteError, UsageError
from ganglion.findings import Finding
from ganglion.training import checkpoint
from ganglion.training.best import Best, monitored
from ganglion.training.callback import Callback as Callback
from ganglion.training.callback import give_back, states_of
from ganglion.training.found import Found
from ganglion.training.freezing import freeze
from ganglion.training.learner import Learner
from ganglion.training.machine import seeding
from ganglion.training.machine.denormals import denormals_flushed
from ganglion.training.machine.device import choose_device, place, tf32
from ganglion.training.machine.signals import Interrupted as Interrupted
from ganglion.training.machine.signals import StopRequest, stop_requests
from ganglion.training.measurements import Measurements
from ganglion.training.phases import Phases
from ganglion.training.processes import first, judged, stopped_by
from ganglion.training.recovery import Recovery, memory_watched
from ganglion.training.run_folder import RunFolder
from ganglion.training.saving import Saving, nothing_held_back
from ganglion.training.schedule import keep_schedule, share_done, total_steps
from ganglion.training.settings import TrainerSettings
from ganglion.training.stopwatch import Stopwatch
from ganglion.training.timetable import Timetable

Evaluate = Callable[[LearningRule], dict[str, float]]
LOSS = Measure(name="loss", higher_is_better=False, meaning="what is descended on")


@final
class Trainer:
    """Trains `rule` on `loader`, and with a `run` writes everything needed to go on from any checkpoint.

    `evaluate` judges the rule on held-out data and returns `measures`, of which the first, or the one that the settings
    name, decides which weights are best. `iteration` counts batches, not optimizer calls. The state is `state_dict`:
    with the same data, threads and torch build, a trainer that loads it continues bit for bit.
    """

    def __init__(
        self,
        rule: LearningRule,
        loader: Loader,
        settings: TrainerSettings,
        *,
        evaluate: Evaluate | None = None,
        measures: Sequence[Measure] = (LOSS,),
        run: RunFolder | None = None,
        callbacks: Sequence[Callback] = (),
        findings: Sequence[Finding] = (),
        team: Team | None = None,
    ) -> None:
        if settings.goes_back and not run:
            raise UsageError("there is nothing to roll back to without a run folder", remedy="skip, or stop")
        self.rule, self.loader, self.settings = rule, loader, settings
        self.run, self.callbacks, self._evaluate, self.team = run, callbacks, evaluate, team
        self.measure = monitored(measures, settings.monitor)
        self.device = choose_device(settings.device)
        self._period = loader.batches_per_epoch
        self.phases = Phases(rule.phases, total_steps(settings, self._period))
        self._saving = Saving(run, settings, alone=team is None) if run else None
        self.timetable = Timetable(settings, self._period, self.device, bool(self._saving and self._saving.at_leisure))
        self.iteration = 0
        self.best = Best(self.measure, settings.patience)
        self.findings = Found(findings, run)
        self.row: dict[str, Any] = {}
        self._learning = 0
        """The batch under way, counted from 1."""
        self._settled = True
        """Whether the evaluation and the report that are due after this iteration have been made."""
        self._saved_step = 0
        self._measurements, self._stopwatch, self._stop = Measurements(), Stopwatch(), StopRequest()
        place(rule, loader, self.device)
        self._tell_phase()
        self.learner = Learner(rule, settings, self.device, self._note, team)

    @property
    def total_steps(self) -> int | None:
        """Iterations of the whole run; None while those of a run of minutes are not known yet."""
        return self.phases.total

    @property
    def epoch(self) -> float:
        """Passes over the training part so far; iterations where the loader has no end."""
        return self.iteration / self._period if self._period else float(self.iteration)

    @property
    def samples(self) -> int:
        return self._stopwatch.samples

    @property
    def seconds(self) -> float:
        """Time that training has taken, evaluations not counted."""
        return self._stopwatch.seconds

    @property
    def stopped_early(self) -> bool:
        return self.phases.is_last and self.best.patience_is_used_up

    @property
    def finished(self) -> bool:
        return self.phases.is_last and self._phase_is_over

    @property
    def _phase_is_over(self) -> bool:
        return self.iteration >= self.phases.end or self.best.patience_is_used_up

    def fit(self) -> dict[str, Any]:
        """Train to the end and return the last report; the best weights are then in the rule's networks.

        Raises `Interrupted` on SIGINT, SIGTERM or SIGHUP after writing a checkpoint, `NonFiniteError` with the step
        and the samples when a loss or gradient stops being finite and `settings.non_finite` knows no way out,
        `ResourceError` when memory runs out, and `CheckpointError` when the run folder cannot be written.
        """
        surroundings = seeding.surroundings(self.settings.threads, self.settings.deterministic)
        safe = nothing_held_back(self._saving)
        with surroundings, denormals_flushed(), tf32(self.device), safe, stop_requests() as self._stop:
            self.findings.write()
            self._announce("on_start")
            self._stopwatch.start()
            self.timetable.start(self.seconds)
            if self.run and not self.finished:
                self._prepare_run()
            if not self._settled:
                self._after_step()
            while not self.finished:
                if self._phase_is_over:
                    self._next_phase()
                try:
                    self._pass()
                except (NonFiniteError, CollapseError) as error:
                    self._roll_back(error)
            self.learner.release()
            self._restore_best()
            self._announce("on_end")
        return self.row

    def _prepare_run(self) -> None:
        """Refuse a disk without room before the first update, and save the start where one may have to return to it."""
        assert self.run is not None and self._saving is not None
        self._saving.prepare(self.state_dict(), begun=self.iteration > 0)
        if self.settings.goes_back and not checkpoint.steps(self.run.checkpoints):
            self.save()

    def _next_phase(self) -> None:
        """Leave the phase that is over; the checkpoint of its end has been written."""
        self.phases.advance(self.iteration)
        self._begin_phase()
        if not self.phases.is_settled and (first(self.team, self.timetable.measure_anew()) or 0) <= 0:
            self.phases.settle(1, self.iteration)  # there is no time left for it
        if self.run and self.phases.current:
            self.run.unpoint("best")
            self.run.log(str(self.phases))

    def _begin_phase(self) -> None:
        """Make anew what belongs to a phase, once rule and loader have been told of it."""
        self._tell_phase()
        self.best.begin_anew()
        self.learner.begin_anew(self._note)

    def _tell_phase(self) -> None:
        if phase := self.phases.current:
            self.rule.begin(phase)
            self.loader.begin(phase)
            place(self.rule, self.loader, self.device)
        freeze(self.rule, self.settings.freeze)

    def _pass(self) -> None:
        """Learn from what is left of the loader's epoch, or of the phase."""
        batches = iter(self.loader)
        while not self._phase_is_over:
            self.timetable.step_begins()
            batch = self._next(batches)
            if batch is None:
                return
            self._iterate(batch)
            self.timetable.step_ended()
            self._announce("on_step")
            if not self.phases.is_settled and first(self.team, self.timetable.seconds_per_step) is not None:
                self._settle_length()
            self._after_step()
            if (number := stopped_by(self.team, self._stop.number)) is not None:
                self._leave(number)
            if self.run:
                self.run.check_now_and_then()

    def _settle_length(self) -> None:
        """Turn the minutes of a phase into iterations, and save the number: whoever resumes ends at the same one."""
        self._stopwatch.stop()
        if self._evaluate and not first(self.team, self.timetable.evaluation):
            self._judge_or_leave()
        self._stopwatch.start()
        if self.run:
            self.save()  # in order to know how long that takes
        done = self.iteration - self.phases.start
        left = first(self.team, self.timetable.steps_left(done, self.phases.share))
        self.phases.settle(done + int(left or 0), self.iteration)
        if self.run:
            self.run.log(f"{self.phases}, measured in a run of {self.settings.minutes:g} minutes")
            self.save()

    def _next(self, batches: Iterator[Batch]) -> Batch | None:
        try:
            with memory_watched("while loading data"):
                return next(batches, None)
        except Exception:
            if self._stop.number is not None:  # the signal may have reached the processes that load the data, too
                self._leave(self._stop.number)
            raise

    def _iterate(self, batch: Batch) -> None:
        self._learning = self.iteration + 1
        phases, halvings = self.phases, self.learner.recovery.roll_backs
        done, length = self.iteration - phases.start, phases.length if phases.is_settled else None
        keep_schedule(self.rule.optimizers.values(), self.settings, done, length, halvings, phases.held)
        measured = self.learner.learn(batch, self._learning, share_done(done, length, phases.held))
        self.iteration += 1
        self._settled = False
        self._stopwatch.samples += len(next(iter(batch.values())))
        if measured:
            self._measurements.add(measured)

    def _roll_back(self, error: NonFiniteError | CollapseError) -> None:
        """Go back to the newest checkpoint as `Recovery` says, or raise the error."""
        later = self.learner.recovery.after_roll_back(error, self._learning, self.settings.on_collapse)
        assert self.run is not None
        path, state, _ = self.run.newest() or checkpoint.load_newest(self.run.checkpoints)
        self.load_state_dict(state)
        self.learner.recovery = later
        self._stopwatch.start()
        share = f"learning rate divided by {2**later.roll_backs}"
        self.run.log(f"{error.what}: back to {path.name}, {share}{later.latest}")

    def _leave(self, number: int) -> None:
        if self.run and (self._saved_step != self.iteration or not self._settled):
            self.save()
        raise Interrupted(number, saved=self.run is not None)

    def _after_step(self) -> None:
        """Evaluate, report and save when it is time."""
        settings, last, improved = self.settings, self._phase_is_over, False
        due = partial(self.timetable.due, iteration=self.iteration, total=self.total_steps)
        evaluating = self._evaluate is not None and (last or due(settings.evaluate_every))
        if evaluating or last or due(settings.report_every):
            improved = self._report(evaluating)
            last = self._phase_is_over
        self._settled = True
        if improved and not self.run:
            self.best.weights = {name: tensor.clone() for name, tensor in self.learner.home_weights().items()}
        if self._saving and (last or self._saving.wants(improved, due(settings.checkpoint_every))):
            self.save(improved, soon=not last)

    def _report(self, evaluating: bool) -> bool:
        """Average the measurements since the last report, judge the networks, log one row; return whether it is best.

        Evaluation is not training time.
        """
        self.learner.refuse_not_finite(self.iteration)
        self._stopwatch.stop()
        judged = self._judge_or_leave() if evaluating else {}
        row: dict[str, Any] = {"step": self.iteration, "epoch": round(self.epoch, 4)}
        if self.phases.current:
            row["phase"] = self.phases.current.name
        row |= self._stopwatch.report() | self._measurements.take()
        if passed_over := self.learner.recovery.passed_over:
            row["passed_over"] = len(passed_over)
            self.report(self.learner.recovery.finding())
        row |= {f"validation_{name}": value for name, value in judged.items()}
        improves = evaluating and self.best.improves(judged[self.measure.name], self.iteration)
        self.row = row
        if self.run:
            self.run.append_metrics(row)
        self._stopwatch.start()
        self._announce("on_report")
        return improves

    def judge(self) -> dict[str, float]:
        """Evaluate on held-out data with the averaged weights where they are kept, disturbing nothing."""
        assert self._evaluate is not None
        timed, watched = self.timetable.timing("evaluation"), memory_watched("while evaluating")
        with timed, self.undisturbed(), self._stop.at_once(), watched:
            return self._evaluate(self.rule)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Put averaged weights, where they are kept, in their place, and keep random numbers as they are."""
        with seeding.random_state_kept(), self.learner.averaged():
            yield

    def _judge_or_leave(self) -> dict[str, float]:
        """Evaluate, or on a signal leave with a checkpoint of the moment before, from which it is done again."""
        try:
            return judged(self.team, self.judge)
        except Interrupted as stop:
            self._leave(stop.number)
            raise

    def _restore_best(self) -> None:
        weights, complaint = self.run.best_weights() if self.run else (self.best.weights, "")
        if self.run and complaint:
            self.run.log(f"{complaint}; using the last weights instead")
        self.learner.take_home(weights)

    def save(self, is_best: bool = False, soon: bool = False) -> None:
        """Write a checkpoint of this moment, or `soon`, unless there are weights in it that are not finite."""
        assert self.run is not None and self._saving is not None
        self.run.check()
        self.learner.refuse_not_finite(self.iteration)
        self.learner.check_finite(self.iteration)
        with self.timetable.timing("checkpoint"):
            written = self._saving.save(self.iteration, self.state_dict(), is_best, soon)
        if written:
            self._saved_step = self.iteration
            self._announce("on_checkpoint")

    def state_dict(self) -> dict[str, Any]:
        return {
            **self.learner.state_dict(),
            "loader": self.loader.state_dict(),
            "random": seeding.random_state(),
            "callbacks": states_of(self.callbacks),
            "trainer": {
                "iteration": self.iteration,
                "settled": self._settled,
                "measurements": self._measurements.state_dict(),
                "metrics_size": self.run.settle_metrics() if self.run else 0,
            }
            | {name: value for part in self._parts() for name, value in part.state_dict().items()},
            "about": seeding.guarantees(self.device, self.settings.threads, self.team),
        }

    def _parts(self) -> tuple[Phases, Best, Recovery, Stopwatch, Found]:
        """Return what counts beside the iterations; no two of their states share a name."""
        return self.phases, self.best, self.learner.recovery, self._stopwatch, self.findings

    def load_state_dict(self, state: dict[str, Any]) -> list[str]:
        """Take over a state and return a sentence for everything that rules out bit-for-bit continuation.

        Raises `CheckpointError` when the state is not one of this rule, loader and settings.
        """
        with checkpoint.fitting():
            doubts = self._load(state)
        return doubts + seeding.doubts(state.get("about"), self.device, self.settings.threads, self.team)

    def _load(self, state: dict[str, Any]) -> list[str]:
        trainer, before = state["trainer"], self.phases.number
        self.phases.load_state_dict(trainer)
        if self.phases.number != before:
            self._begin_phase()
        self.learner.load_state_dict(state)
        self.loader.load_state_dict(state["loader"])
        self.iteration, self._settled = trainer["iteration"], trainer["settled"]
        for part in self._parts():
            part.load_state_dict(trainer)
        self._measurements.load_state_dict(trainer["measurements"], self.device)
        self._saved_step = self.iteration
        if self.run:
            self.run.cut_metrics(trainer["metrics_size"])
        seeding.set_random_state(state["random"])
        return give_back(self.callbacks, state["callbacks"])

    def resume(self, strict: bool = False, exact: bool = False) -> list[str]:
        """Continue from the newest usable checkpoint of the run; a run without one starts afresh.

        Returns sentences about what was passed over and what cannot be promised. Raises `CheckpointError` when no
        checkpoint is usable, with `strict` when the newest one is not, and with `exact` when the bits may differ.
        """
        assert self.run is not None
        self.run.tidy()
        if (newest := self.run.newest(strict)) is None:
            self.run.cut_metrics(0)
            return []
        path, state, complaints = newest
        if exact:
            seeding.require_same(state.get("about"), self.device, self.settings.threads, str(path), self.team)
        doubts = self.load_state_dict(state)
        self.run.adopt(path, self.best.step)
        return complaints + doubts

    def _note(self, text: str) -> None:
        if self.run:
            self.run.log(text)
        self._announce("on_note", text)

    def report(self, finding: Finding) -> None:
        """Keep what was found out about the run, and tell it once; see `Training`."""
        if news := self.findings.add(finding, self.iteration):
            self._announce("on_finding", news)

    def _announce(self, hook: str, *details: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self, *details)
