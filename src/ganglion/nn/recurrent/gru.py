"""Cells of gated recurrent units."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.fast import applies
from ganglion.fast.matrix_library import linear
from ganglion.fast.scans.gru import gru_scan
from ganglion.nn.recurrent.cell import Cell, State, at_the_end, stacked
from ganglion.nn.recurrent.gates import (
    add_slopes,
    add_weights,
    draw_weights,
    fits_torch_kernels,
    run_torch_kernel,
    said_slope,
    steepened,
)


class GRUCell(Cell):
    r"""Gated recurrent unit, in both published forms.

    r_t, u_t = sigmoid(W x_t + U h_{t-1} + b)                                  each with its own W, U, b
    n_t = tanh(W x_t + U (r_t * h_{t-1}) + b)           reset before the product, or
    n_t = tanh(W x_t + b + r_t * (U h_{t-1} + a))       reset after it, as cuDNN and `torch.nn.GRU`
    h_t = (1 - u_t) * n_t + u_t * h_{t-1}
    steeper gates: sigmoid(s a) for sigmoid(a) in r and u

    The rows of `input_weight` (W), `recurrent_weight` (U) and `bias` (b) belong to r, u, n in that order, which is
    the order of `torch.nn.GRU`; `recurrent_bias` (a) is that of n.

    Args:
        in_features: width of the input at each step.
        hidden_features: width of the hidden state.
        reset_after: apply the reset gate after the product.
        gate_slope: s. Steep gates are nearly open or shut, so that an error passes unchanged where u is open.
        learned_slope: learn an s of its own for r and for u, from that on.

    Sources: Cho et al. 2014; its first version on arXiv resets before, the code of its authors after the product.
    """

    input_weight: nn.Parameter
    recurrent_weight: nn.Parameter
    bias: nn.Parameter
    recurrent_bias: Tensor | None
    gate_slope: float
    gate_slopes: Tensor | None

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        *,
        reset_after: bool = True,
        gate_slope: float = 1.0,
        learned_slope: bool = False,
    ) -> None:
        super().__init__()
        self.in_features, self.state_features, self.reset_after = in_features, (hidden_features,), reset_after
        add_weights(self, 3, in_features, hidden_features)
        self.register_parameter("recurrent_bias", nn.Parameter(torch.empty(hidden_features)) if reset_after else None)
        add_slopes(self, 2, gate_slope, learned_slope)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw W uniformly (Glorot) and U orthogonally, gate by gate; the biases are zero."""
        draw_weights(self, 3)
        if self.gate_slopes is not None:
            self.gate_slopes.fill_(self.gate_slope)
        if self.recurrent_bias is not None:
            self.recurrent_bias.zero_()

    @property
    def weights(self) -> tuple[Tensor, Tensor, Tensor]:
        """W, U and b as they act: times the slope where they are of gates."""
        return steepened(self, (True, True, False))[:3]

    def project(self, inputs: Tensor) -> Tensor:
        input_weight, _, bias = self.weights
        return linear(inputs, input_weight, bias)

    def step(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        return (self.activities(projected, state, mask)["hidden"],)

    def activities(self, projected: Tensor, state: State, mask: Tensor | None = None) -> dict[str, Tensor]:
        hidden = state[0]
        read = hidden if mask is None else hidden * mask
        width = self.state_features[0]
        from_gates, from_candidate = projected.split((2 * width, width), dim=-1)
        gate_weight, candidate_weight = self.weights[1].split((2 * width, width))
        r, u = (from_gates + functional.linear(read, gate_weight)).sigmoid().chunk(2, dim=-1)
        if self.reset_after:
            n = (from_candidate + r * functional.linear(read, candidate_weight, self.recurrent_bias)).tanh()
        else:
            n = (from_candidate + functional.linear(r * read, candidate_weight)).tanh()
        return {"reset gate": r, "update gate": u, "candidate": n, "hidden": n + u * (hidden - n)}

    def scan(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        weights, (hidden,) = (self.weights[1], self.recurrent_bias), state
        if applies.to_scans(projected, *weights, hidden, mask):
            return gru_scan(projected, *weights, hidden, self.reset_after, mask)
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
        if self.recurrent_bias is None or not fits_torch_kernels(self, inputs, mask, *self.parameters()):
            return super().forward(inputs, state, mask=mask, lengths=lengths)
        second_bias = functional.pad(self.recurrent_bias, (2 * len(self.recurrent_bias), 0))
        outputs, _ = run_torch_kernel(self, torch.gru, inputs, state[0][None], self.weights, second_bias)
        return outputs, at_the_end((outputs.transpose(0, 1),), lengths)

    def extra_repr(self) -> str:
        order = "after" if self.reset_after else "before"
        return f"{self.in_features}, {self.state_features[0]}, reset {order}{said_slope(self)}"
