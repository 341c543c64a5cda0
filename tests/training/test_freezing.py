"""Frozen parts stay bit-equal through training; what a callback remembers comes back; all of the home goes home."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import UsageError
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.training import checkpoint
from ganglion.training.callback import Callback, Training
from ganglion.training.freezing import freeze
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.training.phased import Climber, CopiedPoints, error
from tests.training.test_phases import climbing
from tests.training.toys import Points


def deep(descent: Descent) -> Supervised:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    return Supervised(network, descent, loss="squared-error")


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "adagrad", "lbfgs"])
@pytest.mark.parametrize("ema_decay", [None, 0.5])
def test_weights_and_statistics_under_a_frozen_name_stay_bit_equal(optimizer: str, ema_decay: float | None) -> None:
    decay = {} if optimizer == "lbfgs" else {"weight_decay": 0.5}
    rule = deep(Descent(optimizer=optimizer, learning_rate=0.1, **decay))  # type: ignore[arg-type]
    before = {name: value.clone() for name, value in rule.home.state_dict().items()}
    settings = TrainerSettings(epochs=2, freeze=("0", "1"), ema_decay=ema_decay)
    trainer = Trainer(rule, Points(), settings, evaluate=lambda rule: {"loss": 1.0})
    trainer.fit()
    changed = {name for name, value in rule.home.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"3.weight", "3.bias"}
    assert not rule.home[1].training and rule.home[2].training  # type: ignore[index]


def test_a_single_weight_can_be_frozen() -> None:
    rule = deep(Descent())
    freeze(rule, ["3.bias"])
    assert [name for name, value in rule.home.named_parameters() if not value.requires_grad] == ["3.bias"]
    assert all(module.training for module in rule.home.modules())
    assert rule.optimizers["network"].param_groups[0]["param_names"] == [
        "0.weight",
        "0.bias",
        "1.weight",
        "1.bias",
        "3.weight",
    ]


def test_names_that_are_none_and_a_network_without_anything_to_learn_are_refused() -> None:
    with pytest.raises(UsageError, match="nothing to freeze under 'layers'") as caught:
        Trainer(deep(Descent()), Points(), TrainerSettings(epochs=1, freeze=("layers",)))
    assert "0, 1, 3" in caught.value.expected
    with pytest.raises(UsageError, match="all that the network could learn"):
        Trainer(deep(Descent()), Points(), TrainerSettings(epochs=1, freeze=("0", "1", "3")))


def test_frozen_parts_stay_frozen_through_phases_and_by_role(place: Path) -> None:
    trainer = climbing(place / "run", freeze=("first.0",))
    before = trainer.rule.networks["first"][0].weight.clone()  # type: ignore[index, operator, union-attr]
    trainer.fit()
    assert torch.equal(trainer.rule.networks["first"][0].weight, before)  # type: ignore[index, arg-type, union-attr]
    again = climbing(place / "run", freeze=("first.0",))
    assert not again.rule.networks["first"][0].weight.requires_grad  # type: ignore[index, union-attr]


class HalvesAfterTwo(Callback):
    """Halves the learning rate whenever two reports have passed, counting them itself."""

    name = "halves"

    def __init__(self) -> None:
        self.reports, self.rates = 0, torch.zeros(0)

    def on_report(self, trainer: Training) -> None:
        self.reports += 1
        for optimizer in trainer.rule.optimizers.values():
            for group in optimizer.param_groups:
                if self.reports % 2 == 0:
                    group["lr"] *= 0.5
                self.rates = torch.cat([self.rates, torch.tensor([group["lr"]])])

    def state_dict(self) -> dict[str, Any]:
        return {"reports": self.reports, "rates": self.rates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.reports, self.rates = state["reports"], state["rates"]


class Kill(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, trainer: Training) -> None:
        if trainer.iteration == self.step:
            raise ConnectionResetError


def with_callbacks(folder: Path, *callbacks: Callback) -> tuple[Trainer, list[str]]:
    known = (folder / "config.json").exists()
    run = RunFolder.open(folder) if known else RunFolder.create(folder, "deep", {"system": "deep"})
    run.unlock()
    settings = TrainerSettings(steps=20, report_every=3, checkpoint_every=2, threads=1)
    trainer = Trainer(deep(Descent()), Points(), settings, run=run, callbacks=callbacks)
    return trainer, trainer.resume() if known else []


def test_a_callback_that_remembers_decides_the_same_after_a_kill(place: Path) -> None:
    whole, _ = with_callbacks(place / "whole", HalvesAfterTwo())
    whole.fit()
    digest = checkpoint.digest(whole.learner.state_dict())
    for step in range(3, 20):
        with pytest.raises(ConnectionResetError):
            with_callbacks(place / f"{step}", HalvesAfterTwo(), Kill(step))[0].fit()
        callback = HalvesAfterTwo()
        again, notes = with_callbacks(place / f"{step}", callback)
        again.fit()
        assert notes == [] and callback.reports == 7, step
        assert checkpoint.digest(again.learner.state_dict()) == digest, step


def test_callbacks_that_are_new_or_gone_are_named(place: Path) -> None:
    with_callbacks(place / "new")[0].fit()
    assert "the callback halves begins now" in with_callbacks(place / "new", HalvesAfterTwo())[1][0]
    with_callbacks(place / "gone", HalvesAfterTwo())[0].fit()
    assert "the callback halves was part of the run" in with_callbacks(place / "gone")[1][0]
    with pytest.raises(UsageError, match="same name"):
        with_callbacks(place / "two", HalvesAfterTwo(), HalvesAfterTwo())[0].fit()


def weights_of(rule: LearningRule) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in rule.home.state_dict().items()}


@pytest.mark.parametrize("ema_decay", [None, 0.7])
@pytest.mark.parametrize("in_folder", [False, True])
def test_none_of_two_home_networks_is_left_random_or_last(
    ema_decay: float | None, in_folder: bool, place: Path
) -> None:
    scores, judged = iter([3.0, 1.0, 2.0, 4.0]), []

    def judge(rule: LearningRule) -> dict[str, float]:
        judged.append(weights_of(rule))
        return {"loss": next(scores)}

    class Together(Climber):
        phases = ()

    rule = Together()
    rule.optimizers = rule.roles.train_only(("first", "second"))
    rule.counters["phase"] = 2
    run = RunFolder.create(place / "run", "two", {"system": "two"}) if in_folder else None
    settings = TrainerSettings(steps=16, evaluate_every=4, ema_decay=ema_decay, threads=1)
    trained: dict[int, dict[str, Tensor]] = {}

    class Watch(Callback):
        def on_step(self, trainer: Training) -> None:
            trained[trainer.iteration] = weights_of(trainer.rule)

    trainer = Trainer(rule, CopiedPoints(), settings, evaluate=judge, run=run, callbacks=(Watch(),))
    random = weights_of(rule)
    trainer.fit()
    taken = weights_of(rule)
    assert {name.partition(".")[0] for name in taken} == {"first", "second"} and isinstance(rule.home, nn.ModuleDict)
    for name in ("first.0.weight", "second.weight"):
        assert torch.equal(taken[name], judged[1][name])
        assert not torch.equal(taken[name], random[name]) and not torch.equal(taken[name], trained[16][name])
        assert torch.equal(taken[name], trained[8][name]) == (ema_decay is None)
    if run:
        best, _ = run.best_weights()
        assert best is not None and checkpoint.digest(best) == checkpoint.digest(taken)
    assert error(rule)["loss"] > 0
