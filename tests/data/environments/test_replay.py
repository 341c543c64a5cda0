import copy
import itertools

import gymnasium
import pytest
import torch
from gymnasium import spaces
from torch import Generator, Tensor

from ganglion.data.environments.memory import ReplayMemory, multi_step
from ganglion.data.environments.replay import NOT_HELD, ReplayLoader, linear_schedule
from ganglion.data.environments.vector import (
    Environments,
    episode_seed,
    make_environment,
    play_episodes,
    with_plain_spaces,
)
from ganglion.errors import CheckpointError, ConfigurationError
from ganglion.training.checkpoint import digest, load, save
from tests.environments import LENGTH, Chain, Endless, Forgetful


def nothing(observations: Tensor) -> Tensor:
    return torch.zeros(len(observations), dtype=torch.int64)


def by_sign(observations: Tensor) -> Tensor:
    return (observations.sum(1) > 0).long()


def cart_pole() -> gymnasium.Env:
    return make_environment("CartPole-v1")


def loader(make=cart_pole, act=by_sign, seed=0, **options) -> ReplayLoader:
    settings = {
        "capacity": 64,
        "batch_size": 8,
        "epsilon": linear_schedule(1.0, 0.1, 100),
        "discount": 0.9,
        "train_every": 2,
        "learning_starts": 10,
    }
    environments = Environments(make, options.pop("count", 3), seed)
    return ReplayLoader(environments, act, seed=seed, **(settings | options))


def take(source: ReplayLoader, count: int) -> list[dict[str, Tensor]]:
    return list(itertools.islice(source, count))


# The memory


def test_the_memory_overwrites_the_oldest_first() -> None:
    memory = ReplayMemory(5)
    for start in (0, 3, 6):
        memory.add({"rewards": torch.arange(start, start + 3).float(), "place": torch.arange(start, start + 3)})
    assert memory.storage["rewards"].tolist() == [5, 6, 7, 8, 4]
    assert memory.storage["place"].tolist() == [5, 6, 7, 8, 4]
    assert (memory.size, memory.position) == (5, 4)


def test_the_memory_samples_only_what_was_stored_and_uniformly() -> None:
    memory = ReplayMemory(1000)
    memory.add({"place": torch.arange(4)})
    rows = memory.draw(8000, Generator().manual_seed(0))
    assert torch.equal(memory.take(rows, "place")["place"], rows)
    counts = torch.bincount(rows, minlength=4)
    assert len(counts) == 4
    assert ((counts - 2000).abs() < 5 * (8000 * 0.25 * 0.75) ** 0.5).all()


def test_a_restored_memory_goes_on_where_it_was() -> None:
    first, second = ReplayMemory(4), ReplayMemory(4)
    first.add({"place": torch.arange(3)})
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for memory in (first, second):
        memory.add({"place": torch.arange(10, 13)})
    assert first.storage["place"].tolist() == second.storage["place"].tolist() == [11, 12, 2, 10]


# The environments


def test_a_truncated_episode_keeps_its_last_observation_and_is_not_terminated() -> None:
    environments = Environments(Endless, 2, seed=0)
    marks = environments.observations[:, 1].clone()
    steps = [environments.step(torch.zeros(2, dtype=torch.int64)) for _ in range(4)]
    assert [step["next_observations"][0, 0].item() for step in steps] == [1, 2, 3, 1]
    assert [step["observations"][0, 0].item() for step in steps] == [0, 1, 2, 0]
    assert not any(step["terminated"].any() for step in steps)
    assert torch.equal(steps[2]["next_observations"][:, 1], marks), "the last observation is of the episode that ended"
    assert not torch.equal(steps[3]["observations"][:, 1], marks), "and the next is of a new one"
    assert environments.returns == [(6, 3.0), (6, 3.0)]


def test_every_step_leads_from_what_was_shown_and_no_step_joins_two_episodes() -> None:
    environments = Environments(Chain, 3, seed=0)
    for count in range(200):
        shown = environments.observations.clone()
        step = environments.step(torch.randint(2, (3,), generator=Generator().manual_seed(count)))
        assert torch.equal(step["observations"], shown)
        for row in range(3):
            before, after = (int(step[name][row].argmax()) for name in ("observations", "next_observations"))
            if step["actions"][row] == 0:
                assert (after, step["rewards"][row].item()) == (0, pytest.approx(0.2))
            else:
                assert after == min(before + 1, LENGTH - 1)
            assert step["terminated"][row] == (step["actions"][row] == 1 and before == LENGTH - 1)


def test_an_episode_is_a_function_of_seed_environment_and_number() -> None:
    first, again, other = (Environments(Endless, 2, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.observations, again.observations)
    assert not torch.equal(first.observations, other.observations)
    assert first.observations[0, 1] != first.observations[1, 1]


def test_running_episodes_are_restored_by_replaying_them() -> None:
    first, second = (Environments(cart_pole, 3, seed=0) for _ in range(2))
    generator = Generator().manual_seed(0)
    for _ in range(57):
        first.step(torch.randint(2, (3,), generator=generator))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert second.returns == first.returns and second.rewards == first.rewards
    for _ in range(50):
        actions = torch.randint(2, (3,), generator=generator)
        one, two = first.step(actions), second.step(actions)
        assert all(torch.equal(one[name], two[name]) for name in one)
    assert second.returns == first.returns


def test_an_environment_that_does_not_repeat_itself_is_noticed() -> None:
    first, second = (Environments(Forgetful, 1, seed=0) for _ in range(2))
    with pytest.raises(CheckpointError, match="does not repeat itself"):
        second.load_state_dict(first.state_dict())


def test_bytes_stay_bytes() -> None:
    class Camera(Endless):
        def __init__(self) -> None:
            super().__init__()
            self.observation_space = spaces.Box(0, 255, (2,), "uint8")

    source = loader(Camera, nothing)
    assert take(source, 1)[0]["observations"].dtype == torch.uint8


def test_action_numbers_that_do_not_start_at_zero_are_shifted() -> None:
    class Shifted(Chain):
        def __init__(self) -> None:
            super().__init__()
            self.action_space = spaces.Discrete(2, start=5)

        def step(self, action: int):
            assert self.action_space.contains(action)
            return super().step(action - 5)

    environments = Environments(Shifted, 1, seed=0)
    assert environments.step(torch.tensor([0]))["rewards"].item() == pytest.approx(0.2)


def test_unknown_environments_get_a_suggestion_and_unsuitable_ones_a_reason() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'CartPole-v1'"):
        make_environment("cartpole-v1")
    with pytest.raises(ConfigurationError, match="discrete action space"):
        make_environment("Pendulum-v1")
    unbounded = Endless()
    unbounded.observation_space = spaces.Sequence(spaces.Discrete(2))
    with pytest.raises(ConfigurationError, match="cannot be laid out as an array"):
        with_plain_spaces(unbounded)


def test_a_state_number_becomes_one_hot() -> None:
    observation, _ = make_environment("FrozenLake-v1").reset(seed=0)
    assert observation.sum() == 1 and observation[0] == 1


def test_episodes_played_side_by_side_are_those_played_alone() -> None:
    seeds = [episode_seed("test", 0, number) for number in range(5)]
    together = play_episodes(cart_pole, by_sign, seeds)
    assert together == [play_episodes(cart_pole, by_sign, [seed])[0] for seed in seeds]
    assert len(set(together)) > 1


# Several steps ahead


def walk(collected: list[dict[str, Tensor]], start: int, environment: int, steps: int, discount: float) -> tuple:
    """Follow one environment step by step through what was collected, as the textbook says."""
    total, worth = 0.0, 1.0
    for step in collected[start : start + steps]:
        total += worth * step["rewards"][environment].item()
        worth *= discount
        if step["ended"][environment]:
            break
    return total, step["next_observations"][environment].tolist(), step["terminated"][environment].item(), worth


@pytest.mark.parametrize(("make", "capacity"), [(Chain, 300), (Endless, 300), (Chain, 21)])
@pytest.mark.parametrize("steps", [1, 3, 7])
def test_transitions_over_several_steps_are_those_of_a_walk_through_the_episodes(make, capacity, steps) -> None:
    environments, memory, collected = Environments(make, 3, seed=0), ReplayMemory(capacity), []
    generator = Generator().manual_seed(0)
    for _ in range(40):
        collected.append(environments.step(torch.randint(2, (3,), generator=generator)))
        memory.add(collected[-1])
        memory.storage["rewards"][memory.size :] = torch.nan  # rows that were never written may hold anything
    batch = multi_step(memory, torch.arange(memory.size), steps, 3, 0.9)
    for row in range(memory.size):
        start = max(time for time in range(40) if (3 * time) % capacity == row - row % 3)
        total, following, terminated, worth = walk(collected, start, row % 3, steps, 0.9)
        assert batch["observations"][row].tolist() == collected[start]["observations"][row % 3].tolist()
        assert batch["actions"][row] == collected[start]["actions"][row % 3]
        assert batch["rewards"][row].item() == pytest.approx(total, abs=1e-5)
        assert batch["next_observations"][row].tolist() == following
        assert batch["terminated"][row].item() == terminated
        assert batch["discounts"][row].item() == pytest.approx(worth)


def test_the_memory_holds_whole_steps_of_all_environments() -> None:
    assert loader(count=3, capacity=64).memory.capacity == 63


# The loader


def test_a_batch_is_handed_out_every_so_many_steps() -> None:
    source, steps = loader(count=3, train_every=2, learning_starts=10), []
    for _ in zip(range(5), source, strict=False):
        steps.append(source.environments.steps)
    assert steps == [12, 12, 15, 18, 18]  # the first multiples of 3 at or above 10, 12, 14, 16, 18


def test_exploration_has_the_share_of_the_schedule() -> None:
    source = loader(act=nothing, epsilon=lambda _: 0.4)
    explored = torch.cat([source.explore(torch.zeros(1000, dtype=torch.int64)) for _ in range(20)])
    assert explored.float().mean().item() == pytest.approx(0.2, abs=0.02)  # half of all random actions are 0 again
    source.epsilon = lambda _: 0.0
    assert source.explore(torch.zeros(1000, dtype=torch.int64)).sum() == 0


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_random_actions_that_are_kept_last_as_long_as_they_shall_and_are_no_more(share: float) -> None:
    source = loader(lambda: Endless(10**6), nothing, count=20, epsilon=lambda _: share, hold=5)
    source.environments.num_actions = 10**9  # no two alike by chance
    played = torch.stack([source.explore(torch.full((20,), -7)) for _ in range(2000)])[100:]  # (steps, environments)
    assert (played >= 0).float().mean().item() == pytest.approx(share, abs=0.03)
    begun = ((played[1:] >= 0) & (played[1:] != played[:-1])).sum()
    assert ((played[1:] >= 0).sum() / begun).item() == pytest.approx(5, rel=0.1)


def test_a_random_action_is_not_kept_into_the_next_episode() -> None:
    source = loader(lambda: Endless(3), nothing, count=2, epsilon=lambda _: 1.0, hold=10**6)
    source.environments.num_actions = 10**9
    played = [(source.collect(), source.held.tolist())[1] for _ in range(3)]
    assert played[0] == played[1] and NOT_HELD not in played[1], "kept within an episode"
    assert played[2] == [NOT_HELD, NOT_HELD], "given up with it"


def test_what_random_pushes_never_reach_is_reached_by_pushes_that_last() -> None:
    def best(hold: float) -> float:
        source = loader(lambda: make_environment("MountainCar-v0"), nothing, count=8, epsilon=lambda _: 1.0, hold=hold)
        for _ in range(200 * 6):
            source.collect()
        return max(reward for _, reward in source.returns)

    assert best(1.0) == -200 < best(16.0)


def test_the_schedule_is_straight_and_then_flat() -> None:
    epsilon = linear_schedule(1.0, 0.2, 10)
    assert [epsilon(step) for step in (0, 5, 10, 99)] == pytest.approx([1.0, 0.6, 0.2, 0.2])
    assert linear_schedule(1.0, 0.2, 0)(0) == 0.2


def test_same_seed_same_batches() -> None:
    first, again, other = (digest({"batches": take(loader(seed=seed), 30)}) for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize("steps_ahead", [1, 3])
def test_batches_drawn_together_are_those_drawn_alone(steps_ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"count": 6, "train_every": 1, "steps_ahead": steps_ahead}
    together = take(loader(**options), 40)
    monkeypatch.setattr("ganglion.data.environments.replay.MOST_AT_ONCE", 1)
    assert digest({"batches": together}) == digest({"batches": take(loader(**options), 40)})


def test_one_step_ahead_needs_no_walk() -> None:
    source = loader()
    batch = next(iter(source))
    walked = multi_step(source.memory, batch["index"], 1, 3, 0.9)
    assert walked.pop("discounts").tolist() == pytest.approx([0.9] * 8)
    assert all(torch.equal(batch[name], walked[name]) for name in walked)


@pytest.mark.parametrize("at", [0, 1, 20])
@pytest.mark.parametrize(("train_every", "hold"), [(1, 1), (2, 1), (2, 4)])
def test_resuming_is_exact(at: int, train_every: int, hold: float, tmp_path) -> None:
    whole = loader(steps_ahead=3, train_every=train_every, hold=hold)
    expected = take(whole, 80)
    first = loader(steps_ahead=3, train_every=train_every, hold=hold)
    take(first, at)
    path = save(tmp_path, at, {"loader": first.state_dict()})
    # Everything that matters must come from the state.
    second = loader(seed=9, steps_ahead=3, train_every=train_every, hold=hold)
    second.environments.seed = 0
    second.load_state_dict(load(path)["loader"])
    rest = take(second, 80 - at)
    assert digest({"batches": rest}) == digest({"batches": expected[at:]})
    assert digest(second.state_dict()) == digest(whole.state_dict())
    assert whole.returns, "an episode must have ended, or the test shows little"


def test_impossible_loaders_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot hold one step"):
        loader(capacity=2)
    with pytest.raises(ConfigurationError, match="train_every"):
        loader(train_every=0)
