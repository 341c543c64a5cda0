"""Small environments of which everything is known."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

LENGTH = 4


class Chain(gymnasium.Env):
    """Places in a row, shown one-hot. Right leads on, and out at the far end for a reward of 1; left leads back to the
    first place for a reward of 0.2. An episode starts anywhere."""

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0.0, 1.0, (LENGTH,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.place = 0

    def _show(self) -> np.ndarray:
        return np.eye(LENGTH, dtype=np.float32)[self.place]

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.place = int(self.np_random.integers(LENGTH))
        return self._show(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        if action == 0:
            self.place = 0
            return self._show(), 0.2, False, False, {}
        if self.place == LENGTH - 1:
            return self._show(), 1.0, True, False, {}
        self.place += 1
        return self._show(), 0.0, False, False, {}


def chain_values(discount: float) -> np.ndarray:
    """Return the exact value of both actions in every place, by value iteration."""
    values = np.zeros((LENGTH, 2))
    for _ in range(10_000):
        best = values.max(1)
        values[:, 0] = 0.2 + discount * best[0]
        values[:, 1] = np.append(discount * best[1:], 1.0)
    return values


class Endless(gymnasium.Env):
    """Nothing changes, every step is worth 1, and only a time limit of 3 steps ends an episode. Shows time and seed,
    or with `still` always the same."""

    def __init__(self, limit: int = 3, still: bool = False) -> None:
        self.observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.limit, self.still = limit, still

    def _show(self) -> np.ndarray:
        return np.array([1.0, 1.0] if self.still else [self.time, self.mark], np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.time, self.mark = 0, float(self.np_random.random())
        return self._show(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.time += 1
        return self._show(), 1.0, False, self.time == self.limit, {}


class Forgetful(Endless):
    """Draws on chance outside its seed, so it cannot be repeated."""

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        return super().reset(seed=int(np.random.default_rng().integers(2**31)))
