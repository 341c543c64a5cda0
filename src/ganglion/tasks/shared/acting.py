"""What tasks share whose networks act: the policy of highest value, and the memory that it is learnt from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gymnasium
import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.data.environments.priorities import Priorities
from ganglion.data.environments.replay import ReplayLoader, linear_schedule
from ganglion.data.environments.vector import Act, Environments
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError
from ganglion.rules.reinforcement.settings import QLearningSettings
from ganglion.tasks.shared.evaluation import block_size, evaluating, in_blocks


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


def replay_loader(
    rule: LearningRule, config: QLearningSettings, make: Callable[[], gymnasium.Env], batch_size: int, seed: int
) -> ReplayLoader:
    """Return the loader that acts, explores and remembers as a configuration says."""
    # Noisy networks explore by themselves.
    start, end = (0.0, 0.0) if config.exploration == "noise" else (config.epsilon_start, config.epsilon_end)

    def prioritise(capacity: int) -> Priorities:
        importance = linear_schedule(config.importance_start, 1.0, config.importance_steps)
        errors = lambda: rule.tensors.get("errors", torch.empty(0))  # noqa: E731
        return Priorities(capacity, config.priority, importance, errors)

    return ReplayLoader(
        Environments(make, config.num_environments, seed),
        greedy(rule.home),
        capacity=config.replay_capacity,
        batch_size=batch_size,
        seed=seed,
        epsilon=linear_schedule(start, end, config.epsilon_steps),
        discount=config.discount,
        steps_ahead=config.steps_ahead,
        train_every=config.train_every,
        learning_starts=config.learning_starts,
        prioritise=prioritise if config.priority else None,
    )
