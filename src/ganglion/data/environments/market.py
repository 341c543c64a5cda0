"""A market as an environment: positions in one price, paid for, with nothing of the future in sight."""

from typing import Any, final

import gymnasium
import numpy as np
from gymnasium import spaces

from ganglion.data.markets.wealth import POSITIONS, growth, lags, shown

MOST = 1e4
"""No change of a price that can be written is larger, as a logarithm in percent."""


@final
class Market(gymnasium.Env):
    """Episodes that begin anywhere in a stretch of prices (time,) and are cut off after `length` steps.

    Observation: by how much the price has changed over 1, 2, 4, ... steps up to `window`, in percent, and the position
    held. Action: the number of the position until the next price. Reward: 100 log W' / W, after costs.

    What is shown at step t is computed from `prices[: t + 1]` alone.
    """

    def __init__(self, prices: np.ndarray, *, window: int, length: int, cost: float, short: bool) -> None:
        self.prices, self.window, self.length, self.cost = prices, window, length, cost
        self.positions = POSITIONS[short]
        self.lags = lags(window)
        self.observation_space = spaces.Box(-MOST, MOST, (len(self.lags) + 1,), np.float32)
        self.action_space = spaces.Discrete(len(self.positions))
        self.time = self.begun = window
        self.position = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        latest = len(self.prices) - 1 - self.length
        self.time = self.begun = int(self.np_random.integers(self.window, max(self.window, latest), endpoint=True))
        self.position = 0
        return self._show(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        taken = self.positions[action]
        before, after = self.prices[self.time], self.prices[self.time + 1]
        reward = 100 * float(growth(before, after, np.array(self.position), np.array(taken), self.cost))
        self.time, self.position = self.time + 1, taken
        over = self.time - self.begun >= self.length or self.time == len(self.prices) - 1
        return self._show(), reward, False, over, {}

    def _show(self) -> np.ndarray:
        return np.append(shown(self.prices[: self.time + 1], self.lags), self.position).astype(np.float32)
