"""Learning from tried actions what they are worth, in a table: Q-learning and SARSA, an episode at each step."""

from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import torch
from torch import Tensor

from ganglion.core import Batch, LearningRule
from ganglion.nn.reinforcement.action_table import ActionTable
from ganglion.rules.reinforcement.decisions import allowed_actions, check_discount

Method = Literal["q-learning", "sarsa", "expected-sarsa"]
Outcome = tuple[list[float], list[int], list[float], list[bool]]
"""Cumulated probabilities, next states, rewards and ends of what may follow from an action."""


@dataclass
class _World:
    """A process to act in: what may follow from each action of each state, and where episodes start."""

    outcomes: dict[tuple[int, int], Outcome]
    actions: list[list[int]]
    starts: np.ndarray

    @classmethod
    def of(cls, process: Batch, num_actions: int) -> "_World":
        columns = {name: values.cpu().numpy() for name, values in process.items()}
        pairs = columns["states"] * num_actions + columns["actions"]
        order = np.argsort(pairs, kind="stable")
        found, begins = np.unique(pairs[order], return_index=True)
        outcomes = {}
        for pair, rows in zip(found.tolist(), np.split(order, begins[1:]), strict=True):
            chances = np.cumsum(columns["probabilities"][rows])
            outcomes[divmod(pair, num_actions)] = (
                (chances / chances[-1]).tolist(),
                columns["next_states"][rows].tolist(),
                columns["rewards"][rows].tolist(),
                columns["ends"][rows].tolist(),
            )
        allowed = allowed_actions(process, num_actions).cpu()
        return cls(outcomes, [row.nonzero().flatten().tolist() for row in allowed], np.cumsum(columns["starts"]))


@final
class TabularLearning(LearningRule):
    """Q(s, a) <- Q(s, a) + α (y - Q(s, a)) after every action, an episode at each step.

    q-learning: y = r + γ max_a' Q(s', a'): what the best next action is worth, whichever is taken.
    sarsa: y = r + γ Q(s', a') of the action a' that is taken next.
    expected-sarsa: y = r + γ times the mean of Q(s', a') over what may be taken next.
    With probability ε an action is any one, otherwise a best one, equal ones by lot. ε falls from `epsilon_start` to
    `epsilon_end` over `epsilon_episodes`, and α = rate / (1 + n / rate_visits) after n earlier updates of Q(s, a).

    The process that a batch holds is only acted in: no probability is looked at, only what happened.

    Args:
        table: Q.
        discount: γ, from 0 to below 1.
        method: y.
        rate: α at first.
        rate_visits: updates of an action's value after which α is half; 0 keeps it.
        longest: actions after which an episode is cut off.

    Sources: Watkins, Learning from delayed rewards (1989); Rummery and Niranjan, On-line Q-learning using
    connectionist systems (1994); Sutton and Barto, Reinforcement learning, chapter 6.
    """

    freezes = False

    def __init__(
        self,
        table: ActionTable,
        *,
        discount: float,
        method: Method = "q-learning",
        rate: float = 0.5,
        rate_visits: int = 0,
        epsilon_start: float = 1.0,
        epsilon_end: float = 0.05,
        epsilon_episodes: int = 1000,
        longest: int = 200,
    ) -> None:
        check_discount(discount)
        self.table, self.discount, self.method = table, discount, method
        self.rate, self.rate_visits, self.longest = rate, rate_visits, longest
        self.epsilon_start, self.epsilon_end, self.epsilon_episodes = epsilon_start, epsilon_end, epsilon_episodes
        self.networks = {"table": table}
        self.optimizers = {}
        self.counters = {"episodes": 0}
        self.tensors = {
            "visits": torch.zeros(table.values.shape, dtype=torch.int64),
            "returns": torch.zeros(0, dtype=torch.float64),
        }
        self._world: tuple[Tensor, _World] | None = None

    @property
    def epsilon(self) -> float:
        """ε of the next episode."""
        done = min(1.0, self.counters["episodes"] / self.epsilon_episodes) if self.epsilon_episodes else 1.0
        return self.epsilon_start + (self.epsilon_end - self.epsilon_start) * done

    @torch.no_grad()
    def step(self, batch: Batch) -> dict[str, Tensor]:
        world = self._known(batch)
        self.table.allowed.copy_(allowed_actions(batch, self.table.values.shape[1]))
        chance = np.random.default_rng(int(torch.randint(2**62, ())))
        values, visits = self.table.values.cpu().numpy().copy(), self.tensors["visits"].numpy().copy()
        total, length, error = self._play(world, values, visits, chance)
        self.table.values.copy_(torch.from_numpy(values))
        self.tensors["visits"] = torch.from_numpy(visits)
        self.tensors["returns"] = torch.cat([self.tensors["returns"], torch.tensor([total], dtype=torch.float64)])
        self.counters["episodes"] += 1
        measured = {"loss": error / length if length else 0.0, "return": total, "length": float(length)}
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in measured.items()}

    def _known(self, batch: Batch) -> _World:
        """Return the world of a batch, made once for as long as it is the same."""
        if self._world is None or self._world[0] is not batch["states"]:
            self._world = (batch["states"], _World.of(batch, self.table.values.shape[1]))
        return self._world[1]

    def _play(
        self, world: _World, values: np.ndarray, visits: np.ndarray, chance: np.random.Generator
    ) -> tuple[float, int, float]:
        """Play an episode and learn on the way; return its return, its length and the sum of the errors."""
        epsilon, total, errors = self.epsilon, 0.0, 0.0
        state = int(np.searchsorted(world.starts, chance.random() * world.starts[-1], side="right"))
        action = self._choose(world, values, state, epsilon, chance)
        for length in range(self.longest):
            if action is None:
                return total, length, errors
            limits, following, rewards, ends = world.outcomes[state, action]
            drawn = chance.random()
            place = next((number for number, limit in enumerate(limits) if drawn < limit), len(limits) - 1)
            reward, then = rewards[place], following[place]
            next_action = None if ends[place] else self._choose(world, values, then, epsilon, chance)
            worth = 0.0 if next_action is None else self._worth(world, values, then, next_action, epsilon)
            error = reward + self.discount * worth - values[state, action]
            seen = visits[state, action]
            values[state, action] += self.rate / (1 + (seen / self.rate_visits if self.rate_visits else 0)) * error
            visits[state, action] = seen + 1
            total, errors = total + reward, errors + abs(error)
            state, action = then, next_action
        return total, self.longest, errors

    def _choose(
        self, world: _World, values: np.ndarray, state: int, epsilon: float, chance: np.random.Generator
    ) -> int | None:
        """Return an action of a state, None where it has none."""
        actions = world.actions[state]
        if not actions:
            return None
        if chance.random() >= epsilon:
            worth = values[state].tolist()
            best = max(worth[action] for action in actions)
            actions = [action for action in actions if worth[action] == best]
        return actions[int(chance.random() * len(actions))]

    def _worth(self, world: _World, values: np.ndarray, state: int, action: int, epsilon: float) -> float:
        """Return what a state is worth, by the target."""
        if self.method == "sarsa":
            return float(values[state, action])
        worth = values[state, world.actions[state]]
        if self.method == "q-learning":
            return float(worth.max())
        return float(epsilon * worth.mean() + (1 - epsilon) * worth.max())
