"""Games of other packages, which are imported when one of their games is asked for and never otherwise."""

import importlib.util
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, final

import gymnasium
import numpy as np
from gymnasium import spaces

from ganglion.errors import MissingExtraError

ARCADE = ("ALE/*", "*NoFrameskip-v[04]")
"""Names of games of the Arcade Learning Environment."""
MINATAR = ("MinAtar/*",)
MINATAR_GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")
MEANINGS = {"n": "none", "l": "left", "u": "up", "r": "right", "d": "down", "f": "fire"}
ENTRY = "ganglion.data.environments.games:MinAtar"
STICKY = 0.1
"""Probability with which a game of MinAtar repeats the action before, as its authors set it."""


def is_arcade(name: str) -> bool:
    """Whether an environment's name is that of a game of the Arcade Learning Environment."""
    return any(fnmatchcase(name, pattern) for pattern in ARCADE)


def is_minatar(name: str) -> bool:
    """Whether an environment's name is that of a game of MinAtar."""
    return any(fnmatchcase(name, pattern) for pattern in MINATAR)


def needs_box2d(name: str) -> bool:
    """Whether an environment is one of Gymnasium's own that are computed by Box2D."""
    return name in gymnasium.registry and ".box2d." in str(gymnasium.registry[name].entry_point)


def register_games(name: str) -> None:
    """Make the games known to Gymnasium to which a name belongs; do nothing for other names that need no package.

    Raises `MissingExtraError` where their package is not installed.
    """
    if is_arcade(name):
        try:
            ale_py = import_module("ale_py")
        except ImportError as error:
            raise _missing(name, "ale-py", "atari", ", under the GNU General Public License 2") from error
        ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # which greets on the terminal otherwise
        gymnasium.register_envs(ale_py)
    elif is_minatar(name):
        if importlib.util.find_spec("minatar") is None:
            raise _missing(name, "minatar", "games", "")
        for game in MINATAR_GAMES:
            for version, minimal in (("v0", False), ("v1", True)):
                title = game.title().replace("_", "")
                identifier = f"MinAtar/{title}-{version}"
                if identifier not in gymnasium.registry:
                    gymnasium.register(identifier, ENTRY, kwargs={"game": game, "minimal": minimal})
    elif needs_box2d(name) and importlib.util.find_spec("Box2D") is None:
        raise _missing(name, "box2d", "box2d", "")


def _missing(name: str, package: str, extra: str, terms: str) -> MissingExtraError:
    return MissingExtraError(
        f"the environment {name} needs the package {package}{terms}",
        expected=f"the extra {extra}",
        found="it is not installed",
        remedy=f"pip install 'ganglion[{extra}]'",
    )


@final
class MinAtar(gymnasium.Env):
    """A game of MinAtar: shows where things are, maps (kinds of things, 10, 10) of truth values.

    The game itself is that of the package. It is loaded past the package's own front, which imports pandas, seaborn
    and a window to draw in.

    Args:
        game: its name, such as breakout.
        minimal: number those of the six actions only that do something in this game.
        sticky: probability with which the action before is repeated.

    Source: Young and Tian 2019, MinAtar: an Atari-inspired testbed, arXiv:1903.03176.
    """

    def __init__(self, game: str, minimal: bool = True, sticky: float = STICKY) -> None:
        self.game = _module(game).Env(ramping=True)
        self.sticky, self._before = sticky, 0
        self.metadata = {"render_modes": [], "render_fps": 10}
        self.actions: list[int] = self.game.minimal_action_set() if minimal else list(range(len(self.game.action_map)))
        self.action_space = spaces.Discrete(len(self.actions))
        height, width, kinds = self.game.state_shape()
        self.observation_space = spaces.Box(0, 1, (kinds, height, width), np.bool_)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        if seed is not None:
            self.game.random = np.random.RandomState(seed)
        self.game.reset()
        self._before = 0
        return self._show(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict]:
        taken = self.actions[int(action)]
        if self.game.random.rand() < self.sticky:
            taken = self._before
        self._before = taken
        reward, over = self.game.act(taken)
        return self._show(), float(reward), bool(over), False, {}

    def get_action_meanings(self) -> list[str]:
        """Return what the actions are called."""
        return [MEANINGS[self.game.action_map[action]] for action in self.actions]

    def _show(self) -> np.ndarray:
        return np.moveaxis(self.game.state(), 2, 0)


def _module(game: str) -> ModuleType:
    """Return the module of a game of MinAtar, without its package."""
    found = importlib.util.find_spec("minatar")
    assert found is not None and found.submodule_search_locations
    path = Path(found.submodule_search_locations[0]) / "environments" / f"{game}.py"
    spec = importlib.util.spec_from_file_location(f"ganglion_minatar_{game}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
