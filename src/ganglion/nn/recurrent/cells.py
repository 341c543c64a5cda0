"""What one step of a recurrent network computes: the contract of a cell, and the cells of the literature."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import _get_current_dispatch_mode

from ganglion import fast
from ganglion.fast.matrix_library import linear

State = tuple[Tensor, ...]
"""What a cell carries from step to step; the first tensor is its output."""


class LSTMState(NamedTuple):
    """What an LSTM cell carries from step to step: `hidden` and `cell`, each (batch, hidden)."""

    hidden: Tensor
    cell: Tensor


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
        if is_fast():
            from ganglion.nn.recurrent.own import program_of

            if program := program_of(self, projected, state, mask):
                return program(self, projected, state, mask)
        return self.step_by_step(projected, state, mask)

    def step_by_step(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        """Do what `scan` does by the equations alone, differentiable any number of times."""
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
        """Return the tensors of a state under their names, if they have names."""
        return tuple(state)

    def activities(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        """Return what goes on inside a step, by name, for pictures: gates and states."""
        return {f"state {number}": part for number, part in enumerate(self.step(projected, state), start=1)}


class ElmanCell(Cell):
    r"""h_t = f(W x_t + U h_{t-1} + b).

    Args:
        in_features: width of the input at each step.
        hidden_features: width of the hidden state.
        nonlinearity: f.

    Source: Elman, Finding structure in time (1990).
    """

    input_weight: nn.Parameter
    recurrent_weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, in_features: int, hidden_features: int, nonlinearity: Literal["tanh", "relu"] = "tanh") -> None:
        super().__init__()
        self.in_features, self.state_features, self.nonlinearity = in_features, (hidden_features,), nonlinearity
        _add_weights(self, 1, in_features, hidden_features)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W uniformly (Glorot) and U orthogonally; b is zero."""
        _draw_weights(self, 1)

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: State) -> State:
        total = projected + functional.linear(state[0], self.recurrent_weight)
        return (total.tanh() if self.nonlinearity == "tanh" else total.relu(),)

    def scan(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        if is_fast() and fast.suits(projected, self.recurrent_weight, *state, mask):
            return fast.elman_scan(projected, self.recurrent_weight, state[0], self.nonlinearity, mask)
        return self.step_by_step(projected, state, mask)

    def forward(
        self, inputs: Tensor, state: State, *, mask: Tensor | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        if not _vendor_fits(self, inputs, mask):
            return super().forward(inputs, state, mask=mask, lengths=lengths)
        kernel = torch.rnn_tanh if self.nonlinearity == "tanh" else torch.rnn_relu
        outputs, _ = _vendor(self, kernel, inputs, state[0][None])
        return outputs, at_the_end((outputs.transpose(0, 1),), lengths)

    def activities(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        return {"hidden": self.step(projected, state)[0]}

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.state_features[0]}, {self.nonlinearity}"


class LSTMCell(Cell):
    r"""Long short-term memory with forget gates and one bias per gate.

    i_t = sigmoid(W x_t + U h_{t-1} + p c_{t-1} + b),  f_t likewise;  z_t = tanh(W x_t + U h_{t-1} + b)
    c_t = f_t * c_{t-1} + i_t * z_t
    o_t = sigmoid(W x_t + U h_{t-1} + p c_t + b);  h_t = o_t * tanh(c_t)       each with its own W, U, p, b

    The rows of `input_weight` (W), `recurrent_weight` (U) and `bias` (b) belong to i, f, z, o in that order, which is
    the order of `torch.nn.LSTM`; those of `peepholes` (p) to i, f, o.

    Args:
        in_features: width of the input at each step.
        hidden_features: width of the hidden state and of the cell.
        peepholes: let the gates see the cell.
        forget_bias: initial bias of the forget gate; above zero, a new network remembers before it learns to forget.

    Sources: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000 for f; Gers and Schmidhuber 2000 for
    peepholes; Jozefowicz et al. 2015 for the initial bias.
    """

    input_weight: nn.Parameter
    recurrent_weight: nn.Parameter
    bias: nn.Parameter
    peepholes: Tensor | None

    def __init__(
        self, in_features: int, hidden_features: int, *, peepholes: bool = False, forget_bias: float = 1.0
    ) -> None:
        super().__init__()
        self.in_features, self.state_features = in_features, (hidden_features, hidden_features)
        self.forget_bias = forget_bias
        _add_weights(self, 4, in_features, hidden_features)
        self.register_parameter("peepholes", nn.Parameter(torch.empty(3, hidden_features)) if peepholes else None)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw W uniformly (Glorot) and U orthogonally, gate by gate, so that signals keep their size over time."""
        _draw_weights(self, 4)
        self.bias.chunk(4)[1].fill_(self.forget_bias)
        if self.peepholes is not None:
            self.peepholes.zero_()

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: State) -> LSTMState:
        parts = self.activities(projected, state)
        return LSTMState(parts["hidden"], parts["cell"])

    def activities(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        hidden, cell = state
        i, f, z, o = (projected + functional.linear(hidden, self.recurrent_weight)).chunk(4, dim=-1)
        if self.peepholes is not None:
            i, f = i + self.peepholes[0] * cell, f + self.peepholes[1] * cell
        i, f, z = i.sigmoid(), f.sigmoid(), z.tanh()
        cell = f * cell + i * z
        o = (o if self.peepholes is None else o + self.peepholes[2] * cell).sigmoid()
        return {
            "input gate": i, "forget gate": f, "candidate": z, "output gate": o, "cell": cell,
            "hidden": o * cell.tanh(),
        }  # fmt: skip

    def scan(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        weights, (hidden, cell) = (self.recurrent_weight, self.peepholes), state
        if is_fast() and fast.suits(projected, *weights, hidden, cell, mask):
            return LSTMState(*fast.lstm_scan(projected, *weights, hidden, cell, mask))
        return self.step_by_step(projected, state, mask)

    def forward(
        self, inputs: Tensor, state: State, *, mask: Tensor | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        parameters = (self.input_weight, self.bias, self.recurrent_weight, self.peepholes)
        if is_fast() and "scan" not in vars(self) and fast.suits(inputs, *parameters, *state, mask):
            hidden, cell = state
            states = fast.lstm_layer(inputs.transpose(0, 1), *parameters, hidden, cell, mask)
            return states[0].transpose(0, 1), self.named(at_the_end(states, lengths))
        if self.peepholes is not None or lengths is not None or not _vendor_fits(self, inputs, mask):
            return super().forward(inputs, state, mask=mask, lengths=lengths)
        outputs, hidden, cell = _vendor(self, torch.lstm, inputs, tuple(part[None] for part in state))
        return outputs, LSTMState(hidden[0], cell[0])

    def named(self, state: Sequence[Tensor]) -> LSTMState:
        hidden, cell = state
        return LSTMState(hidden, cell.to(hidden.dtype))  # Within a scan it may have been of single precision.

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.state_features[0]}" + (", peepholes" if self.peepholes is not None else "")


class GRUCell(Cell):
    r"""Gated recurrent unit, in both published forms.

    r_t, u_t = sigmoid(W x_t + U h_{t-1} + b)                                  each with its own W, U, b
    n_t = tanh(W x_t + U (r_t * h_{t-1}) + b)           reset before the product, or
    n_t = tanh(W x_t + b + r_t * (U h_{t-1} + a))       reset after it, as cuDNN and `torch.nn.GRU`
    h_t = (1 - u_t) * n_t + u_t * h_{t-1}

    The rows of `input_weight` (W), `recurrent_weight` (U) and `bias` (b) belong to r, u, n in that order, which is
    the order of `torch.nn.GRU`; `recurrent_bias` (a) is that of n.

    Args:
        in_features: width of the input at each step.
        hidden_features: width of the hidden state.
        reset_after: apply the reset gate after the product.

    Sources: Cho et al. 2014; its first version on arXiv resets before, the code of its authors after the product.
    """

    input_weight: nn.Parameter
    recurrent_weight: nn.Parameter
    bias: nn.Parameter
    recurrent_bias: Tensor | None

    def __init__(self, in_features: int, hidden_features: int, *, reset_after: bool = True) -> None:
        super().__init__()
        self.in_features, self.state_features, self.reset_after = in_features, (hidden_features,), reset_after
        _add_weights(self, 3, in_features, hidden_features)
        self.register_parameter("recurrent_bias", nn.Parameter(torch.empty(hidden_features)) if reset_after else None)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw W uniformly (Glorot) and U orthogonally, gate by gate; the biases are zero."""
        _draw_weights(self, 3)
        if self.recurrent_bias is not None:
            self.recurrent_bias.zero_()

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        return (self.activities(projected, state, mask)["hidden"],)

    def activities(self, projected: Tensor, state: State, mask: Tensor | None = None) -> dict[str, Tensor]:
        hidden = state[0]
        read = hidden if mask is None else hidden * mask
        width = self.state_features[0]
        from_gates, from_candidate = projected.split((2 * width, width), dim=-1)
        gate_weight, candidate_weight = self.recurrent_weight.split((2 * width, width))
        r, u = (from_gates + functional.linear(read, gate_weight)).sigmoid().chunk(2, dim=-1)
        if self.reset_after:
            n = (from_candidate + r * functional.linear(read, candidate_weight, self.recurrent_bias)).tanh()
        else:
            n = (from_candidate + functional.linear(r * read, candidate_weight)).tanh()
        return {"reset gate": r, "update gate": u, "candidate": n, "hidden": n + u * (hidden - n)}

    def scan(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        weights, (hidden,) = (self.recurrent_weight, self.recurrent_bias), state
        if is_fast() and fast.suits(projected, *weights, hidden, mask):
            return fast.gru_scan(projected, *weights, hidden, self.reset_after, mask)
        return self.step_by_step(projected, state, mask)

    def step_by_step(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        states = []
        for projected_t in projected.unbind(0):
            state = self.step(projected_t, state, mask)
            states.append(state)
        return stacked(states)

    def forward(
        self, inputs: Tensor, state: State, *, mask: Tensor | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        if self.recurrent_bias is None or not _vendor_fits(self, inputs, mask):
            return super().forward(inputs, state, mask=mask, lengths=lengths)
        second_bias = functional.pad(self.recurrent_bias, (2 * len(self.recurrent_bias), 0))
        outputs, _ = _vendor(self, torch.gru, inputs, state[0][None], second_bias)
        return outputs, at_the_end((outputs.transpose(0, 1),), lengths)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.state_features[0]}, reset {'after' if self.reset_after else 'before'}"


Dense = ElmanCell | LSTMCell | GRUCell


def stacked(states: Sequence[State]) -> State:
    """Return the states of all steps as tensors (time, batch, width)."""
    return tuple(torch.stack(parts) for parts in zip(*states, strict=True))


def at_the_end(states: State, lengths: Tensor | None) -> State:
    """Return the states after the last step of each sequence, of states (time, batch, width)."""
    if lengths is None:
        return tuple(part[-1] for part in states)
    samples = torch.arange(lengths.shape[0], device=lengths.device)
    return tuple(part[lengths - 1, samples] for part in states)


def is_fast() -> bool:
    """Return whether fast paths may be taken; the environment variable `GANGLION_FAST=0` keeps to the equations.

    So do the transforms of `torch.func`, and whoever listens to single operations, such as a counter of them.
    """
    watched = _get_current_dispatch_mode() is not None or torch._C._functorch.peek_interpreter_stack() is not None
    return not watched and os.environ.get("GANGLION_FAST") != "0"


def _add_weights(cell: Dense, gates: int, in_features: int, hidden_features: int) -> None:
    cell.input_weight = nn.Parameter(torch.empty(gates * hidden_features, in_features))
    cell.recurrent_weight = nn.Parameter(torch.empty(gates * hidden_features, hidden_features))
    cell.bias = nn.Parameter(torch.empty(gates * hidden_features))


@torch.no_grad()
def _draw_weights(cell: Dense, gates: int) -> None:
    """Draw input weights uniformly (Glorot) and recurrent ones orthogonally, gate by gate; biases start at zero."""
    for weight in cell.input_weight.chunk(gates):
        if weight.numel():
            nn.init.xavier_uniform_(weight)
    for weight in cell.recurrent_weight.chunk(gates):
        nn.init.orthogonal_(weight)
    cell.bias.zero_()


def _vendor_fits(cell: Dense, inputs: Tensor, mask: Tensor | None) -> bool:
    """Return whether torch's fused kernels shall run all steps, where ours do not apply and nobody watches them."""
    ours = fast.suits(inputs, *cell.parameters())
    replaced = "scan" in vars(cell)  # by whoever wants to see the steps
    return is_fast() and not ours and not replaced and mask is None and cell.in_features != 0


def _vendor(
    cell: Dense, kernel: Callable[..., Any], inputs: Tensor, state: Any, second_bias: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Run one of torch's fused kernels over (batch, time, features)."""
    # The kernel wants torch's second bias. Where it adds nothing, nothing of it is kept or learnt.
    second_bias = torch.zeros_like(cell.bias) if second_bias is None else second_bias
    weights: list[Tensor] = [cell.input_weight, cell.recurrent_weight, cell.bias, second_bias]
    if inputs.is_cuda:
        # One after the other in memory, as cuDNN wants them; else it warns and does so itself.
        pieces = torch.cat([weight.flatten() for weight in weights]).split([weight.numel() for weight in weights])
        weights = [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]
    result: tuple[Tensor, ...] = kernel(inputs, state, weights, True, 1, 0.0, cell.training, False, True)
    return result
