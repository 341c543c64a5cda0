"""All steps of an LSTM in one call: the equations as they are written, and the same compiled."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ganglion.errors import ShapeError
from ganglion.fast.applies import to_scans
from ganglion.fast.autocast import without_autocast
from ganglion.fast.matrix_library import linear
from ganglion.fast.scans.arrays import (
    array,
    fits_tiles,
    halves,
    own_or_copy,
    packed,
    single,
    singles,
)
from ganglion.fast.scans.shapes import check_shapes
from ganglion.fast.scans.weight_gradients import mask_gradient, recurrent_weight_gradient
from ganglion.fast.threads import in_slices, parts_of

FEW_INPUTS = 4
"""Features up to which inputs are cheaper to project at each step than to project beforehand."""


def lstm_layer(
    inputs: Tensor,
    input_weight: Tensor,
    bias: Tensor,
    recurrent_weight: Tensor,
    peepholes: Tensor | None,
    hidden: Tensor,
    cell: Tensor,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return what `lstm_scan` does of inputs, (time, batch, in_features), that are projected on the way.

    Args:
        input_weight: W, (4 * hidden, in_features); x_t there is W times the input, and b.
        bias: b, (4 * hidden).

    >>> scan = lstm_layer(torch.zeros(5, 2, 1), torch.zeros(12, 1), torch.zeros(12), torch.zeros(12, 3), None,
    ...                   torch.zeros(2, 3), torch.ones(2, 3))
    >>> scan[1][:, 0, 0]
    tensor([0.5000, 0.2500, 0.1250, 0.0625, 0.0312])
    """
    features = input_weight.shape[1]
    input_weights = None
    if not features or torch.is_autocast_enabled("cpu") or (features > FEW_INPUTS and inputs.dtype is torch.bfloat16):
        inputs = linear(inputs, input_weight, bias)
    elif features <= FEW_INPUTS:
        input_weights = torch.cat((input_weight.t(), bias[None]))
    else:
        inputs, input_weights = linear(inputs, input_weight), bias[None]
    return lstm_scan(inputs, recurrent_weight, peepholes, hidden, cell, mask, input_weights)


def lstm_scan(
    projected: Tensor,
    recurrent_weight: Tensor,
    peepholes: Tensor | None,
    hidden: Tensor,
    cell: Tensor,
    mask: Tensor | None = None,
    input_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Return the hidden states and the cells of every step, (time, batch, hidden) each.

    i, f = sigmoid(x_t + U h_{t-1} + p c_{t-1}),  z = tanh(x_t + U h_{t-1}),  c_t = f * c_{t-1} + i * z
    o = sigmoid(x_t + U h_{t-1} + p_o c_t),  h_t = o * tanh(c_t)

    Args:
        projected: x_t, what inputs and biases add to the gates i, f, z, o at each step, (time, batch, 4 * hidden).
        recurrent_weight: U, (4 * hidden, hidden).
        peepholes: p_i, p_f and p_o, (3, hidden).
        hidden: h before the first step, (batch, hidden).
        cell: c before the first step, (batch, hidden).
        mask: factors of h_{t-1} in the recurrent product, the same at every step, (batch, hidden).
        input_weights: b, (1, 4 * hidden), where the first argument lacks it, or W^T and below it b, (in_features + 1,
            4 * hidden), where it is the inputs themselves, (time, batch, in_features). What is added within the
            steps saves passes over memory.

    Differentiable once on the compiled path, any number of times on the other. There the cells are of single precision,
    also those of inputs of sixteen bits.

    >>> hiddens, cells = lstm_scan(torch.zeros(5, 2, 12), torch.zeros(12, 3), None, torch.zeros(2, 3), torch.ones(2, 3))
    >>> cells[:, 0, 0]
    tensor([0.5000, 0.2500, 0.1250, 0.0625, 0.0312])
    """
    from_inputs = projected if input_weights is None else _check_inputs(projected, input_weights, hidden)
    check_shapes(
        "an LSTM", 4, from_inputs, hidden, recurrent_weight=(recurrent_weight, "gates hidden"),
        peepholes=(peepholes, "three hidden"), cell=(cell, "batch hidden"), mask=(mask, "batch hidden"),
    )  # fmt: skip
    arguments = (projected, recurrent_weight, peepholes, hidden, cell, mask, input_weights)
    if to_scans(*arguments):
        in_tiles = fits_tiles(projected)
        read = projected if in_tiles and input_weights is None else projected.float()
        weight = recurrent_weight if in_tiles else recurrent_weight.float()
        hiddens, cells = _Scan.apply(read, weight, *single(*arguments[2:]), in_tiles)
        return hiddens.to(projected.dtype), cells
    return lstm_reference(*arguments)


def lstm_reference(
    projected: Tensor,
    recurrent_weight: Tensor,
    peepholes: Tensor | None,
    hidden: Tensor,
    cell: Tensor,
    mask: Tensor | None = None,
    input_weights: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Do what `lstm_scan` does, with the same shapes, step by step in operations of torch."""
    if input_weights is not None:
        few = len(input_weights) > 1
        projected = (functional.linear(projected, input_weights[:-1].t()) if few else projected) + input_weights[-1]
    hiddens, cells = [], []
    for from_input in projected:
        shown = hidden if mask is None else hidden * mask
        i, f, z, o = (from_input + functional.linear(shown, recurrent_weight)).chunk(4, dim=-1)
        if peepholes is not None:
            i, f = i + peepholes[0] * cell, f + peepholes[1] * cell
        cell = f.sigmoid() * cell + i.sigmoid() * z.tanh()
        if peepholes is not None:
            o = o + peepholes[2] * cell
        hidden = o.sigmoid() * cell.tanh()
        hiddens.append(hidden)
        cells.append(cell)
    return torch.stack(hiddens), torch.stack(cells)


class _Scan(torch.autograd.Function):
    """The compiled scan and its gradient, in single precision, or with inputs and their gradient of sixteen bits."""

    @staticmethod
    @without_autocast
    def forward(
        ctx: Any,
        projected: Tensor,
        recurrent_weight: Tensor,
        peepholes: Tensor | None,
        hidden: Tensor,
        cell: Tensor,
        mask: Tensor | None,
        input_weights: Tensor | None,
        in_tiles: bool,
    ) -> tuple[Tensor, Tensor]:
        from ganglion.fast.scans import lstm_kernels

        time, batch, width = len(projected), *hidden.shape
        gates = torch.empty(time if any(ctx.needs_input_grad) else 1, batch, 4 * width)
        hiddens, cells = (torch.empty(time, batch, width) for _ in range(2))
        few = len(input_weights) > 1 if input_weights is not None else False
        inputs = None if input_weights is None else projected if few else projected.new_empty(time, batch, 0)
        fixed = [
            array(None, (0, batch, 4 * width)) if few else singles(projected),
            halves(projected),
            array(inputs, (0, batch, 0)),
            array(input_weights, (0, 4 * width)),
            packed(recurrent_weight.t(), in_tiles),
            *(array(tensor, (0, width)) for tensor in (peepholes, mask)),
        ]
        states = [array(tensor) for tensor in (hidden, cell, gates, hiddens, cells)]
        in_slices(lambda first, last, _: lstm_kernels.forward(first, last, *fixed, *states), batch)
        ctx.in_tiles = in_tiles
        ctx.set_materialize_grads(False)
        shown = hiddens.bfloat16() if in_tiles else hiddens
        ctx.save_for_backward(
            recurrent_weight, peepholes, hidden, cell, mask, inputs, input_weights, gates, shown, cells
        )
        return shown, cells

    @staticmethod
    @without_autocast
    @once_differentiable
    def backward(ctx: Any, hidden_slopes: Tensor | None, cell_slopes: Tensor | None) -> tuple[Tensor | None, ...]:
        from ganglion.fast.scans import lstm_kernels

        recurrent_weight, peepholes, hidden, cell, mask, *narrow, gates, hiddens, cells = ctx.saved_tensors
        batch, width = hidden.shape
        slopes = own_or_copy(gates)
        short = torch.empty_like(slopes, dtype=torch.bfloat16) if ctx.in_tiles else slopes
        hidden_slope, cell_slope = (torch.zeros(batch, width) for _ in range(2))
        peephole_slopes = torch.zeros(parts_of(batch), 3, width)
        given = [array(*pair) for pair in zip(single(hidden_slopes, cell_slopes), [(0, batch, width)] * 2, strict=True)]
        inputs, input_weights = narrow
        few = 0 if inputs is None else inputs.shape[2] + 1
        input_slopes = torch.zeros(parts_of(batch), few, 4 * width)
        given += [array(inputs, (0, batch, 0)), packed(recurrent_weight, ctx.in_tiles)]
        given += [array(tensor, (0, width)) for tensor in (peepholes, mask)]
        states = [array(cell), array(cells), array(slopes), halves(short)]
        states += [array(tensor) for tensor in (hidden_slope, cell_slope, peephole_slopes, input_slopes)]
        in_slices(lambda first, last, part: lstm_kernels.backward(first, last, part, *given, *states), batch)
        read_slope: Tensor | None = short
        if few > 1:
            read_slope = slopes @ input_weights[:-1].t() if ctx.needs_input_grad[0] else None
        return (
            read_slope,
            recurrent_weight_gradient(short, hidden, hiddens, mask, ctx.in_tiles) if ctx.needs_input_grad[1] else None,
            None if peepholes is None else peephole_slopes.sum(0),
            hidden_slope,
            cell_slope,
            mask_gradient(slopes, recurrent_weight, hidden, hiddens) if ctx.needs_input_grad[5] else None,
            None if inputs is None else input_slopes.sum(0),
            None,
        )


def _check_inputs(inputs: Tensor, input_weights: Tensor, hidden: Tensor) -> Tensor:
    """Return something of the shape of the projected inputs; raises `ShapeError` where they cannot be projected."""
    if len(input_weights) == 1:
        return inputs
    expected = (inputs.shape[-1] + 1, 4 * hidden.shape[-1])
    if inputs.dim() != 3 or tuple(input_weights.shape) != expected:
        raise ShapeError(
            "the arguments of a scan of an LSTM do not fit together", where="input_weights",
            expected=f"{expected} for inputs {tuple(inputs.shape)}", found=str(tuple(input_weights.shape)),
        )  # fmt: skip
    return inputs[..., :1].expand(-1, -1, expected[1])
