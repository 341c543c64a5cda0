"""Standard frames, picture by picture, against games whose every picture is known, and against another program."""

import importlib.util
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from ganglion.data.environments.frames import StandardFrames, grey, shares
from ganglion.errors import ConfigurationError
from tests.games import Script


def framed(environment: gymnasium.Env, **changes: int) -> StandardFrames:
    return StandardFrames(environment, **{"no_ops": 0, "skip": 4, "size": 84, "stack": 4, **changes})


def values(shown: np.ndarray) -> list[int]:
    """Return the byte that each frame is filled with."""
    assert all((frame == frame[0, 0]).all() for frame in shown)
    return [int(frame[0, 0]) for frame in shown]


def test_an_action_lasts_for_four_pictures_and_the_brighter_of_the_last_two_is_shown() -> None:
    game = Script()
    frames = framed(game)
    first, _ = frames.reset(seed=0)
    assert first.shape == (4, 84, 84) and first.dtype == np.uint8
    assert values(first) == [0, 0, 0, 0]  # the first frame stands for those before it
    shown = [values(frames.step(1)[0]) for _ in range(4)]
    assert shown == [[0, 0, 0, 40], [0, 0, 40, 80], [0, 40, 80, 120], [40, 80, 120, 160]]
    assert game.actions == [1] * 16


def test_of_two_pictures_each_pixel_is_the_brighter_one() -> None:
    class Flicker(Script):
        def _show(self) -> np.ndarray:
            picture = np.zeros((84, 84), np.uint8)
            picture[: 42 if self.time % 2 else None] = 50 if self.time % 2 else 7
            return picture

    frames = framed(Flicker(shape=(84, 84)), skip=2, stack=1)
    frames.reset(seed=0)
    shown = frames.step(0)[0][0]
    assert (shown[:42] == 50).all() and (shown[42:] == 7).all()


def test_rewards_of_skipped_pictures_add_up_and_an_end_cuts_them_short() -> None:
    frames = framed(Script(rewards={1: 1.0, 3: 0.5, 4: -3.0, 6: 2.0, 7: 9.0}, end=6))
    frames.reset(seed=0)
    assert frames.step(0)[1:4] == (-1.5, False, False)
    shown, reward, terminated, truncated, _ = frames.step(0)
    assert (reward, terminated, truncated) == (2.0, True, False)
    assert values(shown)[-1] == 60  # the brighter of pictures 5 and 6


def test_a_single_picture_before_the_end_is_the_frame() -> None:
    frames = framed(Script(end=5))
    frames.reset(seed=0)
    frames.step(0)
    shown, _, terminated, *_ = frames.step(0)
    assert terminated and values(shown)[-1] == 50


def test_an_episode_begins_with_a_random_number_of_pictures_without_action_that_follows_from_the_seed() -> None:
    game = Script()
    frames = framed(game, no_ops=30)
    waited = []
    for seed in range(200):
        game.actions.clear()
        shown, _ = frames.reset(seed=seed)
        assert set(game.actions) == {0}
        assert values(shown) == [10 * len(game.actions) % 256] * 4
        waited.append(len(game.actions))
    assert min(waited) == 1 and max(waited) == 30 and len(set(waited)) == 30
    game.actions.clear()
    frames.reset(seed=7)
    assert len(game.actions) == waited[7]


def test_a_game_that_ends_while_nothing_is_done_begins_again() -> None:
    frames = framed(Script(end=3), no_ops=30)
    for seed in range(20):
        shown, _ = frames.reset(seed=seed)
        assert max(values(shown)) <= 20


def test_the_loss_of_a_life_is_told_at_its_step_and_the_game_goes_on() -> None:
    frames = framed(Script(lives={0: 3, 6: 2, 9: 3, 14: 1}))
    frames.reset(seed=0)
    lost = []
    for _ in range(4):
        shown, _, terminated, _, info = frames.step(0)
        assert not terminated
        lost.append(info["life_lost"])
    assert lost == [False, True, False, True]  # a life that is won is none lost
    assert values(shown) == [40, 80, 120, 160]  # frames run on


def test_frames_that_were_shown_stay_as_they_were() -> None:
    frames = framed(Script())
    first, _ = frames.reset(seed=0)
    second = frames.step(0)[0]
    frames.step(0)
    assert values(first) == [0] * 4 and values(second) == [0, 0, 0, 40]


def test_each_pixel_of_a_frame_is_the_mean_of_the_area_that_it_covers() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (210, 160), dtype=np.uint8)
    fine = picture.repeat(84, axis=0).repeat(84, axis=1).astype(np.float64)  # 210 x 84 rows of which 210 are a pixel's
    exact = fine.reshape(84, 210, 84, 160).mean((1, 3))
    made = shares(210, 84) @ picture.astype(np.float32) @ shares(160, 84).T
    np.testing.assert_allclose(made, exact, atol=1e-3)
    np.testing.assert_allclose(shares(210, 84).sum(1), 1, atol=1e-6)


def test_frames_are_those_of_opencv_within_rounding() -> None:
    cv2 = pytest.importorskip("cv2")
    picture = np.random.default_rng(1).integers(0, 256, (210, 160), dtype=np.uint8)
    theirs = cv2.resize(picture, (84, 84), interpolation=cv2.INTER_AREA).astype(int)
    frames = framed(Script(shape=(210, 160)))
    assert np.abs(frames._frame(picture).astype(int) - theirs).max() <= 1


def test_colours_are_grey_by_how_bright_they_look() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 10, 10]]], np.uint8)
    assert grey(colours).tolist() == [[76, 150, 29, 255, 10]]
    plain = colours[..., 0]
    assert grey(plain) is plain


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1, 1, (4,), np.float32),
        spaces.Box(0, 255, (84, 84, 4), np.uint8),
        spaces.Box(0, 1, (84, 84, 3), np.float32),
        spaces.Box(0, 255, (128,), np.uint8),
        spaces.Discrete(5),
    ],
)
def test_what_shows_no_pictures_is_refused_by_name(space: spaces.Space) -> None:
    environment = Script()
    environment.observation_space = space
    with pytest.raises(ConfigurationError, match="Script shows no pictures") as caught:
        framed(environment)
    assert "network mlp" in caught.value.remedy and str(space) in caught.value.found


class Watched(gymnasium.Wrapper):
    """Remembers the pictures of a game."""

    def __init__(self, environment: gymnasium.Env) -> None:
        super().__init__(environment)
        self.pictures: list[np.ndarray] = []

    def reset(self, **named: Any) -> tuple[Any, dict]:
        shown = self.env.reset(**named)
        self.pictures = [shown[0]]
        return shown

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict]:
        outcome = self.env.step(action)
        self.pictures.append(outcome[0])
        return outcome


@pytest.mark.skipif(importlib.util.find_spec("ale_py") is None, reason="needs the extra atari")
def test_pong_is_framed_as_the_paper_says_picture_by_picture() -> None:
    from ganglion.data.environments.vector import make_environment

    game = Watched(make_environment("ALE/Pong-v5", obs_type="grayscale", frameskip=1))
    frames = framed(game, no_ops=30)
    shown, _ = frames.reset(seed=3)
    begun = len(game.pictures)
    rows, columns = shares(210, 84), shares(160, 84)
    for step in range(30):
        shown = frames.step(step % 6)[0]
        pictures = game.pictures[begun:]
        assert len(pictures) == 4 * (step + 1)
        last = [pictures[4 * at + 3] for at in range(max(0, step - 3), step + 1)]
        before = [pictures[4 * at + 2] for at in range(max(0, step - 3), step + 1)]
        for frame, one, other in zip(shown[-len(last) :], last, before, strict=True):
            both = np.maximum(one, other).astype(np.float64)
            assert np.abs(frame - rows @ both @ columns.T).max() <= 0.501
    again, _ = frames.reset(seed=3)
    assert begun == len(game.pictures)
    np.testing.assert_array_equal(again[0], again[-1])


@pytest.mark.skipif(
    importlib.util.find_spec("ale_py") is None or importlib.util.find_spec("cv2") is None, reason="needs OpenCV"
)
def test_pong_is_framed_like_by_the_wrapper_of_gymnasium() -> None:
    from gymnasium.wrappers import AtariPreprocessing

    from ganglion.data.environments.vector import make_environment

    def make() -> gymnasium.Env:
        return make_environment("PongNoFrameskip-v4", obs_type="grayscale")

    mine = framed(make(), stack=1)
    theirs = AtariPreprocessing(make(), noop_max=0, frame_skip=4, screen_size=84, grayscale_obs=True)
    mine.reset(seed=1), theirs.reset(seed=1)
    for step in range(60):
        one, other = mine.step(step % 6), theirs.step(step % 6)
        assert one[1:4] == other[1:4]
        assert np.abs(one[0][0].astype(int) - other[0].astype(int)).max() <= 1
