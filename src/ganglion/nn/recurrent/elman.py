"""The simple recurrent cell of Elman."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.fast import applies
from ganglion.fast.matrix_library import linear
from ganglion.fast.scans.elman import elman_scan
from ganglion.nn.recurrent.cell import Cell, State, at_the_end
from ganglion.nn.recurrent.gates import add_weights, draw_weights, fits_torch_kernels, run_torch_kernel


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
        add_weights(self, 1, in_features, hidden_features)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw W uniformly (Glorot) and U orthogonally; b is zero."""
        draw_weights(self, 1)

    def project(self, inputs: Tensor) -> Tensor:
        return linear(inputs, self.input_weight, self.bias)

    def step(self, projected: Tensor, state: State) -> State:
        total = projected + functional.linear(state[0], self.recurrent_weight)
        return (total.tanh() if self.nonlinearity == "tanh" else total.relu(),)

    def scan(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        if applies.to_scans(projected, self.recurrent_weight, *state, mask):
            return elman_scan(projected, self.recurrent_weight, state[0], self.nonlinearity, mask)
        return self.step_by_step(projected, state, mask)

    def forward(
        self, inputs: Tensor, state: State, *, mask: Tensor | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        if not fits_torch_kernels(self, inputs, mask, *self.parameters()):
            return super().forward(inputs, state, mask=mask, lengths=lengths)
        kernel = torch.rnn_tanh if self.nonlinearity == "tanh" else torch.rnn_relu
        weights = (self.input_weight, self.recurrent_weight, self.bias)
        outputs, _ = run_torch_kernel(self, kernel, inputs, state[0][None], weights)
        return outputs, at_the_end((outputs.transpose(0, 1),), lengths)

    def activities(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        return {"hidden": self.step(projected, state)[0]}

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.state_features[0]}, {self.nonlinearity}"
