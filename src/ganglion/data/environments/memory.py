"""What is remembered of acting: transitions in tensors that are allocated once, the oldest overwritten first."""

from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from ganglion.core import Batch


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

    @property
    def drawable(self) -> int:
        """Transitions that can be drawn."""
        return self.size

    def fallen_out(self) -> np.ndarray:
        """Return the rows, (count,), that what was added last made undrawable, but for those it was written to."""
        return np.empty(0, np.int64)

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
    memory ends, and where something terminated; `discounts` is γ to the power of the steps that were taken.

    Args:
        rows: first transition of each way, (batch,).
        discount: γ, worth of a reward one step later.

    Source: Sutton and Barto, Reinforcement learning, chapter 7.
    """
    ahead = torch.arange(steps)
    places = (rows.unsqueeze(1) + stride * ahead) % memory.capacity  # (batch, steps)
    written = (memory.position - 1 - rows) % memory.capacity  # rows written since, (batch)
    ended = (memory.storage["ended"][places] | memory.storage["terminated"][places]).long()
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
