"""Compiled pieces of deep Q-learning: running standardisation, and the loss with its gradient."""

from typing import Any

import numpy as np

from ganglion.nn.fast.compiled import ONE, ZERO, compiled

HALF = np.float32(0.5)


@compiled
def observe(inputs: Any, mean: Any, variance: Any, count: Any) -> None:
    """Merge a batch, (batch, features), into the statistics (features) of `count[0]` inputs so far."""
    batch = len(inputs)
    count[0] += batch
    share = batch / count[0]
    for feature in range(inputs.shape[1]):
        total, squares = 0.0, 0.0
        for sample in range(batch):
            total += inputs[sample, feature]
        centre = total / batch
        for sample in range(batch):
            squares += (inputs[sample, feature] - centre) ** 2
        shift = centre - mean[feature]
        before = np.float64(variance[feature])
        variance[feature] = before + share * (squares / batch - before) + shift * shift * share * (1 - share)
        mean[feature] += shift * share


@compiled
def standardise(inputs: Any, mean: Any, variance: Any, limit: float, out: Any) -> None:
    """Write (inputs - mean) / deviation, cut off at `limit` deviations; NaN stays NaN."""
    most = np.float32(limit)
    for feature in range(inputs.shape[1]):
        factor = ONE / np.sqrt(variance[feature] + np.float32(1e-8))
        for sample in range(inputs.shape[0]):
            value = (inputs[sample, feature] - mean[feature]) * factor
            value = most if value > most else value
            out[sample, feature] = -most if value < -most else value


@compiled
def temporal_difference(
    values: Any, judged: Any, choosing: Any, actions: Any, rewards: Any, terminated: Any, discounts: Any,
    threshold: float, slopes: Any, measured: Any,
) -> None:  # fmt: skip
    """Compute the mean Huber loss, the mean value of the actions taken, and the gradient of the loss.

    Args:
        values: Q(s, a), (batch, actions).
        judged: Q'(s', a), (batch, actions).
        choosing: whose largest value in a row names the next action, (batch, actions).
        actions, rewards, terminated, discounts: of each transition, (batch).
        threshold: δ.
        slopes: receives dL/dQ(s, a), (batch, actions).
        measured: receives loss and mean value.
    """
    batch, bound = len(values), np.float32(threshold)
    loss, taken = 0.0, 0.0
    for row in range(batch):
        best = 0
        for action in range(1, values.shape[1]):
            if not choosing[row, action] <= choosing[row, best] and choosing[row, best] == choosing[row, best]:
                best = action  # the first of the largest, or the first that is not a number
        future = ZERO if terminated[row] else judged[row, best]
        value = values[row, actions[row]]
        error = value - (rewards[row] + discounts[row] * future)
        size = abs(error)
        loss += HALF * error * error if size <= bound else bound * (size - HALF * bound)
        taken += value
        slopes[row] = ZERO
        slope = error if size <= bound or error != error else (bound if error > ZERO else -bound)
        slopes[row, actions[row]] = slope / np.float32(batch)
    measured[0], measured[1] = loss / batch, taken / batch
