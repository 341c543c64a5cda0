"""Runs of so many minutes: the first steps are timed, and turned into a number of steps that is kept."""

from pathlib import Path
from typing import Any

import pytest

from ganglion.errors import ConfigurationError
from ganglion.models import find
from ganglion.runs.options import lengthened, settle
from ganglion.training.callback import Training
from ganglion.training.machine.seeding import seed_all
from ganglion.training.run_folder import RunFolder
from ganglion.training.schedule import learning_rate_factor
from ganglion.training.settings import TrainerSettings
from ganglion.training.timetable import CONCLUSION, FEWEST, WARM_UP
from ganglion.training.trainer import Callback, Trainer
from tests.training.phased import Climber, CopiedPoints
from tests.training.test_trainer import KillAt
from tests.training.toys import Line, Points, error


class Clock:
    """Moves on by a second whenever it is read."""

    def __init__(self, pace: float = 1.0) -> None:
        self.now, self.pace = 0.0, pace

    def __call__(self) -> float:
        self.now += self.pace
        return self.now


def trainer_of(settings: dict[str, Any], rule: Any = None, pace: float = 1.0, **others: Any) -> Trainer:
    seed_all(0)
    trainer = Trainer(
        rule or Line(), CopiedPoints() if rule else Points(), TrainerSettings(threads=1, **settings), **others
    )
    trainer.timetable.clock = Clock(pace)
    return trainer


@pytest.mark.parametrize("lengths", [{"minutes": 1.0, "epochs": 2}, {"minutes": 1.0, "steps": 2}])
def test_a_run_has_one_length(lengths: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="one length") as raised:
        TrainerSettings(**lengths)
    assert "minutes 1" in raised.value.found and "epochs, steps or minutes" in raised.value.expected


def test_minutes_take_the_place_of_the_epochs_of_the_index() -> None:
    settings = settle(find("mlp"), {"minutes": 2.0})[1]
    assert (settings.minutes, settings.epochs, settings.steps) == (2.0, None, None)


def test_few_samples_are_passed_over_more_often_unless_the_user_says_how_often() -> None:
    system = find("sentiment")
    settings = settle(system, {})[1]
    assert settings.epochs is not None and system.least_updates
    few, many = 10, system.least_updates
    assert lengthened(system, settings, few, ()).epochs == -(-system.least_updates // few) > settings.epochs
    assert lengthened(system, settings, many, ()) == lengthened(system, settings, few, {"epochs"}) == settings
    by_minutes = settle(system, {"minutes": 1.0})[1]
    assert lengthened(system, by_minutes, few, {"minutes"}) == by_minutes


def test_the_number_of_steps_is_what_fits() -> None:
    trainer = trainer_of({"minutes": 5.0})
    trainer.fit()
    ((_, settled_at),) = trainer.phases.settled
    assert settled_at == WARM_UP + FEWEST
    # Each step is a second from begin to end; 300 seconds, 3 of them for the report. The watch is read twice a step,
    # where an epoch ends, and at last.
    spent = WARM_UP + 2 * FEWEST + 1 + 1
    assert trainer.iteration == trainer.total_steps == WARM_UP + FEWEST + 300 - 3 - spent


def test_evaluations_and_checkpoints_are_counted(tmp_path: Path) -> None:
    alone = trainer_of({"minutes": 5.0})
    alone.fit()
    run = RunFolder.create(tmp_path / "run", "line", {})
    settings = {"minutes": 5.0, "evaluate_every": 10, "checkpoint_every": 5, "report_every": 10}
    watched = trainer_of(settings, evaluate=error, run=run)
    watched.fit()
    assert alone.total_steps and watched.total_steps
    # An evaluation in ten steps and a checkpoint in five, a second each: 1.3 seconds a step instead of one.
    assert watched.total_steps == pytest.approx(alone.total_steps / 1.3, rel=0.05)


def test_a_slower_machine_makes_fewer_steps() -> None:
    fast, slow = trainer_of({"minutes": 5.0}), trainer_of({"minutes": 5.0}, pace=4.0)
    fast.fit(), slow.fit()
    assert fast.total_steps and slow.total_steps and fast.total_steps > 3 * slow.total_steps


def test_what_only_the_first_steps_take_is_not_counted() -> None:
    plain, compiling = trainer_of({"minutes": 5.0}), trainer_of({"minutes": 5.0})
    step = compiling.rule.step

    def slow_at_first(batch: Any) -> Any:
        compiling.timetable.clock.now += 200 if compiling.iteration < 2 else 0  # type: ignore[attr-defined]
        return step(batch)

    compiling.rule.step = slow_at_first  # type: ignore[method-assign]
    plain.fit(), compiling.fit()
    assert compiling.total_steps == plain.total_steps


def test_minutes_that_are_over_before_they_are_measured_end_at_once() -> None:
    trainer = trainer_of({"minutes": 0.01})
    trainer.fit()
    assert trainer.finished and trainer.iteration == WARM_UP + FEWEST


def test_a_schedule_begins_once_the_length_is_known() -> None:
    settings, rates = {"minutes": 5.0, "schedule": "cosine"}, []
    trainer = trainer_of(settings)
    iterate = trainer._iterate

    def watched(batch: Any) -> None:
        iterate(batch)
        rates.append(trainer.rule.optimizers["line"].param_groups[0]["lr"])

    trainer._iterate = watched  # type: ignore[method-assign]
    trainer.fit()
    held, total = WARM_UP + FEWEST, trainer.total_steps
    assert total and rates[: held + 1] == [rates[0]] * (held + 1)
    after = [
        learning_rate_factor(TrainerSettings(schedule="cosine"), step, total - held) for step in range(total - held)
    ]
    assert rates[held:] == [0.05 * factor for factor in after]
    assert rates[-1] < 0.001


def climbing(minutes: float, seconds: tuple[float, ...], **others: Any) -> tuple[Trainer, list[float]]:
    """Return a trainer whose steps take so many seconds in each phase, and where the seconds of the phases come to."""
    trainer, spent = trainer_of({"minutes": minutes}, Climber(), pace=0.0, **others), [0.0] * len(seconds)
    step = trainer.rule.step

    def timed(batch: Any) -> Any:
        trainer.timetable.clock.now += seconds[trainer.phases.number]  # type: ignore[attr-defined]
        spent[trainer.phases.number] += seconds[trainer.phases.number]
        return step(batch)

    trainer.rule.step = timed  # type: ignore[method-assign]
    return trainer, spent


@pytest.mark.parametrize("seconds", [(1.0, 1.0, 1.0), (0.5, 2.0, 4.0), (3.0, 1.0, 0.2)])
def test_each_phase_takes_its_share_of_the_minutes_whatever_its_steps_take(seconds: tuple[float, ...]) -> None:
    trainer, spent = climbing(20.0, seconds)
    trainer.fit()
    shares = [phase.share for phase in trainer.rule.phases]
    for share, taken in zip(shares, spent, strict=True):
        assert taken == pytest.approx((20 * 60 - CONCLUSION) * share / sum(shares), abs=max(seconds) + 0.1)
    assert trainer.total_steps == trainer.iteration


def test_until_all_phases_are_measured_the_length_of_the_run_is_an_estimate() -> None:
    totals = []

    class Watch(Callback):
        def on_step(self, trainer: Training) -> None:
            totals.append(trainer.total_steps)

    trainer, _ = climbing(20.0, (1.0, 1.0, 2.0), callbacks=(Watch(),))
    trainer.fit()
    assert totals[:10] == [None] * 10
    assert totals[50] == pytest.approx(1197, abs=3) and totals[800] == pytest.approx(1197, abs=3)
    assert totals[-1] == trainer.iteration == pytest.approx(1197 - 150, abs=3)


def test_a_phase_that_runs_out_of_patience_leaves_its_time_to_the_others() -> None:
    trainer, spent = climbing(20.0, (1.0, 1.0, 1.0))
    patience = property(lambda best: trainer.phases.number == 0 and trainer.iteration == 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(trainer.best), "patience_is_used_up", patience)
        trainer.fit()
    assert spent[0] == 20.0
    assert sum(spent) == pytest.approx(20 * 60 - CONCLUSION, abs=3)
    assert spent[1] == pytest.approx(2 * spent[2], abs=3)


@pytest.mark.parametrize(
    "kill", [150, 308, *(pytest.param(kill, marks=pytest.mark.full) for kill in (5, 300, 315, 700, 905, 1000))]
)
def test_what_was_measured_of_each_phase_is_kept_by_whoever_resumes(kill: int, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", "climber", {})
    with pytest.raises(ConnectionResetError):
        climbing(20.0, (1.0, 1.0, 1.0), run=run, callbacks=(KillAt(kill),))[0].fit()
    slower, _ = climbing(20.0, (2.0, 2.0, 2.0), run=run)
    slower.resume()
    known = list(slower.phases.settled)
    assert len(known) == sum(kill > begin + 10 for begin in (0, 299, 897))
    slower.fit()
    assert slower.phases.settled[: len(known)] == known and len(slower.phases.settled) == 3


def test_phases_to_come_have_a_step_each_when_time_is_up() -> None:
    trainer = trainer_of({"minutes": 0.01}, Climber())
    trainer.fit()
    assert trainer.finished and trainer.phases.is_last
    assert trainer.iteration == WARM_UP + FEWEST + len(trainer.rule.phases) - 1


def test_patience_may_end_a_run_of_minutes_early() -> None:
    trainer = trainer_of({"minutes": 100.0, "patience": 2, "evaluate_every": 20}, evaluate=lambda rule: {"loss": 1.0})
    trainer.fit()
    assert trainer.stopped_early and trainer.total_steps and trainer.iteration == 60 < trainer.total_steps


def test_patience_may_end_a_run_before_it_is_measured() -> None:
    trainer = trainer_of({"minutes": 100.0, "patience": 1, "evaluate_every": 2}, evaluate=lambda rule: {"loss": 1.0})
    trainer.fit()
    assert trainer.stopped_early and trainer.total_steps is None and trainer.iteration == 4
