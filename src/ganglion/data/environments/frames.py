"""What an agent sees of a game: the standard frames of Mnih et al. (2015), from the pictures that the game shows."""

from typing import Any, final

import gymnasium
import numpy as np
from gymnasium import spaces

from ganglion.data.environments.checked import name_of
from ganglion.errors import ConfigurationError

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Share of red, green and blue in how bright a pixel looks (ITU-R BT.601)."""

PICTURES_A_SECOND = 60
"""Of the consoles whose games these were."""


def shares(before: int, after: int) -> np.ndarray:
    """Return how much of each of `before` pixels in a row is in each of `after` larger ones, (after, before).

    >>> (3 * shares(3, 2)).tolist()
    [[2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]
    """
    edges = np.arange(after + 1) * before / after
    pixels = np.arange(before)
    inside = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.maximum(inside, 0) * after / before).astype(np.float32)


def grey(picture: np.ndarray) -> np.ndarray:
    """Return the brightness (height, width) of a picture (height, width, 3) or (height, width), in its bytes."""
    return picture if picture.ndim == 2 else np.rint(picture @ LUMINANCE).astype(np.uint8)


@final
class StandardFrames(gymnasium.Wrapper):
    """Shows the latest `stack` frames, (stack, size, size) bytes; an action lasts for `skip` pictures of the game.

    1. A new episode begins with 1 to `no_ops` times the action 0, in pictures, so that none begins like the other.
    2. An action is repeated for `skip` pictures. Rewards are added up; an end or a lost life stays what it was.
    3. A frame is the brighter of the last two pictures, pixel by pixel, since some games draw things in turn.
    4. It is grey, and each of its pixels is the mean of the area that it covers.
    5. The first frame of an episode stands for those before it.

    What only training does, to take rewards by their sign and the loss of a life for an end, is done by
    `ganglion.data.environments.vector.Environments`, for which `info["life_lost"]` says that the latter happened.

    Args:
        environment: shows pictures of bytes, (height, width, 3) or grey (height, width).
        no_ops: pictures at most without an action at the beginning; 0 for none.
        skip: pictures that an action lasts for.
        size: height and width of a frame.
        stack: frames that are shown together.

    Source: Mnih et al. 2015, Human-level control through deep reinforcement learning, Methods.
    """

    def __init__(self, environment: gymnasium.Env, *, no_ops: int, skip: int, size: int, stack: int) -> None:
        _refuse_other_than_pictures(environment)
        super().__init__(environment)
        height, width = environment.observation_space.shape[:2]  # type: ignore[index]
        self.no_ops, self.skip, self.stack = no_ops, skip, stack
        self._rows, self._columns = shares(height, size), shares(width, size).T.copy()
        self._shown = np.zeros((stack, size, size), np.uint8)
        self._lives = 0
        self.observation_space = spaces.Box(0, 255, self._shown.shape, np.uint8)
        self.metadata = {**environment.metadata, "render_fps": max(1, PICTURES_A_SECOND // skip)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        picture, info = self.env.reset(seed=seed, options=options)
        waiting = int(self.env.unwrapped.np_random.integers(1, self.no_ops + 1)) if self.no_ops else 0
        for _ in range(waiting):
            picture, _, terminated, truncated, info = self.env.step(0)
            if terminated or truncated:
                picture, info = self.env.reset()
        self._lives = int(info.get("lives", 0))
        self._shown = np.repeat(self._frame(grey(picture))[None], self.stack, axis=0)
        return self._shown, info

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        total, before, now = 0.0, None, None
        for _ in range(self.skip):
            picture, reward, terminated, truncated, info = self.env.step(action)
            before, now = now, picture
            total += float(reward)
            if terminated or truncated:
                break
        assert now is not None
        brighter = grey(now) if before is None else np.maximum(grey(now), grey(before))
        # Anew each time: whoever was shown the frames before may have kept them.
        self._shown = np.concatenate([self._shown[1:], self._frame(brighter)[None]])
        lives = int(info.get("lives", 0))
        lost, self._lives = lives < self._lives, lives
        return self._shown, total, terminated, truncated, info | {"life_lost": lost}

    def _frame(self, picture: np.ndarray) -> np.ndarray:
        return np.rint(self._rows @ picture.astype(np.float32) @ self._columns).astype(np.uint8)


def _refuse_other_than_pictures(environment: gymnasium.Env) -> None:
    space = environment.observation_space
    shape = space.shape or ()
    if not isinstance(space, spaces.Box) or space.dtype != np.uint8 or shape[2:] not in ((), (3,)) or len(shape) < 2:
        raise ConfigurationError(
            f"{name_of(environment)} shows no pictures",
            where="network nature",
            expected="observations of bytes, (height, width, 3) or (height, width), as of ALE/Pong-v5",
            found=str(space),
            remedy="use --network mlp for observations of some numbers, --network minatar for MinAtar",
        )
