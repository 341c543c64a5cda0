"""What tasks share whose networks act: the policy of highest value, and the memory that it is learnt from."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import gymnasium
import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.data.environments.checked import name_of
from ganglion.data.environments.priorities import Priorities
from ganglion.data.environments.replay import ReplayLoader, linear_schedule
from ganglion.data.environments.vector import Act, Environments, observation_dtype
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError
from ganglion.rules.reinforcement.settings import QLearningSettings
from ganglion.tasks.shared.evaluation import block_size, evaluating, in_blocks
from ganglion.training.machine.memory import machine_memory


def greedy(network: nn.Module) -> Act:
    """Return the policy that takes the action of highest value, computed where the network is."""

    @torch.no_grad()
    def act(observations: Tensor) -> Tensor:
        return network(observations.to(next(network.parameters()).device)).argmax(1).cpu()

    return act


@contextmanager
def playing(network: nn.Module) -> Iterator[Act]:
    """Give the policy that takes the action of highest value, the same whatever else is being played beside.

    Observations are looked at in blocks of one size; see `ganglion.tasks.shared.evaluation`.
    """
    with evaluating(network) as device:

        def act(observations: Tensor) -> Tensor:
            return in_blocks(network, observations, block_size(network, observations[0]), device).argmax(1)

        yield act


def replay_batch_size(settings: DataSettings) -> int:
    """Return how many memories a batch holds; raise `ConfigurationError` where it is to hold all."""
    if settings.batch_size == "all":
        raise ConfigurationError("a replay memory has no whole to use as one batch", remedy="give a batch_size")
    return settings.batch_size


def refuse_more_than_fits(config: QLearningSettings, environment: gymnasium.Env, stack: int | None = None) -> None:
    """Raise `ConfigurationError` where the replay memory of a configuration is larger than that of the machine.

    Of observations of `stack` frames each frame is remembered once, of others they and those that follow them.
    """
    shape = environment.observation_space.shape or ()
    one = math.prod(shape) * observation_dtype(environment).itemsize
    need, there = config.replay_capacity * (one // stack if stack else 2 * one), machine_memory()
    if need > there:
        raise ConfigurationError(
            f"the replay memory would not fit into this machine's, with what {name_of(environment)} shows",
            where=f"replay_capacity {config.replay_capacity:,}",
            expected=f"at most {there / 2**30:.1f} GiB",
            found=f"{need / 2**30:.1f} GiB",
            remedy=f"--replay-capacity {there // 2 * config.replay_capacity // need:,}".replace(",", "")
            + ("" if stack else ", or for pictures --form atari, which remembers small grey ones"),
        )


def replay_loader(
    rule: LearningRule,
    config: QLearningSettings,
    environments: Environments,
    batch_size: int,
    seed: int,
    stack: int | None = None,
) -> ReplayLoader:
    """Return the loader that acts, explores and remembers as a configuration says.

    Observations of `stack` frames are remembered frame by frame.
    """
    # Noisy networks explore by themselves.
    start, end = (0.0, 0.0) if config.exploration == "noise" else (config.epsilon_start, config.epsilon_end)

    def prioritise(capacity: int) -> Priorities:
        importance = linear_schedule(config.importance_start, 1.0, config.importance_steps)
        errors = lambda: rule.tensors.get("errors", torch.empty(0))  # noqa: E731
        return Priorities(capacity, config.priority, importance, errors)

    return ReplayLoader(
        environments,
        greedy(rule.home),
        capacity=config.replay_capacity,
        batch_size=batch_size,
        seed=seed,
        epsilon=linear_schedule(start, end, config.epsilon_steps),
        hold=config.hold,
        discount=config.discount,
        steps_ahead=config.steps_ahead,
        train_every=config.train_every,
        learning_starts=config.learning_starts,
        prioritise=prioritise if config.priority else None,
        stack=stack,
    )
