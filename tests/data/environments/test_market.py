"""The market: nothing of the future is seen, episodes are what they say, and rewards are wealth."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from ganglion.data.environments.market import Market
from ganglion.data.environments.vector import with_plain_spaces
from ganglion.data.markets.wealth import walked

PRICES = 100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.02, 200)))


def market(prices: np.ndarray = PRICES, **options: object) -> Market:
    return Market(prices, **{"window": 8, "length": 20, "cost": 0.01, "short": True} | options)


def test_it_keeps_to_the_rules_of_gymnasium() -> None:
    check_env(market(), skip_render_check=True)
    assert with_plain_spaces(market()).action_space.n == 3
    assert market(short=False).action_space.n == 2


@pytest.mark.parametrize("seed", range(5))
def test_changing_the_future_changes_nothing_that_is_seen_or_earned_before(seed: int) -> None:
    source = np.random.default_rng(seed)
    whole = market()
    shown, _ = whole.reset(seed=seed)
    now = whole.time + int(source.integers(20))
    changed = PRICES.copy()
    changed[now + 1 :] *= source.uniform(0.1, 10, len(PRICES) - now - 1)
    other = market(changed)
    seen, _ = other.reset(seed=seed)
    np.testing.assert_array_equal(shown, seen)
    while whole.time < now:
        action = int(source.integers(3))
        one, two = whole.step(action), other.step(action)
        np.testing.assert_array_equal(one[0], two[0])
        assert one[1:] == two[1:]
    assert whole.step(2)[1] != other.step(2)[1], "what comes next is another future"


def test_rewards_add_up_to_the_wealth_of_the_positions_and_an_end_is_a_time_limit() -> None:
    made = market()
    shown, _ = made.reset(seed=3)
    begun, actions, rewards, over = made.time, [], [], False
    assert shown[-1] == 0
    while not over:
        actions.append(len(actions) % 3)
        shown, reward, terminated, over, _ = made.step(actions[-1])
        assert not terminated and shown[-1] == actions[-1] - 1
        rewards.append(reward)
    assert len(rewards) == 20
    expected = walked(PRICES[begun : begun + 21], np.array(actions) - 1, 0.01)
    np.testing.assert_allclose(rewards, 100 * expected)


def test_episodes_begin_anywhere_that_leaves_room_on_both_sides() -> None:
    made = market()
    begins = {made.reset(seed=seed) and made.begun for seed in range(2000)}
    assert min(begins) == 8 and max(begins) == 199 - 20
    short = market(PRICES[:15])
    short.reset(seed=0)
    steps = 1
    while not short.step(0)[3]:
        steps += 1
    assert short.begun == 8 and steps == 6, "a stretch that is shorter than an episode is one to its end"
