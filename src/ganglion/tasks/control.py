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
from ganglion.data.environments.checked import name_of
from ganglion.data.environments.frames import StandardFrames
from ganglion.data.environments.games import is_arcade
from ganglion.data.environments.rendering import record_episode
from ganglion.data.environments.replay import ReplayLoader
from ganglion.data.environments.vector import (
    Act,
    Environments,
    episode_seed,
    make_environment,
    play_episodes,
)
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, MissingExtraError, UsageError
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Film, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.shared.acting import playing, refuse_more_than_fits, replay_batch_size, replay_loader
from ganglion.tasks.shared.fitting import adapt
from ganglion.tasks.shared.looking import looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPISODES = {"train": 50, "validation": 50, "test": 100}
"""Seeded episodes that are played to judge a network; while training, as few as still tell good from lucky."""
LONG_EPISODES = {"train": 10, "validation": 10, "test": 30}
"""The same of games that show pictures, which last for thousands of steps."""
MAPS = 10
"""Height and width of the maps that games of MinAtar show."""
MOMENTS = 4
"""Moments of an episode at which a report shows where an agent looks."""
LONGEST = 108_000
"""Pictures after which an arcade game is cut off, half an hour of it."""
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
        "looks": "What the value of the action taken hangs on, at moments of that episode",
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
        with closing(_make(source, config)) as environment:
            config = _fitted(config, environment)
            refuse_more_than_fits(config, environment, _stack(config))
        return cls.restore({"environment": source, "seed": seed, "batch_size": batch_size}, config)

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = cls(config, {})
        task.environment, task.seed, task.batch_size = state["environment"], state["seed"], state["batch_size"]
        return task

    def state(self) -> dict[str, Any]:
        return {"environment": self.environment, "seed": self.seed, "batch_size": self.batch_size}

    def _make(self, render_mode: str | None = None) -> gymnasium.Env:
        return _make(self.environment, self.config, render_mode)

    def loader(self, rule: LearningRule, seed: int) -> ReplayLoader:
        frames, counted = self.config.frames, self.config.network == "nature"
        environments = Environments(
            self._make,
            self.config.num_environments,
            seed,
            sign_of_rewards=counted and frames.sign_of_rewards,
            life_is_end=counted and frames.life_is_end,
        )
        self._loader = replay_loader(rule, self.config, environments, self.batch_size, seed, _stack(self.config))
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
        count = (LONG_EPISODES if self.config.network == "nature" else EPISODES)[part]
        seeds = [episode_seed(part, self.seed, number) for number in range(count)]
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
        if _stack(self.config):
            drawn["looks"] = self.looks(rule.home, MOMENTS, self.seed)[0]
        try:
            with playing(rule.home) as act:
                images, _ = record_episode(self._make, act, episode_seed("test", self.seed, 0))
        except (MissingExtraError, ConfigurationError):
            return drawn  # an environment without pictures is no reason to lose the others
        return drawn | {"episode": figures.frames(images)}

    def looks(self, network: nn.Module, count: int, seed: int) -> "tuple[Figure, list[dict[str, Any]]]":
        """Return what the value of an action hangs on at moments of an episode, drawn and in numbers."""
        stack = _stack(self.config)
        if not stack:
            raise UsageError(
                "the network of this run does not look at images",
                where=self.environment,
                expected="an agent that sees pictures or maps",
                found=f"observations of {self.config.in_features} numbers",
                remedy="choose a run of ALE/Pong-v5, MinAtar/Breakout-v1 and the like",
            )
        return looks(self._make, network, self.config.in_channels // stack, count, episode_seed("play", seed, 0))

    def play(self, network: nn.Module, question: Play) -> Rows:
        """Return the return of each episode, and a film of the first where one is asked for."""
        seeds = [episode_seed("play", question.seed, number) for number in range(question.episodes)]
        with playing(network) as act:
            returns = play_episodes(self._make, act, seeds)
            film = () if question.animation is None else (Film(*record_episode(self._make, act, seeds[0])),)
        rows = [{"episode": number, "return": reward} for number, reward in enumerate(returns, 1)]
        return Rows(rows, {"mean": _mean(returns), "standard_deviation": _deviation(returns)}, also=film)


def _make(name: str, config: Any, render_mode: str | None = None) -> gymnasium.Env:
    """Return an environment that shows what the network of a configuration looks at."""
    if config.network != "nature":
        return make_environment(name, render_mode)
    # The games skip pictures by themselves, where they are not told to leave that to the frames.
    options = {"obs_type": "grayscale", "frameskip": 1, "max_episode_steps": LONGEST} if is_arcade(name) else {}
    frames = config.frames
    environment = make_environment(name, render_mode, **options)
    return StandardFrames(environment, no_ops=frames.no_ops, skip=frames.skip, size=frames.size, stack=frames.stack)


def _stack(config: Any) -> int | None:
    """Return how many frames an observation consists of that are remembered by themselves; None where it is none."""
    stacks = {"nature": config.frames.stack, "minatar": 1}
    return stacks.get(config.network)


def _fitted(config: Any, environment: gymnasium.Env) -> Any:
    """Fill in the fields that the environment decides, those that the configuration has."""
    shape = environment.observation_space.shape or ()
    if config.network == "minatar" and (len(shape) != 3 or shape[1:] != (MAPS, MAPS)):
        raise ConfigurationError(
            f"{name_of(environment)} does not show what the network of MinAtar looks at",
            where="network minatar",
            expected=f"maps of shape (kinds of things, {MAPS}, {MAPS}), as of MinAtar/Breakout-v1",
            found=str(environment.observation_space),
            remedy="use --network mlp for some numbers, --network nature for pictures",
        )
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
