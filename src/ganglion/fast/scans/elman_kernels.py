"""Compiled steps of Elman's network over a slice of the batch, forward and backward."""

from typing import Any

import numpy as np

from ganglion.fast.compiled import ONE, ZERO, compiled, tanh
from ganglion.fast.packed_product import product, shorten, widen


@compiled
def forward(
    first: int, last: int, rectified: bool, projected: Any, halves: Any, packed: Any, mask: Any, hidden_before: Any,
    hidden: Any,
) -> None:  # fmt: skip
    """Run all steps for rows `first` to `last` of the batch.

    Args:
        rectified: whether f is the rectifier; else it is tanh.
        projected: what the inputs add, (time, batch, hidden); (0, ...) where `halves` has it.
        halves: the same in words of sixteen bits, or (0, ...).
        packed: the transposed recurrent weight, packed.
        mask: factors of h before the recurrent product, (batch, hidden), or (0, hidden) for none.
        hidden_before: the first state, (batch, hidden).
        hidden: receives the state after each step, (time, batch, hidden).
    """
    rows = slice(first, last)
    masked = np.empty((last - first if len(mask) else 0, hidden.shape[2]), np.float32)
    h = hidden_before[rows]
    for step in range(len(hidden)):
        if len(mask):
            masked[:] = h * mask[rows]
            h = masked
        after = hidden[step, rows]
        if len(halves):
            widen(halves[step, rows], after)
            product(h, packed, after, after)
        else:
            product(h, packed, projected[step, rows], after)
        h = after
        _activate(rectified, h)


@compiled
def _activate(rectified: bool, hidden: Any) -> None:
    """Turn sums, (rows, hidden), into states."""
    for row in range(hidden.shape[0]):
        if rectified:
            for unit in range(hidden.shape[1]):
                total = hidden[row, unit]
                hidden[row, unit] = ZERO if total < ZERO else total
        else:
            for unit in range(hidden.shape[1]):
                hidden[row, unit] = tanh(hidden[row, unit])


@compiled
def backward(
    first: int, last: int, rectified: bool, hidden_slopes: Any, packed: Any, mask: Any, hidden: Any, slopes: Any,
    halves: Any, hidden_slope: Any,
) -> None:  # fmt: skip
    """Run all steps backwards for rows `first` to `last` of the batch.

    Args:
        hidden_slopes: dL/dh from outside at each step, (time, batch, hidden).
        packed: the recurrent weight, packed.
        rectified, mask, hidden: as in `forward`.
        slopes: receives dL/d(sums), (time, batch, hidden).
        halves: receives the same in words of sixteen bits, or (0, ...).
        hidden_slope: zeros; receives dL/dh of the first state, (batch, hidden).
    """
    rows = slice(first, last)
    dh = hidden_slope[rows]
    for step in range(len(hidden) - 1, -1, -1):
        _slopes(rectified, hidden_slopes[step, rows], dh, hidden[step, rows], slopes[step, rows])
        if len(halves):
            shorten(slopes[step, rows], halves[step, rows])
            dh[:] = 0
            product(halves[step, rows], packed, dh, dh)
        else:
            dh[:] = 0
            product(slopes[step, rows], packed, dh, dh)
        if len(mask):
            dh *= mask[rows]


@compiled
def _slopes(rectified: bool, from_outside: Any, dh: Any, hidden: Any, slopes: Any) -> None:
    """Carry dL/dh, from outside and from the step after, to the sums."""
    for row in range(hidden.shape[0]):
        if rectified:
            for unit in range(hidden.shape[1]):
                slope = from_outside[row, unit] + dh[row, unit]
                slopes[row, unit] = slope if hidden[row, unit] > ZERO else ZERO
        else:
            for unit in range(hidden.shape[1]):
                h = hidden[row, unit]
                slopes[row, unit] = (from_outside[row, unit] + dh[row, unit]) * (ONE - h * h)
