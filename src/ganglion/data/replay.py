"""Experience replay: a preallocated memory, and the loader that fills it by acting and draws batches from it."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Generator, Tensor

from ganglion.core import Batch
from ganglion.data.environments import Act, Environments
from ganglion.errors import ConfigurationError


def linear_schedule(start: float, end: float, steps: int) -> Callable[[int], float]:
    """Return the function of a step that goes straight from `start` to `end` over `steps`, and stays there.

    >>> epsilon = linear_schedule(1.0, 0.1, 100)
    >>> epsilon(0), epsilon(50), epsilon(1000)
    (1.0, 0.55, 0.1)
    """
    return lambda step: end + (start - end) * max(0.0, 1.0 - step / steps) if steps else end


class ReplayMemory:
    """The latest `capacity` transitions, in tensors that are allocated once; the oldest is overwritten first.

    >>> memory = ReplayMemory(3)
    >>> for reward in range(4):
    ...     memory.add({"rewards": torch.tensor([float(reward)])})
    >>> memory.storage["rewards"]
    tensor([3., 1., 2.])
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.storage: Batch = {}
        """One tensor `(capacity, ...)` for each name, made when the first transitions show their shapes."""
        self.position = 0
        """Row that is written next."""
        self.size = 0
        """Rows that hold a transition."""

    def add(self, transitions: Batch) -> None:
        """Store transitions, one a row, at most `capacity` at once."""
        count = len(next(iter(transitions.values())))
        self._allocate(transitions)
        rows = torch.arange(self.position, self.position + count) % self.capacity
        for name, values in transitions.items():
            self.storage[name].index_copy_(0, rows, values)
        self.position = (self.position + count) % self.capacity
        self.size = min(self.size + count, self.capacity)

    def sample(self, count: int, generator: Generator) -> Batch:
        """Draw `count` transitions uniformly, with replacement, and say in `index` which."""
        rows = torch.randint(self.size, (count,), generator=generator)
        return {name: values.index_select(0, rows) for name, values in self.storage.items()} | {"index": rows}

    def _allocate(self, example: Batch) -> None:
        if not self.storage:
            self.storage = {
                name: torch.empty(self.capacity, *values.shape[1:], dtype=values.dtype)
                for name, values in example.items()
            }

    def state_dict(self) -> dict[str, Any]:
        """Return the filled rows (views of the memory, not copies) and the place that is written next."""
        return {
            "position": self.position,
            "size": self.size,
            "storage": {name: values[: self.size] for name, values in self.storage.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.position, self.size = state["position"], state["size"]
        self._allocate(state["storage"])
        for name, values in state["storage"].items():
            self.storage[name][: self.size].copy_(values)


class ReplayLoader:
    """Acts in environments, remembers what happened, and yields batches of memories without end.

    With probability ε, a function of the steps taken so far, an action is random; otherwise it is `act`'s.

    Args:
        environments: where to act; their transitions are the samples.
        act: the policy to follow while not exploring.
        capacity: transitions remembered.
        batch_size: transitions in a batch.
        seed: decides exploration and the choice of memories.
        epsilon: ε as a function of the environment steps taken so far.
        train_every: environment steps, over all environments, from one batch to the next.
        learning_starts: environment steps before the first batch.
    """

    def __init__(
        self,
        environments: Environments,
        act: Act,
        *,
        capacity: int,
        batch_size: int,
        seed: int,
        epsilon: Callable[[int], float],
        train_every: int = 1,
        learning_starts: int = 1,
    ) -> None:
        if capacity < len(environments):
            raise ConfigurationError(
                "the replay memory cannot hold one step of every environment",
                expected=f"a capacity of at least {len(environments)}",
                found=str(capacity),
            )
        for name, value in (("train_every", train_every), ("learning_starts", learning_starts)):
            if value < 1:
                raise ConfigurationError(f"{name} must be at least 1", found=str(value))
        self.environments = environments
        self.act = act
        self.memory = ReplayMemory(capacity)
        self.batch_size = batch_size
        self.epsilon = epsilon
        self.train_every = train_every
        self.learning_starts = learning_starts
        self.generator = Generator().manual_seed(seed)
        self.batches = 0
        """Batches handed out so far."""
        self.epoch = 0
        self.batches_per_epoch: int | None = None

    def __iter__(self) -> Iterator[Batch]:
        while True:
            while self.environments.steps < self.learning_starts + self.train_every * self.batches:
                self.collect()
            self.batches += 1
            yield self.memory.sample(self.batch_size, self.generator)

    def collect(self) -> None:
        """Take one step in every environment and remember it."""
        self.memory.add(self.environments.step(self.explore(self.act(self.environments.observations))))

    def explore(self, actions: Tensor) -> Tensor:
        """Replace each action by a random one with probability ε."""
        chance = torch.rand(len(actions), generator=self.generator)
        anything = torch.randint(self.environments.num_actions, actions.shape, generator=self.generator)
        return torch.where(chance < self.epsilon(self.environments.steps), anything, actions)

    @property
    def returns(self) -> list[tuple[int, float]]:
        """Of every finished training episode: the environment steps taken by then, and the sum of its rewards."""
        return self.environments.returns

    def state_dict(self) -> dict[str, Any]:
        return {
            "batches": self.batches,
            "generator": self.generator.get_state(),
            "memory": self.memory.state_dict(),
            "environments": self.environments.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.batches = state["batches"]
        self.generator.set_state(state["generator"].cpu())
        self.memory.load_state_dict(state["memory"])
        self.environments.load_state_dict(state["environments"])
