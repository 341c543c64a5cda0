"""Parts of a network with other learning rates or without weight decay, against the groups of torch.optim."""

import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.fast import descent as fast_descent
from ganglion.fast.applies import enabled
from ganglion.nn.energy.restricted import BernoulliRBM
from ganglion.rules.descend import Descent, descend
from ganglion.rules.energy.contrastive import ContrastiveDivergence
from ganglion.rules.optimizers import OPTIMIZERS
from ganglion.rules.supervised import Supervised
from ganglion.training import checkpoint
from ganglion.training.callback import Callback, Training
from ganglion.training.run_folder import RunFolder
from ganglion.training.schedule import scale_learning_rates
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.training.toys import Points

BATCH = {"inputs": torch.linspace(-1, 1, 24).view(8, 3), "targets": torch.linspace(1, -2, 16).view(8, 2)}


def deep() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.LayerNorm(5), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2))


def objective_of(network: nn.Module) -> Any:
    return lambda batch: {"loss": (network(batch["inputs"]) - batch["targets"]).square().mean()}


def parts(network: nn.Sequential) -> list[list[nn.Parameter]]:
    """Return the parameters of the first two layers, the last bias, and the rest."""
    slow, last = [*network[0].parameters(), *network[1].parameters()], [network[4].bias]
    kept = {id(parameter) for parameter in (*slow, *last)}
    return [slow, last, [parameter for parameter in network.parameters() if id(parameter) not in kept]]


def is_equal(ours: nn.Module, theirs: nn.Module) -> bool:
    pairs = zip(ours.parameters(), theirs.parameters(), strict=True)
    return all(torch.allclose(one, other, rtol=1e-5, atol=1e-6) for one, other in pairs)


RATES = ("0=0.1", "1=0.1", "4.bias=3")


@pytest.mark.parametrize("name", sorted(set(OPTIMIZERS) - {"lbfgs"}))
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_rates_are_those_of_groups_in_torch(name: str, clip_norm: float | None) -> None:
    ours, theirs = deep(), deep()
    descent = Descent(optimizer=name, learning_rate=0.01, rates=RATES, clip_norm=clip_norm)  # type: ignore[arg-type]
    cls = next(cls for key, cls in vars(torch.optim).items() if key.lower() == name and isinstance(cls, type))
    slow, last, rest = parts(theirs)
    groups = [{"params": rest}, {"params": slow, "lr": 0.001}, {"params": last, "lr": 0.03}]
    optimizer, reference = descent.make_optimizer(ours), cls(groups, lr=0.01)
    for _ in range(6):
        descend(optimizer, BATCH, objective_of(ours), descent)
        reference.zero_grad()
        objective_of(theirs)(BATCH)["loss"].backward()
        if clip_norm:
            nn.utils.clip_grad_norm_(theirs.parameters(), clip_norm)
        reference.step()
    assert is_equal(ours, theirs) and not is_equal(ours, deep())


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "rmsprop"])
def test_biases_and_norms_can_be_left_out_of_the_decay(name: str) -> None:
    ours, theirs = deep(), deep()
    settings: dict[str, Any] = {"optimizer": name, "learning_rate": 0.01, "weight_decay": 0.3}
    descent = Descent(**settings, decay_biases=False)
    cls = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
    matrices = [parameter for parameter in theirs.parameters() if parameter.dim() >= 2]
    vectors = [parameter for parameter in theirs.parameters() if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": 0.3}, {"params": vectors, "weight_decay": 0.0}]
    optimizer, reference = descent.make_optimizer(ours), cls[name](groups, lr=0.01)
    for _ in range(6):
        descend(optimizer, BATCH, objective_of(ours), descent)
        reference.zero_grad()
        objective_of(theirs)(BATCH)["loss"].backward()
        reference.step()
    assert is_equal(ours, theirs)
    decayed = deep()
    everything = Descent(**settings)
    optimizer = everything.make_optimizer(decayed)
    for _ in range(6):
        descend(optimizer, BATCH, objective_of(decayed), everything)
    assert not is_equal(ours, decayed)


def test_defaults_are_one_group_as_ever() -> None:
    network = deep()
    (group,) = Descent(weight_decay=0.1).make_optimizer(network).param_groups
    assert all(one is other for one, other in zip(group["params"], network.parameters(), strict=True))
    assert (group["lr"], group["initial_lr"], group["weight_decay"]) == (1e-3, 1e-3, 0.1)


def test_the_longest_name_decides_and_the_rest_comes_first() -> None:
    optimizer = Descent(rates=("0=0.5", "0.bias=2"), learning_rate=0.1).make_optimizer(deep())
    rates = {name: group["lr"] for group in optimizer.param_groups for name in group["param_names"]}
    assert rates["0.weight"] == 0.05 and rates["0.bias"] == 0.2 and rates["4.bias"] == 0.1
    assert optimizer.param_groups[0]["lr"] == 0.1
    scale_learning_rates([optimizer], 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 0.025, 0.1]


@pytest.mark.parametrize(
    ("rates", "words"),
    [(("layers=0.1",), "one of 0, 1, 2, 4"), (("0",), "encoder=0.1"), (("0=-1",), "encoder=0.1"),
     (("0=fast",), "encoder=0.1"), (("0=nan",), "encoder=0.1")],
)  # fmt: skip
def test_rates_that_mean_nothing_are_refused(rates: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Descent(rates=rates).make_optimizer(deep())
    assert words in raised.value.expected and raised.value.where == "rates"


def test_two_rates_of_a_part_and_an_optimizer_without_groups_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two rates"):
        Descent(rates=("0=1", "0=2")).make_optimizer(deep())
    with pytest.raises(ConfigurationError, match="lbfgs has one learning rate"):
        Descent(optimizer="lbfgs", rates=("0=0.1",)).make_optimizer(deep())


@pytest.mark.skipif(not enabled(), reason="needs numba")
def test_the_compiled_update_takes_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    updates: list[float] = []
    step = fast_descent._norm_and_update

    def watched(*arguments: Any, **options: Any) -> float | None:
        norm = step(*arguments, **options)
        updates.extend([] if norm is None else [norm])
        return norm

    monkeypatch.setattr(fast_descent, "_norm_and_update", watched)
    networks = deep(), deep()
    for network, compiled in zip(networks, ("1", "0"), strict=True):
        monkeypatch.setenv("GANGLION_FAST", compiled)
        descent = Descent(optimizer="adamw", rates=RATES, weight_decay=0.3, decay_biases=False, clip_norm=0.1)
        optimizer = descent.make_optimizer(network)
        for _ in range(6):
            descend(optimizer, BATCH, objective_of(network), descent)
        if compiled == "1":
            assert len(updates) == 5, "all but the first, which makes the moments"
    assert is_equal(*networks)


def rule_of(descent: Descent) -> LearningRule:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    return Supervised(network, descent, loss="squared-error")


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, trainer: Training) -> None:
        if trainer.iteration == self.step:
            raise InterruptedError


def grouped_run(folder: Path, freeze: tuple[str, ...], *callbacks: Callback) -> Trainer:
    descent = Descent(
        optimizer="adamw", learning_rate=0.05, rates=("0=0.1", "3=2"), weight_decay=0.1, decay_biases=False
    )
    known = (folder / "config.json").exists()
    run = RunFolder.open(folder) if known else RunFolder.create(folder, "line", {})
    settings = TrainerSettings(steps=20, schedule="cosine", checkpoint_every=5, freeze=freeze, threads=1)
    trainer = Trainer(rule_of(descent), Points(), settings, run=run, callbacks=callbacks)
    if known:
        trainer.resume()
    with contextlib.suppress(InterruptedError):
        trainer.fit()
    return trainer


@pytest.mark.parametrize("freeze", [(), ("0",)])
def test_a_resumed_run_has_the_same_groups_and_bits(freeze: tuple[str, ...], tmp_path: Path) -> None:
    whole = grouped_run(tmp_path / "whole", freeze)
    assert grouped_run(tmp_path / "halves", freeze, StopAt(13)).iteration == 13
    halves = grouped_run(tmp_path / "halves", freeze)
    states = [trainer.learner.state_dict() for trainer in (whole, halves)]
    assert halves.iteration == 20 and checkpoint.digest(states[0]) == checkpoint.digest(states[1])
    names = [name for group in whole.rule.optimizers["network"].param_groups for name in group["param_names"]]
    assert ("0.weight" in names) == (not freeze) and names[0] == "1.weight"


def test_gradients_derived_by_hand_reach_their_own_parameters() -> None:
    """Contrastive divergence at one rate for all, of which one group is as fast as the others, learns the same."""
    machines = []
    for rates in ((), ("weight=1.0000001",)):
        torch.manual_seed(0)
        machine = BernoulliRBM(6, 4)
        rule = ContrastiveDivergence(machine, Descent(optimizer="sgd", learning_rate=0.1, rates=rates))
        for _ in range(5):
            rule.step({"inputs": (torch.rand(8, 6) > 0.5).float()})
        machines.append(copy.deepcopy(machine))
    assert is_equal(*machines)
