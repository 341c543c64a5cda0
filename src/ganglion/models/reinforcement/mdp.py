"""A finite Markov decision process, solved: what every state and action is worth, and what is best to do.

Idea:
    An agent in a state chooses an action; the world answers with a reward and a next state, by chance. If those
    chances are known, nothing has to be tried: the value of a state is what the best action brings at once and what
    the states that follow are worth, discounted. Taken for all states, that is an equation which solves itself when it
    is applied again and again. A loss now is taken where more is gained later.

Equations:
    return            G = r_1 + γ r_2 + γ^2 r_3 + ...
    optimal           Q(s, a) = sum over r, s' of P(r, s' | s, a) (r + γ V(s')),  V(s) = max_a Q(s, a)
    policy            π(s) = argmax_a Q(s, a)
    value iteration   Q(s, a) <- sum P (r + γ max_a' Q(s', a')), for all s and a at once
    policy iteration  V <- solution of V = r_π + γ P_π V,  then Q(s, a) <- sum P (r + γ V(s'))

Networks:
    `ActionTable`: Q as one table, from the numbers of states to the values of their actions.

Learning rule:
    `ganglion.rules.reinforcement.decisions.Planning`, a sweep at each step. The loss is the largest change of a value,
    and 0 at the solution.

Data it expects:
    `loss-then-gain`, `two-doors` or `four-by-three`; a CSV file with the columns state, action, next_state,
    probability and reward, and ends where an episode can end on the way; a JSON file of transitions and a start; or a
    Gymnasium environment with a table, such as FrozenLake-v1. A state without actions ends an episode.

What to expect:
    Value iteration comes nearer by the factor γ in every sweep: with γ = 0.9 to a thousandth of the start after 66.
    Policy iteration is exact after a handful. The judge solves the process by itself: `regret` is what is missing.

Departures from the paper:
    1. All states change together (Jacobi), not one after the other.
    2. The discount lies below 1, so that every policy has a value.

References:
    Bellman: Dynamic programming (1957).
    Howard: Dynamic programming and Markov processes (1960).
    Sutton and Barto: Reinforcement learning: an introduction, chapters 3 and 4 (2018).
"""

from dataclasses import replace

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.reinforcement.action_table import ActionTable
from ganglion.rules.reinforcement.decisions import Method, Planning
from ganglion.settings import Count, Share, settings


@settings
class Config:
    """A decision process and how it is solved."""

    num_states: Count = 3
    """States; the process decides."""
    num_actions: Count = 2
    """Actions; the process decides."""
    discount: Share = 0.9
    """Worth γ of a reward one step later: near 0 only the next reward counts."""
    method: Method = "value-iteration"
    """Sweep by sweep towards the values, or exact values of better and better policies."""


SMALL = Config()
TINY = replace(SMALL, num_states=11, num_actions=4)


def build(config: Config) -> LearningRule:
    table = ActionTable(config.num_states, config.num_actions)
    return Planning(table, discount=config.discount, method=config.method)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"table": (torch.zeros(1, dtype=torch.int64),)}
