"""Small games that show pictures, of which everything is known; no package of games is needed for them."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

SIDE = 5
"""Places across and down in `Catch`."""


class Catch(gymnasium.Env):
    """Something falls, a place a step, and is to be caught at the bottom: 1 where it is, -1 where it is not.

    Actions: 0 stays, 1 goes left, 2 goes right. Shows a picture of bytes (side, side), a place in `side / 5` pixels.
    """

    def __init__(self, side: int = 40) -> None:
        self.side = side
        self.observation_space = spaces.Box(0, 255, (side, side), np.uint8)
        self.action_space = spaces.Discrete(3)

    def _show(self) -> np.ndarray:
        places = np.zeros((SIDE, SIDE), np.uint8)
        places[self.row, self.column] = 255
        places[-1, self.hand] = 255
        return places.repeat(self.side // SIDE, axis=0).repeat(self.side // SIDE, axis=1)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.row, self.hand, self.column = 0, SIDE // 2, int(self.np_random.integers(SIDE))
        return self._show(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.hand = min(SIDE - 1, max(0, self.hand + (0, -1, 1)[action]))
        self.row += 1
        over = self.row == SIDE - 1
        return self._show(), (1.0 if self.hand == self.column else -1.0) if over else 0.0, over, False, {}


class Maps(gymnasium.Env):
    """`Catch` as maps (2, 10, 10) of truth values, one of what falls and one of the hand, in the upper left corner."""

    def __init__(self) -> None:
        self.game = Catch(SIDE)
        self.observation_space = spaces.Box(0, 1, (2, 10, 10), np.bool_)
        self.action_space = self.game.action_space

    def _show(self) -> np.ndarray:
        maps = np.zeros((2, 10, 10), np.bool_)
        maps[0, self.game.row, self.game.column] = True
        maps[1, SIDE - 1, self.game.hand] = True
        return maps

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.game.reset(seed=seed)
        return self._show(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        _, *outcome = self.game.step(action)
        return self._show(), *outcome


class Script(gymnasium.Env):
    """Shows as many pictures as it is told to, each its number; lives, rewards and ends come at the pictures named.

    Picture t is filled with bytes 10 t, (210, 160, 3) or of the `shape` given, and comes after t actions.
    """

    def __init__(
        self,
        lives: dict[int, int] | None = None,
        rewards: dict[int, float] | None = None,
        end: int = 1000,
        shape: tuple[int, ...] = (210, 160, 3),
        truncates: bool = False,
    ) -> None:
        self.lives, self.rewards, self.end, self.truncates = lives or {0: 0}, rewards or {}, end, truncates
        self.observation_space = spaces.Box(0, 255, shape, np.uint8)
        self.action_space = spaces.Discrete(2)
        self.actions: list[int] = []

    def _show(self) -> np.ndarray:
        return np.full(self.observation_space.shape, 10 * self.time % 256, np.uint8)

    def _info(self) -> dict:
        return {"lives": [lives for since, lives in sorted(self.lives.items()) if since <= self.time][-1]}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.time = 0
        return self._show(), self._info()

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.actions.append(action)
        self.time += 1
        over = self.time >= self.end
        ends = (False, over) if self.truncates else (over, False)
        return self._show(), self.rewards.get(self.time, 0.0), *ends, self._info()


for _name, _game in (("Catch", Catch), ("Maps", Maps)):
    gymnasium.register(f"ganglion-test/{_name}-v0", _game)
