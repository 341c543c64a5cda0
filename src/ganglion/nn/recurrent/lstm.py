"""Cells of long short-term memory."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.fast import applies
from ganglion.fast.matrix_library import linear
from ganglion.fast.scans.lstm import lstm_layer, lstm_scan
from ganglion.nn.recurrent.cell import Cell, State, at_the_end
from ganglion.nn.recurrent.gates import (
    add_slopes,
    add_weights,
    draw_weights,
    fits_torch_kernels,
    run_torch_kernel,
    said_slope,
    steepened,
)


class LSTMState(NamedTuple):
    """What an LSTM cell carries from step to step: `hidden` and `cell`, each (batch, hidden)."""

    hidden: Tensor
    cell: Tensor


class LSTMCell(Cell):
    r"""Long short-term memory with forget gates and one bias per gate.

    i_t = sigmoid(W x_t + U h_{t-1} + p c_{t-1} + b),  f_t likewise;  z_t = tanh(W x_t + U h_{t-1} + b)
    c_t = f_t * c_{t-1} + i_t * z_t
    o_t = sigmoid(W x_t + U h_{t-1} + p c_t + b);  h_t = o_t * tanh(c_t)       each with its own W, U, p, b
    steeper gates: sigmoid(s a) for sigmoid(a) in i, f and o

    The rows of `input_weight` (W), `recurrent_weight` (U) and `bias` (b) belong to i, f, z, o in that order, which is
    the order of `torch.nn.LSTM`; those of `peepholes` (p) to i, f, o.

    Args:
        in_features: width of the input at each step.
        hidden_features: width of the hidden state and of the cell.
        peepholes: let the gates see the cell.
        forget_bias: initial bias of the forget gate; above zero, a new network remembers before it learns to forget.
        gate_slope: s. Steep gates are nearly open or shut, so that an error in the cell passes where f is open.
        learned_slope: learn an s of its own for each of i, f and o, from that on.

    Sources: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000 for f; Gers and Schmidhuber 2000 for
    peepholes; Jozefowicz et al. 2015 for the initial bias.
    """

    input_weight: nn.Parameter
    recurrent_weight: nn.Parameter
    bias: nn.Parameter
    peepholes: Tensor | None
    gate_slope: float
    gate_slopes: Tensor | None

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        peepholes: bool = False,
        forget_bias: float = 1.0,
        gate_slope: float = 1.0,
        learned_slope: bool = False,
    ) -> None:
        super().__init__()
        self.in_features, self.state_features = in_features, (hidden_features, hidden_features)
        self.forget_bias = forget_bias
        add_weights(self, 4, in_features, hidden_features)
        self.register_parameter("peepholes", nn.Parameter(torch.empty(3, hidden_features)) if peepholes else None)
        add_slopes(self, 3, gate_slope, learned_slope)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw W uniformly (Glorot) and U orthogonally, gate by gate, so that signals keep their size over time."""
        draw_weights(self, 4)
        if self.gate_slopes is not None:
            self.gate_slopes.fill_(self.gate_slope)
        self.bias.chunk(4)[1].fill_(self.forget_bias)
        if self.peepholes is not None:
            self.peepholes.zero_()

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """W, U, b and p as they act: times the slope where they are of gates."""
        input_weight, recurrent_weight, bias, slopes = steepened(self, (True, True, False, True))
        p = self.peepholes if self.peepholes is None or slopes is None else self.peepholes * slopes[:, None]
        return input_weight, recurrent_weight, bias, p

    def project(self, inputs: Tensor) -> Tensor:
        input_weight, _, bias, _ = self.weights
        return linear(inputs, input_weight, bias)

    def step(self, projected: Tensor, state: State) -> LSTMState:
        parts = self.activities(projected, state)
        return LSTMState(parts["hidden"], parts["cell"])

    def activities(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        (hidden, cell), (_, recurrent_weight, _, p) = state, self.weights
        i, f, z, o = (projected + functional.linear(hidden, recurrent_weight)).chunk(4, dim=-1)
        if p is not None:
            i, f = i + p[0] * cell, f + p[1] * cell
        i, f, z = i.sigmoid(), f.sigmoid(), z.tanh()
        cell = f * cell + i * z
        o = (o if p is None else o + p[2] * cell).sigmoid()
        return {
            "input gate": i, "forget gate": f, "candidate": z, "output gate": o, "cell": cell,
            "hidden": o * cell.tanh(),
        }  # fmt: skip

    def scan(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        _, recurrent_weight, _, p = self.weights
        weights, (hidden, cell) = (recurrent_weight, p), state
        if applies.to_scans(projected, *weights, hidden, cell, mask):
            return LSTMState(*lstm_scan(projected, *weights, hidden, cell, mask))
        return self.step_by_step(projected, state, mask)

    def forward(
        self, inputs: Tensor, state: State, *, mask: Tensor | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        input_weight, recurrent_weight, bias, p = self.weights
        parameters = (input_weight, bias, recurrent_weight, p)
        if "scan" not in vars(self) and applies.to_scans(inputs, *parameters, *state, mask):
            hidden, cell = state
            states = lstm_layer(inputs.transpose(0, 1), *parameters, hidden, cell, mask)
            return states[0].transpose(0, 1), self.named(at_the_end(states, lengths))
        if (
            self.peepholes is not None
            or lengths is not None
            or not fits_torch_kernels(self, inputs, mask, *self.parameters())
        ):
            return super().forward(inputs, state, mask=mask, lengths=lengths)
        weights = (input_weight, recurrent_weight, bias)
        outputs, hidden, cell = run_torch_kernel(self, torch.lstm, inputs, tuple(part[None] for part in state), weights)
        return outputs, LSTMState(hidden[0], cell[0])

    def named(self, state: Sequence[Tensor]) -> LSTMState:
        hidden, cell = state
        return LSTMState(hidden, cell.to(hidden.dtype))  # Within a scan it may have been of single precision.

    def extra_repr(self) -> str:
        return (
            f"{self.in_features}, {self.state_features[0]}"
            + (", peepholes" if self.peepholes is not None else "")
            + said_slope(self)
        )
