import pytest
import torch
from torch import nn

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.models.q_learning.dqn import TINY, Config, DenseQNetwork, NatureQNetwork, build


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
    plain.load_state_dict(dict(zip(plain.state_dict(), network.state_dict().values(), strict=True)))
    observations = torch.randn(7, 2, 2)
    assert torch.equal(network(observations), plain(observations.flatten(1)))


def test_in_a_dueling_network_the_mean_over_actions_is_the_value_of_the_state() -> None:
    network = DenseQNetwork(4, 3, (8,), dueling=True)
    observations = torch.randn(5, 4)
    values = network(observations)
    torch.testing.assert_close(values.mean(1, keepdim=True), network.head.value(network.hidden(observations)))
    advantages = network.head.advantage(network.hidden(observations))
    torch.testing.assert_close(values[:, :1] - values[:, 1:], advantages[:, :1] - advantages[:, 1:])


@pytest.mark.parametrize("network", [DenseQNetwork(4 * 84 * 84, 2, (4,)), NatureQNetwork(4, 2)])
def test_bytes_are_scaled_to_the_unit_interval(network: nn.Module) -> None:
    frames = torch.randint(256, (2, 4, 84, 84), dtype=torch.uint8)
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
