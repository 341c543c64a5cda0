"""Compiled passes over all tensors of a network, in the threads of a team: sums of a gradient, and Adam's update."""

from math import sqrt
from typing import Any

import numpy as np
from numba import carray, njit

from ganglion.fast.compiled import compiled
from ganglion.fast.dense.kernels import at, pointer
from ganglion.fast.parallel import in_team

CHUNK = 2**14
"""Numbers that are summed up in single precision before they are added to a sum of double precision."""


@njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _squares(numbers: Any) -> Any:
    """Return the sum of squares, in the order that suits vectors, which is always the same."""
    total = np.float32(0)
    for place in range(len(numbers)):
        total += numbers[place] * numbers[place]
    return total


@njit(nogil=True, error_model="numpy", fastmath={"reassoc"})
def _sum(numbers: Any) -> Any:
    """Return the sum, in the order that suits vectors, which is always the same."""
    total = np.float32(0)
    for place in range(len(numbers)):
        total += numbers[place]
    return total


@compiled
def _parts(numbers: int, threads: int, share: int) -> int:
    """Return into how many shares so many numbers are cut."""
    return max(1, min(threads, numbers // share))


@compiled
def total(team: Any, threads: int, share: int, table: Any, address: int, size: int, squared: bool) -> float:
    """Return the sum of all numbers, or of their squares, of tensors in a table, (tensors, columns).

    Args:
        threads: of the team, which take part where there are `share` numbers for each.
        address, size: the columns in which addresses and sizes stand.
    """
    numbers = table[:, size].sum()
    parts = _parts(numbers, threads, share)
    sums = np.zeros(parts)
    if parts == 1:
        _total_part(0, numbers, 0, table, address, size, squared, sums)
    else:
        in_team(team, _total_part, numbers, parts, (table, address, size, squared, sums))
    return sums.sum()


@compiled
def _total_part(
    first: int, last: int, part: int, table: Any, address: int, size: int, squared: bool, sums: Any
) -> None:
    """Sum up the numbers `first` to `last` of all tensors in a row."""
    before, total = 0, 0.0
    for row in range(len(table)):
        begin, end = max(first - before, 0), min(last - before, table[row, size])
        for place in range(begin, end, CHUNK):
            chunk = carray(at(pointer(table[row, address]), place), (min(CHUNK, end - place),))
            total += np.float64(_squares(chunk) if squared else _sum(chunk))
        before += table[row, size]
    sums[part] = total


@compiled
def adam(
    team: Any, threads: int, share: int, table: Any, factor: float, rate: float, first: float, second: float,
    epsilon: float, decay: float, decoupled: bool,
) -> None:  # fmt: skip
    """Make one update of every tensor.

    Args:
        threads: of the team, which take part where there are `share` numbers for each.
        table: addresses of weights, gradient, both moments and the count of steps, and the size, (tensors, 6).
        factor: that the gradient is scaled by first, in place, where it is below 1.
        rate: learning rate.
        first, second: shares of the moments that are kept.
        epsilon: added to the root of the second moment.
        decay: weight decay.
        decoupled: whether weights shrink by themselves, as in AdamW, or the decay is part of the gradient.
    """
    numbers = table[:, 5].sum()
    parts = _parts(numbers, threads, share)
    strides, roots = np.empty(len(table), np.float32), np.empty(len(table), np.float32)
    for row in range(len(table)):
        steps = carray(pointer(table[row, 4]), (1,))
        steps[0] += np.float32(1)
        count = np.float64(steps[0])
        strides[row], roots[row] = rate / (1 - first**count), 1 / sqrt(1 - second**count)
    shrink, pull = np.float32(1 - rate * decay if decoupled else 1), np.float32(0 if decoupled else decay)
    shares = np.float32(1 - first), np.float32(second), np.float32(1 - second)
    arguments = (table, np.float32(factor), shares, np.float32(epsilon), shrink, pull, strides, roots)
    if parts == 1:
        _adam_part(0, numbers, 0, *arguments)
    else:
        in_team(team, _adam_part, numbers, parts, arguments)


@compiled
def _adam_part(
    first: int, last: int, part: int, table: Any, factor: Any, shares: Any, epsilon: Any, shrink: Any, pull: Any,
    strides: Any, roots: Any,
) -> None:  # fmt: skip
    """Update the numbers `first` to `last` of all tensors in a row."""
    blend, keep, add = shares
    before = 0
    for row in range(len(table)):
        begin, end = max(first - before, 0), min(last - before, table[row, 5])
        before += table[row, 5]
        if begin >= end:
            continue
        size, stride, root = (end - begin,), strides[row], roots[row]
        weights, gradient = (
            carray(at(pointer(table[row, 0]), begin), size),
            carray(at(pointer(table[row, 1]), begin), size),
        )
        mean, square = carray(at(pointer(table[row, 2]), begin), size), carray(at(pointer(table[row, 3]), begin), size)
        if factor < 1:
            for place in range(end - begin):
                gradient[place] *= factor
        for place in range(end - begin):
            slope = gradient[place] + pull * weights[place]
            mean[place] += blend * (slope - mean[place])
            square[place] = keep * square[place] + add * slope * slope
            weights[place] = shrink * weights[place] - stride * mean[place] / (np.sqrt(square[place]) * root + epsilon)
