"""Compiled steps of a GRU over a slice of the batch, forward and backward, in both published forms."""

from typing import Any

import numpy as np

from ganglion.fast.compiled import ONE, compiled, sigmoid, tanh
from ganglion.fast.packed_product import product


@compiled
def forward_after(
    first: int, last: int, projected: Any, packed: Any, bias: Any, mask: Any, hidden_before: Any, gates: Any,
    hidden: Any,
) -> None:  # fmt: skip
    """Run all steps for rows `first` to `last` of the batch, the reset gate applied after the product.

    Args:
        projected: what the inputs add to r, u, n, (time, batch, 3 * hidden).
        packed: the transposed recurrent weight, packed.
        bias: that of the product for n, (hidden).
        mask: factors of h before the recurrent product, (batch, hidden), or (0, hidden) for none.
        hidden_before: the first state, (batch, hidden).
        gates: receives r, u, n and the product for n of every step, (time, batch, 4, hidden), or of the last, (1, ...).
        hidden: receives the state after each step, (time, batch, hidden).
    """
    rows, width = slice(first, last), hidden.shape[2]
    masked = np.empty((last - first if len(mask) else 0, width), np.float32)
    sums = np.empty((last - first, 3 * width), np.float32)
    h = hidden_before[rows]
    for step in range(len(projected)):
        read = h
        if len(mask):
            masked[:] = h * mask[rows]
            read = masked
        sums[:, : 2 * width] = projected[step, rows, : 2 * width]
        sums[:, 2 * width :] = bias
        product(read, packed, sums, sums)
        candidate = projected[step, rows].reshape(last - first, 3, width)
        _step_after(
            sums.reshape(last - first, 3, width), candidate, h, gates[step % len(gates), rows], hidden[step, rows]
        )
        h = hidden[step, rows]


@compiled
def _step_after(sums: Any, projected: Any, before: Any, gates: Any, hidden: Any) -> None:
    rows, width = hidden.shape
    for row in range(rows):
        for unit in range(width):
            r, u = sigmoid(sums[row, 0, unit]), sigmoid(sums[row, 1, unit])
            n = tanh(projected[row, 2, unit] + r * sums[row, 2, unit])
            gates[row, 0, unit], gates[row, 1, unit], gates[row, 2, unit] = r, u, n
            gates[row, 3, unit] = sums[row, 2, unit]
            hidden[row, unit] = n + u * (before[row, unit] - n)


@compiled
def backward_after(
    first: int, last: int, hidden_slopes: Any, packed: Any, mask: Any, hidden_before: Any, gates: Any, hidden: Any,
    slopes: Any, product_slopes: Any, hidden_slope: Any,
) -> None:  # fmt: skip
    """Run all steps backwards for rows `first` to `last` of the batch.

    Args:
        hidden_slopes: dL/dh from outside at each step, (time, batch, hidden).
        packed: the recurrent weight, packed.
        mask, hidden_before, gates, hidden: as in `forward_after`.
        slopes: receives dL/d(projected), (time, batch, 3, hidden).
        product_slopes: receives dL/d(U m h + a), which differs in n alone, (time, batch, 3, hidden).
        hidden_slope: zeros; receives dL/dh of the first state, (batch, hidden).
    """
    rows, width = slice(first, last), hidden.shape[2]
    through = np.empty((last - first, width), np.float32)
    dh = hidden_slope[rows]
    for step in range(len(hidden) - 1, -1, -1):
        before = hidden[step - 1, rows] if step else hidden_before[rows]
        dh += hidden_slopes[step, rows]
        _slopes_after(gates[step, rows], before, dh, slopes[step, rows], product_slopes[step, rows])
        flat = product_slopes[step, rows].reshape(last - first, 3 * width)
        if len(mask):
            through[:] = 0
            product(flat, packed, through, through)
            dh += through * mask[rows]
        else:
            product(flat, packed, dh, dh)


@compiled
def _slopes_after(gates: Any, before: Any, dh: Any, slopes: Any, product_slopes: Any) -> None:
    """Carry dL/dh over one step: to the sums of the gates, and directly to the state before."""
    rows, width = before.shape
    for row in range(rows):
        for unit in range(width):
            r, u, n = gates[row, 0, unit], gates[row, 1, unit], gates[row, 2, unit]
            slope = dh[row, unit]
            dn = slope * (ONE - u) * (ONE - n * n)
            dr = dn * gates[row, 3, unit] * r * (ONE - r)
            du = slope * (before[row, unit] - n) * u * (ONE - u)
            slopes[row, 0, unit], slopes[row, 1, unit], slopes[row, 2, unit] = dr, du, dn
            product_slopes[row, 0, unit], product_slopes[row, 1, unit] = dr, du
            product_slopes[row, 2, unit] = dn * r
            dh[row, unit] = slope * u


@compiled
def forward_before(
    first: int, last: int, projected: Any, packed: Any, packed_candidate: Any, mask: Any, hidden_before: Any,
    gates: Any, hidden: Any,
) -> None:  # fmt: skip
    """Do what `forward_after` does with the reset gate applied before the product; it has no bias of its own.

    Args:
        packed: the transposed rows of the recurrent weight for r and u, packed.
        packed_candidate: those for n.
        gates: receives r, u, n of every step, (time, batch, 3, hidden), or of the last, (1, ...).
    """
    rows, width = slice(first, last), hidden.shape[2]
    read = np.empty((last - first, width), np.float32)
    sums = np.empty((last - first, 2 * width), np.float32)
    candidate = np.empty((last - first, width), np.float32)
    h = hidden_before[rows]
    for step in range(len(projected)):
        read[:] = h
        if len(mask):
            read *= mask[rows]
        sums[:] = projected[step, rows, : 2 * width]
        candidate[:] = projected[step, rows, 2 * width :]
        product(read, packed, sums, sums)
        gate = gates[step % len(gates), rows]
        _gates(sums.reshape(last - first, 2, width), gate, read)
        product(read, packed_candidate, candidate, candidate)
        _step_before(candidate, h, gate, hidden[step, rows])
        h = hidden[step, rows]


@compiled
def _gates(sums: Any, gates: Any, read: Any) -> None:
    rows, width = read.shape
    for row in range(rows):
        for unit in range(width):
            r = sigmoid(sums[row, 0, unit])
            gates[row, 0, unit], gates[row, 1, unit] = r, sigmoid(sums[row, 1, unit])
            read[row, unit] *= r


@compiled
def _step_before(candidate: Any, before: Any, gates: Any, hidden: Any) -> None:
    rows, width = hidden.shape
    for row in range(rows):
        for unit in range(width):
            n = tanh(candidate[row, unit])
            gates[row, 2, unit] = n
            hidden[row, unit] = n + gates[row, 1, unit] * (before[row, unit] - n)


@compiled
def backward_before(
    first: int, last: int, hidden_slopes: Any, packed: Any, packed_candidate: Any, mask: Any, hidden_before: Any,
    gates: Any, hidden: Any, slopes: Any, hidden_slope: Any,
) -> None:  # fmt: skip
    """Run all steps backwards for rows `first` to `last` of the batch.

    Args:
        hidden_slopes: dL/dh from outside at each step, (time, batch, hidden).
        packed, packed_candidate: the rows of the recurrent weight for r and u, and for n, packed.
        mask, hidden_before, gates, hidden: as in `forward_before`.
        slopes: receives dL/d(projected), (time, batch, 3, hidden).
        hidden_slope: zeros; receives dL/dh of the first state, (batch, hidden).
    """
    rows, width = slice(first, last), hidden.shape[2]
    factor = np.ones((last - first, width), np.float32)
    if len(mask):
        factor[:] = mask[rows]
    read_slope = np.empty((last - first, width), np.float32)
    candidate = np.empty((last - first, width), np.float32)
    both = np.empty((last - first, 2, width), np.float32)
    dh = hidden_slope[rows]
    for step in range(len(hidden) - 1, -1, -1):
        before = hidden[step - 1, rows] if step else hidden_before[rows]
        dh += hidden_slopes[step, rows]
        _slopes_before(gates[step, rows], before, dh, slopes[step, rows], candidate)
        read_slope[:] = 0
        product(candidate, packed_candidate, read_slope, read_slope)
        _reset_slopes(gates[step, rows], before, factor, dh, slopes[step, rows], read_slope)
        both[:] = slopes[step, rows, :2]
        read_slope[:] = 0
        product(both.reshape(last - first, 2 * width), packed, read_slope, read_slope)
        dh += read_slope * factor


@compiled
def _slopes_before(gates: Any, before: Any, dh: Any, slopes: Any, candidate: Any) -> None:
    """Carry dL/dh over one step: to the sums of u and n, and directly to the state before."""
    rows, width = before.shape
    for row in range(rows):
        for unit in range(width):
            u, n, slope = gates[row, 1, unit], gates[row, 2, unit], dh[row, unit]
            dn = slope * (ONE - u) * (ONE - n * n)
            slopes[row, 1, unit] = slope * (before[row, unit] - n) * u * (ONE - u)
            slopes[row, 2, unit] = candidate[row, unit] = dn
            dh[row, unit] = slope * u


@compiled
def _reset_slopes(gates: Any, before: Any, factor: Any, dh: Any, slopes: Any, read_slope: Any) -> None:
    """Carry dL/d(r * m * h) to the sums of r and to the state before."""
    rows, width = before.shape
    for row in range(rows):
        for unit in range(width):
            r, slope = gates[row, 0, unit], read_slope[row, unit] * factor[row, unit]
            slopes[row, 0, unit] = slope * before[row, unit] * r * (ONE - r)
            dh[row, unit] += slope * r
