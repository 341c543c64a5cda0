"""What prices show to a trader, what positions earn in them, and how that is judged; nothing looks ahead.

A position is a number: -1 short, 0 flat, 1 long. It is chosen at a price, and held until the next.
"""

import numpy as np

POSITIONS = {True: (-1, 0, 1), False: (0, 1)}
"""Positions that may be taken, by whether prices may be bet against."""
RUIN = 1e-6
"""Least share of the wealth that a step leaves: a short position loses more than all when a price more than doubles."""


def lags(window: int) -> np.ndarray:
    """Return how many steps back prices are compared with, (lags,): 1, 2, 4, ... up to `window`.

    >>> lags(20).tolist()
    [1, 2, 4, 8, 16, 20]
    """
    powers = 2 ** np.arange(max(1, window).bit_length())
    return np.unique(np.append(powers[powers <= window], window))


def shown(prices: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Return what is seen at the last of some prices (time,): log p_t / p_t-k in percent, for each lag k, (lags,)."""
    return 100 * np.log(prices[-1] / prices[-1 - back])


def growth(before: np.ndarray, after: np.ndarray, held: np.ndarray, taken: np.ndarray, cost: float) -> np.ndarray:
    """Return log W' / W of each step, (steps,): the logarithm of (1 - c |a - h|) (1 + a (p' / p - 1)).

    All but c are (steps,).

    Args:
        before, after: the price p at which a position is taken, and the next one, p'.
        held: the position h until then.
        taken: the position a from then on.
        cost: c, share of what changes hands.
    """
    factor = (1 - cost * np.abs(taken - held)) * (1 + taken * (after / before - 1))
    return np.log(np.maximum(factor, RUIN))


def walked(prices: np.ndarray, positions: np.ndarray, cost: float) -> np.ndarray:
    """Return log W' / W of each step (time - 1,) of positions (time - 1,), beginning with none.

    >>> np.exp(walked(np.array([100.0, 110.0, 99.0]), np.array([1, -1]), 0.0)).round(3).tolist()
    [1.1, 1.1]
    """
    held = np.concatenate([[0], positions[:-1]])
    return growth(prices[:-1], prices[1:], held, positions, cost)


def wealth_of(growths: np.ndarray) -> np.ndarray:
    """Return the wealth W at each price (time,), which begins with 1, of growths log W' / W (time - 1,).

    >>> wealth_of(np.log([1.1, 0.5])).round(3).tolist()
    [1.0, 1.1, 0.55]
    """
    return np.exp(np.concatenate([[0.0], np.cumsum(growths)]))


def judged(steps: np.ndarray, positions: np.ndarray, steps_a_year: float) -> dict[str, float]:
    """Return Sharpe ratio, gain, largest fall and changes of position of growths log W' / W (time,).

    The Sharpe ratio is mean / deviation of the returns of a step, times sqrt(steps a year), without interest.
    """
    wealth = wealth_of(steps)
    returns = np.expm1(steps)
    spread = float(returns.std())
    return {
        "sharpe": float(returns.mean() / spread * np.sqrt(steps_a_year)) if spread > 0 else 0.0,
        "gain": float(wealth[-1] - 1),
        "drawdown": float((1 - wealth / np.maximum.accumulate(wealth)).max()),
        "trades": float(np.count_nonzero(np.diff(positions, prepend=0))),
    }
