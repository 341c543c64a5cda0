"""The one trainer: it drives any learning rule with any loader, and can name neither."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ganglion.core import Batch, LearningRule, Loader
from ganglion.errors import CheckpointError, NonFiniteError, UsageError
from ganglion.training import checkpoint
from ganglion.training.device import choose_device
from ganglion.training.run import RunFolder
from ganglion.training.schedule import learning_rate_factor
from ganglion.training.seeding import random_state, random_state_kept, set_random_state, surroundings
from ganglion.training.settings import TrainerSettings

Evaluate = Callable[[LearningRule], dict[str, float]]

LOWER_IS_BETTER = ("loss", "error", "distance", "mae", "rmse", "mase", "gap")
ENDLESS_REPORTS = 20
"""Reports over a run whose loader has no epochs."""


class Callback:
    """What may be hooked into training; every hook does nothing by default."""

    def on_start(self, trainer: "Trainer") -> None: ...

    def on_step(self, trainer: "Trainer") -> None: ...

    def on_report(self, trainer: "Trainer") -> None: ...

    def on_checkpoint(self, trainer: "Trainer") -> None: ...

    def on_end(self, trainer: "Trainer") -> None: ...


class Interrupted(KeyboardInterrupt):
    """Training was stopped by a signal, after a checkpoint."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


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
        for network in rule.networks.values():
            network.to(self.device)
        rule.tensors.update({name: tensor.to(self.device) for name, tensor in rule.tensors.items()})
        self.total_steps = self._count_steps()
        self.iteration = 0
        self.seconds = 0.0
        self.samples = 0
        self.best: float | None = None
        self.best_step = 0
        self.stale_evaluations = 0
        self._saved_step = 0
        self.row: dict[str, Any] = {}
        self._best_weights: dict[str, Any] | None = None
        self._sums: dict[str, Tensor] = {}
        self._summed = 0
        self._reported = (0.0, 0)  # seconds and samples at the last report
        self._average = (
            AveragedModel(rule.network, multi_avg_fn=get_ema_multi_avg_fn(settings.ema_decay), use_buffers=True)
            if settings.ema_decay
            else None
        )

    def _count_steps(self) -> int:
        """Return the iterations of the whole run, in which an epoch is a pass over the loader."""
        self._period = self.loader.batches_per_epoch
        if self.settings.steps is not None:
            return self.settings.steps
        if self._period is None:
            raise UsageError("this loader has no epochs", remedy="say how long to train with steps")
        return (self.settings.epochs or 1) * self._period

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

        Raises `Interrupted` on SIGINT, SIGTERM or SIGHUP after writing a checkpoint, and `NonFiniteError` with the
        step and the samples when a loss or gradient stops being finite.
        """
        with surroundings(self.settings.threads, self.settings.deterministic), _signals() as received:
            self._announce("on_start")
            self._clock = time.perf_counter()
            while not self.finished:
                for batch in self.loader:
                    self._iterate(batch)
                    self._after_step()
                    if received:
                        self._leave(received[0])
                    if self.finished:
                        break
            self._restore_best()
            self._announce("on_end")
        return self.row

    def _iterate(self, batch: Batch) -> None:
        if self.settings.schedule != "constant" or self.settings.warmup_steps:
            factor = learning_rate_factor(self.settings, self.iteration, self.total_steps)
            for optimizer in self.rule.optimizers.values():
                for group in optimizer.param_groups:
                    group["lr"] = group["initial_lr"] * factor
        if self.device.type != "cpu":
            batch = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
        try:
            with self._precision():
                measured = self.rule.step(batch)
        except NonFiniteError as error:
            raise self._located(error, batch) from error
        self.iteration += 1
        self.samples += len(next(iter(batch.values())))
        self._summed += 1
        for name, value in measured.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        if self._average:
            self._average.update_parameters(self.rule.network)

    def _precision(self) -> AbstractContextManager[Any]:
        if self.settings.precision == "bf16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def _located(self, error: NonFiniteError, batch: Batch) -> NonFiniteError:
        samples = batch["index"][:8].tolist() if "index" in batch else []
        return NonFiniteError(
            f"{error.what} at step {self.iteration + 1}; the update was not applied",
            where="; ".join(
                part for part in (error.where, f"batch of samples {samples} ..." if samples else "") if part
            ),
            found=error.found,
            remedy=error.remedy,
        )

    def _leave(self, number: int) -> None:
        if self.run and self._saved_step != self.iteration:
            self.save()
        raise Interrupted(number)

    def _after_step(self) -> None:
        """Evaluate, report and save when it is time."""
        self._announce("on_step")
        settings, last = self.settings, self.finished
        evaluating = self._evaluate is not None and (last or self._due(settings.evaluate_every))
        if evaluating or last or self._due(settings.report_every):
            self._report(evaluating)
            last = self.finished
        improved = evaluating and self.best_step == self.iteration
        if improved and not self.run:
            self._best_weights = {name: tensor.clone() for name, tensor in self._judged_weights().items()}
        if self.run and (last or improved or self._due(settings.checkpoint_every)):
            self.save(improved)

    def _due(self, every: int | None) -> bool:
        return self.iteration % (every or self._period or max(1, self.total_steps // ENDLESS_REPORTS)) == 0

    def _report(self, evaluating: bool) -> None:
        """Average the measurements since the last report, judge the networks, and log one row."""
        now = time.perf_counter()
        self.seconds += now - self._clock
        spent, samples = self.seconds - self._reported[0], self.samples - self._reported[1]
        self._reported = (self.seconds, self.samples)
        row: dict[str, Any] = {"step": self.iteration, "epoch": round(self.epoch, 4)}
        row |= {"seconds": round(self.seconds, 3), "samples_per_second": round(samples / max(spent, 1e-9), 1)}
        row |= {name: float(value) / max(1, self._summed) for name, value in self._sums.items()}
        self._sums, self._summed = {}, 0
        if evaluating:
            row |= {f"validation_{name}": value for name, value in self.judge().items()}
            self._compare(row)
        self.row = row
        if self.run:
            self.run.append_metrics(row)
        self._clock = time.perf_counter()
        self._announce("on_report")

    def judge(self) -> dict[str, float]:
        """Evaluate on held-out data with the averaged weights where they are kept, disturbing nothing."""
        assert self._evaluate is not None
        with random_state_kept(), self._averaged():
            return self._evaluate(self.rule)

    def _compare(self, row: dict[str, Any]) -> None:
        """Remember the best evaluation; a score that is not finite never is."""
        name = f"validation_{self.score}"
        if name not in row:
            raise UsageError(
                f"cannot monitor {self.score!r}",
                expected=f"one of {', '.join(key[11:] for key in row if key.startswith('validation_'))}",
            )
        value = row[name]
        sign = 1 if self.higher_is_better else -1
        if math.isfinite(value) and (self.best is None or sign * value > sign * self.best):
            self.best, self.best_step, self.stale_evaluations = value, self.iteration, 0
        else:
            self.stale_evaluations += 1

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Put the averaged weights into the network, and the trained ones back afterwards."""
        if self._average is None:
            yield
            return
        pairs = list(zip(_tensors(self.rule.network), _tensors(self._average.module), strict=True))
        for trained, averaged in pairs:
            trained.data, averaged.data = averaged.data, trained.data
        try:
            yield
        finally:
            for trained, averaged in pairs:
                trained.data, averaged.data = averaged.data, trained.data

    def _judged_weights(self) -> dict[str, Tensor]:
        """Return the weights that evaluation saw and that a user takes home."""
        return (self._average.module if self._average else self.rule.network).state_dict()

    def _restore_best(self) -> None:
        best = self.run.pointed("best") if self.run else None
        if best:
            self.rule.network.load_state_dict(checkpoint.load(best, ("weights",))["weights"])
        elif self._best_weights:
            self.rule.network.load_state_dict(self._best_weights)
        elif self._average:
            self.rule.network.load_state_dict(self._judged_weights())

    def save(self, best: bool = False) -> None:
        """Write a checkpoint of this moment."""
        assert self.run is not None
        path = checkpoint.save(self.run.checkpoints, self.iteration, self.state_dict())
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
            "random": random_state(),
            "average": self._average.state_dict() if self._average else None,
            "trainer": {
                "iteration": self.iteration,
                "seconds": self.seconds,
                "samples": self.samples,
                "best": self.best,
                "best_step": self.best_step,
                "stale_evaluations": self.stale_evaluations,
                "sums": self._sums,
                "summed": self._summed,
                "reported": self._reported,
                "metrics_size": self.run.metrics_size() if self.run else 0,
            },
            "about": self._about(),
        }

    def _about(self) -> dict[str, Any]:
        """Return what must be the same for the bits to be the same."""
        threads = self.settings.threads or torch.get_num_threads()
        return {"torch": torch.__version__, "device": self.device.type, "threads": threads}

    def load_state_dict(self, state: dict[str, Any]) -> list[str]:
        """Take over a state and return a sentence for everything that rules out bit-for-bit continuation."""
        self.rule.load_state_dict({**state["rule"], "networks": state["networks"], "optimizers": state["optimizers"]})
        self.loader.load_state_dict(state["loader"])
        if (self._average is None) != (state["average"] is None):
            raise CheckpointError("the checkpoint and the settings disagree on ema_decay")
        if self._average:
            self._average.load_state_dict(state["average"])
        trainer = dict(state["trainer"])
        self._sums = {name: value.to(self.device) for name, value in trainer.pop("sums").items()}
        self._summed, self._reported = trainer.pop("summed"), trainer.pop("reported")
        if self.run:
            self.run.cut_metrics(trainer.pop("metrics_size"))
        for name in ("iteration", "seconds", "samples", "best", "best_step", "stale_evaluations"):
            setattr(self, name, trainer[name])
        set_random_state(state["random"])
        return [
            f"not bit for bit: {name} was {value} and is {here}"
            for name, value in state["about"].items()
            if (here := self._about()[name]) != value
        ]

    def resume(self) -> list[str]:
        """Continue from the newest usable checkpoint of the run; a run without one starts afresh."""
        assert self.run is not None
        if not checkpoint.steps(self.run.checkpoints):
            self.run.cut_metrics(0)
            return []
        _, state, complaints = checkpoint.load_newest(self.run.checkpoints)
        return complaints + self.load_state_dict(state)

    def _announce(self, hook: str) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(self)


def _tensors(network: torch.nn.Module) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect the first stop signal, so that training ends after a step; a second one ends it at once."""
    received: list[int] = []
    owner = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if received or os.getpid() != owner:  # impatient user, or a forked worker that inherited the handler
            raise KeyboardInterrupt
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
