"""Chains that get about: parallel tempering against enumeration, fast weights by hand, the spread of the estimate."""

import math

import pytest
import torch

from ganglion.errors import ConfigurationError
from ganglion.nn.energy.restricted import BernoulliRBM, binary_states, spread_of_log_mean
from ganglion.rules.descend import Descent
from ganglion.rules.energy.contrastive import FAST, FAST_DECAY, ContrastiveDivergence

STILL = Descent(optimizer="sgd", learning_rate=0.0)


def two_minds() -> BernoulliRBM:
    """Six units that are all on or all off, which a plain chain hardly ever changes between."""
    machine = BernoulliRBM(6, 2).double().requires_grad_(False)
    machine.weight.fill_(2.4)
    machine.visible_bias.fill_(-2.4)
    machine.hidden_bias.fill_(-7.2)
    return machine


def distance_from_the_truth(temperatures: int) -> float:
    """Total variation between where chains that started with all units off are, and p(v)."""
    torch.manual_seed(0)
    machine = two_minds().requires_grad_(True)
    rule = ContrastiveDivergence(machine, STILL, persistent=True, num_chains=100, temperatures=temperatures)
    counts = torch.zeros(64, dtype=torch.float64)
    powers = 2 ** torch.arange(6)
    for step in range(60):
        sampled = rule.negative_samples(torch.zeros(1, 6, dtype=torch.float64))
        assert sampled.shape == (100, 6)
        if step >= 20:
            counts += torch.bincount((sampled.long() @ powers), minlength=64)
    exact = (-machine.free_energy(binary_states(6).double())).softmax(0)
    return float((counts / counts.sum() - exact).abs().sum().detach() / 2)


def test_tempered_chains_find_what_plain_chains_do_not() -> None:
    assert distance_from_the_truth(10) < 0.06
    assert distance_from_the_truth(1) > 0.12


def test_a_tempered_step_keeps_its_tempered_distribution() -> None:
    machine, coldness = two_minds(), 0.4
    torch.manual_seed(0)
    visible, hidden = binary_states(6).double(), binary_states(2).double()
    energies = torch.stack([machine.energy(visible, one.expand(64, -1)) for one in hidden], dim=1)
    exact = (-coldness * energies).logsumexp(1).softmax(0)
    start = visible[torch.multinomial(exact, 20_000, replacement=True)]
    then, energy = machine.tempered_step(start, torch.full((20_000,), coldness, dtype=torch.float64))
    found = torch.bincount(then.long() @ (2 ** torch.arange(6)), minlength=64) / 20_000
    assert (found - exact).abs().sum() / 2 < 0.05 and energy.shape == (20_000,)


def test_fast_weights_follow_the_gradient_and_fade() -> None:
    torch.manual_seed(0)
    machine = BernoulliRBM(6, 4).double()
    descent = Descent(optimizer="sgd", learning_rate=0.1)
    rule = ContrastiveDivergence(machine, descent, persistent=True, num_chains=8, fast_rate=0.3)
    expected = torch.zeros_like(machine.weight)
    for _ in range(3):
        before = machine.weight.detach().clone()
        rule.step({"inputs": torch.rand(5, 6, dtype=torch.float64)})
        expected = FAST_DECAY * expected + 0.3 / 0.1 * (machine.weight.detach() - before)
        torch.testing.assert_close(rule.tensors[FAST + "weight"], expected)
    assert set(rule.tensors) == {"chains", *(FAST + name for name, _ in machine.named_parameters())}


def test_only_chains_feel_fast_weights() -> None:
    rule = ContrastiveDivergence(BernoulliRBM(6, 4), STILL, persistent=True, num_chains=500, fast_rate=0.1)
    rule.tensors[FAST + "visible_bias"] = torch.full((6,), 30.0)
    before = {name: one.detach().clone() for name, one in rule.networks["machine"].named_parameters()}
    assert rule.negative_samples(torch.zeros(1, 6)).all()
    assert all(torch.equal(one, before[name]) for name, one in rule.networks["machine"].named_parameters())


@pytest.mark.parametrize(
    "fields", [{"temperatures": 3}, {"fast_rate": 0.1}, {"persistent": True, "temperatures": 3, "fast_rate": 0.1}]
)
def test_chains_that_make_no_sense_are_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="temperatures"):
        ContrastiveDivergence(BernoulliRBM(6, 4), STILL, **fields)  # type: ignore[arg-type]


def test_the_spread_is_how_far_estimates_scatter() -> None:
    torch.manual_seed(0)
    machine = BernoulliRBM(8, 6).double().requires_grad_(False)
    machine.weight.normal_()
    exact, off, said = float(machine.log_partition()), [], []
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        weights = machine.annealed_weights(torch.zeros(8).double(), chains=40, temperatures=30, generator=generator)
        off.append(float(weights.logsumexp(0)) - math.log(40) - exact)
        said.append(spread_of_log_mean(weights))
    scatter = float(torch.tensor(off).square().mean().sqrt())
    assert 0.7 < scatter / float(torch.tensor(said).mean()) < 1.4
