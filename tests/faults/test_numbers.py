"""NaN and infinity: stopped before they are learnt, passed over, or left by going back."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ganglion.errors import NonFiniteError, UsageError
from ganglion.training import checkpoint
from ganglion.training.recovery import first_non_finite
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.faults.conftest import Record
from tests.faults.toy import At, outcome, toy
from tests.training.toys import Line, Points

PLANTED_AT = 9
BAD = [math.nan, math.inf]


def in_data(trainer: Trainer, bad: float) -> None:
    trainer.loader.inputs[7] = bad  # type: ignore[attr-defined]


def in_loss(trainer: Trainer, bad: float) -> None:
    objective = trainer.rule.objective  # type: ignore[attr-defined]

    def spoilt(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        measured = objective(batch)
        return {"loss": measured["loss"] * bad} if trainer._learning == PLANTED_AT else measured

    trainer.rule.objective = spoilt  # type: ignore[attr-defined]


def in_gradient(trainer: Trainer, bad: float) -> None:
    def spoil(gradient: torch.Tensor) -> torch.Tensor:
        return gradient * bad if trainer._learning == PLANTED_AT else gradient

    trainer.rule.home.weight.register_hook(spoil)  # type: ignore[operator, union-attr]


def in_weights(trainer: Trainer, bad: float) -> None:
    planted = []

    def spoil() -> None:
        if not planted:  # a second time round, the cosmic ray misses
            planted.append(trainer.rule.home.weight.data.fill_(bad))  # type: ignore[operator, union-attr]

    trainer.callbacks = (At(PLANTED_AT, spoil),)


PLACES = {"data": in_data, "loss": in_loss, "gradient": in_gradient, "weights": in_weights}
places = pytest.mark.parametrize("planted", PLACES.values(), ids=PLACES)


def all_finite(folder: Path) -> bool:
    return not any(first_non_finite(checkpoint.load(path)) for path in checkpoint.steps(folder / "checkpoints"))


@places
def test_stop(planted: Callable[[Trainer, float], None], place: Path, survived: Record) -> None:
    good = 0
    for bad in BAD:
        trainer = toy(place / str(bad))
        planted(trainer, bad)
        with pytest.raises(NonFiniteError, match=r"step \d+"):
            trainer.fit()
        good += all_finite(place / str(bad)) and trainer.iteration <= PLANTED_AT + 1
    survived(f"NaN and Inf in {planted.__name__[3:]}, policy stop", "planted at one step", 2, good)


@places
def test_skip(planted: Callable[[Trainer, float], None], place: Path, survived: Record) -> None:
    good = 0
    for bad in BAD:
        folder = place / str(bad)
        trainer = toy(folder, non_finite="skip", steps=60)
        planted(trainer, bad)
        if planted is in_weights:  # which no batch can mend
            with pytest.raises(NonFiniteError):
                trainer.fit()
        else:
            trainer.fit()
            once_an_epoch = 60 // 5
            lost = len(trainer.learner.recovery.passed_over)
            assert lost == (once_an_epoch if planted is in_data else 1)
            assert trainer.run is not None and trainer.run.metrics()[-1]["passed_over"] == lost
            assert not first_non_finite(trainer.rule.home.state_dict())
        good += all_finite(folder)
    survived(f"NaN and Inf in {planted.__name__[3:]}, policy skip", "planted at one step", 2, good)


@places
def test_roll_back(planted: Callable[[Trainer, float], None], place: Path, survived: Record) -> None:
    good = 0
    for bad in BAD:
        folder = place / str(bad)
        trainer = toy(folder, non_finite="roll-back")
        planted(trainer, bad)
        trainer.fit()
        times = 4 if planted is in_data else 1
        assert trainer.learner.recovery.roll_backs == len(trainer.learner.recovery.passed_over) == times
        assert trainer.rule.optimizers["line"].param_groups[0]["lr"] == 0.05 / 2**times
        steps = [row["step"] for row in trainer.run.metrics()]  # type: ignore[union-attr]
        assert steps == sorted(set(steps))
        good += all_finite(folder) and trainer.iteration == 20
    survived(f"NaN and Inf in {planted.__name__[3:]}, policy roll-back", "planted at one step", 2, good)


def test_rolling_back_ends(place: Path) -> None:
    trainer = toy(place / "run", non_finite="roll-back", steps=60)
    in_data(trainer, math.nan)
    with pytest.raises(NonFiniteError):
        trainer.fit()
    assert trainer.learner.recovery.roll_backs == 5 and all_finite(place / "run")


def test_skipping_ends_when_every_batch_is_bad(place: Path) -> None:
    trainer = toy(place / "run", non_finite="skip", steps=60)
    trainer.loader.inputs[:] = math.nan  # type: ignore[attr-defined]
    with pytest.raises(NonFiniteError):
        trainer.fit()
    assert len(trainer.learner.recovery.passed_over) == 20


@pytest.mark.parametrize("policy", ["skip", "roll-back"])
def test_what_was_passed_over_is_part_of_the_state(policy: str, place: Path) -> None:
    def spoilt(folder: Path) -> Trainer:
        trainer = toy(folder, non_finite=policy)
        in_data(trainer, math.nan)
        return trainer

    spoilt(place / "whole").fit()
    stopped = spoilt(place / "stopped")
    stopped.callbacks = (At(13, lambda: 1 / 0),)
    with pytest.raises(ZeroDivisionError):
        stopped.fit()
    spoilt(place / "stopped").fit()
    assert outcome(place / "stopped") == outcome(place / "whole")


def test_skipping_leaves_running_statistics_alone() -> None:
    rule = Line()
    rule.networks["line"].register_buffer("mean", torch.zeros(1))

    def objective(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        rule.home.mean.add_(batch["inputs"].mean())  # type: ignore[operator, union-attr]
        return {"loss": rule.home(batch["inputs"]).sum() * math.inf}

    rule.objective = objective  # type: ignore[method-assign]
    trainer = Trainer(rule, Points(), TrainerSettings(steps=3, non_finite="skip"))
    trainer.fit()
    assert float(rule.home.mean) == 0 and rule.counters["steps"] == 0  # type: ignore[arg-type]


def test_rolling_back_needs_a_run() -> None:
    with pytest.raises(UsageError, match="roll back"):
        Trainer(Line(), Points(), TrainerSettings(steps=3, non_finite="roll-back"))
