"""Signals that ask to stop: a checkpoint, the right exit code, and the same bits afterwards, in every phase."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ganglion.runs import session
from ganglion.runs.session import prepare, prepare_resume
from ganglion.tasks import base
from ganglion.training import checkpoint
from ganglion.training.machine.signals import stop_requests
from ganglion.training.trainer import Trainer
from tests.budgets import slowness
from tests.contract.test_contract import final_digests
from tests.faults.children import fork, wait
from tests.faults.conftest import Record
from tests.faults.families import request
from tests.faults.toy import At, finish, outcome, toy

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TIMES = pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.full)])
FOREVER = 60.0


def ask(number: int) -> None:
    os.kill(os.getpid(), number)


def in_training(number: int, moment: int) -> Callable[[Trainer], None]:
    return lambda trainer: setattr(trainer, "callbacks", (At(moment, lambda: ask(number)),))


def in_evaluation(number: int, moment: int) -> Callable[[Trainer], None]:
    def plant(trainer: Trainer) -> None:
        judge = trainer._evaluate
        assert judge is not None

        def evaluate(rule: object) -> dict[str, float]:
            if trainer.iteration >= moment:
                ask(number)
                time.sleep(FOREVER)
            return judge(rule)  # type: ignore[arg-type]

        trainer._evaluate = evaluate

    return plant


def in_save(number: int, moment: int) -> Callable[[Trainer], None]:
    def plant(trainer: Trainer) -> None:
        write = checkpoint._write_parts

        def written(draft: Path, state: dict[str, object]) -> None:
            if trainer.iteration >= moment and not os.path.exists(draft / "asked"):
                ask(number)
            write(draft, state)

        checkpoint._write_parts = written

    return plant


@TIMES
@pytest.mark.parametrize("phase", [in_training, in_evaluation, in_save])
def test_a_signal_saves_leaves_and_loses_nothing(
    phase: Callable[[int, int], Callable[[Trainer], None]], times: int, place: Path, survived: Record
) -> None:
    whole = place / "whole"
    finish(whole)
    good = 0

    def train(folder: Path, plant: Callable[[Trainer], None]) -> None:
        trainer = toy(folder)
        plant(trainer)
        trainer.fit()

    for number in STOPS:
        for moment in [1 + turn * 17 // times for turn in range(times)]:
            folder = place / "run"
            started = time.monotonic()
            plant = phase(number, moment)
            status = wait(fork(lambda folder=folder, plant=plant: train(folder, plant)))
            assert time.monotonic() - started < 10
            assert status == 128 + number
            assert checkpoint.steps(folder / "checkpoints")[0].name >= f"step-{moment:06d}"
            finish(folder)
            good += outcome(folder) == outcome(whole)
            shutil.rmtree(folder)
    name = phase.__name__.replace("_", " ")
    survived(f"SIGTERM, SIGINT, SIGHUP {name}", f"{times} moments each", 3 * times, good)


def stop_and_wait(number: int) -> Callable[..., None]:
    def stopped(*_: object, **__: object) -> None:
        ask(number)
        time.sleep(FOREVER)

    return stopped


@TIMES
def test_a_signal_before_training_and_while_reporting(times: int, place: Path, survived: Record) -> None:
    name, data, options = request("mlp")
    options |= {"checkpoint_every": 5, "steps": 6}

    def train(folder: Path, replaced: str, number: int) -> None:
        module = base if replaced == "read" else session
        assert hasattr(module, replaced)
        setattr(module, replaced, stop_and_wait(number))
        prepare(name, data, out=folder, **options).fit()

    whole = prepare(name, data, out=place / "whole", **options).fit()
    phases = {"read": "while preparing data", "run_report": "while reporting"}
    for replaced, phase in phases.items():
        good = 0
        for number in STOPS:
            for _ in range(times):
                folder = place / "run"
                started = time.monotonic()
                status = wait(fork(lambda r=replaced, n=number, folder=folder: train(folder, r, n)))
                assert time.monotonic() - started < 10
                assert status == 128 + number
                if replaced == "read":
                    good += not folder.exists()
                else:
                    again = prepare_resume(folder)
                    run = again.fit() if isinstance(again, session.Session) else again
                    good += final_digests(run.folder) == final_digests(whole.folder)
                    assert (folder / "report.html").exists() and run.result["score"] == whole.result["score"]
                    shutil.rmtree(folder)
        survived(f"SIGTERM, SIGINT, SIGHUP {phase}", f"{times} times each", 3 * times, good)


@pytest.mark.parametrize("number", STOPS)
def test_a_second_signal_ends_it_at_once(number: signal.Signals, place: Path, survived: Record) -> None:
    whole, folder = place / "whole", place / "run"
    finish(whole)
    ready = place / "ready"

    def train() -> None:
        toy(folder, (At(7, lambda: (ready.touch(), time.sleep(FOREVER))),)).fit()

    child = fork(train)
    while not ready.exists():
        time.sleep(0.01)
    os.kill(child, number)
    time.sleep(0.3)
    assert os.waitpid(child, os.WNOHANG) == (0, 0)  # it waits for its step to end
    started = time.monotonic()
    os.kill(child, number)
    status = wait(child)
    quick = time.monotonic() - started < slowness()
    assert status in (-number, 1)  # a second Ctrl-C unwinds
    finish(folder)
    survived(
        f"a second {number.name}", "while a step takes a minute", 1, int(quick and outcome(folder) == outcome(whole))
    )


def test_ignored_signals_stay_ignored() -> None:
    """`nohup ganglion train` must outlive the terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_requests() as request:
            ask(signal.SIGHUP)
        assert request.number is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_workers_never_save(place: Path, survived: Record) -> None:
    """A process that was forked while training inherits the handlers, and must only die."""
    good = 0
    for number in STOPS:
        folder = place / str(number)
        statuses = []

        def work(number: int = number) -> None:
            ask(number)
            time.sleep(FOREVER)

        def fork_worker(statuses: list[int] = statuses, work: Callable[[], None] = work) -> None:
            statuses.append(wait(fork(work)))

        trainer = toy(folder, (At(4, fork_worker),), checkpoint_every=1000, evaluate_every=1000)
        trainer.fit()
        good += statuses in ([-number], [1]) and trainer.iteration == 20
    survived("a worker gets the signal", "SIGTERM, SIGINT, SIGHUP to a forked child", 3, good)


def test_a_signal_while_averaged_weights_are_in_place_leaves_the_trained_ones(place: Path) -> None:
    trainer = toy(place / "run")
    trained = trainer.rule.home.weight.detach().clone()
    in_evaluation(signal.SIGTERM, 0)(trainer)
    with contextlib.suppress(KeyboardInterrupt), stop_requests() as trainer._stop:
        trainer.learner.average.update()  # type: ignore[union-attr]
        trainer.judge()
    assert (trainer.rule.home.weight == trained).all()
