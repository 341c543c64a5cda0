"""Bellman's equations of a finite Markov decision process, and the rules that solve them sweep by sweep.

A process is a batch: `states`, `actions`, `next_states` (transitions,), their `probabilities`, `rewards` and whether
the episode `ends`, and of every state the probability that an episode `starts` there.
"""

from typing import Literal, final

import torch
from torch import Tensor

from ganglion.core import Batch, LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.reinforcement.action_table import ActionTable

Method = Literal["value-iteration", "policy-iteration"]


def allowed_actions(process: Batch, num_actions: int) -> Tensor:
    """Return which actions every state has, (states, actions)."""
    allowed = torch.zeros(len(process["starts"]), num_actions, dtype=torch.bool, device=process["states"].device)
    allowed[process["states"], process["actions"]] = True
    return allowed


def backup(process: Batch, values: Tensor, discount: float, num_actions: int) -> Tensor:
    """Return Q(s, a) = sum over r, s' of P(r, s' | s, a) (r + γ V(s')), (states, actions), of V, (states,)."""
    following = values[process["next_states"]].masked_fill(process["ends"], 0.0)
    share = process["probabilities"] * (process["rewards"] + discount * following)
    worth = values.new_zeros(len(values) * num_actions)
    worth.index_add_(0, process["states"] * num_actions + process["actions"], share)
    return worth.view(len(values), num_actions)


def policy_values(process: Batch, policy: Tensor, discount: float) -> Tensor:
    """Return V of a policy, (states,): the solution of V = r + γ P V.

    Args:
        policy: the probability of every action, (states, actions).
        discount: γ, below 1, so that there is exactly one solution.
    """
    chance = process["probabilities"] * policy[process["states"], process["actions"]]
    count = len(policy)
    rewards = chance.new_zeros(count).index_add_(0, process["states"], chance * process["rewards"])
    moves = chance.new_zeros(count * count)
    places = process["states"] * count + process["next_states"]
    moves.index_add_(0, places, chance.masked_fill(process["ends"], 0.0))
    system = torch.eye(count, dtype=chance.dtype, device=chance.device) - discount * moves.view(count, count)
    return torch.linalg.solve(system, rewards)


def always(actions: Tensor, num_actions: int) -> Tensor:
    """Return the policy that always takes these actions, (states,), as probabilities (states, actions)."""
    return torch.nn.functional.one_hot(actions, num_actions).double()


def best_values(process: Batch, discount: float, num_actions: int) -> Tensor:
    """Return the exact V* (states,), by policy iteration until no better action is left.

    Only an action that is better by more than rounding replaces another, so that this ends.
    """
    allowed = allowed_actions(process, num_actions)
    policy = allowed.long().argmax(1)
    while True:
        values = policy_values(process, always(policy, num_actions), discount)
        worth = backup(process, values, discount, num_actions).masked_fill(~allowed, -torch.inf)
        best = worth.max(1)
        kept = worth.gather(1, policy.unsqueeze(1)).squeeze(1)
        better = allowed.any(1) & (best.values > kept + 1e-10 * (1 + kept.abs()))
        if not better.any():
            return values
        policy = torch.where(better, best.indices, policy)


@final
class Planning(LearningRule):
    """Solve a process that is known, a sweep over all states at each step.

    Value iteration: Q(s, a) <- sum P (r + γ max_a' Q(s', a')).
    Policy iteration: V of the policy argmax Q by a linear solve, then Q(s, a) <- sum P (r + γ V(s')).
    The loss is the largest change of an action's value; once it is 0, Q is the solution.

    Args:
        table: Q.
        discount: γ, from 0 to below 1.
        method: which of the two.

    Sources: Bellman, Dynamic programming (1957); Howard, Dynamic programming and Markov processes (1960).
    """

    freezes = False

    def __init__(self, table: ActionTable, *, discount: float, method: Method = "value-iteration") -> None:
        check_discount(discount)
        self.table, self.discount, self.method = table, discount, method
        self.networks = {"table": table}
        self.optimizers = {}
        self.counters = {"sweeps": 0}
        self.tensors = {}

    @torch.no_grad()
    def step(self, batch: Batch) -> dict[str, Tensor]:
        table = self.table
        actions = table.values.shape[1]
        table.allowed.copy_(allowed_actions(batch, actions))
        before = table.policy()
        if self.method == "value-iteration":
            values = table.state_values()
        else:
            values = policy_values(batch, always(before, actions), self.discount)
        worth = backup(batch, values, self.discount, actions)
        change = (worth - table.values).abs().max()
        table.values.copy_(worth)
        self.counters["sweeps"] += 1
        return {"loss": change, "policy_changes": (table.policy() != before).sum().double()}


def check_discount(discount: float) -> None:
    """Raise `ConfigurationError` unless 0 <= discount < 1."""
    if not 0 <= discount < 1:
        raise ConfigurationError(
            "discount must lie from 0 to below 1",
            found=str(discount),
            remedy="0.999 hardly discounts; with 1 the return of an episode that never ends has no value",
        )
