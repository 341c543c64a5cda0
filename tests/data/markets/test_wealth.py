"""What positions earn, against buying and selling shares one by one, and how it is judged."""

import numpy as np
import pytest

from ganglion.data.markets.wealth import RUIN, growth, judged, lags, shown, walked, wealth_of


def by_shares(prices: np.ndarray, positions: np.ndarray, cost: float) -> list[float]:
    """Hold cash and a number of shares that is worth the position times the wealth, and pay for what changes hands."""
    cash, wealth, held = 1.0, [1.0], 0
    for price, following, position in zip(prices[:-1], prices[1:], positions, strict=True):
        cash *= 1 - cost * abs(position - held)
        shares = position * cash / price
        cash = (cash - shares * price) + shares * following
        held = position
        wealth.append(cash)
    return wealth


@pytest.mark.parametrize("cost", [0.0, 0.01])
def test_wealth_is_that_of_buying_and_selling_shares(cost: float) -> None:
    source = np.random.default_rng(0)
    prices, positions = 100 * np.exp(np.cumsum(source.normal(0, 0.02, 101))), source.integers(-1, 2, 100)
    wealth = wealth_of(walked(prices, positions, cost))
    np.testing.assert_allclose(wealth, by_shares(prices, positions, cost))


def test_buying_and_holding_earns_what_the_price_does_less_one_trade() -> None:
    prices = np.array([100.0, 90.0, 120.0])
    total = np.exp(walked(prices, np.ones(2, np.int64), 0.01).sum())
    assert total == pytest.approx(0.99 * 1.2)


def test_a_short_position_can_lose_everything_and_not_more() -> None:
    lost = growth(np.array([1.0]), np.array([3.0]), np.array([0]), np.array([-1]), 0.0)
    assert lost.tolist() == [np.log(RUIN)]


def test_measures_by_hand() -> None:
    returns = np.array([0.10, -0.50, 0.20, 0.0])
    found = judged(np.log1p(returns), np.array([1, 1, -1, 0]), steps_a_year=4)
    assert found["gain"] == pytest.approx(1.1 * 0.5 * 1.2 - 1)
    assert found["drawdown"] == pytest.approx(0.5)
    assert found["sharpe"] == pytest.approx(returns.mean() / returns.std() * 2)
    assert found["trades"] == 3
    assert judged(np.zeros(5), np.zeros(5), 252) == {"sharpe": 0, "gain": 0, "drawdown": 0, "trades": 0}


def test_what_is_seen_are_changes_in_percent_over_the_lags() -> None:
    prices = np.exp(np.arange(30) / 100)
    assert lags(8).tolist() == [1, 2, 4, 8] and lags(2).tolist() == [1, 2]
    np.testing.assert_allclose(shown(prices, lags(8)), [1, 2, 4, 8])
