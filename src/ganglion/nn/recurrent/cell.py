"""The contract of a recurrent cell: the equations of one step."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganglion.fast import applies

State = tuple[Tensor, ...]
"""What a cell carries from step to step; the first tensor is its output."""


class Cell(nn.Module, ABC):
    """The equations of one step. `Recurrent` makes a network of cells.

    A new cell sets `state_features` and writes `step`. What depends on the inputs alone belongs into `project`, which
    is called once for all steps.

    >>> class Leaky(Cell):
    ...     def __init__(self, in_features: int, hidden_features: int) -> None:
    ...         super().__init__()
    ...         self.in_features, self.state_features = in_features, (hidden_features,)
    ...         self.input = nn.Linear(in_features, hidden_features)
    ...     def project(self, inputs: Tensor) -> Tensor:
    ...         return self.input(inputs)
    ...     def step(self, projected: Tensor, state: State) -> State:
    ...         return (0.9 * state[0] + 0.1 * projected.tanh(),)
    >>> outputs, state = Leaky(3, 8)(torch.zeros(5, 60, 3), (torch.zeros(5, 8),))
    >>> outputs.shape
    torch.Size([5, 60, 8])
    """

    in_features: int | None = None
    """Width of the input at each step; None takes any."""
    state_features: tuple[int, ...]
    """Widths of the state; the first is that of the output."""
    input_rank: ClassVar[int] = 3
    """Axes of the inputs: time, batch and features; maps have two more."""

    def project(self, inputs: Tensor) -> Tensor:
        """Return the part of all steps that depends on the inputs alone, from (time, batch, features)."""
        return inputs

    @abstractmethod
    def step(self, projected: Tensor, state: State) -> State:
        """Return the state after a step from its projected inputs (batch, ...) and the state before it."""

    def scan(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        """Run all steps and return the states after each, (time, batch, width).

        Args:
            projected: what `project` returned.
            state: the state before the first step.
            mask: factors of the output (batch, width) wherever a step reads it, the same at every step.
        """
        if applies.to_custom_cells(projected):
            from ganglion.fast.custom_cells.program import program_of  # which imports torch's tracer

            if program := program_of(self, projected, state, mask):
                return program(self, projected, state, mask)
        return self.step_by_step(projected, state, mask)

    def step_by_step(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        """Do what `scan` does, with the same shapes, by the equations alone; differentiable any number of times."""
        states = []
        for projected_t in projected.unbind(0):
            before = state if mask is None else (state[0] * mask, *state[1:])
            state = self.step(projected_t, before)
            states.append(state)
        return stacked(states)

    def forward(
        self, inputs: Tensor, state: State, *, mask: Tensor | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Run all steps over inputs (batch, time, features).

        Returns the outputs (batch, time, width), of which those past the end of a sequence are not meant to be read,
        and the state after the last step of each sequence.
        """
        states = self.scan(self.project(inputs.transpose(0, 1)), state, mask)
        return states[0].transpose(0, 1), self.named(at_the_end(states, lengths))

    def state_shapes(self, inputs: Tensor) -> list[tuple[int, ...]]:
        """Return the shapes of the state for inputs (time, batch, ...)."""
        return [(inputs.shape[1], width) for width in self.state_features]

    def named(self, state: Sequence[Tensor]) -> State:
        """Return the tensors of a state, (batch, width) each, under their names, if they have names."""
        return tuple(state)

    def activities(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        """Return what goes on inside a step, by name, for figures: gates and states, (batch, width) each."""
        return {f"state {number}": part for number, part in enumerate(self.step(projected, state), start=1)}


def stacked(states: Sequence[State]) -> State:
    """Return the states of all steps as tensors (time, batch, width)."""
    return tuple(torch.stack(parts) for parts in zip(*states, strict=True))


def at_the_end(states: State, lengths: Tensor | None) -> State:
    """Return the states after the last step of each sequence, of states (time, batch, width)."""
    if lengths is None:
        return tuple(part[-1] for part in states)
    samples = torch.arange(lengths.shape[0], device=lengths.device)
    return tuple(part[lengths - 1, samples] for part in states)
