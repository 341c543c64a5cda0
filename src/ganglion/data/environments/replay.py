"""Experience replay: a preallocated memory, and the loader that fills it by acting and draws batches from it."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from ganglion.core import Batch, Phase
from ganglion.data.environments.priorities import Priorities
from ganglion.data.environments.vector import Act, Environments
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
    ...     rows = memory.add({"rewards": torch.tensor([float(reward)])})
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

    def add(self, transitions: Batch) -> np.ndarray:
        """Store transitions, one a row, at most `capacity` at once, and return the rows (transitions,)."""
        count = len(next(iter(transitions.values())))
        rows = (self.position + np.arange(count)) % self.capacity
        self._allocate(transitions)
        before = min(count, self.capacity - self.position)  # the end of the memory
        for name, values in transitions.items():
            storage = self.storage[name]
            storage[self.position : self.position + before] = values if before == count else values[:before]
            if before < count:
                storage[: count - before] = values[before:]
        self.position = (self.position + count) % self.capacity
        self.size = min(self.size + count, self.capacity)
        return rows

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Choose rows, (count,), uniformly and with replacement."""
        return torch.randint(self.size, (count,), generator=generator)

    def take(self, rows: Tensor, *names: str) -> Batch:
        """Return the named parts of the transitions in these rows, (batch,)."""
        return {name: self.storage[name].index_select(0, rows) for name in names}

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


def multi_step(memory: ReplayMemory, rows: Tensor, steps: int, stride: int, discount: float) -> Batch:
    """Return transitions that lead up to `steps` further: from s_t by a_t to s_t+n with r_t + γ r_t+1 + ... .

    The transition that follows a row stands `stride` rows behind it. A way ends early with its episode, or where the
    memory ends; `discounts` is γ to the power of the steps that were taken.

    Args:
        rows: first transition of each way, (batch,).
        discount: γ, worth of a reward one step later.

    Source: Sutton and Barto, Reinforcement learning, chapter 7.
    """
    ahead = torch.arange(steps)
    places = (rows.unsqueeze(1) + stride * ahead) % memory.capacity  # (batch, steps)
    written = (memory.position - 1 - rows) % memory.capacity  # rows written since, (batch)
    ended = memory.storage["ended"][places].long()
    taken = (ended.cumsum(1) - ended == 0) & (stride * ahead <= written.unsqueeze(1))  # (batch, steps)
    lengths = taken.sum(1)
    last = places.gather(1, lengths.unsqueeze(1) - 1).squeeze(1)
    # Chosen, not multiplied by 0: rows that were never written may hold anything, even what is not a number.
    rewards = torch.where(taken, memory.storage["rewards"][places] * discount**ahead, 0.0)
    return {
        **memory.take(rows, "observations", "actions"),
        "rewards": rewards.sum(1),
        **memory.take(last, "next_observations", "terminated"),
        "discounts": discount**lengths,
    }


MOST_AT_ONCE = 16
"""Batches that are drawn from the memory in one go."""


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
        discount: worth of a reward one step later; batches bring its powers along.
        steps_ahead: environment steps that a transition leads on.
        train_every: environment steps, over all environments, from one batch to the next.
        learning_starts: environment steps before the first batch.
        prioritise: makes what draws memories by their errors from the capacity; all alike when not given. Batches then
            say in `weights` how much each counts.
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
        discount: float,
        steps_ahead: int = 1,
        train_every: int = 1,
        learning_starts: int = 1,
        prioritise: Callable[[int], Priorities] | None = None,
    ) -> None:
        if capacity < len(environments):
            raise ConfigurationError(
                "the replay memory cannot hold one step of every environment",
                expected=f"a capacity of at least {len(environments)}",
                found=str(capacity),
            )
        for name, value in (
            ("train_every", train_every),
            ("learning_starts", learning_starts),
            ("steps_ahead", steps_ahead),
        ):
            if value < 1:
                raise ConfigurationError(f"{name} must be at least 1", found=str(value))
        self.environments = environments
        self.act = act
        # A whole number of steps of all environments, so that the next step of one always stands as many rows ahead.
        self.memory = ReplayMemory(capacity - capacity % len(environments))
        self.priorities = prioritise(self.memory.capacity) if prioritise else None
        self.batch_size = batch_size
        self.epsilon = epsilon
        self.train_every = train_every
        self.learning_starts = learning_starts
        self.steps_ahead = steps_ahead
        self.discount = discount
        self.generator = Generator().manual_seed(seed)
        self.batches = 0
        """Batches handed out so far."""
        self.epoch = 0
        self.batches_per_epoch: int | None = None
        self._ready: deque[Batch] = deque()
        """Batches that were drawn already: the memory stays as it is until the next step."""
        self._drawn_from = self.generator.get_state(), 0
        """State of the generator before they were drawn, and how many they were."""

    def __iter__(self) -> Iterator[Batch]:
        while True:
            if self.priorities:
                self.priorities.learn()
            while self.environments.steps < self.learning_starts + self.train_every * self.batches:
                self.collect()
            if not self._ready:
                due = (self.environments.steps - self.learning_starts) // self.train_every + 1 - self.batches
                self._draw(1 if self.priorities else min(due, MOST_AT_ONCE))
            self.batches += 1
            yield self._ready.popleft()

    def _draw(self, count: int) -> None:
        """Gather batches in one go; each is what it would have been if drawn alone."""
        self._drawn_from = self.generator.get_state(), count
        drawn = self.sample(count)
        pieces = [values.chunk(count) for values in drawn.values()]
        self._ready.extend(dict(zip(drawn, part, strict=True)) for part in zip(*pieces, strict=True))

    def sample(self, batches: int = 1) -> Batch:
        """Draw transitions from the memory and say in `index` where they begin."""
        count, more = batches * self.batch_size, {}
        if self.priorities:
            rows, weights = self.priorities.draw(count, self.memory.size, self.environments.steps, self.generator)
            more = {"weights": weights}
        else:
            rows = self.memory.draw(count, self.generator)
        if self.steps_ahead == 1:
            batch = self.memory.take(rows, "observations", "actions", "rewards", "next_observations", "terminated")
        else:
            batch = multi_step(self.memory, rows, self.steps_ahead, len(self.environments), self.discount)
        return batch | more | {"index": rows}

    def collect(self) -> None:
        """Take one step in every environment and remember it."""
        rows = self.memory.add(self.environments.step(self.explore(self.act(self.environments.observations))))
        if self.priorities:
            self.priorities.add(rows)

    def explore(self, actions: Tensor) -> Tensor:
        """Replace each action, (environments,), by a random one with probability ε."""
        chance = torch.rand(len(actions), generator=self.generator)
        anything = torch.randint(self.environments.num_actions, actions.shape, generator=self.generator)
        exploring = chance.numpy() < self.epsilon(self.environments.steps)  # NumPy does little sooner than torch
        return torch.from_numpy(np.where(exploring, anything.numpy(), actions.numpy()))

    @property
    def returns(self) -> list[tuple[int, float]]:
        """Of every finished training episode: the environment steps taken by then, and the sum of its rewards."""
        return self.environments.returns

    def begin(self, phase: Phase) -> None:
        """Observations are of one size throughout."""

    def state_dict(self) -> dict[str, Any]:
        return {
            "batches": self.batches,
            "generator": self._generator_state(),
            "memory": self.memory.state_dict(),
            "environments": self.environments.state_dict(),
            **({"priorities": self.priorities.state_dict()} if self.priorities else {}),
        }

    def _generator_state(self) -> Tensor:
        """Return the state after what was handed out, as if the batches that wait had not been drawn yet."""
        state, count = self._drawn_from
        if not self._ready:
            return self.generator.get_state()
        generator = Generator()
        generator.set_state(state)
        self.memory.draw((count - len(self._ready)) * self.batch_size, generator)
        return generator.get_state()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._ready.clear()
        self.batches = state["batches"]
        self.generator.set_state(state["generator"].cpu())
        self.memory.load_state_dict(state["memory"])
        self.environments.load_state_dict(state["environments"])
        if self.priorities:
            self.priorities.load_state_dict(state["priorities"])
