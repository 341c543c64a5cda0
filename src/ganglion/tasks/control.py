"""Control: a network chooses actions in an environment, and is judged by the reward it collects."""

import math
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, final

import gymnasium
import torch
from torch import Generator, Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.environments.rendering import record_episode
from ganglion.data.environments.replay import ReplayLoader
from ganglion.data.environments.vector import (
    Act,
    episode_seed,
    make_environment,
    play_episodes,
)
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, MissingExtraError
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Film, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.shared.acting import playing, replay_batch_size, replay_loader
from ganglion.tasks.shared.fitting import adapt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPISODES = {"train": 50, "validation": 50, "test": 100}
"""Seeded episodes that are played to judge a network; while training, as few as still tell good from lucky."""
RECENT = 100
"""Training episodes in the mean that is reported beside the evaluation."""


MEAN_RETURN = Measure(
    name="mean_return",
    higher_is_better=True,
    meaning="Mean over episodes of the sum of their rewards.",
)
DEVIATION_OF_RETURN = Measure(
    name="deviation_of_return",
    higher_is_better=False,
    meaning="Standard deviation of the returns.",
)
LOWEST_RETURN = Measure(name="lowest_return", higher_is_better=True, meaning="Return of the worst episode.")
TRAINING_RETURN = Measure(
    name="training_return",
    higher_is_better=True,
    meaning="Mean return of the latest training episodes, in which the agent also explored.",
)


@settings
class Play:
    """Play episodes, always taking the action of highest value."""

    episodes: Annotated[int, at_least(1)] = 10
    """Episodes to play."""
    seed: int = 0
    """Decides how they start."""
    animation: Path | None = None
    """Film of the first one to write: GIF, WebP or MP4."""


@final
class Control(Task):
    """Collecting reward in a Gymnasium environment, judged by the mean return of greedy play.

    The episodes of an evaluation always start from the same seeds, so that two evaluations differ by the network
    alone. The configuration says how to explore and remember; see `ganglion.rules.reinforcement.settings`.
    """

    name = "control"
    reads = ()
    takes = "the name of a Gymnasium environment, such as CartPole-v1"
    fields: ClassVar = {}
    measures = (MEAN_RETURN, DEVIATION_OF_RETURN, LOWEST_RETURN, TRAINING_RETURN)
    captions: ClassVar = {
        "returns": "Return of every training episode",
        "episode": "Frames of one greedy episode, from first to last",
    }
    verbs: ClassVar = {"play": Play}
    next_step = "ganglion play {run}"

    environment: str
    """Its name."""
    seed: int
    batch_size: int
    _loader: ReplayLoader | None = None

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        source = cls.source_name(source, "this system learns by acting, not from stored samples")
        batch_size = replay_batch_size(settings)
        environment = make_environment(source)
        config = _fitted(config, environment)
        environment.close()
        return cls.restore({"environment": source, "seed": seed, "batch_size": batch_size}, config)

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = cls(config, {})
        task.environment, task.seed, task.batch_size = state["environment"], state["seed"], state["batch_size"]
        return task

    def state(self) -> dict[str, Any]:
        return {"environment": self.environment, "seed": self.seed, "batch_size": self.batch_size}

    def _make(self) -> gymnasium.Env:
        return make_environment(self.environment)

    def loader(self, rule: LearningRule, seed: int) -> ReplayLoader:
        self._loader = replay_loader(rule, self.config, self._make, self.batch_size, seed)
        return self._loader

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        with playing(rule.home) as act:
            measured = self._judge(act, part)
        if part == "validation" and self._loader is not None:
            recent = [reward for _, reward in self._loader.returns[-RECENT:]]
            measured["training_return"] = _mean(recent)
        return measured

    def baseline(self) -> dict[str, float]:
        generator = Generator().manual_seed(self.seed)

        def act(observations: Tensor) -> Tensor:
            return torch.randint(self.config.num_actions, (len(observations),), generator=generator)

        return self._judge(act, "test")

    def _judge(self, act: Act, part: Part) -> dict[str, float]:
        """Play the seeded episodes of a part and return the mean and the deviation of their returns."""
        seeds = [episode_seed(part, self.seed, number) for number in range(EPISODES[part])]
        returns = play_episodes(self._make, act, seeds)
        return {
            "mean_return": _mean(returns),
            "deviation_of_return": _deviation(returns),
            "lowest_return": min(returns),
        }

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        drawn = {}
        if self._loader is not None:
            with closing(self._make()) as environment:
                solved = environment.spec.reward_threshold if environment.spec else None
            drawn["returns"] = figures.returns([reward for _, reward in self._loader.returns], solved)
        try:
            with playing(rule.home) as act:
                images, _ = record_episode(self.environment, act, episode_seed("test", self.seed, 0))
        except (MissingExtraError, ConfigurationError):
            return drawn  # an environment without pictures is no reason to lose the others
        return drawn | {"episode": figures.frames(images)}

    def play(self, network: nn.Module, question: Play) -> Rows:
        """Return the return of each episode, and a film of the first where one is asked for."""
        seeds = [episode_seed("play", question.seed, number) for number in range(question.episodes)]
        with playing(network) as act:
            returns = play_episodes(self._make, act, seeds)
            film = () if question.animation is None else (Film(*record_episode(self.environment, act, seeds[0])),)
        rows = [{"episode": number, "return": reward} for number, reward in enumerate(returns, 1)]
        return Rows(rows, {"mean": _mean(returns), "standard_deviation": _deviation(returns)}, also=film)


def _fitted(config: Any, environment: gymnasium.Env) -> Any:
    """Fill in the fields that the environment decides, those that the configuration has."""
    shape = environment.observation_space.shape or ()
    decided = {
        "num_actions": int(environment.action_space.n),  # type: ignore[attr-defined]
        "in_features": math.prod(shape),
        **({"in_channels": shape[0]} if len(shape) == 3 else {}),
    }
    return adapt(config, **decided)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _deviation(values: Sequence[float]) -> float:
    mean = _mean(values)
    return math.sqrt(_mean([(value - mean) ** 2 for value in values]))


TASK = Control
