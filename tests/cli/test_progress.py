"""The progress line: what it says, how seldom it is drawn, and that it costs nothing per step."""

import io
import re
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ganglion.cli.progress import Lines, Progress, Standing, Terminal, choose_surface, estimate
from ganglion.core import Measure
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.budgets import slowness

EXAMPLE = Standing(
    place="epoch 12/30",
    share=0.4,
    time="0:42",
    finished=False,
    speed="12.3k/s",
    values=(("loss", "0.213"), ("accuracy", "0.953"), ("best", "0.961"), ("lr", "0.002")),
)


class Console(io.StringIO):
    def isatty(self) -> bool:
        return True


class Recorder:
    """A surface that remembers what it was shown."""

    interval = 0.1

    def __init__(self) -> None:
        self.shown: list[tuple[Standing, bool]] = []
        self.closed = False

    def show(self, standing: Standing, reported: bool) -> None:
        self.shown.append((standing, reported))

    def close(self) -> None:
        self.closed = True


MEASURES = (Measure(name="accuracy", higher_is_better=True), Measure(name="loss", higher_is_better=False))


def make_trainer(progress: Progress, **settings: Any) -> Trainer:
    torch.manual_seed(0)
    rule = Supervised(torch.nn.Linear(2, 2), Descent(optimizer="sgd", learning_rate=0.25))
    batch = {"inputs": torch.randn(32, 2), "targets": torch.randint(2, (32,))}
    return Trainer(
        rule,
        InMemoryLoader(batch, 8, seed=0),
        TrainerSettings(device="cpu", **settings),
        evaluate=lambda rule: {"loss": 0.5, "accuracy": 0.75},
        measures=MEASURES,
        callbacks=[progress],
    )


def test_lines_hold_one_plain_line_a_report() -> None:
    stream = io.StringIO()
    make_trainer(Progress(choose_surface(stream)), epochs=3).fit()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert "\x1b" not in stream.getvalue() and "\r" not in stream.getvalue()
    assert lines[0].startswith("epoch 1/3  loss 0.")
    assert "accuracy 0.750  best 0.750  lr 0.25" in lines[0]
    assert " left" in lines[0] and " left" not in lines[-1]


def test_a_monitored_loss_is_named_beside_the_telling_measure() -> None:
    recorder = Recorder()
    make_trainer(Progress(recorder), epochs=1, monitor="loss").fit()
    assert [name for name, _ in recorder.shown[-1][0].values] == ["loss", "accuracy", "best loss", "lr"]


def test_steps_are_counted_where_no_epochs_were_asked_for() -> None:
    recorder = Recorder()
    make_trainer(Progress(recorder), steps=6, report_every=2).fit()
    assert [standing.place for standing, reported in recorder.shown if reported] == [
        "step 2/6",
        "step 4/6",
        "step 6/6",
    ]
    assert recorder.shown[-1][0].finished and recorder.closed


def test_terminal_is_drawn_at_most_ten_times_a_second() -> None:
    recorder, now = Recorder(), [0.0]
    progress = Progress(recorder)
    progress._clock = lambda: now[0]
    trainer = make_trainer(progress, steps=400)
    progress.on_start(trainer)
    for _ in range(400):
        trainer.iteration += 1
        now[0] += 0.01
        progress.on_step(trainer)
    assert 35 <= len(recorder.shown) <= 40
    first = recorder.shown[0][0]
    assert first.time == "0:04"  # of four seconds, almost all remain


@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_terminal_line_stays_within_the_width(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Console()
    Terminal(stream).show(EXAMPLE, reported=False)
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert drawn.startswith("epoch 12/30") and drawn.endswith("\r")
    assert len(drawn.rstrip("\r")) <= width


def test_terminal_shows_everything_on_a_common_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    line = Terminal(Console()).line(EXAMPLE).plain
    assert all(part in line for part in ("0:42", "12.3k/s", "loss 0.213", "accuracy 0.953", "best 0.961", "lr 0.002"))


def test_terminal_draws_over_one_line_and_ends_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    stream = Console()
    with Progress(choose_surface(stream)) as progress:
        make_trainer(progress, epochs=3).fit()
    drawn = stream.getvalue()
    assert drawn.count("\r") >= 3
    assert drawn.count("\n") == 1 and drawn.endswith("\n")


def test_a_step_between_updates_costs_next_to_nothing() -> None:
    progress = Progress(Lines(io.StringIO()))
    trainer = make_trainer(progress, steps=10)
    progress.on_start(trainer)
    started = time.process_time()
    for _ in range(10_000):
        progress.on_step(trainer)
    assert (time.process_time() - started) / 10_000 < 2e-5 * slowness()  # the smallest network needs some 3e-4


def test_drawing_ten_times_a_second_costs_less_than_a_hundredth() -> None:
    terminal = Terminal(Console())
    terminal.show(EXAMPLE, False)
    spent = []
    for _ in range(50):
        started = time.process_time()
        terminal.show(EXAMPLE, False)
        spent.append(time.process_time() - started)
    assert 10 * sorted(spent)[25] < 0.01 * slowness()


def test_a_notebook_is_written_to_at_most_twice_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a stand-in for IPython, which is not among the dependencies."""
    shown: list[str] = []

    class Handle:
        def update(self, content: dict[str, str], raw: bool) -> None:
            shown.append(content["text/plain"])

    def display(content: dict[str, str], raw: bool, display_id: bool) -> Handle:
        shown.append(content["text/plain"])
        return Handle()

    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    surface = choose_surface(io.StringIO())
    started = time.monotonic()
    make_trainer(Progress(surface), epochs=200).fit()
    spent = time.monotonic() - started
    assert shown[-1].startswith("epoch 200/200")
    assert len(shown) <= 2 + 2 * spent


def test_a_note_of_the_trainer_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    surface = Recorder()
    trainer = make_trainer(Progress(surface), steps=1)
    trainer._note("something to know")
    assert surface.closed and capsys.readouterr().err == "note: something to know\n"


def estimated(seconds_per_step: float, first: int = 0, **settings: Any) -> str:
    trainer = make_trainer(Progress(Recorder()), **settings)
    trainer.timetable.seconds_per_step = seconds_per_step
    trainer.timetable.start()
    if settings.get("minutes"):
        trainer.phases.settle(240, 10)
    return estimate(trainer, first)


def test_an_estimate_is_a_sentence() -> None:
    assert estimated(1.0, epochs=45) == "time: about 3 minutes for 45 epochs on this machine"
    assert estimated(1.0, epochs=1) == "time: about 4 seconds for 1 epoch on this machine"
    assert estimated(1.0, steps=200) == "time: about 3 minutes for 200 steps on this machine"
    assert estimated(1.0, minutes=4.0) == "time: 240 steps, 60 epochs, fit into 4 minutes on this machine"
    assert estimated(1.0, first=100, steps=200).endswith(" for the 100 steps that are left, on this machine")


def test_a_long_training_is_told_how_to_be_shorter() -> None:
    sentence = estimated(100.0, epochs=40)
    assert sentence.startswith("time: about 4 hours for 40 epochs")
    assert "--minutes 30" in sentence and "--epochs 4 a tenth" in sentence
    assert "--steps 100 a tenth" in estimated(100.0, steps=1000)
    assert "for 9 epochs" in (few := estimated(1000.0, epochs=9)) and "--steps 3 a tenth" in few  # of 36


def test_the_estimate_comes_once_after_the_first_steps(capsys: pytest.CaptureFixture[str]) -> None:
    trainer = make_trainer(Progress(Recorder()), steps=40)
    ticks = iter(range(10_000))
    trainer.timetable.clock = lambda: float(next(ticks))
    trainer.fit()
    assert capsys.readouterr().err.count("time: about") == 1


def test_minutes_are_counted_down_until_their_steps_are_known() -> None:
    recorder = Recorder()
    trainer = make_trainer(Progress(recorder), minutes=1.0)
    trainer.timetable.clock = lambda: 15.0
    trainer.timetable.start()
    trainer.timetable.clock = lambda: 30.0
    progress = trainer.callbacks[0]
    assert isinstance(progress, Progress)
    progress.on_start(trainer)
    standing = progress.standing(trainer)
    assert (standing.place, standing.time, standing.share) == ("step 0", "0:45", 0.25)
