"""All steps of a recurrent layer as one operation, which torch's exporter takes whole and ONNX has a node for.

Left to itself the exporter unrolls a layer step by step, so that its file fits sequences of one length only.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

NEAR_0 = (
    *(2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503),
    *(-0.00417768164, 0.246640727, 1.50140941),
)
NEAR_1 = (
    *(-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613),
    *(0.00943887047, 1.00167406, 2.83297682),
)
"""Coefficients of the inverse error function in single precision: Giles, Approximating the erfinv function (2010)."""
Pair = tuple[Tensor, Tensor]
Triple = tuple[Tensor, Tensor, Tensor]


def _unseen(*_: Any) -> Any:
    raise NotImplementedError("these operations stand in graphs to be exported; layers compute them otherwise")


@torch.library.custom_op("ganglion::lstm", mutates_args=())
def lstm(
    inputs: Tensor,
    input_weight: Tensor,
    recurrent_weight: Tensor,
    bias: Tensor,
    peepholes: Tensor | None,
    lengths: Tensor | None,
    hidden: Tensor,
    cell: Tensor,
) -> Triple:
    """Return outputs (time, batch, hidden) and the last hidden and cell state (batch, hidden) of an ONNX LSTM.

    Inputs are (time, batch, features); rows of weights and biases belong to i, o, f, c, those of peepholes to i, o, f.
    """
    result: Triple = _unseen()
    return result


@torch.library.custom_op("ganglion::gru", mutates_args=())
def gru(
    inputs: Tensor,
    input_weight: Tensor,
    recurrent_weight: Tensor,
    bias: Tensor,
    lengths: Tensor | None,
    hidden: Tensor,
    reset_after: bool,
) -> Pair:
    """Return outputs (time, batch, hidden) and the last state (batch, hidden) of an ONNX GRU; rows are z, r, h."""
    result: Pair = _unseen()
    return result


@torch.library.custom_op("ganglion::elman", mutates_args=())
def elman(
    inputs: Tensor,
    input_weight: Tensor,
    recurrent_weight: Tensor,
    bias: Tensor,
    lengths: Tensor | None,
    hidden: Tensor,
    nonlinearity: str,
) -> Pair:
    """Return outputs (time, batch, hidden) and the last state (batch, hidden) of an ONNX RNN."""
    result: Pair = _unseen()
    return result


@lstm.register_fake
def _(inputs: Tensor, *rest: Any) -> Triple:
    hidden, cell = rest[-2:]
    return inputs.new_empty((*inputs.shape[:2], hidden.shape[1])), torch.empty_like(hidden), torch.empty_like(cell)


@gru.register_fake
@elman.register_fake
def _(inputs: Tensor, *rest: Any) -> Pair:
    hidden = rest[-2]
    return inputs.new_empty((*inputs.shape[:2], hidden.shape[1])), torch.empty_like(hidden)


@cache
def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return how each operation is written in ONNX, for torch's exporter."""
    from onnxscript import opset20

    op: Any = opset20  # its types leave no room for optional inputs

    def one(value: Any) -> Any:
        """Return a value with an axis of one direction before it."""
        return op.Unsqueeze(value, op.Constant(value_ints=[0]))

    def flat(value: Any, axis: int) -> Any:
        return op.Squeeze(value, op.Constant(value_ints=[axis]))

    def ends(lengths: Any) -> Any:
        return None if lengths is None else op.Cast(lengths, to=6)  # int32

    def weights(*tensors: Any) -> tuple[Any, ...]:
        return tuple(map(one, tensors))

    def write_lstm(inputs: Any, w: Any, r: Any, b: Any, peepholes: Any, lengths: Any, hidden: Any, cell: Any) -> Any:
        p = None if peepholes is None else one(peepholes)
        states = (one(hidden), one(cell))
        y, h, c = op.LSTM(inputs, *weights(w, r, b), ends(lengths), *states, p, hidden_size=_width(hidden))
        return flat(y, 1), flat(h, 0), flat(c, 0)

    def write_gru(inputs: Any, w: Any, r: Any, b: Any, lengths: Any, hidden: Any, reset_after: bool) -> Any:
        form = {"hidden_size": _width(hidden), "linear_before_reset": int(reset_after)}
        y, h = op.GRU(inputs, *weights(w, r, b), ends(lengths), one(hidden), **form)
        return flat(y, 1), flat(h, 0)

    def write_elman(inputs: Any, w: Any, r: Any, b: Any, lengths: Any, hidden: Any, nonlinearity: str) -> Any:
        form = {"hidden_size": _width(hidden), "activations": ["Relu" if nonlinearity == "relu" else "Tanh"]}
        y, h = op.RNN(inputs, *weights(w, r, b), ends(lengths), one(hidden), **form)
        return flat(y, 1), flat(h, 0)

    def shifted(numbers: Any, places: Any) -> Any:
        return op.Div(numbers, op.Cast(op.Pow(op.Constant(value_int=2), places), to=7))  # int64, none below zero

    def among(values: Any, few: Any) -> Any:
        last = op.Constant(value_ints=[-1])
        return op.Cast(op.ReduceMax(op.Cast(op.Equal(op.Unsqueeze(values, last), few), to=6), last, keepdims=0), to=9)

    def inverse_error_function(values: Any) -> Any:
        one, limit, three = (op.Constant(value_float=value) for value in (1.0, 5.0, 3.0))
        w = op.Neg(op.Log(op.Mul(op.Sub(one, values), op.Add(one, values))))
        ends = op.Sub(op.Sqrt(op.Max(w, limit)), three)
        middle = op.Sub(w, op.Constant(value_float=2.5))
        factor = op.Where(op.Less(w, limit), polynomial(middle, NEAR_0), polynomial(ends, NEAR_1))
        return op.Mul(values, factor)

    def polynomial(at: Any, coefficients: tuple[float, ...]) -> Any:
        found = op.Constant(value_float=coefficients[0])
        for coefficient in coefficients[1:]:
            found = op.Add(op.Mul(found, at), op.Constant(value_float=coefficient))
        return found

    kernels, aten = torch.ops.ganglion, torch.ops.aten
    return {
        kernels.lstm.default: write_lstm,
        kernels.gru.default: write_gru,
        kernels.elman.default: write_elman,
        aten.__rshift__.Tensor: shifted,
        aten.isin.Tensor_Tensor: among,
        aten.erfinv.default: inverse_error_function,
    }


def _width(state: Any) -> int:
    """Return the width of a state (batch, width) in a graph."""
    return int(state.shape[1])
