"""Recurrent layers that read a sequence step by step and carry a state from one step to the next."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.errors import ShapeError, UsageError


class LSTMState(NamedTuple):
    """What an LSTM carries from step to step: `hidden` and `cell`, each (layers, batch, hidden)."""

    hidden: Tensor
    cell: Tensor


class LSTMLayer(nn.Module):
    r"""One layer of long short-term memory with forget gates and one bias per gate.

    i, f, o = sigmoid(W x_t + U h_{t-1} + b),  z = tanh(W x_t + U h_{t-1} + b)   with rows of W, U, b for each
    c_t = f * c_{t-1} + i * z,  h_t = o * tanh(c_t)

    The rows of `input_weight` (W), `recurrent_weight` (U) and `bias` (b) belong to i, f, z, o in that order, which is
    the order of `torch.nn.LSTM`.

    Args:
        in_features: width of the input at each step.
        hidden_features: width of the hidden state and of the cell.
        forget_bias: initial bias of the forget gate; above zero, a new network remembers before it learns to forget.

    Sources: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000 for f; Jozefowicz et al. 2015 for
    the initial bias.
    """

    def __init__(self, in_features: int, hidden_features: int, forget_bias: float = 1.0) -> None:
        super().__init__()
        self.in_features, self.hidden_features, self.forget_bias = in_features, hidden_features, forget_bias
        self.input_weight = nn.Parameter(torch.empty(4 * hidden_features, in_features))
        self.recurrent_weight = nn.Parameter(torch.empty(4 * hidden_features, hidden_features))
        self.bias = nn.Parameter(torch.empty(4 * hidden_features))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw W uniformly (Glorot) and U orthogonally, gate by gate, so that signals keep their size over time."""
        for weight in self.input_weight.chunk(4):
            nn.init.xavier_uniform_(weight)
        for weight in self.recurrent_weight.chunk(4):
            nn.init.orthogonal_(weight)
        self.bias.zero_()
        self.bias.chunk(4)[1].fill_(self.forget_bias)

    def forward(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run all steps through the fused kernel of torch; same arguments and results as `unroll`."""
        # The kernel wants torch's second bias. It adds nothing, so nothing of it is kept or learnt.
        weights = [self.input_weight, self.recurrent_weight, self.bias, torch.zeros_like(self.bias)]
        if inputs.is_cuda:
            weights = _in_one_buffer(weights)
        outputs, last_hidden, last_cell = torch.lstm(
            inputs, (hidden[None], cell[None]), weights, True, 1, 0.0, self.training, False, True
        )
        return outputs, last_hidden[0], last_cell[0]

    def unroll(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Run all steps by the equations: slower, but readable and differentiable any number of times.

        Args:
            inputs: (batch, time, in_features).
            hidden: h before the first step, (batch, hidden).
            cell: c before the first step, (batch, hidden).

        Returns the hidden states of all steps, (batch, time, hidden), and the last h and c.
        """
        from_inputs = functional.linear(inputs, self.input_weight, self.bias)  # (batch, time, 4 * hidden)
        outputs = []
        for from_input in from_inputs.unbind(1):
            gates = from_input + functional.linear(hidden, self.recurrent_weight)  # (batch, 4 * hidden)
            i, f, z, o = gates.chunk(4, dim=1)
            cell = f.sigmoid() * cell + i.sigmoid() * z.tanh()
            hidden = o.sigmoid() * cell.tanh()
            outputs.append(hidden)
        return torch.stack(outputs, dim=1), hidden, cell

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.hidden_features}"


class LSTM(nn.Module):
    """Layers of long short-term memory, each reading the hidden states of the one below.

    Args:
        in_features: width of the input at each step.
        hidden_features: width of every layer.
        num_layers: layers on top of each other.
        dropout: share of the hidden states zeroed between layers while training; none after the last layer.
        forget_bias: initial bias of the forget gates.
        fused: run torch's fused kernels instead of the equations written out in `LSTMLayer.unroll`.

    Raises `ShapeError` if inputs or state do not fit.

    >>> lstm = LSTM(3, 8, num_layers=2)
    >>> outputs, state = lstm(torch.zeros(5, 60, 3))
    >>> outputs.shape, state.hidden.shape
    (torch.Size([5, 60, 8]), torch.Size([2, 5, 8]))
    >>> sum(parameter.numel() for parameter in lstm.parameters()) == 4 * 8 * ((3 + 8 + 1) + (8 + 8 + 1))
    True
    """

    def __init__(
        self,
        in_features: int,
        hidden_features: int,
        num_layers: int = 1,
        *,
        dropout: float = 0.0,
        forget_bias: float = 1.0,
        fused: bool = True,
    ) -> None:
        super().__init__()
        self.dropout, self.fused = dropout, fused
        widths = [in_features] + [hidden_features] * num_layers
        layers = [LSTMLayer(below, above, forget_bias) for below, above in pairwise(widths)]
        self.layers = cast(Sequence[LSTMLayer], nn.ModuleList(layers))

    def forward(self, inputs: Tensor, state: LSTMState | None = None) -> tuple[Tensor, LSTMState]:
        """Read `inputs` (batch, time, in_features) from `state`, or from zeros.

        Returns the hidden states of the last layer at all steps, (batch, time, hidden), and the state after the last.
        """
        state = self.initial_state(inputs) if state is None else state
        self._check(inputs, state)
        last: list[tuple[Tensor, Tensor]] = []
        for layer, hidden, cell in zip(self.layers, state.hidden, state.cell, strict=True):
            if last:
                inputs = functional.dropout(inputs, self.dropout, self.training)
            run: Callable[..., tuple[Tensor, Tensor, Tensor]] = layer if self.fused else layer.unroll
            inputs, hidden, cell = run(inputs, hidden, cell)
            last.append((hidden, cell))
        hiddens, cells = zip(*last, strict=True)
        return inputs, LSTMState(torch.stack(hiddens), torch.stack(cells))

    def initial_state(self, inputs: Tensor) -> LSTMState:
        """Return the state of zeros that a batch like `inputs` starts from."""
        zeros = inputs.new_zeros(len(self.layers), len(inputs), self.layers[0].hidden_features)
        return LSTMState(zeros, zeros)

    @classmethod
    def from_torch(cls, module: nn.LSTM) -> Self:
        """Return the LSTM that computes what a `torch.nn.LSTM` computes; its two biases become their sum."""
        if module.bidirectional or module.proj_size:
            raise UsageError("cannot convert this torch.nn.LSTM", expected="one direction and no projection")
        lstm = cls(module.input_size, module.hidden_size, module.num_layers, dropout=module.dropout)
        lstm.to(module.all_weights[0][0]).train(module.training)
        with torch.no_grad():
            for layer, (input_weight, recurrent_weight, *biases) in zip(lstm.layers, module.all_weights, strict=True):
                layer.input_weight.copy_(input_weight)
                layer.recurrent_weight.copy_(recurrent_weight)
                layer.bias.copy_(sum(biases, torch.zeros_like(layer.bias)))
        return lstm

    def to_torch(self) -> nn.LSTM:
        """Return the `torch.nn.LSTM`, batch first, that computes the same; its second bias is zero."""
        first = self.layers[0]
        # torch warns about dropout in a single layer, where there is nothing between layers to drop.
        dropout = self.dropout if len(self.layers) > 1 else 0.0
        module = nn.LSTM(first.in_features, first.hidden_features, len(self.layers), batch_first=True, dropout=dropout)
        module.to(first.input_weight).train(self.training)
        with torch.no_grad():
            for layer, weights in zip(self.layers, module.all_weights, strict=True):
                ours = (layer.input_weight, layer.recurrent_weight, layer.bias, torch.zeros_like(layer.bias))
                for theirs, weight in zip(weights, ours, strict=True):
                    theirs.copy_(weight)
        return module

    def extra_repr(self) -> str:
        return f"dropout={self.dropout:g}" if self.dropout else ""

    def _check(self, inputs: Tensor, state: LSTMState) -> None:
        width = self.layers[0].in_features
        if inputs.dim() != 3 or inputs.shape[1] == 0 or inputs.shape[2] != width:
            raise ShapeError(
                "an LSTM cannot read this input",
                expected=f"(batch, time, {width}) with at least one step",
                found=str(tuple(inputs.shape)),
            )
        expected = (len(self.layers), len(inputs), self.layers[0].hidden_features)
        for name, tensor in zip(state._fields, state, strict=True):
            if tensor.shape != expected:
                raise ShapeError(
                    f"the {name} state does not fit this LSTM",
                    expected=f"(layers, batch, hidden) = {expected}",
                    found=str(tuple(tensor.shape)),
                )


def _in_one_buffer(weights: list[Tensor]) -> list[Tensor]:
    """Lay the weights one after the other in memory, as cuDNN wants them; else it warns and does so itself."""
    buffer = torch.cat([weight.flatten() for weight in weights])
    pieces = buffer.split([weight.numel() for weight in weights])
    return [piece.view_as(weight) for piece, weight in zip(pieces, weights, strict=True)]
