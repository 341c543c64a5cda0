"""Phases of a run: their lengths, what begins anew, what is frozen, and exact continuation at every step."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from ganglion.core import LearningRule, Phase
from ganglion.errors import UsageError
from ganglion.rules.roles import TrainedRoles
from ganglion.training import checkpoint
from ganglion.training.callback import Callback, Training
from ganglion.training.phases import Phases
from ganglion.training.run_folder import RunFolder
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.training.phased import Climber, CopiedPoints, error

STEPS = 16
BORDERS = (4, 12, 16)
SETTINGS = {
    "steps": STEPS,
    "threads": 1,
    "checkpoint_every": 1,
    "evaluate_every": 3,
    "report_every": 2,
    "schedule": "cosine",
}


def climbing(folder: Path | None = None, callbacks: tuple[Callback, ...] = (), **fields: object) -> Trainer:
    """Return a trainer of a `Climber`, which goes on with the run in `folder` if there is one."""
    run = None
    if folder is not None:
        known = (folder / "config.json").exists()
        run = RunFolder.open(folder) if known else RunFolder.create(folder, "climber", {"system": "climber"})
        run.unlock()
    torch.manual_seed(0)
    settings = TrainerSettings(**(SETTINGS | fields))  # type: ignore[arg-type]
    trainer = Trainer(Climber(), CopiedPoints(), settings, evaluate=error, run=run, callbacks=callbacks)
    if run:
        if checkpoint.steps(run.checkpoints):
            torch.manual_seed(99)
        assert trainer.resume() == []
    return trainer


class At(Callback):
    """Does something after a step, before its evaluation or after its report."""

    def __init__(self, step: int, action: object, hook: str = "on_step") -> None:
        self.step, self.action, self.hook = step, action, hook

    def on_step(self, trainer: Training) -> None:
        if self.hook == "on_step" and trainer.iteration == self.step:
            self.action(trainer)  # type: ignore[operator]

    def on_checkpoint(self, trainer: Training) -> None:
        if self.hook == "on_checkpoint" and trainer.iteration == self.step:
            self.action(trainer)  # type: ignore[operator]


def die(trainer: Training) -> None:
    raise ConnectionResetError


def outcome(trainer: Trainer) -> tuple[str, str, str]:
    """Return what a run came to: its last state, its metric log and the weights that were taken home."""
    assert trainer.run is not None
    last, best = trainer.run.pointed("last"), trainer.run.pointed("best")
    assert last is not None and best is not None
    state = checkpoint.load(last)
    for name in ("seconds", "reported", "metrics_size"):
        del state["trainer"][name]
    home = checkpoint.digest(trainer.rule.home.state_dict())
    return checkpoint.digest(state), trainer.run.metrics_digest(), f"{home} {best.name}"


@pytest.mark.parametrize(
    ("shares", "total", "lengths"),
    [
        ((1, 1, 1), 10, [3, 4, 3]),
        ((1, 2, 1), 16, [4, 8, 4]),
        ((1, 1000, 1), 5, [1, 3, 1]),
        ((1, 1e-9, 1), 3, [1, 1, 1]),
        ((0.5,), 7, [7]),
    ],
)
def test_iterations_are_split_by_share_and_every_phase_has_one(
    shares: tuple[float, ...], total: int, lengths: list[int]
) -> None:
    phases, found = Phases([Phase(name=str(share), share=share) for share in shares], total), []
    while True:
        found.append(phases.length)
        if phases.is_last:
            break
        phases.advance(phases.end)
    assert found == lengths and sum(found) == total == phases.end


def test_a_run_too_short_for_its_phases_is_refused() -> None:
    with pytest.raises(UsageError, match="an iteration for each of bottom, top, both"):
        climbing(steps=2)


def test_rule_and_loader_are_told_of_every_phase_and_rows_name_it(place: Path) -> None:
    trainer = climbing(place / "run")
    trainer.fit()
    loader, rows = trainer.loader, trainer.run.metrics()  # type: ignore[union-attr]
    assert isinstance(loader, CopiedPoints) and loader.told == ["bottom", "top", "both"]
    assert loader.sizes == [1] * 4 + [2] * 8 + [3] * 4  # at once, although the borders are within an epoch
    named = {name: [row["step"] for row in rows if row["phase"] == name] for name in ("bottom", "top", "both")}
    assert named == {"bottom": [2, 3, 4], "top": [6, 8, 9, 10, 12], "both": [14, 15, 16]}
    # A phase is judged when it ends, whatever the interval is.
    assert [row["step"] for row in rows if "validation_loss" in row] == [3, 4, 6, 9, 12, 15, 16]


def test_a_phase_changes_its_own_networks_and_no_statistics_of_others() -> None:
    digests: dict[int, dict[str, str]] = {}

    class Watch(Callback):
        def on_step(self, trainer: Training) -> None:
            networks = trainer.rule.networks.items()
            digests[trainer.iteration] = {role: checkpoint.digest(network.state_dict()) for role, network in networks}

    climbing(callbacks=(Watch(),)).fit()
    changed = [
        {role for role in digests[first] if digests[first][role] != digests[first + 1][role]} for first in range(1, 16)
    ]
    assert changed == [{"first"}] * 3 + [{"second"}] + [{"second"}] * 7 + [{"first", "second"}] * 4


def test_optimizer_and_schedule_begin_anew() -> None:
    rates: list[float] = []
    moments: list[int] = []

    class Watch(Callback):
        def on_step(self, trainer: Training) -> None:
            optimizer = next(iter(trainer.rule.optimizers.values()))
            rates.append(optimizer.param_groups[0]["lr"])
            moments.append(int(next(iter(optimizer.state.values()))["step"]))

    climbing(callbacks=(Watch(),)).fit()
    cosine = [0.025 * (1 + math.cos(math.pi * done / length)) for length in (4, 8, 4) for done in range(length)]
    assert rates == pytest.approx(cosine)
    assert moments == [*range(1, 5), *range(1, 9), *range(1, 5)]


def test_the_average_begins_anew() -> None:
    seen: list[bool] = []

    def compare(trainer: Training) -> None:
        assert isinstance(trainer, Trainer)
        home, average = trainer.rule.home.state_dict(), trainer.learner.home_weights()
        seen.append(all(torch.equal(home[name], average[name]) for name in home))

    climbing(ema_decay=0.9, callbacks=tuple(At(step, compare) for step in (4, 5, 12, 13, 14))).fit()
    assert seen == [False, True, False, True, False]  # the first update of a phase is where its average starts


def scored(trainer: Trainer, scores: list[float]) -> Trainer:
    following = iter(scores)
    trainer._evaluate = lambda rule: {"loss": next(following)}
    return trainer


def test_patience_ends_a_phase_and_only_in_the_last_one_the_run(place: Path) -> None:
    scores = [1.0, 2.0, 2.0, 5.0, 4.0, 6.0, 6.0, 9.0, 8.0, 9.0, 9.0, 1e9]
    trainer = scored(climbing(place / "run", evaluate_every=1, patience=2, steps=100), scores)
    trainer.fit()
    rows = trainer.run.metrics()  # type: ignore[union-attr]
    ends = {row["phase"]: row["step"] for row in rows}
    assert ends == {"bottom": 3, "top": 7, "both": 11} and trainer.stopped_early
    assert (trainer.best.value, trainer.best.step) == (8.0, 9)  # of the last phase, though others scored better
    assert trainer.run.pointed("best").name == "step-000009"  # type: ignore[union-attr]
    saved = checkpoint.load(trainer.run.pointed("best"), ("weights",))["weights"]  # type: ignore
    assert checkpoint.digest(trainer.rule.home.state_dict()) == checkpoint.digest(saved)


def test_iterations_that_a_phase_leaves_go_to_the_others() -> None:
    trainer = scored(climbing(evaluate_every=1, patience=1), [1.0, 2.0, *([0.5**n for n in range(20)])])
    trainer.fit()
    assert trainer.iteration == STEPS and trainer.phases.start == 2 + round(14 * 2 / 3)


def test_the_best_of_an_earlier_phase_is_not_taken_home(place: Path) -> None:
    run = place / "run"
    trainer = scored(climbing(run, evaluate_every=4), [0.1, 0.2, 0.3, math.nan])
    trainer.fit()
    assert trainer.best.value is None and RunFolder.open(run).pointed("best") is None
    assert trainer.rule.counters["steps"] == STEPS


KINDS = {
    "plain": ("on_step", {}),
    "just saved": ("on_checkpoint", {}),
    "average": ("on_step", {"ema_decay": 0.8}),
    "patience": ("on_step", {"patience": 1, "evaluate_every": 1}),
    "seldom saved": ("on_step", {"checkpoint_every": 5}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_every_step_it_goes_on_bit_for_bit(kind: str, place: Path) -> None:
    hook, fields = KINDS[kind]
    whole = climbing(place / "whole", **fields)
    whole.fit()
    for step in range(1, whole.iteration + 1):
        with pytest.raises(ConnectionResetError):
            climbing(place / f"{step}", (At(step, die, hook),), **fields).fit()
        again = climbing(place / f"{step}", **fields)
        again.fit()
        assert outcome(again) == outcome(whole), step


def test_a_process_that_dies_at_every_step_comes_to_the_same_end(place: Path) -> None:
    whole = climbing(place / "whole", ema_decay=0.8)
    whole.fit()
    for _ in range(STEPS):
        trainer = climbing(place / "run", ema_decay=0.8)
        trainer.callbacks = (At(trainer.iteration + 1, die, "on_checkpoint"),)
        with pytest.raises(ConnectionResetError):
            trainer.fit()
    last = climbing(place / "run", ema_decay=0.8)
    last.fit()
    assert outcome(last) == outcome(whole)


@pytest.mark.parametrize("border", BORDERS[:2])
def test_a_damaged_checkpoint_behind_a_border_leads_back_before_it(border: int, place: Path) -> None:
    whole = climbing(place / "whole")
    whole.fit()
    with pytest.raises(ConnectionResetError):
        climbing(place / "run", (At(border + 2, die),)).fit()
    run = RunFolder.open(place / "run")
    (run.checkpoints / f"step-{border + 1:06d}" / "networks.safetensors").write_bytes(b"")
    torch.manual_seed(0)
    trainer = Trainer(Climber(), CopiedPoints(), TrainerSettings(**SETTINGS), evaluate=error, run=run)  # type: ignore
    (doubt,) = trainer.resume()
    assert "is damaged" in doubt and trainer.iteration == border and trainer.phases.end == border
    trainer.fit()
    assert outcome(trainer) == outcome(whole)


@pytest.mark.parametrize("bad", [4, 5, 6, 13])
def test_rolling_back_crosses_a_border(bad: int, place: Path) -> None:
    """A batch that is not finite, next to a border; the checkpoint to go back to may be before it."""
    trainer = climbing(place / "run", checkpoint_every=100, evaluate_every=100, non_finite="roll-back")
    planted: list[int] = []
    objective = trainer.rule.objective  # type: ignore[attr-defined]

    def plant(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        measured = objective(batch)
        if trainer.rule.counters["steps"] == bad and not planted:
            planted.append(bad)
            return {"loss": measured["loss"] * math.nan}
        return measured

    trainer.rule.objective = plant  # type: ignore[attr-defined]
    trainer.fit()
    assert trainer.learner.recovery.passed_over == [bad] and trainer.iteration == STEPS
    assert trainer.rule.counters["steps"] == STEPS - 1
    assert trainer.rule.counters["phase"] == 2
    assert all(torch.isfinite(weight).all() for weight in trainer.rule.home.parameters())


def test_skipping_undoes_what_a_bad_step_did_to_state(place: Path) -> None:
    trainer = climbing(non_finite="skip")
    trainer.loader.points.inputs[7] = math.nan  # type: ignore[attr-defined]
    trainer.fit()
    passed_over = trainer.learner.recovery.passed_over
    assert passed_over and trainer.rule.counters["steps"] == STEPS - len(passed_over)
    assert all(torch.isfinite(value).all() for value in trainer.rule.home.state_dict().values())


def test_a_rule_that_cannot_begin_its_phases_says_so() -> None:
    class Silent(Climber):
        begin = LearningRule.begin

    with pytest.raises(TypeError, match="bottom"):
        Trainer(Silent(), CopiedPoints(), TrainerSettings(steps=5))


def test_networks_that_thaw_are_what_they_were_when_they_were_built() -> None:
    networks = {"a": nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), "b": nn.Linear(2, 2)}
    networks["a"][0].bias.requires_grad_(False)
    networks["a"][1].eval()
    roles = TrainedRoles(
        networks, lambda network: torch.optim.SGD([p for p in network.parameters() if p.requires_grad])
    )
    built = [module.training for module in networks["a"].modules()]
    roles.train_only(["b"])
    assert not any(parameter.requires_grad for parameter in networks["a"].parameters())
    assert not any(module.training for module in networks["a"].modules())
    optimizers = roles.train_only(["a"])
    assert [module.training for module in networks["a"].modules()] == built == [True, True, False]
    assert [name for name, value in networks["a"].named_parameters() if value.requires_grad] == [
        "0.weight",
        "1.weight",
        "1.bias",
    ]
    assert not networks["b"].weight.requires_grad and list(optimizers) == ["a"]
