"""The restricted Boltzmann machine as an entry of the index."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.energy.rbm import TINY, Config, build
from ganglion.nn.energy.restricted import BernoulliRBM
from ganglion.rules.descend import Descent
from tests.contract.rows import Row
from tests.contract.toys import bars_and_stripes


@torch.no_grad()
def exact_log_likelihood(rule: LearningRule) -> float:
    """Mean log p(v) of the patterns; pixels that know nothing of each other have -16 log 2 = -11.09."""
    machine: Any = rule.home
    return float((-machine.free_energy(bars_and_stripes())).mean() - machine.log_partition())


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": bars_and_stripes()}, batch_size=10, seed=0),
    steps=1500,
    measure=exact_log_likelihood,
    threshold=-8.0,
    counts=(({}, "machine", 393_284),),
)


def test_has_the_published_number_of_parameters_layer_by_layer() -> None:
    machine = build(Config(in_features=784, hidden_units=500)).home
    counts = {name: parameter.numel() for name, parameter in machine.named_parameters()}
    assert counts == {"weight": 784 * 500, "visible_bias": 784, "hidden_bias": 500}
    assert sum(counts.values()) == 393_284


def test_weights_start_small_and_biases_at_zero() -> None:
    torch.manual_seed(0)
    machine = BernoulliRBM(784, 500)
    assert machine.weight.std().item() == pytest.approx(0.01, rel=0.01)
    assert not machine.visible_bias.any()
    assert not machine.hidden_bias.any()


def test_options_reach_the_rule() -> None:
    rule = build(Config(in_features=16, hidden_units=8, gibbs_steps=3, persistent=True, num_chains=5))
    assert rule.gibbs_steps == 3
    assert rule.tensors["chains"].shape == (5, 16)
    assert build(Config(persistent=False)).tensors == {}
    assert TINY.in_features == 16


@pytest.mark.parametrize("field", ["in_features", "hidden_units", "gibbs_steps", "num_chains"])
def test_refuses_sizes_below_one(field: str) -> None:
    with pytest.raises(ConfigurationError, match=field):
        build(Config(**{field: 0}))


@pytest.mark.parametrize("fields", [{"temperatures": 4}, {"fast_rate": 0.05}])
def test_machines_learn_with_chains_that_get_about(fields: dict[str, Any]) -> None:
    torch.manual_seed(0)
    rule = build(replace(TINY, **fields))
    loader, steps = ROW.loader(), 0
    while steps < 1000:
        for batch in loader:
            rule.step(batch)
            steps += 1
    assert exact_log_likelihood(rule) > -7.0


def test_gaussian_machines_learn_two_crossed_directions() -> None:
    """Two clusters in the plane whose units each look like one alone: independent Gaussians have -2.84 nats."""
    torch.manual_seed(0)
    signs = torch.randint(0, 2, (400, 1)).float() * 2 - 1
    data = torch.cat([signs, signs], 1) + 0.3 * torch.randn(400, 2)
    rule = build(
        Config(in_features=2, visible="gaussian", hidden_units=4, gibbs_steps=1, descent=Descent(learning_rate=3e-3))
    )
    for start in range(1200):
        rule.step({"inputs": data.roll(start * 40, 0)[:40]})
    machine: Any = rule.home
    with torch.no_grad():
        learnt = float((-machine.free_energy(data)).mean() - machine.log_partition())
    assert learnt > -1.8


def test_gaussian_units_have_no_hottest_temperature() -> None:
    with pytest.raises(ConfigurationError, match="nothing holds them"):
        Config(visible="gaussian", temperatures=4)
