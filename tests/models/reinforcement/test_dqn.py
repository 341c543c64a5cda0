"""Deep Q-networks: published sizes, the standardisation of inputs, what is refused, and the row."""

import pytest
import torch
from torch import nn

from ganglion.core import LearningRule
from ganglion.data.environments.replay import ReplayLoader
from ganglion.data.environments.vector import Environments
from ganglion.errors import ConfigurationError, ShapeError
from ganglion.models import find
from ganglion.models.reinforcement.dqn import (
    TINY,
    Config,
    NatureQNetwork,
    build,
    make_network,
)
from ganglion.nn.inputs import RunningStandardisation
from ganglion.nn.reinforcement.action_values import DenseQNetwork
from ganglion.runs.options import settle
from tests.contract.rows import Row
from tests.environments import LENGTH, Chain, chain_values


def random_play_of_the_chain() -> ReplayLoader:
    """Q-learning is off-policy: acting at random shows it every transition that there is."""
    return ReplayLoader(
        Environments(Chain, 4, seed=0),
        lambda shown: torch.zeros(len(shown), dtype=torch.int64),
        capacity=1000,
        batch_size=32,
        seed=0,
        epsilon=lambda _: 1.0,
        discount=0.8,
        learning_starts=200,
    )


@torch.no_grad()
def closeness_to_value_iteration(rule: LearningRule) -> float:
    """Minus the largest error in the value of an action, against the exact values of the chain."""
    exact = torch.tensor(chain_values(discount=rule.discount), dtype=torch.float32)  # type: ignore[attr-defined]
    return -float((rule.home(torch.eye(LENGTH)) - exact).abs().max())


ROW = Row(
    loader=random_play_of_the_chain,
    steps=1500,
    measure=closeness_to_value_iteration,
    threshold=-0.05,
    counts=(
        ({}, "network", 1_686_180),
        ({"num_actions": 6}, "network", 1_687_206),
        ({"num_actions": 18}, "network", 1_693_362),
        ({"dueling": True}, "network", 3_292_837),
        ({"num_actions": 6, "dueling": True}, "network", 3_293_863),
    ),
    frozen=tuple(f"target.{layer}.{name}" for layer in ("hidden.0", "head") for name in ("weight", "bias")),
    data="CartPole-v1",
)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(("num_actions", "count"), [(4, 1_686_180), (6, 1_687_206), (18, 1_693_362)])
def test_the_nature_network_has_the_published_size(num_actions: int, count: int) -> None:
    assert parameters(NatureQNetwork(4, num_actions)) == count


@pytest.mark.parametrize(("num_actions", "count"), [(4, 3_292_837), (6, 3_293_863)])
def test_the_dueling_network_has_the_published_size(num_actions: int, count: int) -> None:
    assert parameters(NatureQNetwork(4, num_actions, dueling=True)) == count


def test_the_dense_network_is_what_it_says() -> None:
    torch.manual_seed(0)
    network = DenseQNetwork(4, 3, (5, 6))
    plain = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))
    for mine, theirs in zip(plain.parameters(), network.parameters(), strict=True):
        mine.data = theirs.data
    observations = torch.randn(7, 2, 2)
    torch.testing.assert_close(network.eval()(observations), plain(observations.flatten(1)))


def test_in_a_dueling_network_the_mean_over_actions_is_the_value_of_the_state() -> None:
    network = DenseQNetwork(4, 3, (8,), dueling=True)
    network.eval()
    observations = torch.randn(5, 4)
    values = network(observations)
    torch.testing.assert_close(values.mean(1, keepdim=True), network.head.value(network.hidden(observations)))
    advantages = network.head.advantage(network.hidden(observations))
    torch.testing.assert_close(values[:, :1] - values[:, 1:], advantages[:, :1] - advantages[:, 1:])


def test_the_statistics_are_those_of_everything_learnt_from() -> None:
    standardise = RunningStandardisation(3)
    batches = [5 + 2 * torch.randn(size, 3, generator=torch.Generator().manual_seed(size)) for size in (64, 7, 200)]
    for batch in batches:
        standardise(batch)
    everything = torch.cat(batches)
    torch.testing.assert_close(standardise.mean, everything.mean(0))
    torch.testing.assert_close(standardise.variance, everything.var(0, correction=0))
    scaled = standardise.eval()(everything)
    torch.testing.assert_close(scaled.mean(0), torch.zeros(3), rtol=0, atol=1e-5)
    torch.testing.assert_close(scaled.std(0, correction=0), torch.ones(3), rtol=1e-4, atol=0)


def test_the_statistics_move_when_learning_and_not_when_acting_or_judged() -> None:
    standardise, inputs = RunningStandardisation(3), torch.randn(8, 3)
    with torch.no_grad():
        assert torch.equal(standardise(inputs), inputs * (1 + 1e-8) ** -0.5)
    standardise.eval()(inputs)
    assert standardise.count == 0
    standardise.train()(inputs)
    assert standardise.count == 8


def test_an_input_that_hardly_ever_moves_is_cut_off() -> None:
    standardise = RunningStandardisation(1)
    standardise(torch.zeros(100, 1))
    assert standardise.eval()(torch.tensor([[0.5], [-0.5]])).tolist() == [[10.0], [-10.0]]


@pytest.mark.parametrize("network", [DenseQNetwork(4 * 84 * 84, 2, (4,)), NatureQNetwork(4, 2)])
def test_bytes_are_scaled_to_the_unit_interval(network: nn.Module) -> None:
    frames = torch.randint(256, (2, 4, 84, 84), dtype=torch.uint8)
    network.eval()
    torch.testing.assert_close(network(frames), network(frames.float() / 255))


def test_an_observation_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match="4 numbers"):
        DenseQNetwork(4, 2)(torch.zeros(1, 5))
    with pytest.raises(ShapeError, match="--network mlp"):
        NatureQNetwork(4, 2)(torch.zeros(1, 210, 160, 3))


def test_build_makes_a_frozen_copy_of_the_network() -> None:
    rule = build(TINY)
    network, target = rule.networks["network"], rule.networks["target"]
    assert list(rule.networks) == ["network", "target"]
    for (name, kept), (same, current) in zip(target.named_parameters(), network.named_parameters(), strict=True):
        assert name == same and torch.equal(kept, current) and kept is not current
        assert current.requires_grad and not kept.requires_grad
    owned = [parameter for group in rule.optimizers["network"].param_groups for parameter in group["params"]]
    assert len(owned) == len(list(network.parameters()))


@pytest.mark.parametrize(
    ("field", "value"), [("num_actions", 0), ("epsilon_end", 1.5), ("discount", 2.0), ("replay_capacity", 0)]
)
def test_impossible_values_are_refused(field: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=field):
        build(Config(**{field: value}))


def test_with_noise_the_dense_layers_are_noisy_and_the_sizes_double() -> None:
    noisy = make_network(Config(network="mlp", exploration="noise"))
    plain = make_network(Config(network="mlp"))
    assert parameters(noisy) == 2 * parameters(plain)
    observations = torch.randn(3, 4)
    assert not torch.equal(noisy(observations), noisy(observations)), "acting explores"
    assert torch.equal(noisy.eval()(observations), noisy(observations)), "being judged does not"


def test_noisy_dueling_nature_networks_have_noise_in_both_streams_and_none_in_the_convolutions() -> None:
    network = make_network(Config(dueling=True, exploration="noise"))
    dense = 3_292_837 - sum(map(torch.numel, NatureQNetwork(4, 4).convolutions.parameters()))
    assert parameters(network) == 3_292_837 + dense


@pytest.mark.parametrize(("environment", "hold"), [("MountainCar-v0", 16.0), ("Acrobot-v1", 4.0), ("CartPole-v1", 1.0)])
def test_random_actions_last_where_the_goal_is_far_unless_something_else_is_asked_for(
    environment: str, hold: float
) -> None:
    system = find("dqn")
    assert settle(system, {}, environment)[0].hold == hold
    assert settle(system, {"hold": 2}, environment)[0].hold == 2
    with pytest.raises(ConfigurationError, match="hold"):
        settle(system, {"hold": 0.5}, environment)
