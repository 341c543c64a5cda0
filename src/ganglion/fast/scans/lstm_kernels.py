"""Compiled steps of an LSTM over a slice of the batch, forward and backward."""

from typing import Any

import numpy as np

from ganglion.fast.compiled import ONE, compiled, sigmoid, tanh
from ganglion.fast.packed_product import product, shorten, widen


@compiled
def forward(
    first: int, last: int, projected: Any, halves: Any, inputs: Any, input_weights: Any, packed: Any,
    peepholes: Any, mask: Any, hidden_before: Any, cell_before: Any, gates: Any, hidden: Any, cell: Any,
) -> None:  # fmt: skip
    """Run all steps for rows `first` to `last` of the batch.

    Args:
        projected: what the inputs add to the gates, (time, batch, 4 * hidden); (0, ...) where the next ones have it.
        halves: the same in words of sixteen bits, or (0, ...).
        inputs: what is still to be projected, (time, batch, in_features).
        input_weights: W^T and b for it, (in_features + 1, 4 * hidden), or (0, ...).
        packed: the transposed recurrent weight, packed.
        peepholes: (3, hidden), or (0, hidden) for none.
        mask: factors of h before the recurrent product, (batch, hidden), or (0, hidden) for none.
        hidden_before, cell_before: the first state, (batch, hidden).
        gates: receives the gates of every step, (time, batch, 4 * hidden), or only of the last, (1, ...).
        hidden, cell: receive the state after each step, (time, batch, hidden).
    """
    rows, width = slice(first, last), hidden.shape[2]
    masked = np.empty((last - first if len(mask) else 0, width), np.float32)
    h, c = hidden_before[rows], cell_before[rows]
    for step in range(len(hidden)):
        if len(mask):
            masked[:] = h * mask[rows]
            h = masked
        gate = gates[step % len(gates), rows]
        if len(halves):
            widen(halves[step, rows], gate)
            product(h, packed, gate, gate)
        elif len(input_weights):
            _project(inputs[step, rows], input_weights, gate)
            if len(projected):
                gate += projected[step, rows]
            product(h, packed, gate, gate)
        else:
            product(h, packed, projected[step, rows], gate)
        h = hidden[step, rows]
        _step(gate.reshape(last - first, 4, width), peepholes, c, cell[step, rows], h)
        c = cell[step, rows]


@compiled
def _project(inputs: Any, input_weights: Any, gates: Any) -> None:
    """Compute what the inputs add to the gates, (rows, 4 * hidden)."""
    few = inputs.shape[1]
    for row in range(len(inputs)):
        for gate in range(gates.shape[1]):
            gates[row, gate] = input_weights[few, gate]
        for feature in range(few):
            value = inputs[row, feature]
            for gate in range(gates.shape[1]):
                gates[row, gate] += value * input_weights[feature, gate]


@compiled
def _add_input_slopes(inputs: Any, slopes: Any, input_slopes: Any) -> None:
    """Add dL/d(W^T and b) of one step."""
    few = inputs.shape[1]
    for row in range(len(inputs)):
        for gate in range(slopes.shape[1]):
            input_slopes[few, gate] += slopes[row, gate]
        for feature in range(few):
            value = inputs[row, feature]
            for gate in range(slopes.shape[1]):
                input_slopes[feature, gate] += value * slopes[row, gate]


@compiled
def _step(gates: Any, peepholes: Any, before: Any, cell: Any, hidden: Any) -> None:
    """Turn the sums of the gates, (rows, 4, hidden), into gates, and take the cells one step on."""
    rows, width = cell.shape
    for row in range(rows):
        if len(peepholes):
            for unit in range(width):
                c = before[row, unit]
                i = sigmoid(gates[row, 0, unit] + peepholes[0, unit] * c)
                f = sigmoid(gates[row, 1, unit] + peepholes[1, unit] * c)
                z = tanh(gates[row, 2, unit])
                c = f * c + i * z
                o = sigmoid(gates[row, 3, unit] + peepholes[2, unit] * c)
                gates[row, 0, unit], gates[row, 1, unit], gates[row, 2, unit], gates[row, 3, unit] = i, f, z, o
                cell[row, unit], hidden[row, unit] = c, o * tanh(c)
        else:
            for unit in range(width):
                i, f = sigmoid(gates[row, 0, unit]), sigmoid(gates[row, 1, unit])
                z, o = tanh(gates[row, 2, unit]), sigmoid(gates[row, 3, unit])
                c = f * before[row, unit] + i * z
                gates[row, 0, unit], gates[row, 1, unit], gates[row, 2, unit], gates[row, 3, unit] = i, f, z, o
                cell[row, unit], hidden[row, unit] = c, o * tanh(c)


@compiled
def backward(
    first: int, last: int, part: int, hidden_slopes: Any, cell_slopes: Any, inputs: Any, packed: Any, peepholes: Any,
    mask: Any, cell_before: Any, cell: Any, gates: Any, halves: Any, hidden_slope: Any, cell_slope: Any,
    peephole_slopes: Any, input_slopes: Any,
) -> None:  # fmt: skip
    """Run all steps backwards for rows `first` to `last` of the batch.

    Args:
        part: the row of `peephole_slopes` and `input_slopes` that belongs to this slice.
        hidden_slopes, cell_slopes: dL/dh and dL/dc from outside at each step, (time, batch, hidden); (0, ...) for none.
        inputs: what `_project` reads, (time, batch, in_features), or (0, ...).
        packed: the recurrent weight, packed.
        peepholes, mask, cell_before, cell: as in `forward`.
        gates: those of every step, (time, batch, 4 * hidden); dL/d(their sums) take their place.
        halves: receives those derivatives in words of sixteen bits, (time, batch, 4 * hidden); (0, ...) for none.
        hidden_slope, cell_slope: zeros; receive dL/dh and dL/dc of the first state, (batch, hidden).
        peephole_slopes: zeros; receives dL/d(peepholes), (parts, 3, hidden).
        input_slopes: zeros; receives dL/d(W^T and b), (parts, in_features + 1, 4 * hidden).
    """
    rows, width = slice(first, last), cell.shape[2]
    dh, dc = hidden_slope[rows], cell_slope[rows]
    for step in range(len(gates) - 1, -1, -1):
        if len(hidden_slopes):
            dh += hidden_slopes[step, rows]
        if len(cell_slopes):
            dc += cell_slopes[step, rows]
        before = cell[step - 1, rows] if step else cell_before[rows]
        gate = gates[step, rows]
        _slopes(
            gate.reshape(last - first, 4, width), peepholes, before, cell[step, rows], dh, dc, peephole_slopes[part]
        )
        if len(inputs):
            _add_input_slopes(inputs[step, rows], gate, input_slopes[part])
        if len(halves):
            shorten(gate, halves[step, rows])
            dh[:] = 0
            product(halves[step, rows], packed, dh, dh)
        else:
            dh[:] = 0
            product(gate, packed, dh, dh)
        if len(mask):
            dh *= mask[rows]


@compiled
def _slopes(gates: Any, peepholes: Any, before: Any, cell: Any, dh: Any, dc: Any, peephole_slopes: Any) -> None:
    """Carry dL/dh and dL/dc over one step: to the sums of the gates, in place of the gates, and to the cells before."""
    rows, width = cell.shape
    for row in range(rows):
        if len(peepholes):
            for unit in range(width):
                i, f, z, o = gates[row, 0, unit], gates[row, 1, unit], gates[row, 2, unit], gates[row, 3, unit]
                shown = tanh(cell[row, unit])
                do = dh[row, unit] * shown * o * (ONE - o)
                slope = dc[row, unit] + dh[row, unit] * o * (ONE - shown * shown) + do * peepholes[2, unit]
                di = slope * z * i * (ONE - i)
                df = slope * before[row, unit] * f * (ONE - f)
                gates[row, 0, unit], gates[row, 1, unit], gates[row, 3, unit] = di, df, do
                gates[row, 2, unit] = slope * i * (ONE - z * z)
                dc[row, unit] = slope * f + di * peepholes[0, unit] + df * peepholes[1, unit]
                peephole_slopes[0, unit] += di * before[row, unit]
                peephole_slopes[1, unit] += df * before[row, unit]
                peephole_slopes[2, unit] += do * cell[row, unit]
        else:
            for unit in range(width):
                i, f, z, o = gates[row, 0, unit], gates[row, 1, unit], gates[row, 2, unit], gates[row, 3, unit]
                shown = tanh(cell[row, unit])
                slope = dc[row, unit] + dh[row, unit] * o * (ONE - shown * shown)
                gates[row, 0, unit] = slope * z * i * (ONE - i)
                gates[row, 1, unit] = slope * before[row, unit] * f * (ONE - f)
                gates[row, 2, unit] = slope * i * (ONE - z * z)
                gates[row, 3, unit] = dh[row, unit] * shown * o * (ONE - o)
                dc[row, unit] = slope * f
