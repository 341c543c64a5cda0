import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.core import Batch
from ganglion.errors import ConfigurationError, NonFiniteError
from ganglion.fast.applies import enabled
from ganglion.nn.reinforcement.action_values import DenseQNetwork
from ganglion.rules import compiled
from ganglion.rules.descend import Descent
from ganglion.rules.reinforcement.q_learning import QLearning
from tests.environments import LENGTH, Chain, chain_values


class Table(nn.Module):
    """A value for every place and action: the network whose Q-learning is the classical table."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(values.clone())

    def forward(self, observations: Tensor) -> Tensor:
        return observations @ self.values


def rule(values: list[list[float]], target: list[list[float]] | None = None, **options: object) -> QLearning:
    table = torch.tensor(values)
    made = QLearning(Table(table), Table(table), Descent(optimizer="sgd", learning_rate=0.5), **options)
    if target is not None:
        made.networks["target"].load_state_dict({"values": torch.tensor(target)})
    return made


def batch(actions: list[int], rewards: list[float], following: list[int], terminated: list[bool]) -> Batch:
    eye = torch.eye(2)
    return {
        "observations": eye[torch.zeros(len(actions), dtype=torch.int64)],
        "actions": torch.tensor(actions),
        "rewards": torch.tensor(rewards),
        "next_observations": eye[torch.tensor(following)],
        "terminated": torch.tensor(terminated),
    }


ONLINE, TARGET = [[0.0, 0.0], [5.0, 4.0]], [[0.0, 0.0], [2.0, 3.0]]


def test_the_target_network_chooses_and_judges_in_q_learning() -> None:
    targets = rule(ONLINE, TARGET, discount=0.5).targets(batch([0], [1.0], [1], [False]))
    assert targets.tolist() == [1.0 + 0.5 * 3.0]


def test_the_network_chooses_and_the_target_judges_in_double_q_learning() -> None:
    targets = rule(ONLINE, TARGET, discount=0.5, double=True).targets(batch([0], [1.0], [1], [False]))
    assert targets.tolist() == [1.0 + 0.5 * 2.0]


@pytest.mark.parametrize("double", [False, True])
def test_a_terminal_state_has_no_future_and_a_truncated_episode_has(double: bool) -> None:
    targets = rule(ONLINE, TARGET, discount=0.5, double=double).targets(
        batch([0, 0], [1.0, 1.0], [1, 1], [True, False])
    )
    assert targets.tolist() == [1.0, 1.0 + 0.5 * (2.0 if double else 3.0)]


def test_a_transition_of_several_steps_brings_its_own_discount() -> None:
    sample = batch([0, 0], [1.0, 1.0], [1, 1], [False, True]) | {"discounts": torch.tensor([0.25, 0.25])}
    assert rule(ONLINE, TARGET, discount=0.5).targets(sample).tolist() == [1.0 + 0.25 * 3.0, 1.0]


def test_the_threshold_is_where_the_loss_turns_linear() -> None:
    made = rule([[0.0, 0.0], [0.0, 0.0]], threshold=10.0)
    assert made.objective(batch([0], [8.0], [1], [True]))["loss"].item() == pytest.approx(32.0)
    assert made.objective(batch([0], [12.0], [1], [True]))["loss"].item() == pytest.approx(10 * (12 - 5))


def test_a_value_that_is_not_finite_behind_a_terminal_state_does_no_harm() -> None:
    made = rule(ONLINE, [[0.0, 0.0], [float("inf"), 0.0]])
    assert made.targets(batch([0], [1.0], [1], [True])).tolist() == [1.0]


def test_the_loss_is_squared_up_to_one_and_linear_beyond() -> None:
    made = rule([[0.0, 0.0], [0.0, 0.0]], discount=0.5)
    measured = made.objective(batch([0, 1], [0.5, 3.0], [1, 1], [True, True]))
    assert measured["loss"].item() == pytest.approx((0.5 * 0.5**2 + (3.0 - 0.5)) / 2)


def test_one_step_changes_only_the_taken_action_by_the_clipped_error() -> None:
    made = rule([[0.0, 0.0], [0.0, 0.0]], discount=0.5, target_every=10)
    made.step(batch([1], [3.0], [1], [True]))
    assert made.networks["network"].values.tolist() == [[0.0, 0.5], [0.0, 0.0]]  # rate 0.5 times an error clipped to 1
    assert made.networks["target"].values.abs().sum() == 0


def test_no_gradient_flows_into_the_target() -> None:
    made = rule(ONLINE, TARGET, double=True)
    made.step(batch([0, 1], [1.0, 2.0], [1, 1], [False, False]))
    assert made.networks["target"].values.grad is None
    gradient = made.networks["network"].values.grad
    assert gradient[1].abs().sum() == 0, "the choice of the next action must not be differentiated"
    assert gradient[0].abs().sum() > 0


def test_the_target_is_copied_at_intervals_counted_across_a_resume() -> None:
    first = rule(ONLINE, TARGET, target_every=3)
    sample = batch([0], [1.0], [1], [True])
    for _ in range(2):
        first.step(sample)
    second = rule(ONLINE, target_every=3)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert second.networks["target"].values.tolist() == TARGET
    second.step(sample)
    assert torch.equal(second.networks["target"].values, second.networks["network"].values)


def test_polyak_averaging_goes_its_share_of_the_way() -> None:
    made = rule(ONLINE, TARGET, target_every=1, target_rate=0.25)
    made.step(batch([0], [1.0], [1], [True]))
    online, target = made.networks["network"].values, made.networks["target"].values
    torch.testing.assert_close(target, 0.75 * torch.tensor(TARGET) + 0.25 * online)


def test_buffers_of_the_target_follow() -> None:
    network, target = (nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 2)) for _ in range(2))
    made = QLearning(network, target, Descent(), target_every=1)
    made.step(batch([0, 1], [1.0, 1.0], [1, 0], [False, True]))
    assert torch.equal(target[0].running_mean, network[0].running_mean)
    assert network[0].running_mean.abs().sum() > 0


@pytest.mark.parametrize("double", [False, True])
def test_solves_the_chain_like_value_iteration(double: bool) -> None:
    discount = 0.8
    table = torch.zeros(LENGTH, 2)
    made = QLearning(
        Table(table),
        Table(table),
        Descent(optimizer="sgd", learning_rate=4.0),
        discount=discount,
        double=double,
        target_every=5,
    )
    rows = []
    for place in range(LENGTH):
        for action in (0, 1):
            environment = Chain()
            environment.place = place
            before = environment._show()
            after, reward, terminated, _, _ = environment.step(action)
            rows.append((before, action, reward, after, terminated))
    observations, actions, rewards, following, terminated = (
        torch.from_numpy(np.array(column)) for column in zip(*rows, strict=True)
    )
    everything = {
        "observations": observations,
        "actions": actions,
        "rewards": rewards.float(),
        "next_observations": following,
        "terminated": terminated,
    }
    for _ in range(600):
        made.step(everything)
    torch.testing.assert_close(
        made.home.values.detach(), torch.tensor(chain_values(discount), dtype=torch.float32), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("option", [{"discount": 1.5}, {"target_rate": 0.0}, {"target_every": 0}, {"threshold": 0.0}])
def test_impossible_options_are_refused(option: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(option))):
        rule(ONLINE, **option)


# The gradient that needs no autograd


def transitions(count: int, seed: int = 0) -> Batch:
    source = torch.Generator().manual_seed(seed)
    return {
        "observations": torch.randn(count, 4, generator=source) * 3 + 1,
        "actions": torch.randint(3, (count,), generator=source),
        "rewards": torch.randn(count, generator=source) * 2,
        "next_observations": torch.randn(count, 4, generator=source) * 3 + 1,
        "terminated": torch.rand(count, generator=source) < 0.3,
        "discounts": 0.9 ** torch.randint(1, 4, (count,), generator=source),
    }


def deep(dueling: bool = False, **options: object) -> QLearning:
    torch.manual_seed(0)
    networks = DenseQNetwork(4, 3, (33, 20), dueling), DenseQNetwork(4, 3, (33, 20), dueling)
    return QLearning(*networks, Descent(learning_rate=0.01, clip_norm=1.0), threshold=0.7, **options)


@pytest.mark.skipif(not enabled(), reason="needs numba")
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("own_discounts", [False, True])
@pytest.mark.parametrize("dueling", [False, True])
def test_the_gradient_by_hand_is_that_of_autograd(double: bool, own_discounts: bool, dueling: bool) -> None:
    fast, plain = (deep(dueling, double=double) for _ in range(2))
    for made in (fast, plain):
        with torch.no_grad():
            for number, weight in enumerate(made.networks["target"].parameters()):
                weight += 0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(number))
    for seed, count in enumerate((64, 1, 37)):
        batch = transitions(count, seed)
        if not own_discounts:
            del batch["discounts"]
        found = compiled.q_learning(fast, batch)
        assert found is not None
        expected = plain.objective(batch)
        slopes = torch.autograd.grad(expected["loss"], list(plain.home.parameters()))
        for name, value in found[0].items():
            torch.testing.assert_close(value, expected[name].detach(), rtol=1e-5, atol=1e-6)
        by_parameter = {id(parameter): slope for parameter, slope in found[1]}
        for parameter, slope in zip(fast.home.parameters(), slopes, strict=True):
            torch.testing.assert_close(by_parameter[id(parameter)], slope, rtol=1e-4, atol=1e-6)
        for one, other in zip(fast.home.buffers(), plain.home.buffers(), strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.skipif(not enabled(), reason="needs numba")
@pytest.mark.parametrize("dueling", [False, True])
def test_learning_by_hand_is_learning_by_autograd(dueling: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    fast, plain = (deep(dueling, target_every=3, target_rate=0.5) for _ in range(2))
    monkeypatch.setattr(plain, "objective", lambda batch: QLearning.objective(plain, batch))
    for seed in range(8):
        one, other = fast.step(transitions(64, seed)), plain.step(transitions(64, seed))
        assert one.keys() == other.keys() == {"loss", "action_value", "clipped"}
        for name in one:
            torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-5)
    for role in ("network", "target"):
        for one, other in zip(fast.networks[role].parameters(), plain.networks[role].parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(not enabled(), reason="needs numba")
def test_gradients_find_their_parameters_in_whatever_groups_an_optimizer_has_them() -> None:
    usual, grouped = deep(), deep()
    named = dict(grouped.home.named_parameters())
    biases, others = ([(k, p) for k, p in named.items() if ("bias" in k) == wanted] for wanted in (True, False))
    groups = [{"params": biases}, {"params": list(reversed(others))}]
    grouped.optimizers["network"] = torch.optim.Adam(groups, lr=0.01, fused=True)
    for seed in range(3):
        usual.step(transitions(64, seed))
        grouped.step(transitions(64, seed))
    for one, other in zip(usual.home.parameters(), grouped.home.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("what", ["a hook", "a frozen layer", "a hook of the whole"])
def test_a_network_that_is_watched_or_partly_frozen_learns_by_autograd(what: str) -> None:
    made = deep()
    network = made.home
    if what == "a hook":
        network.hidden[1].register_forward_hook(lambda *_: None)
    elif what == "a hook of the whole":
        network.register_forward_hook(lambda *_: None)
    else:
        network.head.bias.requires_grad_(False)
    before = network.standardise.count.clone()
    assert compiled.q_learning(made, transitions(8)) is None
    assert torch.equal(network.standardise.count, before), "nothing was done yet"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_stops_before_the_update(value: float) -> None:
    made, batch = deep(), transitions(8)
    batch["rewards"][3] = value
    before = [weight.clone() for weight in made.home.parameters()]
    with pytest.raises(NonFiniteError):
        made.step(batch)
    assert all(map(torch.equal, before, made.home.parameters()))


@pytest.mark.skipif(not enabled(), reason="needs numba")
def test_an_action_out_of_range_is_refused() -> None:
    made, batch = deep(), transitions(8)
    batch["actions"][3] = 3
    with pytest.raises(IndexError):
        compiled.q_learning(made, batch)


@pytest.mark.skipif(not enabled(), reason="needs numba")
@pytest.mark.parametrize("part", ["observations", "actions", "rewards", "terminated", "discounts"])
def test_transitions_of_unusual_types_or_lengths_are_left_to_autograd(part: str) -> None:
    made, batch = deep(), transitions(8)
    assert compiled.q_learning(made, batch) is not None
    other = torch.int32 if part == "actions" else torch.float64
    assert compiled.q_learning(made, batch | {part: batch[part].to(other)}) is None
    assert compiled.q_learning(made, batch | {part: batch[part][:5]}) is None


def changed(made: QLearning, how: str) -> None:
    """Change the network behind the back of what is remembered of it."""
    network = made.home
    with torch.no_grad():
        if how == "other memory":
            network.head.weight.data = network.head.weight.data * 0.5
        elif how == "another parameter":
            network.head.weight = nn.Parameter(network.head.weight * 0.5)
        elif how == "another layer":
            network.hidden[0] = copy.deepcopy(network.hidden[0])
            network.hidden[0].bias += 1
        elif how == "another activation":
            network.hidden[1] = nn.Tanh()
        elif how == "loaded":
            network.load_state_dict({name: 0.5 * value for name, value in network.state_dict().items()})
        elif how == "assigned":
            state = network.state_dict()
            network.load_state_dict(state | {"head.bias": state["head.bias"] + 1}, assign=True)
        elif how == "there and back":
            network.double().float()


@pytest.mark.skipif(not enabled(), reason="needs numba")
@pytest.mark.parametrize(
    "how",
    [
        "other memory", "another parameter", "another layer", "another activation", "loaded", "assigned",
        "there and back",
    ],
)  # fmt: skip
def test_a_network_that_has_changed_is_looked_at_again(how: str) -> None:
    made, batch = deep(), transitions(16)
    made.home.eval()
    compiled.q_learning(made, batch)
    changed(made, how)
    found = compiled.q_learning(made, batch)
    assert found is not None
    expected = made.objective(batch)
    torch.testing.assert_close(found[0]["loss"], expected["loss"].detach(), rtol=1e-5, atol=1e-6)
    slopes = torch.autograd.grad(expected["loss"], list(made.home.parameters()))
    for (_, one), other in zip(found[1], slopes, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(not enabled(), reason="needs numba")
@pytest.mark.parametrize(
    "how", ["a hook", "a hook of the whole", "a forward of its own", "a frozen layer", "double", "another limit"]
)
def test_a_network_that_no_longer_suits_learns_by_autograd_until_it_does(how: str) -> None:
    made, batch = deep(), transitions(16)
    network = made.home
    assert compiled.q_learning(made, batch) is not None
    hook = None
    if how == "a hook":
        hook = network.hidden[2].register_forward_hook(lambda *_: None)
    elif how == "a hook of the whole":
        hook = network.register_forward_pre_hook(lambda *_: None)
    elif how == "a forward of its own":
        network.hidden[0].forward = lambda inputs: inputs @ torch.ones(4, 33)
    elif how == "a frozen layer":
        network.head.weight.requires_grad_(False)
    elif how == "another limit":
        network.standardise.LIMIT = 0.1
    else:
        network.double()
    assert compiled.q_learning(made, batch) is None
    if hook is not None:
        hook.remove()
        assert compiled.q_learning(made, batch) is not None


@pytest.mark.skipif(not enabled(), reason="needs numba")
def test_a_copy_of_a_rule_learns_in_tensors_of_its_own() -> None:
    made, batch = deep(), transitions(16)
    made.step(batch)
    twin = copy.deepcopy(made)
    before = [weight.clone() for weight in made.home.parameters()]
    twin.step(batch)
    assert all(map(torch.equal, before, made.home.parameters()))
    made.step(batch)
    for one, other in zip(made.home.parameters(), twin.home.parameters(), strict=True):
        assert torch.equal(one, other)


# Transitions that count differently


def weighted(weights: list[float]) -> Batch:
    return batch([0, 1], [1.0, 3.0], [1, 0], [False, True]) | {"weights": torch.tensor(weights)}


def test_the_loss_is_the_mean_of_weighted_losses_and_errors_are_kept() -> None:
    made = rule(ONLINE, TARGET, discount=0.5, threshold=10.0)
    sample = weighted([0.5, 1.0])
    errors = [0 - (1 + 0.5 * 3.0), 0 - 3.0]  # Q(s, a) - y
    assert made.objective(sample)["loss"].item() == pytest.approx((0.5 * errors[0] ** 2 / 2 + errors[1] ** 2 / 2) / 2)
    made.step(sample)
    assert made.tensors["errors"].tolist() == pytest.approx(errors)


@pytest.mark.parametrize("accumulate", [1, 2, 5])
def test_errors_are_those_of_the_whole_batch_in_its_order(accumulate: int) -> None:
    made, sample = deep(), transitions(10) | {"weights": torch.ones(10)}
    made.descent = dataclasses.replace(made.descent, accumulate=accumulate)
    made.home.eval()
    with torch.no_grad():
        taken = made.home(sample["observations"]).gather(1, sample["actions"][:, None]).squeeze(1)
        expected = taken - made.targets(sample)
    made.step(sample)
    torch.testing.assert_close(made.tensors["errors"], expected, rtol=1e-4, atol=1e-5)


def test_weights_of_one_change_nothing() -> None:
    plain, weighing = deep(), deep()
    for seed in range(3):
        plain.step(transitions(32, seed))
        weighing.step(transitions(32, seed) | {"weights": torch.ones(32)})
    for one, other in zip(plain.home.parameters(), weighing.home.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.skipif(not enabled(), reason="needs numba")
@pytest.mark.parametrize("how", ["a hook", "another layer", "two layers", "no bias", "other memory", "frozen"])
def test_a_dueling_head_that_has_changed_is_looked_at_again(how: str) -> None:
    made, batch = deep(dueling=True), transitions(16)
    made.home.eval()
    assert compiled.q_learning(made, batch) is not None
    head = made.home.head
    if how == "a hook":
        head.value.register_forward_hook(lambda *_: None)
    elif how == "another layer":
        head.advantage = nn.Linear(20, 3)
    elif how == "two layers":
        head.value = nn.Sequential(nn.Linear(20, 5), nn.ReLU(), nn.Linear(5, 1))
    elif how == "no bias":
        head.value = nn.Linear(20, 1, bias=False)
    elif how == "other memory":
        head.value.weight.data = head.value.weight.data * 0.5
    else:
        head.value.bias.requires_grad_(False)
    found = compiled.q_learning(made, batch)
    assert (found is not None) == (how in ("another layer", "other memory"))
    with torch.no_grad():
        values = made.home(batch["observations"])
    torch.testing.assert_close(values, made.home(batch["observations"]).detach(), rtol=1e-5, atol=1e-6)
    if found is not None:
        torch.testing.assert_close(found[0]["loss"], made.objective(batch)["loss"].detach(), rtol=1e-5, atol=1e-6)
