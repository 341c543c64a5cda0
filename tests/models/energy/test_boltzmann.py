"""The Boltzmann machine as an entry of the index, and its mathematics against enumeration and autograd."""

import itertools
from typing import Any

import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.energy.boltzmann import TINY, Config, build
from ganglion.nn.energy.boltzmann import BoltzmannMachine
from ganglion.rules.descend import Descent
from ganglion.rules.energy.boltzmann import BoltzmannLearning
from tests.contract.rows import Row

STILL = Descent(optimizer="sgd", learning_rate=0.0)


def twins(width: int) -> torch.Tensor:
    """The encoder problem, (width, 2 width)."""
    return torch.eye(width).repeat(1, 2)


@torch.no_grad()
def log_likelihood(rule: LearningRule) -> float:
    """Mean log p(v) of the patterns in nats; log 3 = 1.10 is the best, and units by themselves have -3.82."""
    machine: Any = rule.home
    return float(machine.log_probability(twins(3)).mean())


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": twins(3)}, batch_size=3, seed=0),
    steps=400,
    measure=log_likelihood,
    threshold=-1.8,
    counts=(({}, "machine", 39), ({"in_features": 16, "hidden_units": 3}, "machine", 126)),
    data="encoder-4-2-4",
)


def some_machine(visible: int = 4, hidden: int = 3, deviation: float = 1.0) -> BoltzmannMachine:
    torch.manual_seed(0)
    machine = BoltzmannMachine(visible, hidden, deviation=deviation).double().requires_grad_(False)
    machine.bias.normal_()
    return machine


def energies_by_hand(machine: BoltzmannMachine) -> dict[tuple[int, ...], float]:
    """E of every joint state, from the pairs alone."""
    triples = list(zip(machine.first.tolist(), machine.second.tolist(), machine.pair_weight.tolist(), strict=True))
    return {
        state: -sum(bias * on for bias, on in zip(machine.bias.tolist(), state, strict=True))
        - sum(weight * state[one] * state[other] for one, other, weight in triples)
        for state in itertools.product((0, 1), repeat=machine.num_units)
    }


def test_energies_and_probabilities_are_those_of_every_state_by_itself() -> None:
    machine = some_machine()
    energies = energies_by_hand(machine)
    states = torch.tensor(list(energies), dtype=torch.float64)
    torch.testing.assert_close(machine.energy(states), torch.tensor(list(energies.values()), dtype=torch.float64))
    for temperature in (0.5, 1.0, 3.0):
        weights = torch.tensor([-energy / temperature for energy in energies.values()], dtype=torch.float64).exp()
        visible = torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64)
        expected = weights[(states[:, :4] == visible).all(1)].sum() / weights.sum()
        found = machine.log_probability(visible[None], temperature)
        assert found is not None
        torch.testing.assert_close(found.exp()[0], expected)


def test_one_unit_given_all_others_follows_from_free_energies() -> None:
    machine = some_machine()
    visible = torch.tensor([[1.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    for unit in range(4):
        flipped = visible.clone()
        flipped[0, unit] = 1 - flipped[0, unit]
        joint = torch.cat([machine.log_probability(visible), machine.log_probability(flipped)])  # type: ignore[list-item]
        found = machine.conditional_log_likelihood(visible, torch.tensor([[unit]]))[0, 0]
        torch.testing.assert_close(found, joint.log_softmax(0)[0])


def test_the_gradient_is_that_of_the_likelihood() -> None:
    machine = some_machine().requires_grad_(True)
    rows = torch.tensor([[1.0, 0, 0, 1], [0, 1, 1, 0], [1, 1, 1, 0]], dtype=torch.float64)
    rule = BoltzmannLearning(machine, STILL)
    both = -machine.energy(torch.tensor(list(itertools.product((0.0, 1.0), repeat=7)), dtype=torch.float64))
    (machine.free_energy(rows).mean() + both.logsumexp(0)).backward()
    with torch.no_grad():
        downhill = rule.free(3) - rule.held(rows)
    torch.testing.assert_close(downhill[machine.first, machine.second], machine.pair_weight.grad)
    torch.testing.assert_close(downhill.diagonal(), machine.bias.grad)


def test_sampled_means_are_near_the_counted_ones() -> None:
    machine = some_machine(deviation=0.5)
    sampled = BoltzmannLearning(machine, STILL, exact=False, sweeps=30)
    rows = torch.tensor([[1.0, 0, 0, 1], [0, 1, 1, 0]], dtype=torch.float64).repeat(500, 1)
    counted = BoltzmannLearning(machine, STILL)
    torch.testing.assert_close(sampled.held(rows), counted.held(rows), atol=0.04, rtol=0)
    torch.testing.assert_close(sampled.free(1000), counted.free(1), atol=0.04, rtol=0)


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0])
def test_a_step_of_the_chain_keeps_the_distribution_of_its_temperature(temperature: float) -> None:
    machine = some_machine(3, 2)
    visible = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=torch.float64)
    exact = machine.log_probability(visible, temperature).exp()  # type: ignore[union-attr]
    start = visible[torch.multinomial(exact, 20_000, replacement=True)]
    reached = machine.gibbs_step(start, temperature=temperature)
    found = torch.bincount((reached.long() @ torch.tensor([4, 2, 1])), minlength=8) / 20_000
    assert (found - exact).abs().sum() / 2 < 0.03


def test_what_is_estimated_without_counting_is_near_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = some_machine(deviation=0.3)
    rows = torch.tensor([[1.0, 0, 0, 1], [0, 1, 1, 0]], dtype=torch.float64)
    energy, means, partition = machine.free_energy(rows), machine(rows), machine.log_partition()
    monkeypatch.setattr("ganglion.nn.energy.boltzmann.MOST_HIDDEN_COUNTED", 2)
    monkeypatch.setattr("ganglion.nn.energy.boltzmann.MOST_COUNTED", 6)
    bound = machine.free_energy(rows)
    assert (bound >= energy).all() and (bound - energy).max() < 0.05
    torch.testing.assert_close(machine(rows), means, atol=0.03, rtol=0)
    weights = machine.annealed_weights(torch.zeros(4, dtype=torch.float64), chains=200)
    assert float(weights.exp().mean().log()) == pytest.approx(float(partition), abs=0.1)
    assert machine.log_probability(rows) is None


def test_units_of_different_parts_are_joined_by_way_of_hidden_units_only() -> None:
    couplings = BoltzmannMachine(6, 2, parts=(3, 3), deviation=1.0).couplings.detach()
    assert not couplings[:3, 3:6].any() and couplings[:3, 6:].all() and couplings[6, 7]
    torch.testing.assert_close(couplings, couplings.T)


def test_noise_turns_units_over_at_its_rates() -> None:
    torch.manual_seed(0)
    rule = BoltzmannLearning(some_machine(), STILL, noise=0.3)
    turned = rule.disturbed(torch.tensor([[1.0, 1.0, 0.0, 0.0]]).repeat(4000, 1)).mean(0)
    assert turned[:2].tolist() == pytest.approx([0.7, 0.7], abs=0.03)
    assert turned[2:].tolist() == pytest.approx([0.1, 0.1], abs=0.03)


def test_the_published_form_moves_every_weight_by_the_same_amount() -> None:
    torch.manual_seed(0)
    rule: Any = build(Config())
    before = rule.machine.pair_weight.detach().clone()
    rule.step({"inputs": twins(4)})
    moved = (rule.machine.pair_weight.detach() - before).abs()
    assert ((moved < 1e-6) | ((moved - 0.5).abs() < 1e-6)).all() and (moved > 0.1).any()


def test_refuses_to_count_what_cannot_be_counted() -> None:
    with pytest.raises(ConfigurationError, match="cannot be counted"):
        build(Config(in_features=15, hidden_units=2, exact=True))
    with pytest.raises(ConfigurationError, match="accumulate"):
        BoltzmannLearning(some_machine(), Descent(accumulate=2))
    assert TINY.hidden_units == 4
