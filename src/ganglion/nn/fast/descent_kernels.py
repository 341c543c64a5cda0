"""Compiled passes over all tensors of a small network: the norm of its gradient, and Adam's update."""

from math import sqrt
from typing import Any

import numpy as np
from numba import carray, njit

from ganglion.nn.fast.compiled import compiled
from ganglion.nn.fast.perceptron_kernels import pointer


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
def total(table: Any) -> Any:
    """Return the sum of everything in a table of addresses and sizes, (tensors, 2)."""
    total = np.float32(0)
    for row in range(len(table)):
        total += _sum(carray(pointer(table[row, 0]), (table[row, 1],)))
    return total


@compiled
def norm(table: Any, address: int, size: int) -> Any:
    """Return the Euclidean norm of all tensors in a table, in whose columns addresses and sizes stand."""
    total = 0.0
    for row in range(len(table)):
        total += np.float64(_squares(carray(pointer(table[row, address]), (table[row, size],))))
    return np.float32(sqrt(total))


@compiled
def adam(
    table: Any, factor: float, rate: float, first: float, second: float, epsilon: float, decay: float, decoupled: bool
) -> None:
    """Make one update of every tensor.

    Args:
        table: addresses of weights, gradient, both moments and the count of steps, and the size, (tensors, 6).
        factor: that the gradient is scaled by first, in place, where it is below 1.
        rate: learning rate.
        first, second: shares of the moments that are kept.
        epsilon: added to the root of the second moment.
        decay: weight decay.
        decoupled: whether weights shrink by themselves, as in AdamW, or the decay is part of the gradient.
    """
    keep, add = np.float32(second), np.float32(1 - second)
    blend, small = np.float32(1 - first), np.float32(epsilon)
    shrink, pull = np.float32(1 - rate * decay if decoupled else 1), np.float32(0 if decoupled else decay)
    for row in range(len(table)):
        size = table[row, 5]
        weights, gradient = carray(pointer(table[row, 0]), (size,)), carray(pointer(table[row, 1]), (size,))
        mean, square = carray(pointer(table[row, 2]), (size,)), carray(pointer(table[row, 3]), (size,))
        steps = carray(pointer(table[row, 4]), (1,))
        if factor < 1:
            for place in range(size):
                gradient[place] *= np.float32(factor)
        steps[0] += np.float32(1)
        count = np.float64(steps[0])
        stride = np.float32(rate / (1 - first**count))
        root = np.float32(1 / sqrt(1 - second**count))
        for place in range(size):
            slope = gradient[place] + pull * weights[place]
            mean[place] += blend * (slope - mean[place])
            square[place] = keep * square[place] + add * slope * slope
            weights[place] = shrink * weights[place] - stride * mean[place] / (np.sqrt(square[place]) * root + small)
