"""Recurrent layers as they are exported: the same equations, each scan one node of the graph."""

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from ganglion.nn.recurrent import Cell, ElmanCell, GRUCell, JordanRNN, LSTMCell
from ganglion.nn.recurrent.cell import State
from ganglion.nn.recurrent.convolutional import ConvLSTMCell
from ganglion.runs.export import operations


def exportable(network: nn.Module) -> nn.Module:
    """Return a copy of a network, in evaluation mode, whose recurrent layers can be exported for any length."""
    twin = copy.deepcopy(network).eval().requires_grad_(False)
    for module in twin.modules():
        kind = TWINS.get(type(module))
        if kind is not None:
            module.__class__ = kind
        elif isinstance(module, Cell):
            module.__class__ = type(type(module).__name__, (Scanned, type(module)), {})
    return twin


def in_one_scan(step: Any, first: Any, inputs: Any) -> Any:
    """Return what `step(state, input) -> (state, outputs)` gives over the first axis of inputs: one node `Scan`."""
    return scan(step, first, inputs)


class Scanned:
    """A cell whose steps are one loop in the graph."""

    def scan(self, projected: Tensor, state: State, mask: Tensor | None = None) -> State:
        """Return the states after each step, (time, batch, ...)."""
        assert mask is None and isinstance(self, Cell)

        def step(before: list[Tensor], projected_t: Tensor) -> tuple[list[Tensor], list[Tensor]]:
            after = list(Cell.named(self, self.step(projected_t, self.named(before))))
            return after, [part.clone() for part in after]

        _, states = in_one_scan(step, [part.clone() for part in state], projected)
        return tuple(states)


class ExportedConvLSTM(Scanned, ConvLSTMCell):
    """`ConvLSTMCell` by a loop in the graph."""


class InOneNode(Scanned):
    """A cell all of whose steps are one of ONNX's recurrent operators."""

    def forward(
        self, inputs: Tensor, state: State, *, mask: Tensor | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        assert mask is None and isinstance(self, Cell)
        if not self.in_features:  # these operators ask for inputs
            return Cell.forward(self, inputs, state, lengths=lengths)
        outputs, *last = self.all_steps(inputs.transpose(0, 1), state, lengths)
        return outputs.transpose(0, 1), self.named(last)

    def all_steps(self, inputs: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, ...]:
        """Return outputs (time, batch, hidden) of inputs (time, batch, features), and the state after the last step."""
        raise NotImplementedError


class ExportedLSTM(InOneNode, LSTMCell):
    """`LSTMCell` by ONNX's LSTM."""

    def all_steps(self, inputs: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, ...]:
        order = (0, 3, 1, 2)  # i, o, f, c of i, f, z, o
        *rows, p = self.weights
        input_weight, recurrent_weight, bias = (_in_order(one, order) for one in rows if one is not None)
        biases = torch.cat([bias, torch.zeros_like(bias)])
        peepholes = None if p is None else p[[0, 2, 1]].flatten()
        return operations.lstm(inputs, input_weight, recurrent_weight, biases, peepholes, lengths, *state)


class ExportedGRU(InOneNode, GRUCell):
    """`GRUCell` by ONNX's GRU."""

    def all_steps(self, inputs: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, ...]:
        order = (1, 0, 2)  # z, r, h of r, u, n
        *weights, first = (_in_order(one, order) for one in self.weights)
        second = torch.zeros_like(self.bias)
        if self.recurrent_bias is not None:
            second = torch.cat([second[: -len(self.recurrent_bias)], self.recurrent_bias])
        bias = torch.cat([first, second])
        return operations.gru(inputs, *weights, bias, lengths, *state, self.reset_after)


class ExportedElman(InOneNode, ElmanCell):
    """`ElmanCell` by ONNX's RNN."""

    def all_steps(self, inputs: Tensor, state: State, lengths: Tensor | None) -> tuple[Tensor, ...]:
        bias = torch.cat([self.bias, torch.zeros_like(self.bias)])
        return operations.elman(
            inputs, self.input_weight, self.recurrent_weight, bias, lengths, *state, self.nonlinearity
        )


class ExportedJordan(JordanRNN):
    """`JordanRNN` that runs freely, by a loop in the graph."""

    def _step_by_step(
        self, inputs: Tensor, targets: Tensor | None, first: Tensor, teacher_forcing: float
    ) -> tuple[Tensor, Tensor]:
        assert targets is None

        def step(previous: Tensor, projected: Tensor) -> tuple[Tensor, list[Tensor]]:
            scores = self.cell.scores(projected + self.cell.feed_back(previous))
            answer = self.cell.answer(scores)
            return answer.clone(), [scores.clone(), answer.clone()]

        _, (scores, answers) = in_one_scan(step, first.clone(), self.cell.project(inputs))
        return scores, answers


TWINS: dict[type[nn.Module], type[nn.Module]] = {
    ConvLSTMCell: ExportedConvLSTM,
    ElmanCell: ExportedElman,
    GRUCell: ExportedGRU,
    JordanRNN: ExportedJordan,
    LSTMCell: ExportedLSTM,
}
"""What each layer is exported as; cells that are not named become loops."""


def _in_order(rows: Tensor, gates: tuple[int, ...]) -> Tensor:
    """Return weights or biases, (gates * hidden, ...), with their gates in another order."""
    parts = rows.chunk(len(gates))
    return torch.cat([parts[gate] for gate in gates])
