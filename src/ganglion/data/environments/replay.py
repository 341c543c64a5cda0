"""Experience replay: the loader that fills a memory by acting, and draws batches from it."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from ganglion.core import Batch, Phase
from ganglion.data.environments.frame_memory import FrameMemory
from ganglion.data.environments.memory import ReplayMemory, multi_step
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


NOT_HELD = -1
"""Stands where no random action is kept."""
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
        hold: steps in a row, on average, for which a random action is kept.
        discount: worth of a reward one step later; batches bring its powers along.
        steps_ahead: environment steps that a transition leads on.
        train_every: environment steps, over all environments, from one batch to the next.
        learning_starts: environment steps before the first batch.
        prioritise: makes what draws memories by their errors from the capacity; all alike when not given. Batches then
            say in `weights` how much each counts.
        stack: frames in an observation, which begin anew with an episode and move by one at each step; the memory then
            keeps every frame once. None for observations of another kind.
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
        hold: float = 1.0,
        discount: float,
        steps_ahead: int = 1,
        train_every: int = 1,
        learning_starts: int = 1,
        prioritise: Callable[[int], Priorities] | None = None,
        stack: int | None = None,
    ) -> None:
        least = len(environments) * (1 if stack is None else stack + 2)
        if capacity < least:
            raise ConfigurationError(
                "the replay memory cannot hold one step of every environment",
                expected=f"a capacity of at least {least}",
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
        whole = capacity - capacity % len(environments)
        self.memory = ReplayMemory(whole) if stack is None else FrameMemory(whole, len(environments), stack)
        self.priorities = prioritise(self.memory.capacity) if prioritise else None
        self.batch_size = batch_size
        self.epsilon, self.hold = epsilon, hold
        self.held = torch.full((len(environments),), NOT_HELD)
        """The random action that each environment may go on with, (environments,)."""
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
            rows, weights = self.priorities.draw(count, self.memory.drawable, self.environments.steps, self.generator)
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
        transitions = self.environments.step(self.explore(self.act(self.environments.observations)))
        self.held[transitions["ended"]] = NOT_HELD
        rows = self.memory.add(transitions)
        if self.priorities:
            self.priorities.add(rows)
            self.priorities.forget(self.memory.fallen_out())

    def explore(self, actions: Tensor) -> Tensor:
        """Replace each action, (environments,), by a random one with probability ε.

        With `hold` m above 1 a random action is kept for m steps on average: at each step it goes on with probability
        1 - 1/m. One begins with probability ε / (ε + m (1 - ε)), so that ε is the share of random steps all the same.
        """
        epsilon = self.epsilon(self.environments.steps)
        chance = torch.rand(len(actions), generator=self.generator)
        anything = torch.randint(self.environments.num_actions, actions.shape, generator=self.generator)
        begins = chance.numpy() < epsilon / (epsilon + self.hold * (1 - epsilon))  # NumPy does little sooner than torch
        if self.hold == 1:
            return torch.from_numpy(np.where(begins, anything.numpy(), actions.numpy()))
        goes_on = torch.rand(len(actions), generator=self.generator).numpy() >= 1 / self.hold
        goes_on &= self.held.numpy() != NOT_HELD
        self.held = torch.from_numpy(np.where(goes_on, self.held.numpy(), np.where(begins, anything.numpy(), NOT_HELD)))
        return torch.where(self.held == NOT_HELD, actions, self.held)

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
            **({"held": self.held} if self.hold > 1 else {}),
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
        if self.hold > 1:
            self.held = state["held"].cpu().clone()
