"""Gymnasium environments side by side, in which an episode is a function of its seed and its actions alone."""

import difflib
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.wrappers import FlattenObservation, TimeLimit, TransformAction
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.environments.checked import name_of, started, stepped
from ganglion.data.environments.games import register_games
from ganglion.errors import CheckpointError, ConfigurationError, MissingExtraError

Act = Callable[[Tensor], Tensor]
"""A policy: observations `(batch, ...)` to action numbers `(batch)`, both on the CPU."""
MakeEnvironment = Callable[[], gymnasium.Env]

EPISODE_LIMIT = 10_000
"""Steps after which an episode is cut off in an environment that has no time limit of its own."""


def make_environment(name: str, render_mode: str | None = None, **options: Any) -> gymnasium.Env:
    """Return the registered environment with observations as one array and actions numbered from 0.

    Observations that are not arrays (a number of a state, a tuple) are laid out as a vector, states one-hot. A module
    of the user's that registers environments is named before its name, as in Gymnasium: `module:Name-v0`. `options` are
    those of the environment.
    Raises `ConfigurationError` for an unknown name or unsuitable spaces, `MissingExtraError` for a missing package.

    >>> make_environment("FrozenLake-v1").observation_space.shape
    (16,)
    """
    name = _registered(name)
    register_games(name)
    if name not in gymnasium.registry:
        folded = {known.casefold(): known for known in gymnasium.registry}
        near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
        raise ConfigurationError(
            f"unknown environment {name!r}",
            expected="one registered with Gymnasium, such as CartPole-v1, Acrobot-v1, MountainCar-v0, FrozenLake-v1",
            remedy=(f"did you mean {folded[near[0]]!r}? " if near else "")
            + f"an environment of your own is named with the module that registers it: my_module:{name}",
        )
    try:
        options = {**options, "render_mode": render_mode} if render_mode else options
        environment = gymnasium.make(name, disable_env_checker=True, **options)
    except (gymnasium.error.DependencyNotInstalled, ImportError) as error:
        raise MissingExtraError(
            f"the environment {name} needs a package that is missing", found=str(error), remedy="install that package"
        ) from error
    except Exception as error:  # Environments are code of others, which raises what it likes.
        found = f"{type(error).__name__}: {error}"
        raise ConfigurationError(
            f"Gymnasium cannot make the environment {name}",
            found=found,
            remedy="make it with gymnasium.make, which says more",
        ) from error
    return with_plain_spaces(environment)


def _registered(name: str) -> str:
    """Import the module that registers an environment, where one is named, and return the environment's name."""
    module, _, registered = name.rpartition(":")
    if not module:
        return name
    try:
        import_module(module)
    except Exception as error:  # Modules of others raise what they like.
        raise ConfigurationError(
            f"the module {module}, which shall register {registered}, cannot be imported",
            found=f"{type(error).__name__}: {error}",
            remedy="install it, or name its folder before the same command: PYTHONPATH=FOLDER ganglion ...",
        ) from error
    return registered


def with_plain_spaces(environment: gymnasium.Env) -> gymnasium.Env:
    """Wrap where needed so that observations are one array and actions are numbered from 0."""
    actions, name = environment.action_space, name_of(environment)
    if environment.spec is None or environment.spec.max_episode_steps is None:
        environment = TimeLimit(environment, EPISODE_LIMIT)
    if not isinstance(actions, spaces.Discrete):
        raise ConfigurationError(
            f"Q-learning cannot act in {name}", expected="a discrete action space", found=f"{actions}"
        )
    if actions.start != 0:
        shift = int(actions.start)
        environment = TransformAction(environment, lambda action: action + shift, spaces.Discrete(int(actions.n)))
    observations = environment.observation_space
    if isinstance(observations, spaces.Box):
        return environment
    if not observations.is_np_flattenable:
        raise ConfigurationError(
            f"the observations of {name} cannot be laid out as an array",
            expected="a Box, or spaces of fixed size made of numbers",
            found=f"{observations}",
        )
    return FlattenObservation(environment)


def observation_dtype(environment: gymnasium.Env) -> torch.dtype:
    """Return how observations are stored: bytes and maps of truth values as they are, all else in 32 bits."""
    space = environment.observation_space
    if space.dtype == np.bool_ and len(space.shape or ()) == 3:
        return torch.bool
    return torch.uint8 if space.dtype == np.uint8 else torch.float32


def as_observations(shown: Sequence[Any], environment: gymnasium.Env) -> Tensor:
    """Stack what environments show into a batch, (environments, ...), in the form in which it is stored."""
    return torch.as_tensor(np.stack(shown), dtype=observation_dtype(environment))


def episode_seed(purpose: str, *numbers: int) -> int:
    """Mix what identifies an episode into a seed, so that neighbours and purposes share nothing.

    >>> episode_seed("training", 0, 1) != episode_seed("test", 0, 1)
    True
    """
    return int(np.random.SeedSequence([len(numbers), *numbers, *purpose.encode()]).generate_state(1)[0])


class Environments:
    """Several environments that step together, each starting its next episode by itself.

    Episode e of environment i starts from a seed made of (`seed`, i, e) alone. That makes running episodes part of a
    checkpoint, although an environment cannot be saved: they are started again and their actions repeated.

    Args:
        sign_of_rewards: learn from 1, 0 or -1 in place of a reward, whatever the game counts in.
        life_is_end: let nothing that comes after the loss of a life count for what was done before it.
    """

    def __init__(
        self,
        make: MakeEnvironment,
        count: int,
        seed: int,
        *,
        sign_of_rewards: bool = False,
        life_is_end: bool = False,
    ) -> None:
        self.sign_of_rewards, self.life_is_end = sign_of_rewards, life_is_end
        self.environments = [with_plain_spaces(make()) for _ in range(count)]
        self.seed = seed
        self.steps = 0
        """Steps taken so far, over all environments."""
        self.returns: list[tuple[int, float]] = []
        """Of every finished episode: the steps taken by then, and the sum of its rewards."""
        self.episodes = [0] * count
        """Number of the running episode of each environment."""
        self.actions: list[list[int]] = [[] for _ in range(count)]
        """What was done so far in the running episodes."""
        self.rewards = [0.0] * count
        """Sum of the rewards of the running episodes."""
        first = self.environments[0]
        self.num_actions = int(first.action_space.n)  # type: ignore[attr-defined]
        self.observations = torch.empty(
            count, *(first.observation_space.shape or ()), dtype=observation_dtype(first)
        )  # (environments, ...): what each environment shows now
        for number in range(count):
            self._start(number, self.observations)

    def __len__(self) -> int:
        return len(self.environments)

    def step(self, actions: Tensor) -> Batch:
        """Take one action in every environment, (environments,), and return the transitions, one a row.

        `terminated` says that the episode reached its end, or that a life was lost where that counts as one; `ended`
        that the episode stopped, for whatever reason.
        """
        following = torch.empty_like(self.observations)
        shown = following.numpy()
        rewards = np.empty(len(self), np.float32)
        terminated, ended = np.empty(len(self), np.bool_), np.empty(len(self), np.bool_)
        for number, action in enumerate(actions.tolist()):
            shown[number], reward, terminal, truncated, lost = stepped(self.environments[number], action)
            rewards[number], ended[number] = reward, terminal or truncated
            terminated[number] = terminal or (lost and self.life_is_end)
            self.actions[number].append(action)
            self.rewards[number] += reward
        self.steps += len(self)
        transitions = {
            "observations": self.observations,
            "actions": actions,
            "rewards": torch.from_numpy(np.sign(rewards) if self.sign_of_rewards else rewards),
            "next_observations": following,
            "terminated": torch.from_numpy(terminated),
            "ended": torch.from_numpy(ended),
        }
        # The last observation of an episode belongs to its transition; the first of the next one only to what is shown.
        self.observations = following.clone() if ended.any() else following
        for number in np.flatnonzero(ended).tolist():
            self.returns.append((self.steps, self.rewards[number]))
            self.episodes[number] += 1
            self._start(number, self.observations)
        return transitions

    def _start(self, number: int, observations: Tensor) -> None:
        """Start the episode that `episodes` names, and write its first observation."""
        seed = episode_seed("training", self.seed, number, self.episodes[number])
        observations.numpy()[number] = started(self.environments[number], seed)
        self.actions[number], self.rewards[number] = [], 0.0

    def state_dict(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "episodes": list(self.episodes),
            "actions": [torch.tensor(actions, dtype=torch.int64) for actions in self.actions],
            "observations": self.observations,
            "returns": torch.tensor(self.returns, dtype=torch.float64).reshape(-1, 2),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replay the running episodes. Raises `CheckpointError` if an environment does not repeat itself."""
        self.steps = state["steps"]
        self.returns = [(int(steps), reward) for steps, reward in state["returns"].tolist()]
        self.episodes = list(state["episodes"])
        for number, actions in enumerate(state["actions"]):
            self._replay(number, actions.tolist())
        if not np.array_equal(self.observations.numpy(), state["observations"].numpy(), equal_nan=True):
            raise CheckpointError(
                f"the environment {name_of(self.environments[0])} does not repeat itself",
                expected="the observations of the checkpoint after the same seed and the same actions",
                found="others: the environment is of another version, or draws on chance outside its seed",
                remedy="install the version that the run was started with, or start again",
            )

    def _replay(self, number: int, actions: list[int]) -> None:
        self.observations = self.observations.clone()
        self._start(number, self.observations)
        for action in actions:
            observation, reward, *_ = stepped(self.environments[number], action)
            self.observations.numpy()[number] = observation
            self.rewards[number] += reward
        self.actions[number] = actions


@torch.no_grad()
def play_episodes(make: MakeEnvironment, act: Act, seeds: Sequence[int]) -> list[float]:
    """Play one episode from each seed, all side by side, and return the sums of their rewards."""
    environments = [with_plain_spaces(make()) for _ in seeds]
    shown = [started(environment, seed) for environment, seed in zip(environments, seeds, strict=True)]
    returns = [0.0] * len(environments)
    running = list(range(len(environments)))
    while running:
        actions = act(as_observations([shown[number] for number in running], environments[0])).tolist()
        remaining = []
        for number, action in zip(running, actions, strict=True):
            shown[number], reward, terminated, truncated, _ = stepped(environments[number], action)
            returns[number] += reward
            if not (terminated or truncated):
                remaining.append(number)
        running = remaining
    for environment in environments:
        environment.close()
    return returns
