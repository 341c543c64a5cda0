"""A table of what every action is worth in every state."""

import math

import torch
from torch import Tensor, nn


class ActionTable(nn.Module):
    """Q(s, a) as a table: outputs (batch, actions) for the numbers of states (batch,).

    Actions that a state does not have are worth minus infinity. In double precision, so that what is solved exactly is
    exact here.

    >>> table = ActionTable(3, 2)
    >>> table.allowed[2] = False  # an episode ends there
    >>> table(torch.tensor([0, 2])).tolist(), table.state_values().tolist()
    ([[0.0, 0.0], [-inf, -inf]], [0.0, 0.0, 0.0])
    """

    allowed: Tensor
    """Which actions each state has, (states, actions)."""

    def __init__(self, num_states: int, num_actions: int, value: float = 0.0) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.full((num_states, num_actions), value, dtype=torch.float64))
        self.register_buffer("allowed", torch.ones(num_states, num_actions, dtype=torch.bool))

    def forward(self, states: Tensor) -> Tensor:
        return self.action_values()[states]

    def action_values(self) -> Tensor:
        """Return Q(s, a), (states, actions), minus infinity for actions that a state does not have."""
        return self.values.masked_fill(~self.allowed, -math.inf)

    def state_values(self) -> Tensor:
        """Return V(s) = max_a Q(s, a), (states,); 0 where an episode ends."""
        return torch.where(self.allowed.any(1), self.action_values().amax(1), 0.0)

    def policy(self) -> Tensor:
        """Return the best action of every state, (states,); the first of several that are equal."""
        return self.action_values().argmax(1)
