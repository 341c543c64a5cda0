"""How fast the first steps of a run are, what evaluations and checkpoints take, and how many steps fit into minutes."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

import torch

from ganglion.training.saving import SHARE
from ganglion.training.settings import TrainerSettings

WARM_UP = 5
"""First steps of a process that are not measured: they compile kernels, start workers and fill memories."""
FEWEST = 5
"""Steps that are measured at least."""
LEAST_SECONDS, MOST_SECONDS = 0.2, 5.0
"""That the measured steps take together, where minutes are given: a fiftieth of these, within such bounds."""
CONCLUSION = 3.0
"""Seconds kept for the figures and the report at the end, at most a tenth of the whole."""
ENDLESS_REPORTS = 20
"""Reports, evaluations and checkpoints over a run whose loader has no epochs."""


@final
class Timetable:
    """Measures the parts of a run; until the first steps have been measured, `seconds_per_step` is None.

    Args:
        settings: say how often is evaluated and saved, and how many minutes there are.
        period: batches of an epoch, None where there are no epochs.
        device: whose work has to be waited for before a clock is read.
        at_leisure: whether checkpoints wait until they take no more than `SHARE` of the time.
        clock: seconds from any beginning.

    >>> ticks = iter(range(100))
    >>> timetable = Timetable(TrainerSettings(minutes=1.0), None, torch.device("cpu"), clock=lambda: next(ticks))
    >>> for _ in range(WARM_UP + FEWEST):
    ...     timetable.step_begins()
    ...     timetable.step_ended()
    >>> timetable.seconds_per_step
    1.0
    """

    def __init__(
        self,
        settings: TrainerSettings,
        period: int | None,
        device: torch.device,
        at_leisure: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.settings, self.clock, self._at_leisure = settings, clock, at_leisure
        self._evaluate_every, self._checkpoint_every = (
            every or period for every in (settings.evaluate_every, settings.checkpoint_every)
        )
        self._period, self._waits = period, device.type == "cuda"
        self._enough = 1.0
        if settings.minutes is not None:
            self._enough = min(max(settings.minutes * 60 / 50, LEAST_SECONDS), MOST_SECONDS)
        self.seconds_per_step: float | None = None
        self.evaluation = self.checkpoint = 0.0
        """Seconds of the longest evaluation and checkpoint so far."""
        self._begun = self._started = self._before = 0.0
        self._warms_up = True
        self._steps, self._measured = 0, 0.0

    def due(self, every: int | None, iteration: int, total: int | None) -> bool:
        """Whether what is done every so many steps, or once an epoch, is to be done after this one."""
        every = every or self._period
        if every is None and total is not None:
            every = max(1, total // ENDLESS_REPORTS)
        return every is not None and iteration % every == 0

    def start(self, spent: float = 0.0) -> None:
        """Count the minutes of the run from now on; so many seconds were spent before, by an earlier process.

        What the first steps take beyond others, to compile kernels or to fill a memory, is not counted.
        """
        self._before = spent
        self._started = self.clock() - spent

    @property
    def spent(self) -> float:
        """Seconds of the run so far, evaluations included and the warm-up left out."""
        return self.clock() - self._started

    def step_begins(self) -> None:
        if self.seconds_per_step is None:
            self._begun = self._now()

    def step_ended(self) -> None:
        """Measure the step that has ended, unless it is one of the first or enough of them are known."""
        if self.seconds_per_step is not None:
            return
        self._steps += 1
        if self._steps <= WARM_UP:
            if self._warms_up:
                self._started = self._now() - self._before
            return
        self._measured += self._now() - self._begun
        if self._measured >= self._enough and self._steps >= WARM_UP + FEWEST:
            self.seconds_per_step = self._measured / (self._steps - WARM_UP)
            if self._warms_up:
                self._started -= WARM_UP * self.seconds_per_step

    def measure_anew(self) -> float:
        """Measure steps and evaluations again, those of another phase, and return the seconds that are left for it.

        All that the first steps of this phase take is counted.
        """
        self.seconds_per_step, self.evaluation, self._warms_up = None, 0.0, False
        self._steps, self._measured = 0, 0.0
        return self.left

    def _now(self) -> float:
        if self._waits:
            torch.cuda.synchronize()
        return self.clock()

    @contextmanager
    def timing(self, what: str) -> Iterator[None]:
        """Measure an `evaluation` or a `checkpoint`."""
        begun = self.clock()
        yield
        setattr(self, what, max(getattr(self, what), self.clock() - begun))

    @property
    def left(self) -> float:
        """Seconds of the minutes that are left for training."""
        assert self.settings.minutes is not None
        whole = self.settings.minutes * 60
        return whole - self.spent - min(CONCLUSION, whole / 10) - self.evaluation  # the last is of the test part

    def steps_left(self, done: int = 0, share: float = 1.0) -> int:
        """Return the iterations that fit into what is left of a phase, with what belongs to them.

        Args:
            done: iterations of the phase so far.
            share: what the phase takes of the time that was left when it began.
        """
        once, each = self._costs()
        left = share * (self.left - once) - (1 - share) * done * (self.seconds_per_step or 0.0)
        return max(0, math.floor(left / each)) if each else 0

    def seconds_for(self, iterations: int) -> float:
        """Return how long so many iterations take, with their evaluations and checkpoints as far as these are known."""
        once, each = self._costs()
        return once + each * iterations

    def _costs(self) -> tuple[float, float]:
        """Return the seconds that are spent whatever the length of a run, and those of each iteration."""
        once, each = 0.0, self.seconds_per_step or 0.0
        for seconds, every, at_leisure in (
            (self.evaluation, self._evaluate_every, False),
            (self.checkpoint, self._checkpoint_every, self._at_leisure),
        ):
            if not every:
                once += seconds * ENDLESS_REPORTS
            elif at_leisure:
                each += min(seconds / every, SHARE * each)
            else:
                each += seconds / every
        return once, each
