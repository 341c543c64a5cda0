"""Contrastive divergence against autograd and against full enumeration on a machine of 4 visible and 3 hidden units."""

import copy
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from ganglion.errors import ConfigurationError
from ganglion.nn.energy.restricted import BernoulliRBM, binary_states
from ganglion.rules.descend import Descent
from ganglion.rules.energy.contrastive import ContrastiveDivergence

PATTERNS = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [1, 1, 1, 1]]).double()
PLAIN = Descent(optimizer="sgd", learning_rate=1.0)


def machine_of(num_visible: int = 4, num_hidden: int = 3, scale: float = 0.5) -> BernoulliRBM:
    torch.manual_seed(0)
    machine = BernoulliRBM(num_visible, num_hidden, deviation=scale).double()
    torch.nn.init.normal_(machine.visible_bias, std=scale)
    torch.nn.init.normal_(machine.hidden_bias, std=scale)
    return machine


def exact_log_likelihood(machine: BernoulliRBM, visible: Tensor) -> Tensor:
    """Mean log p(v), the normaliser counted over all visible states so that autograd can see it."""
    states = binary_states(machine.num_visible).to(visible)
    return (-machine.free_energy(visible)).mean() - (-machine.free_energy(states)).logsumexp(0)


def exact_gradients(machine: BernoulliRBM, visible: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(-exact_log_likelihood(machine, visible), list(machine.parameters()))


def log_likelihood_after(rule: ContrastiveDivergence, visible: Tensor, steps: int) -> float:
    torch.manual_seed(1)
    for _ in range(steps):
        rule.step({"inputs": visible})
    return exact_log_likelihood(rule.machine, visible).item()


class Enumerated(BernoulliRBM):
    """A machine whose chain has run for ever: every step returns all states, as often as the model has them."""

    COPIES = 200_000

    def gibbs_step(self, visible: Tensor, generator: torch.Generator | None = None) -> Tensor:
        states = binary_states(self.num_visible).to(visible)
        probabilities = (-self.free_energy(states)).softmax(0)
        return states.repeat_interleave((probabilities * self.COPIES).round().long(), dim=0)


def test_gradient_is_that_of_the_difference_of_free_energies() -> None:
    machine = machine_of(9, 6)
    data = (torch.rand(32, 9) < 0.4).double()
    rule = ContrastiveDivergence(machine, Descent(optimizer="sgd", learning_rate=0.0), gibbs_steps=3)
    torch.manual_seed(5)
    measured = rule.step({"inputs": data})
    torch.manual_seed(5)
    with torch.no_grad():
        model = rule.negative_samples(data)
    loss = machine.free_energy(data).mean() - machine.free_energy(model).mean()
    torch.testing.assert_close(measured["loss"], loss.detach())
    for parameter, expected in zip(
        machine.parameters(), torch.autograd.grad(loss, list(machine.parameters())), strict=True
    ):
        torch.testing.assert_close(parameter.grad, expected)


def test_with_the_models_own_distribution_it_is_the_exact_likelihood_gradient() -> None:
    machine = machine_of()
    enumerated = Enumerated(4, 3).double()
    enumerated.load_state_dict(machine.state_dict())
    ContrastiveDivergence(enumerated, PLAIN).step({"inputs": PATTERNS})
    for parameter, expected in zip(enumerated.parameters(), exact_gradients(machine, PATTERNS), strict=True):
        torch.testing.assert_close(parameter.grad, expected, atol=1e-4, rtol=0)


def test_the_mean_over_long_chains_approaches_the_exact_gradient() -> None:
    machine = machine_of()
    many = PATTERNS.repeat(20_000, 1)
    rule = ContrastiveDivergence(copy.deepcopy(machine), PLAIN, gibbs_steps=30)
    rule.step({"inputs": many})
    for parameter, expected in zip(rule.machine.parameters(), exact_gradients(machine, PATTERNS), strict=True):
        torch.testing.assert_close(parameter.grad, expected, atol=0.01, rtol=0)


def test_following_the_exact_gradient_raises_the_likelihood_at_every_step() -> None:
    enumerated = Enumerated(4, 3).double()
    enumerated.load_state_dict(machine_of().state_dict())
    rule = ContrastiveDivergence(enumerated, Descent(optimizer="sgd", learning_rate=0.2))
    likelihoods = [log_likelihood_after(rule, PATTERNS, 1) for _ in range(40)]
    assert all(later > earlier for earlier, later in pairwise(likelihoods))


@pytest.mark.parametrize(
    ("persistent", "gibbs_steps"), [(False, 1), (False, 10), (True, 1)], ids=["CD-1", "CD-10", "PCD"]
)
def test_training_raises_the_exact_likelihood(persistent: bool, gibbs_steps: int) -> None:
    """Four patterns of equal weight: a perfect model reaches -log 4, independent pixels about twice as far down."""
    machine = machine_of(scale=0.05)
    rule = ContrastiveDivergence(
        machine,
        Descent(optimizer="sgd", learning_rate=0.1),
        gibbs_steps=gibbs_steps,
        persistent=persistent,
        num_chains=400,
    )
    many = PATTERNS.repeat(50, 1)
    before = exact_log_likelihood(machine, PATTERNS).item()
    after = log_likelihood_after(rule, many, 1000)
    means = PATTERNS.mean(0)
    independent = (torch.xlogy(PATTERNS, means) + torch.xlogy(1 - PATTERNS, 1 - means)).sum(1).mean().item()
    assert before < independent + 0.1
    assert after > independent + 0.3
    assert after < -torch.log(torch.tensor(4.0)).item()  # no model can do better


def test_persistent_chains_run_on_and_are_saved() -> None:
    rule = ContrastiveDivergence(machine_of(scale=0.0), PLAIN, persistent=True, num_chains=500)
    assert not rule.tensors["chains"].any()
    rule.step({"inputs": PATTERNS})
    chains = rule.tensors["chains"].clone()
    assert 0.4 < chains.mean() < 0.6
    other = ContrastiveDivergence(machine_of(), PLAIN, persistent=True, num_chains=500)
    other.load_state_dict(rule.state_dict())
    torch.testing.assert_close(other.tensors["chains"], chains)
    assert other.counters == {"updates": 1}
    for one in (rule, other):
        torch.manual_seed(7)
        one.step({"inputs": PATTERNS})
    for a, b in zip(rule.machine.parameters(), other.machine.parameters(), strict=True):
        assert torch.equal(a, b)


def test_visible_biases_start_at_the_means_of_the_first_batch_only() -> None:
    still = Descent(optimizer="sgd", learning_rate=0.0)
    rule = ContrastiveDivergence(machine_of(), still, start_from_means=True)
    rule.step({"inputs": PATTERNS})
    first = rule.machine.visible_bias.clone()
    torch.testing.assert_close(torch.sigmoid(first), (PATTERNS.sum(0) + 1) / 6)
    rule.step({"inputs": 1 - PATTERNS})
    assert torch.equal(rule.machine.visible_bias, first)
    kept = ContrastiveDivergence(machine_of(), still)
    kept.step({"inputs": PATTERNS})
    assert torch.equal(kept.machine.visible_bias, machine_of().visible_bias)


def test_images_are_taken_as_rows_and_other_precisions_leave_the_weights_alone() -> None:
    rule = ContrastiveDivergence(machine_of().float(), PLAIN)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        measured = rule.step({"inputs": PATTERNS.float().view(4, 1, 2, 2)})
    assert torch.isfinite(measured["loss"])
    assert {parameter.grad.dtype for parameter in rule.machine.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("options", "descent"),
    [
        ({"gibbs_steps": 0}, PLAIN),
        ({"num_chains": 0}, PLAIN),
        ({}, Descent(accumulate=2)),
        ({}, Descent(optimizer="lbfgs")),
    ],
)
def test_refuses_what_it_cannot_do(options: dict[str, int], descent: Descent) -> None:
    with pytest.raises(ConfigurationError):
        ContrastiveDivergence(machine_of(), descent, **options)
