"""The one trainer: it drives any learning rule with any loader, and can name neither."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

from torch import Tensor

from ganglion.core import Batch, LearningRule, Loader
from ganglion.errors import CheckpointError, NonFiniteError, UsageError
from ganglion.training import checkpoint
from ganglion.training import recovery as trouble
from ganglion.training.averaging import WeightAverage
from ganglion.training.callback import Callback as Callback
from ganglion.training.gpu.capture import capture
from ganglion.training.gpu.guard import guard
from ganglion.training.machine import seeding
from ganglion.training.machine.denormals import denormals_flushed
from ganglion.training.machine.device import choose_device, computing, place, tf32, to_device
from ganglion.training.machine.signals import Interrupted as Interrupted
from ganglion.training.machine.signals import StopRequest, stop_requests
from ganglion.training.measurements import Measurements
from ganglion.training.run_folder import RunFolder
from ganglion.training.schedule import keep_schedule, total_steps
from ganglion.training.settings import TrainerSettings

Evaluate = Callable[[LearningRule], dict[str, float]]

LOWER_IS_BETTER = ("loss", "error", "distance", "mae", "rmse", "mase", "gap")
ENDLESS_REPORTS = 20
"""Reports over a run whose loader has no epochs."""
COUNTERS = ("iteration", "seconds", "samples", "best", "best_step", "stale_evaluations", "passed_over", "roll_backs")


class Trainer:
    """Trains `rule` on `loader`, and with a `run` writes everything needed to go on from any checkpoint.

    `evaluate` judges the rule on held-out data; its `score` decides which weights are best. `iteration` counts
    batches, not optimizer calls. The state is `state_dict`: with the same data, threads and torch build, a trainer
    that loads it continues bit for bit.
    """

    def __init__(
        self,
        rule: LearningRule,
        loader: Loader,
        settings: TrainerSettings,
        *,
        evaluate: Evaluate | None = None,
        score: str = "loss",
        higher_is_better: bool = False,
        run: RunFolder | None = None,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.rule, self.loader, self.settings = rule, loader, settings
        self.run, self.callbacks, self._evaluate = run, callbacks, evaluate
        self.score = settings.monitor or score
        self.higher_is_better = higher_is_better if self.score == score else not self.score.endswith(LOWER_IS_BETTER)
        self.device = choose_device(settings.device)
        place(rule, loader, self.device)
        self._period = loader.batches_per_epoch
        self.total_steps = total_steps(settings, self._period)
        self.iteration, self.samples, self.seconds = 0, 0, 0.0
        self.best: float | None = None
        self.best_step = 0
        self.stale_evaluations = 0
        self.passed_over: list[int] = []
        """Batches, counted from 1, that were not learnt from because something was not finite."""
        self.roll_backs = 0
        self.row: dict[str, Any] = {}
        self._learning = 0
        """The batch under way, counted from 1."""
        self._settled = True
        """Whether the evaluation and the report that are due after this iteration have been made."""
        self._saved_step = 0
        self._best_weights: dict[str, Any] | None = None
        self._measurements = Measurements()
        self._reported = (0.0, 0)  # seconds and samples at the last report
        self._stop = StopRequest()
        self._average = WeightAverage(rule.home, settings.ema_decay) if settings.ema_decay else None
        self._guard = guard(rule.optimizers.values(), self.device) if settings.non_finite == "stop" else None
        self._capture = capture(rule, self.device, settings, self._guard is not None, self._note)
        if settings.non_finite == "roll-back" and not run:
            raise UsageError("there is nothing to roll back to without a run folder", remedy="skip, or stop")

    @property
    def epoch(self) -> float:
        """Passes over the training part so far; iterations where the loader has no end."""
        return self.iteration / self._period if self._period else float(self.iteration)

    @property
    def stopped_early(self) -> bool:
        return self.settings.patience is not None and self.stale_evaluations >= self.settings.patience

    @property
    def finished(self) -> bool:
        return self.iteration >= self.total_steps or self.stopped_early

    def fit(self) -> dict[str, Any]:
        """Train to the end and return the last report; the best weights are then in the rule's networks.

        Raises `Interrupted` on SIGINT, SIGTERM or SIGHUP after writing a checkpoint, `NonFiniteError` with the step
        and the samples when a loss or gradient stops being finite and `settings.non_finite` knows no way out,
        `ResourceError` when memory runs out, and `CheckpointError` when the run folder cannot be written.
        """
        surroundings = seeding.surroundings(self.settings.threads, self.settings.deterministic)
        with surroundings, denormals_flushed(), tf32(self.device), stop_requests() as self._stop:
            self._announce("on_start")
            if self.settings.monitor and self._evaluate and not self.finished:
                self._check_monitor(self._judge_or_leave())
            self._clock = time.perf_counter()
            if self.run and not self.finished:
                self._prepare_run()
            if not self._settled:
                self._after_step()
            while not self.finished:
                try:
                    self._pass()
                except NonFiniteError as error:
                    self._roll_back(error)
            if self._capture:
                self._capture.forget()  # its memory is wanted for what follows
            self._restore_best()
            self._announce("on_end")
        return self.row

    def _check_monitor(self, judged: dict[str, float]) -> None:
        """Refuse, before anything is learnt, to watch what evaluations do not say."""
        if self.score not in judged:
            raise UsageError(f"cannot monitor {self.score!r}", expected=f"one of {', '.join(judged)}")

    def _prepare_run(self) -> None:
        """Refuse a disk without room before the first update, and save the start where one may have to return to it."""
        assert self.run is not None
        state = self.state_dict()
        moments = 0 if self.iteration else 2 * checkpoint.size(state["networks"])  # which the optimizer will add
        self.run.preflight(checkpoint.size(state) + moments, self.settings.keep)
        if self.settings.non_finite == "roll-back" and not checkpoint.steps(self.run.checkpoints):
            self.save()

    def _pass(self) -> None:
        """Learn from what is left of the loader's epoch."""
        batches = iter(self.loader)
        while not self.finished:
            batch = self._next(batches)
            if batch is None:
                return
            self._iterate(batch)
            self._announce("on_step")
            self._after_step()
            if self._stop.number is not None:
                self._leave(self._stop.number)
            if self.run:
                self.run.check_now_and_then()

    def _next(self, batches: Iterator[Batch]) -> Batch | None:
        try:
            with trouble.memory_watched("while loading data"):
                return next(batches, None)
        except Exception:
            if self._stop.number is not None:  # the signal may have reached the processes that load the data, too
                self._leave(self._stop.number)
            raise

    def _iterate(self, batch: Batch) -> None:
        self._learning = self.iteration + 1
        keep_schedule(self.rule.optimizers.values(), self.settings, self.iteration, self.total_steps, self.roll_backs)
        measured = {} if self._learning in self.passed_over else self._learn(to_device(batch, self.device))
        self.iteration += 1
        self._settled = False
        self.samples += len(next(iter(batch.values())))
        if self._guard:
            self._guard.count()
        if measured:
            self._measurements.add(measured)
            if self._average:
                self._average.update()

    def _learn(self, batch: Batch) -> dict[str, Tensor]:
        """Let the rule learn from a batch; nothing was learnt when the answer is empty."""
        skipping = self.settings.non_finite == "skip"
        undone = trouble.undone_if_not_finite(self.rule, batch) if skipping else nullcontext()
        try:
            with trouble.memory_watched(f"at step {self._learning}", batch), undone:
                if self._capture:
                    return self._capture(batch)
                with computing(self.settings.precision, self.device):
                    return self.rule.step(batch)
        except NonFiniteError as error:
            before = range(self._learning - trouble.MOST_SKIPS, self._learning)
            if not skipping or set(before) <= set(self.passed_over):
                raise trouble.located(error, self._learning, batch) from error
            self.passed_over.append(self._learning)
            return {}

    def _roll_back(self, error: NonFiniteError) -> None:
        """Go back to the newest checkpoint, pass over the batch that did it, and halve the learning rate.

        Raises the error where that was not asked for, or was done often enough. Going back and leaving out data is
        how PaLM was trained through its spikes (Chowdhery et al. 2022), a lower rate how OPT was (Zhang et al. 2022).
        """
        if self.settings.non_finite != "roll-back" or self.roll_backs >= trouble.MOST_ROLL_BACKS:
            raise error
        assert self.run is not None
        roll_backs, passed_over = self.roll_backs + 1, [*self.passed_over, self._learning]
        path, state, _ = checkpoint.load_newest(self.run.checkpoints)
        self.load_state_dict(state)
        self.roll_backs, self.passed_over = roll_backs, passed_over
        self._clock = time.perf_counter()
        share = f"learning rate divided by {2**roll_backs}"
        self.run.log(f"{error.what}: back to {path.name}, {share}, batch {self._learning} passed over")

    def _leave(self, number: int) -> None:
        if self.run and (self._saved_step != self.iteration or not self._settled):
            self.save()
        raise Interrupted(number, saved=self.run is not None)

    def _after_step(self) -> None:
        """Evaluate, report and save when it is time."""
        settings, last = self.settings, self.finished
        evaluating = self._evaluate is not None and (last or self._due(settings.evaluate_every))
        if evaluating or last or self._due(settings.report_every):
            self._report(evaluating)
            last = self.finished
        self._settled = True
        improved = evaluating and self.best_step == self.iteration
        if improved and not self.run:
            self._best_weights = {name: tensor.clone() for name, tensor in self._judged_weights().items()}
        if self.run and (last or improved or self._due(settings.checkpoint_every)):
            self.save(improved)

    def _due(self, every: int | None) -> bool:
        return self.iteration % (every or self._period or max(1, self.total_steps // ENDLESS_REPORTS)) == 0

    def _report(self, evaluating: bool) -> None:
        """Average the measurements since the last report, judge the networks, and log one row."""
        if self._guard:
            self._guard.look(self.iteration)
        now = time.perf_counter()  # evaluation is not training time
        judged = self._judge_or_leave() if evaluating else {}
        self.seconds += now - self._clock
        spent, samples = self.seconds - self._reported[0], self.samples - self._reported[1]
        self._reported = (self.seconds, self.samples)
        row: dict[str, Any] = {"step": self.iteration, "epoch": round(self.epoch, 4)}
        row |= {"seconds": round(self.seconds, 3), "samples_per_second": round(samples / max(spent, 1e-9), 1)}
        row |= self._measurements.take()
        if self.passed_over:
            row["passed_over"] = len(self.passed_over)
        if evaluating:
            row |= {f"validation_{name}": value for name, value in judged.items()}
            self._compare(row)
        self.row = row
        if self.run:
            self.run.append_metrics(row)
        self._clock = time.perf_counter()
        self._announce("on_report")

    def judge(self) -> dict[str, float]:
        """Evaluate on held-out data with the averaged weights where they are kept, disturbing nothing."""
        assert self._evaluate is not None
        averaged = self._average.in_place() if self._average else nullcontext()
        with seeding.random_state_kept(), averaged, self._stop.at_once(), trouble.memory_watched("while evaluating"):
            return self._evaluate(self.rule)

    def _judge_or_leave(self) -> dict[str, float]:
        """Evaluate, or on a signal leave with a checkpoint of the moment before, from which it is done again."""
        try:
            return self.judge()
        except Interrupted as stop:
            self._leave(stop.number)
            raise

    def _compare(self, row: dict[str, Any]) -> None:
        """Remember the best evaluation; a score that is not finite never is."""
        value = row[f"validation_{self.score}"]
        sign = 1 if self.higher_is_better else -1
        if math.isfinite(value) and (self.best is None or sign * value > sign * self.best):
            self.best, self.best_step, self.stale_evaluations = value, self.iteration, 0
        else:
            self.stale_evaluations += 1

    def _judged_weights(self) -> dict[str, Tensor]:
        """Return the weights that evaluation saw and that a user takes home."""
        return self._average.weights() if self._average else self.rule.home.state_dict()

    def _restore_best(self) -> None:
        weights, complaint = self.run.best_weights() if self.run else (self._best_weights, "")
        if self.run and complaint:
            self.run.log(f"{complaint}; using the last weights instead")
        self.rule.home.load_state_dict(weights or self._judged_weights())

    def save(self, best: bool = False) -> None:
        """Write a checkpoint of this moment, unless there are weights in it that are not finite."""
        assert self.run is not None
        self.run.check()
        if self._guard:
            self._guard.look(self.iteration)
        state = self.state_dict()
        finite = ("weights", "networks", "average")
        trouble.check_finite({part: state[part] for part in finite} | self.rule.tensors, self.iteration)
        path = checkpoint.save(self.run.checkpoints, self.iteration, state)
        self._saved_step = self.iteration
        if best:
            self.run.point("best", path)
        self.run.point("last", path)
        pointed = self.run.pointed("best")
        checkpoint.prune(self.run.checkpoints, self.settings.keep, {pointed.name} if pointed else set())
        self._announce("on_checkpoint")

    def state_dict(self) -> dict[str, Any]:
        rule = self.rule.state_dict()
        return {
            "weights": self._judged_weights(),
            "networks": rule.pop("networks"),
            "optimizers": rule.pop("optimizers"),
            "rule": rule,
            "loader": self.loader.state_dict(),
            "random": seeding.random_state(),
            "average": self._average.state_dict() if self._average else None,
            "trainer": {
                **{name: getattr(self, name) for name in COUNTERS},
                "settled": self._settled,
                "measurements": self._measurements.state_dict(),
                "reported": self._reported,
                "metrics_size": self.run.settle_metrics() if self.run else 0,
            },
            "about": seeding.guarantees(self.device, self.settings.threads),
        }

    def load_state_dict(self, state: dict[str, Any]) -> list[str]:
        """Take over a state and return a sentence for everything that rules out bit-for-bit continuation.

        Raises `CheckpointError` when the state is not one of this rule, loader and settings.
        """
        try:
            self._load(state)
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise CheckpointError(
                "the checkpoint does not fit this run",
                found=" ".join(f"{type(error).__name__}: {error}".split()),
                remedy="its config.json was changed, or another version of ganglion wrote it: start a new run",
            ) from error
        return seeding.doubts(state.get("about"), self.device, self.settings.threads)

    def _load(self, state: dict[str, Any]) -> None:
        if (self._average is None) != (state["average"] is None):
            raise CheckpointError(
                "the checkpoint and the settings disagree on ema_decay",
                where="config.json",
                remedy="put the original file back, or start a new run",
            )
        trainer = dict(state["trainer"])
        if self._capture:
            self._capture.forget()
        self.rule.load_state_dict({**state["rule"], "networks": state["networks"], "optimizers": state["optimizers"]})
        self.loader.load_state_dict(state["loader"])
        if self._average:
            self._average.load_state_dict(state["average"])
        for name in COUNTERS:
            setattr(self, name, trainer[name])
        self._measurements.load_state_dict(trainer["measurements"], self.device)
        self._reported, self._settled = trainer["reported"], trainer["settled"]
        self._saved_step = self.iteration
        if self.run:
            self.run.cut_metrics(trainer["metrics_size"])
        seeding.set_random_state(state["random"])

    def resume(self, strict: bool = False, exact: bool = False) -> list[str]:
        """Continue from the newest usable checkpoint of the run; a run without one starts afresh.

        Returns sentences about what was passed over and what cannot be promised. Raises `CheckpointError` when no
        checkpoint is usable, with `strict` when the newest one is not, and with `exact` when the bits may differ.
        """
        assert self.run is not None
        self.run.tidy()
        if not checkpoint.steps(self.run.checkpoints):
            self.run.cut_metrics(0)
            return []
        path, state, complaints = checkpoint.load_newest(self.run.checkpoints, strict=strict)
        doubts = seeding.doubts(state.get("about"), self.device, self.settings.threads)
        if exact and doubts:
            raise CheckpointError(
                "the run cannot be continued bit for bit",
                where=str(path),
                found="; ".join(doubt.removeprefix("not bit for bit: ") for doubt in doubts),
                remedy="continue it where it was started, or without --exact",
            )
        self.load_state_dict(state)
        self.run.adopt(path, self.best_step)
        return complaints + doubts

    def _note(self, text: str) -> None:
        if self.run:
            self.run.log(text)
        self._announce("on_note", text)

    def _announce(self, hook: str, *details: str) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self, *details)
