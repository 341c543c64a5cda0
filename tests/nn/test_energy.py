"""The Boltzmann machine against full enumeration."""

import pytest
import torch
from torch import Tensor

from ganglion.errors import UsageError
from ganglion.nn.energy.restricted import BernoulliRBM, binary_states, sample_bernoulli


def random_machine(num_visible: int = 4, num_hidden: int = 3, *, scale: float = 1.0, seed: int = 0) -> BernoulliRBM:
    """A machine with clearly different states, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    machine = BernoulliRBM(num_visible, num_hidden).double()
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
    return machine.requires_grad_(False)


def joint_distribution(machine: BernoulliRBM) -> Tensor:
    """p(v, h) of all states `(2^visible, 2^hidden)`, straight from the energy."""
    visible, hidden = binary_states(machine.num_visible).double(), binary_states(machine.num_hidden).double()
    energies = torch.stack([machine.energy(visible, state.expand(len(visible), -1)) for state in hidden], dim=1)
    return (-energies).flatten().softmax(0).view_as(energies)


def test_energy_is_the_sum_over_units_and_pairs() -> None:
    machine = random_machine()
    v, h = torch.tensor([1.0, 0.0, 1.0, 1.0]).double(), torch.tensor([0.0, 1.0, 1.0]).double()
    by_hand = -sum(machine.visible_bias[i] * v[i] for i in range(4)) - sum(
        machine.hidden_bias[j] * h[j] for j in range(3)
    )
    by_hand -= sum(h[j] * machine.weight[j, i] * v[i] for i in range(4) for j in range(3))
    torch.testing.assert_close(machine.energy(v, h), by_hand)


def test_free_energy_sums_out_the_hidden_units() -> None:
    machine = random_machine()
    visible, hidden = binary_states(4).double(), binary_states(3).double()
    energies = torch.stack([machine.energy(visible, state.expand(16, -1)) for state in hidden], dim=1)
    torch.testing.assert_close(machine.free_energy(visible), -torch.logsumexp(-energies, dim=1))


def test_conditionals_are_those_of_the_joint_distribution() -> None:
    machine = random_machine()
    joint = joint_distribution(machine)  # (16, 8)
    visible, hidden = binary_states(4).double(), binary_states(3).double()
    torch.testing.assert_close(machine(visible), (joint @ hidden) / joint.sum(1, keepdim=True))
    torch.testing.assert_close(machine.visible_probabilities(hidden), (joint.T @ visible) / joint.sum(0)[:, None])


@pytest.mark.parametrize(("num_visible", "num_hidden"), [(4, 3), (3, 5), (16, 2)])
def test_log_partition_counts_the_smaller_layer(num_visible: int, num_hidden: int) -> None:
    machine = random_machine(num_visible, num_hidden)
    over_visible = torch.logsumexp(-machine.free_energy(binary_states(num_visible).double()), 0)
    torch.testing.assert_close(machine.log_partition(), over_visible)


def test_log_partition_refuses_what_it_cannot_count() -> None:
    with pytest.raises(UsageError, match="estimate_log_partition"):
        BernoulliRBM(100, 100).log_partition()


def test_free_energy_gradients_equal_autograd() -> None:
    machine = random_machine(6, 5).requires_grad_(True)
    visible = (torch.rand(7, 6) < 0.5).double()
    shares = torch.linspace(-1, 1, 7).double()
    with torch.no_grad():
        total, gradients = machine.free_energy_gradients(visible, shares)
    expected = (shares * machine.free_energy(visible)).sum()
    torch.testing.assert_close(total, expected)
    for found, wanted in zip(gradients, torch.autograd.grad(expected, list(machine.parameters())), strict=True):
        torch.testing.assert_close(found, wanted)


def test_gibbs_sampling_leaves_the_models_distribution_as_it_is() -> None:
    """The exact transition matrix of one Gibbs step has the enumerated p(v) as its fixed point."""
    machine = random_machine()
    joint = joint_distribution(machine)
    hidden_given_visible = joint / joint.sum(1, keepdim=True)
    visible_given_hidden = joint / joint.sum(0, keepdim=True)
    stationary = joint.sum(1)
    torch.testing.assert_close(stationary @ hidden_given_visible @ visible_given_hidden.T, stationary)
    # and the sampler makes exactly those transitions: frequencies after one step from a fixed state
    start = binary_states(4)[5].double().expand(200_000, -1)
    after = machine.gibbs_step(start, torch.Generator().manual_seed(1))
    expected = (hidden_given_visible @ visible_given_hidden.T)[5]
    torch.testing.assert_close(_frequencies(after), expected, atol=4 * 0.5 / 200_000**0.5, rtol=0)


def test_long_chains_visit_states_as_often_as_enumeration_says() -> None:
    machine, generator = random_machine(), torch.Generator().manual_seed(0)
    visible = torch.zeros(50_000, 4).double()
    for _ in range(50):
        visible = machine.gibbs_step(visible, generator)
    torch.testing.assert_close(
        _frequencies(visible), joint_distribution(machine).sum(1), atol=4 * 0.5 / 50_000**0.5, rtol=0
    )


def _frequencies(visible: Tensor) -> Tensor:
    states = (visible.long() << torch.arange(visible.shape[1])).sum(1)
    return torch.bincount(states, minlength=1 << visible.shape[1]).double() / len(visible)


def test_pseudo_likelihood_terms_are_the_enumerated_conditionals() -> None:
    machine = random_machine()
    states = binary_states(4)
    probability = joint_distribution(machine).sum(1)
    found = machine.conditional_log_likelihood(states.double(), torch.arange(4).expand(16, -1))
    for number in range(16):
        for unit in range(4):
            flipped = number ^ (1 << unit)
            expected = torch.log(probability[number] / (probability[number] + probability[flipped]))
            torch.testing.assert_close(found[number, unit], expected)


def test_match_means_makes_an_untrained_machine_the_best_independent_model() -> None:
    visible = (torch.rand(1000, 5, generator=torch.Generator().manual_seed(0)) < torch.linspace(0, 0.9, 5)).float()
    machine = BernoulliRBM(5, 3, deviation=0.0)
    machine.match_means(visible)
    torch.testing.assert_close(machine.reconstruct(visible[:1])[0], (visible.sum(0) + 1) / 1002)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.0])
def test_annealed_importance_sampling_finds_the_partition_function(scale: float) -> None:
    machine = random_machine(12, 6, scale=scale)
    estimate = machine.estimate_log_partition(
        torch.zeros(12).double(), chains=400, generator=torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(estimate, machine.log_partition(), atol=0.1, rtol=0)


def test_sampling_obeys_its_probabilities_and_its_generator() -> None:
    probabilities = torch.tensor([0.0, 0.1, 0.5, 1.0]).expand(100_000, -1)
    samples = sample_bernoulli(probabilities, torch.Generator().manual_seed(3))
    torch.testing.assert_close(samples.mean(0), probabilities[0], atol=0.007, rtol=0)
    assert set(samples.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(sample_bernoulli(probabilities, torch.Generator().manual_seed(3)), samples)


def test_sampling_from_half_precision_keeps_small_probabilities() -> None:
    probabilities = torch.full((200_000,), 1e-3, dtype=torch.bfloat16)
    assert 1e-4 < sample_bernoulli(probabilities, torch.Generator().manual_seed(0)).mean().item() < 2e-3
