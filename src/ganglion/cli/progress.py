"""How training is going, in one line: alive on a terminal or in a notebook, one plain line a report elsewhere."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO, final

from ganglion.cli.wording import about, clock, number, short, span, words
from ganglion.findings import Finding
from ganglion.training.callback import Callback, Training

if TYPE_CHECKING:
    from rich.text import Text

BAR = (4, 20)
"""Fewest and most cells of the bar, which takes what the values leave."""
SHORT = 10
"""Seconds of training that are over before one has read how long it takes."""
LONG = 3600
"""Seconds of training for which it is said how it can be made shorter."""
HELD_OUT = "validation_"
TIMINGS = ("step", "epoch", "phase", "seconds", "samples_per_second")


@dataclass(frozen=True)
class Standing:
    """Where training is: what every surface shows, the least important values last."""

    place: str
    share: float
    """Of all iterations, from 0 to 1."""
    time: str
    """That remains, or at the end that was spent."""
    finished: bool
    speed: str
    """Samples per second."""
    values: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        time = f"in {self.time}" if self.finished else f"{self.time} left"
        values = (f"{name} {value}" for name, value in self.values)
        return "  ".join([self.place, *values, self.speed.replace("/s", " samples/s"), time])


class Surface(Protocol):
    """Where a standing is shown."""

    interval: float
    """Seconds that must pass between two updates within a report."""

    def show(self, standing: Standing, reported: bool) -> None: ...

    def close(self) -> None: ...


@final
class Progress(Callback):
    """Shows the standing of a trainer; as a context manager it also leaves the screen tidy after an error.

    Nothing is read from the device between reports, and between updates a step costs one look at the clock.
    """

    def __init__(self, surface: Surface | None = None) -> None:
        self.surface = surface or choose_surface(sys.stderr)
        self._clock: Callable[[], float] = time.monotonic

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.surface.close()

    def on_start(self, trainer: Training) -> None:
        self._started, self._first, self._samples = self._clock(), trainer.iteration, trainer.samples
        self._next = self._started + self.surface.interval
        self._estimated = False

    def on_step(self, trainer: Training) -> None:
        if not self._estimated and trainer.timetable.seconds_per_step is not None and trainer.total_steps is not None:
            self._estimated = True
            if trainer.settings.minutes is not None or remaining(trainer) > SHORT:
                self._say(estimate(trainer, self._first))
        if self._clock() >= self._next:
            self._show(trainer, reported=False)

    def on_report(self, trainer: Training) -> None:
        self._show(trainer, reported=True)

    def on_end(self, trainer: Training) -> None:
        self.surface.close()

    def on_note(self, trainer: Training, text: str) -> None:
        self._say(f"note: {text}")

    def on_finding(self, trainer: Training, finding: Finding) -> None:
        self._say(str(finding))

    def _say(self, text: str) -> None:
        self.surface.close()
        print(text, file=sys.stderr, flush=True)

    def _show(self, trainer: Training, reported: bool) -> None:
        self.surface.show(self.standing(trainer), reported)
        self._next = self._clock() + self.surface.interval

    def standing(self, trainer: Training) -> Standing:
        """Return where `trainer` is, its speed being that since it was started here."""
        spent = max(self._clock() - self._started, 1e-9)
        done = max(1, trainer.iteration - self._first)
        if (total := trainer.total_steps) is not None:
            left, share = spent / done * (total - trainer.iteration), trainer.iteration / max(1, total)
            if trainer.settings.minutes:  # steps of phases to come may take longer, but not the run
                left = max(0.0, 60 * trainer.settings.minutes - trainer.timetable.spent)
        else:  # of minutes whose steps are still being measured
            whole = 60 * (trainer.settings.minutes or 0)
            left = max(0.0, whole - trainer.timetable.spent)
            share = 1 - left / whole if whole else 0.0
        speed = (trainer.samples - self._samples) / spent
        return Standing(
            place=place(trainer),
            share=share,
            time=clock(spent if trainer.finished else left),
            finished=trainer.finished,
            speed=f"{short(speed)}/s",
            values=(*measured(trainer), ("lr", f"{learning_rate(trainer):.2g}")),
        )


def place(trainer: Training) -> str:
    """Return phase and epoch that are under way, or the step where there are no epochs, each out of how many."""
    phases = trainer.phases
    phase = f"{phases.current.name} ({phases.number + 1}/{len(phases.declared)}) " if phases.current else ""
    period, steps = trainer.loader.batches_per_epoch, trainer.total_steps
    if steps is None:
        return f"{phase}step {trainer.iteration:,}"
    if not period or trainer.settings.epochs is None:
        return f"{phase}step {trainer.iteration:,}/{steps:,}"
    total = -(-steps // period)
    now = min(total, max(1, -(-trainer.iteration // period)))
    return f"{phase}epoch {now:>{len(str(total))}}/{total}"


def remaining(trainer: Training) -> float:
    """Return the seconds that the iterations to come take, judged by the first steps."""
    return trainer.timetable.seconds_for((trainer.total_steps or 0) - trainer.iteration)


def estimate(trainer: Training, first: int = 0) -> str:
    """Return in a sentence how long training will take, judged by the first steps and an evaluation if there was one.

    Args:
        trainer: which has measured its first steps.
        first: the iteration that it started from in this process.
    """
    settings, period, steps = trainer.settings, trainer.loader.batches_per_epoch, trainer.total_steps or 0
    seconds = remaining(trainer) + trainer.timetable.spent
    if settings.minutes is not None:
        epochs = f", {steps / period:.3g} epochs," if period else ""
        roughly = "" if trainer.phases.is_last else "about "
        return f"time: {roughly}{steps:,} steps{epochs} fit into {span(60 * settings.minutes)} on this machine"
    if first:
        return f"time: {about(seconds)} for the {steps - first:,} steps that are left, on this machine"
    asked, count = ("steps", settings.steps) if settings.steps else ("epochs", settings.epochs or 1)
    sentence = f"time: {about(seconds)} for {count:,} {asked if count > 1 else asked[:-1]} on this machine"
    if seconds <= LONG:
        return sentence
    if count < 10:  # epochs of which there is no tenth
        asked, count = "steps", steps
    return f"{sentence}; --minutes 30 trains for half an hour, --{asked} {max(1, count // 10)} a tenth of it"


def measured(trainer: Training) -> list[tuple[str, str]]:
    """Return the loss, a measure on held-out data and the best of what is monitored, as last reported."""
    row: dict[str, Any] = {name: value for name, value in trainer.row.items() if name not in TIMINGS}
    held_out = [name.removeprefix(HELD_OUT) for name in row if name.startswith(HELD_OUT)]
    losses = ["loss"] if "loss" in row else [name for name in row if not name.startswith(HELD_OUT)][:2]
    values = [(words(name), number(row[name])) for name in losses]
    # The monitored measure is the one to show, unless it is the loss and there is a more telling one.
    others = [name for name in (trainer.measure.name, *held_out) if name not in losses and name in held_out]
    shown = others[0] if others else trainer.measure.name
    if shown in held_out:
        name = f"validation {words(shown)}" if shown in losses else words(shown)
        values.append((name, number(row[HELD_OUT + shown])))
    if trainer.best.value is not None:
        values.append(
            (
                "best" if shown == trainer.measure.name else f"best {words(trainer.measure.name)}",
                number(trainer.best.value),
            )
        )
    return values


def learning_rate(trainer: Training) -> float:
    """Return the learning rate of the first optimizer, zero for a rule that has none."""
    for optimizer in trainer.rule.optimizers.values():
        return float(optimizer.param_groups[0]["lr"])
    return 0.0


def choose_surface(stream: TextIO) -> Surface:
    """Return the surface that suits the place where this runs."""
    if "IPython" in sys.modules and type(sys.modules["IPython"].get_ipython()).__name__ == "ZMQInteractiveShell":
        return Notebook()
    return Terminal(stream) if stream.isatty() else Lines(stream)


@final
class Lines:
    """One plain line a report, for logs and pipes."""

    interval = float("inf")

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def show(self, standing: Standing, reported: bool) -> None:
        print(standing, file=self.stream, flush=True)

    def close(self) -> None:
        self.stream.flush()


@final
class Terminal:
    """One line that is drawn over itself; values that do not fit are left out, the least important first."""

    interval = 0.1

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console

        self.console = Console(file=stream, highlight=False)
        self.drawn = False

    def show(self, standing: Standing, reported: bool) -> None:
        # The cursor waits at the start of the line, so whatever else is printed begins there and not in the middle.
        self.console.print(self.line(standing), end="\r", overflow="crop", no_wrap=True)
        self.drawn = True

    def line(self, standing: Standing) -> "Text":
        from rich.text import Text

        width = self.console.width - 1
        values = Text()
        taken = len(standing.place) + len(standing.time) + len(standing.speed) + BAR[0] + 4
        for name, value in standing.values:
            if taken + values.cell_len + len(name) + len(value) + 3 > width:
                break
            values.append(f"  {name} ", "dim").append(value)
        cells = min(BAR[1], width - taken - values.cell_len + BAR[0])
        full = round(cells * standing.share)
        bar = (("━" * full, "green"), ("─" * (cells - full), "dim"))
        line = Text.assemble((standing.place, "bold"), " ", *bar, " ", standing.time, "  ", standing.speed, values)
        line.pad_right(width - line.cell_len)
        return line

    def close(self) -> None:
        if self.drawn:
            self.console.print()
            self.drawn = False


@final
class Notebook:
    """One line of output that is replaced, seldom enough for a browser."""

    interval = 0.5

    def __init__(self) -> None:
        self.handle: Any = None
        self.shown = 0.0

    def show(self, standing: Standing, reported: bool) -> None:
        now = time.monotonic()
        if self.handle is not None and standing.share < 1 and now - self.shown < self.interval:
            return
        self.shown = now
        content = {"text/plain": str(standing)}
        if self.handle is None:
            display = import_module("IPython.display").display  # there, or this would not be a notebook
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)

    def close(self) -> None:
        self.handle = None
