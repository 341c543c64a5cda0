"""Deep Boltzmann machines: published counts, bounds, likelihoods and chains against enumeration, phases."""

import itertools
from typing import Any

import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.energy.dbm import Config, build
from ganglion.nn.energy.deep import DeepBoltzmannMachine
from ganglion.nn.energy.restricted import BernoulliRBM, binary_states
from ganglion.rules.descend import Descent
from ganglion.rules.energy.deep_boltzmann import DeepBoltzmann
from tests.contract.rows import Row
from tests.contract.toys import bars_and_stripes

STILL = Descent(optimizer="sgd", learning_rate=0.0)


def exact_log_likelihood(rule: LearningRule) -> float:
    """Mean log p(v) of the patterns; pixels that know nothing of each other have -16 log 2 = -11.09."""
    machine: Any = rule.home
    return float(machine.log_likelihood(bars_and_stripes()).mean())


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": bars_and_stripes()}, batch_size=10, seed=0),
    steps=1500,
    measure=exact_log_likelihood,
    threshold=-8.0,
    counts=(({}, "machine", 894_284),),
)


def some_machine(deviation: float = 0.7) -> DeepBoltzmannMachine:
    torch.manual_seed(0)
    machine = DeepBoltzmannMachine(5, 4, 3, deviation=deviation).double().requires_grad_(False)
    for bias in (machine.joint.visible_bias, machine.joint.hidden_bias):
        bias.normal_()
    return machine


def states_by_hand(machine: DeepBoltzmannMachine) -> tuple[torch.Tensor, torch.Tensor]:
    """All joint states, (2^12, 12), and -E of each, (2^12,), pair by pair of layers."""
    states = torch.tensor(list(itertools.product((0.0, 1.0), repeat=12)), dtype=torch.float64)
    v, h, u = states.split((5, 4, 3), dim=1)
    a, c = machine.joint.visible_bias.split((5, 3))
    lower = torch.einsum("nj,ji,ni->n", h, machine.joint.weight[:, :5], v)
    upper = torch.einsum("nj,jk,nk->n", h, machine.joint.weight[:, 5:], u)
    return states, v @ a + h @ machine.joint.hidden_bias + u @ c + lower + upper


def probabilities_by_hand(machine: DeepBoltzmannMachine) -> torch.Tensor:
    """log p(v) of all visible states in the order of `itertools.product`, (2^5,)."""
    _, weights = states_by_hand(machine)
    return (weights - weights.logsumexp(0)).view(32, -1).logsumexp(1)


def every_visible() -> torch.Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=5)), dtype=torch.float64)


def test_likelihoods_are_those_of_every_state_by_itself() -> None:
    machine = some_machine()
    torch.testing.assert_close(machine.log_likelihood(every_visible()), probabilities_by_hand(machine))


def test_the_bound_rises_with_every_round_of_mean_field_and_stays_below() -> None:
    machine, visible = some_machine(), every_visible()
    bounds = [-machine._bound(visible, machine.upper_means(visible, rounds=rounds)) for rounds in range(12)]
    for earlier, later in itertools.pairwise(bounds):
        assert (later >= earlier - 1e-12).all()
    gap = probabilities_by_hand(machine) - (bounds[-1] - machine.joint.log_partition())
    assert (gap > 0).all()
    assert gap.mean() < 0.1


def test_what_annealing_estimates_is_what_enumeration_counts() -> None:
    machine = some_machine()
    _, weights = states_by_hand(machine)
    annealed = machine.annealed_weights(torch.zeros(5).double(), generator=torch.Generator().manual_seed(0))
    assert float(annealed.logsumexp(0)) - torch.tensor(500.0).log().item() == pytest.approx(
        float(weights.logsumexp(0)), abs=0.05
    )


def test_one_unit_given_all_others_is_nearly_as_probable_as_enumeration_says() -> None:
    machine, visible = some_machine(), every_visible()
    exact = probabilities_by_hand(machine)
    turned = torch.tensor([[row ^ (1 << (4 - unit)) for unit in range(5)] for row in range(32)])
    wanted = exact.unsqueeze(1) - torch.logaddexp(exact.unsqueeze(1), exact[turned])
    found = machine.conditional_log_likelihood(visible, torch.arange(5).expand(32, -1))
    assert float((found - wanted).abs().mean()) < 0.05


def test_chains_show_every_state_as_often_as_it_is_probable() -> None:
    machine = some_machine()
    states = torch.zeros(20_000, 8, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        states = machine.joint.gibbs_step(states, generator)
    numbers = (states[:, :5] @ 2.0 ** torch.arange(4, -1, -1).double()).long()
    shares = torch.bincount(numbers, minlength=32).double() / len(states)
    assert float((shares - probabilities_by_hand(machine).exp()).abs().max()) < 0.012


def test_the_gradient_given_the_data_is_that_of_the_bound() -> None:
    """At the fixed point of mean field n does not matter to first order: held fast, as the rule has it, it is exact."""
    machine, visible = some_machine(0.3), every_visible()[[3, 17, 30]]
    machine.requires_grad_(True)
    with torch.no_grad():
        upper = machine.upper_means(visible, rounds=200)
        shares = torch.full((3,), 1 / 3, dtype=torch.float64)
        _, found = machine.joint.free_energy_gradients(torch.cat([visible, upper], dim=1), shares)
    wanted = torch.autograd.grad(
        machine._bound(visible, machine.upper_means(visible, rounds=200)).mean(), list(machine.parameters())
    )
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)


def test_single_layers_are_machines_that_have_one_layer_twice() -> None:
    rule = build(Config(in_features=5, hidden_units=4, upper_units=3, deviation=0.5))
    assert isinstance(rule, DeepBoltzmann)
    machine = rule.machine.double()
    torch.nn.init.normal_(machine.joint.hidden_bias)
    visible = binary_states(5).double()
    lower, upper = BernoulliRBM(10, 4).double(), BernoulliRBM(4, 6).double()
    lower.weight.data, lower.hidden_bias.data = machine.weight.data.repeat(1, 2), machine.joint.hidden_bias.data
    upper.weight.data, upper.visible_bias.data = machine.upper_weight.data.repeat(2, 1), machine.joint.hidden_bias.data
    seen: list[Any] = []

    def remember(free_energy: Any, step: Any, data: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append((free_energy(data), data))
        return {"loss": data.sum()}

    rule._contrast = remember  # type: ignore[method-assign, assignment]
    rule._lower({"inputs": visible})
    rule._upper({"inputs": visible})
    torch.testing.assert_close(seen[0][0], lower.free_energy(visible.repeat(1, 2)))
    torch.testing.assert_close(seen[1][1], lower.hidden_probabilities(visible.repeat(1, 2)))
    torch.testing.assert_close(seen[1][0], upper.free_energy(seen[1][1]))


def test_layers_learn_one_after_the_other_and_then_together() -> None:
    torch.manual_seed(0)
    decay = Descent(optimizer="sgd", learning_rate=0.1, weight_decay=0.1)
    rule = build(Config(in_features=6, hidden_units=5, upper_units=4, pretraining_descent=decay))
    assert isinstance(rule, DeepBoltzmann)
    joint, moved = rule.machine.joint, []
    for phase in rule.phases:
        rule.begin(phase)
        before = {name: one.detach().clone() for name, one in joint.named_parameters()}
        for _ in range(3):
            rule.step({"inputs": (torch.rand(8, 6) > 0.3).float()})
        changed = {name: one != before[name] for name, one in joint.named_parameters()}
        parts = {
            "W": changed["weight"][:, :6],
            "U": changed["weight"][:, 6:],
            "a": changed["visible_bias"][:6],
            "b": changed["hidden_bias"],
            "c": changed["visible_bias"][6:],
        }
        moved.append({name for name, part in parts.items() if part.any()})
    assert moved == [{"W", "a", "b"}, {"U", "c"}, {"W", "U", "a", "b", "c"}]


def test_shares_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        DeepBoltzmann(DeepBoltzmannMachine(4, 3, 2), STILL, pretraining_descent=STILL, pretraining=1.0)
