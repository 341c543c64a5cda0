"""Games of other packages: the same as there, told by name, and missed with one clear error."""

import importlib.util
import subprocess
import sys

import gymnasium
import numpy as np
import pytest

from ganglion.data.environments import games
from ganglion.data.environments.games import MINATAR_GAMES, is_arcade, is_minatar
from ganglion.data.environments.rendering import draw_maps
from ganglion.data.environments.vector import make_environment
from ganglion.errors import MissingExtraError

needs_minatar = pytest.mark.skipif(importlib.util.find_spec("minatar") is None, reason="needs the extra games")


def test_games_are_known_by_their_names() -> None:
    assert is_arcade("ALE/Pong-v5") and is_arcade("PongNoFrameskip-v4")
    assert not is_arcade("CartPole-v1") and not is_arcade("MinAtar/Breakout-v1")
    assert is_minatar("MinAtar/Breakout-v1") and not is_minatar("Breakout-v1")


@pytest.mark.parametrize(
    ("name", "extra"), [("ALE/Pong-v5", "atari"), ("MinAtar/Breakout-v1", "games"), ("LunarLander-v3", "box2d")]
)
def test_a_missing_package_is_named_with_its_extra(name: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ale_py", None)
    monkeypatch.setattr(games.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=name) as caught:
        make_environment(name)
    assert caught.value.remedy == f"pip install 'ganglion[{extra}]'"
    assert caught.value.exit_code == 2


def test_nothing_is_imported_that_was_not_asked_for() -> None:
    script = "import sys, ganglion.tasks.control, gymnasium; print({'ale_py', 'minatar', 'seaborn'} & set(sys.modules))"
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "set()"


@needs_minatar
def test_a_game_of_minatar_is_registered_without_the_rest_of_its_package() -> None:
    script = (
        "import sys; from ganglion.data.environments.vector import make_environment as make;"
        "make('MinAtar/Breakout-v1').reset(seed=0); print({'minatar', 'seaborn', 'pandas'} & set(sys.modules))"
    )
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "set()"


@needs_minatar
@pytest.mark.full
@pytest.mark.parametrize("game", MINATAR_GAMES)
@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.filterwarnings("ignore")
def test_every_game_of_minatar_is_played_as_its_package_plays_it(game: str, version: str) -> None:
    from minatar.gym import BaseEnv

    mine = make_environment(f"MinAtar/{game.title().replace('_', '')}-{version}")
    theirs = BaseEnv(game, use_minimal_action_set=version == "v1")
    assert mine.action_space == theirs.action_space
    for seed in range(3):
        theirs.game.last_action = 0  # theirs remembers it from the episode before
        shown, _ = mine.reset(seed=seed)
        assert (np.moveaxis(shown, 0, 2) == theirs.reset(seed=seed)[0]).all()
        for step in range(400):
            action = (step * 7 + seed) % int(mine.action_space.n)  # type: ignore[attr-defined]
            (shown, *mine_rest), (their_shown, *their_rest) = mine.step(action), theirs.step(action)
            assert (np.moveaxis(shown, 0, 2) == their_shown).all()
            assert mine_rest[:3] == [*their_rest[:1], bool(their_rest[1]), False]
            if mine_rest[1]:
                break


@needs_minatar
def test_breakout_of_minatar_follows_from_its_seed_and_its_actions() -> None:
    def played(environment: gymnasium.Env) -> list[np.ndarray]:
        shown = [environment.reset(seed=4)[0]]
        for step in range(60):
            shown.append(environment.step(step % 3)[0])
        return shown

    environment = make_environment("MinAtar/Breakout-v1")
    first, second = played(environment), played(environment)
    assert environment.observation_space.shape == (4, 10, 10) and first[0].dtype == np.bool_
    np.testing.assert_array_equal(first, second)


def test_maps_are_drawn_with_a_colour_for_each_kind_of_thing() -> None:
    maps = np.zeros((2, 10, 10), bool)
    maps[0, 2, 3] = maps[1, 9, 0] = True
    picture = draw_maps(maps)
    assert picture.shape == (200, 200, 3)
    centres = picture[10::20, 10::20]
    assert (centres != 255).any(-1).sum() == 2
    assert len({tuple(centres[2, 3]), tuple(centres[9, 0]), tuple(centres[0, 0])}) == 3
