"""Environments that break the rules of Gymnasium: named at the step at which they do."""

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

import ganglion
from ganglion.data.environments.vector import EPISODE_LIMIT, Environments, make_environment, play_episodes
from ganglion.errors import ConfigurationError, GanglionError

BOX = spaces.Box(-1, 1, (3,), np.float32)
FINE = np.zeros(3, dtype=np.float32)


class Rogue(gymnasium.Env):
    """Answers what it was made with."""

    def __init__(
        self, first: Any = (FINE, {}), then: Any = (FINE, 1.0, True, False, {}), shown: Any = BOX, acts: Any = None
    ) -> None:
        self.observation_space = shown
        self.action_space = acts or spaces.Discrete(2)
        self.first, self.then = first, then

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        return self.first

    def step(self, action: Any) -> Any:
        return self.then


def act(observations: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(observations), dtype=torch.int64)


AT_RESET: dict[str, Any] = {
    "gym of old": FINE,
    "NaN": (np.full(3, np.nan, dtype=np.float32), {}),
    "infinite": (np.full(3, np.inf, dtype=np.float32), {}),
    "another shape": (np.zeros(4, dtype=np.float32), {}),
    "no array": ("left", {}),
    "nothing": None,
}
AT_STEP: dict[str, Any] = {
    "gym of old": (FINE, 1.0, True, {}),
    "NaN": (np.full(3, np.nan, dtype=np.float32), 1.0, False, False, {}),
    "another shape": (np.zeros((3, 1), dtype=np.float32), 1.0, False, False, {}),
    "a reward of NaN": (FINE, float("nan"), False, False, {}),
    "an infinite reward": (FINE, -float("inf"), False, False, {}),
    "a reward of text": (FINE, "much", False, False, {}),
    "no reward": (FINE, None, False, False, {}),
    "nothing": None,
}
SPACES: dict[str, dict[str, Any]] = {
    "continuous actions": {"acts": BOX},
    "several actions at once": {"acts": spaces.MultiDiscrete([2, 2])},
    "observations of any number": {"shown": spaces.Sequence(BOX)},
}


@pytest.mark.parametrize("first", AT_RESET.values(), ids=AT_RESET)
def test_a_first_observation_that_is_none(first: Any) -> None:
    for use in (
        lambda: Environments(lambda: Rogue(first), 2, 0),
        lambda: play_episodes(lambda: Rogue(first), act, [0]),
    ):
        with pytest.raises(GanglionError) as caught:
            use()
        assert "Rogue" in caught.value.what and caught.value.expected and caught.value.found and caught.value.remedy


@pytest.mark.parametrize("then", AT_STEP.values(), ids=AT_STEP)
def test_a_step_that_is_none(then: Any) -> None:
    environments = Environments(lambda: Rogue(then=then), 2, 0)
    for use in (
        lambda: environments.step(torch.zeros(2, dtype=torch.int64)),
        lambda: play_episodes(lambda: Rogue(then=then), act, [0]),
    ):
        with pytest.raises(GanglionError) as caught:
            use()
        assert "Rogue" in caught.value.what and caught.value.expected and caught.value.found and caught.value.remedy


@pytest.mark.parametrize("options", SPACES.values(), ids=SPACES)
def test_spaces_that_nothing_can_be_learnt_in(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Environments(lambda: Rogue(**options), 1, 0)
    assert "Rogue" in caught.value.what and caught.value.expected and caught.value.found


def test_an_episode_without_end_is_cut_off() -> None:
    def endless() -> gymnasium.Env:
        return Rogue(then=(FINE, 1.0, False, False, {}))

    assert play_episodes(endless, act, [0]) == [float(EPISODE_LIMIT)]
    environments = Environments(endless, 1, 0)
    for _ in range(EPISODE_LIMIT + 5):
        environments.step(torch.zeros(1, dtype=torch.int64))
    assert environments.returns == [(EPISODE_LIMIT, float(EPISODE_LIMIT))]
    assert len(environments.actions[0]) == 5


@pytest.fixture
def registered() -> Iterator[str]:
    gymnasium.register("Broken-v0", entry_point="no.such.module:Environment")
    yield "Broken-v0"
    del gymnasium.registry["Broken-v0"]


def test_names_that_would_import_code(registered: str) -> None:
    for name in ("os:system", "../CartPole-v1", "CartPole", "a\0b", "", "x" * 10_000):
        with pytest.raises(GanglionError, match="unknown environment"):
            make_environment(name)
    with pytest.raises(GanglionError, match=registered):
        make_environment(registered)
    with pytest.raises(GanglionError, match="unknown environment"):
        ganglion.train("dqn", "os:system")
