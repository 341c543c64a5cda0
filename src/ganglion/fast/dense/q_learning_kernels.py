"""Compiled pieces of deep Q-learning: running standardisation, and the loss with its gradient."""

from typing import Any

import numpy as np

from ganglion.fast.compiled import ONE, ZERO, compiled
from ganglion.fast.dense.kernels import OUTPUTS, aligned, backward, forward, room

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
def values(layers: Any, observations: Any, mean: Any, variance: Any, limit: float, outputs: Any) -> None:
    """Standardise a batch, (batch, features), and send it through all layers to `outputs`, (batch, units)."""
    inputs, kept = np.empty_like(observations), aligned(room(layers, len(observations)))
    standardise(observations, mean, variance, limit, inputs)
    forward(layers, inputs, outputs, kept)


@compiled
def temporal_difference(
    values: Any, judged: Any, choosing: Any, actions: Any, rewards: Any, terminated: Any, discounts: Any,
    threshold: float, slopes: Any, mean_loss: Any, mean_value: Any,
) -> None:  # fmt: skip
    """Compute the mean Huber loss, the mean value of the actions taken, and the gradient of the loss.

    Args:
        values: Q(s, a), (batch, actions).
        judged: Q'(s', a), (batch, actions).
        choosing: whose largest value in a row names the next action, (batch, actions).
        actions, rewards, terminated, discounts: of each transition, (batch).
        threshold: δ.
        slopes: receives dL/dQ(s, a), (batch, actions).
        mean_loss, mean_value: receive what they say, ().
    """
    batch, bound = len(values), np.float32(threshold)
    loss, taken = 0.0, 0.0
    for row in range(batch):
        best = 0
        for action in range(1, values.shape[1]):
            if not choosing[row, action] <= choosing[row, best] and choosing[row, best] == choosing[row, best]:
                best = action  # the first of the largest, or the first that is not a number
        future = ZERO if terminated[row] else judged[row, best]
        if not 0 <= actions[row] < values.shape[1]:
            raise IndexError("a transition has an action that the network has no value for")
        value = values[row, actions[row]]
        error = value - (rewards[row] + discounts[row] * future)
        size = abs(error)
        loss += HALF * error * error if size <= bound else bound * (size - HALF * bound)
        taken += value
        slopes[row] = ZERO
        slope = error if size <= bound or error != error else (bound if error > ZERO else -bound)
        slopes[row, actions[row]] = slope / np.float32(batch)
    mean_loss[()], mean_value[()] = loss / batch, taken / batch


@compiled
def gradient(
    layers: Any, target_layers: Any, observations: Any, following: Any, mean: Any, variance: Any, count: Any,
    target_mean: Any, target_variance: Any, limit: float, actions: Any, rewards: Any, terminated: Any, discounts: Any,
    threshold: float, double: bool, mean_loss: Any, mean_value: Any,
) -> None:  # fmt: skip
    """Do all of an update but the descent, and leave the gradient where the table of layers says.

    Args:
        layers, target_layers: the tables of both networks, (layers, columns).
        observations, following: s and s', (batch, features).
        mean, variance, target_mean, target_variance: running statistics of both networks, (features).
        count: inputs so far in the one that learns, (1), or none where its statistics stand still, (0).
        double: let the network choose the next action and not the target network.
        limit, actions, rewards, terminated, discounts, threshold, mean_loss, mean_value: as above.
    """
    (batch, features), units = observations.shape, layers[-1, OUTPUTS]
    inputs = np.empty((batch, features), np.float32)
    valued, judged, choosing, slopes = (
        np.empty((batch, units), np.float32), np.empty((batch, units), np.float32),
        np.empty((batch, units), np.float32), np.empty((batch, units), np.float32),
    )  # fmt: skip
    kept = aligned(room(layers, batch))  # of the last pass, which is the one that is sent back
    if len(count):
        observe(observations, mean, variance, count)
    standardise(following, target_mean, target_variance, limit, inputs)
    forward(target_layers, inputs, judged, kept)
    if double:
        standardise(following, mean, variance, limit, inputs)
        forward(layers, inputs, choosing, kept)
    standardise(observations, mean, variance, limit, inputs)
    forward(layers, inputs, valued, kept)
    chosen_by = choosing if double else judged
    temporal_difference(
        valued, judged, chosen_by, actions, rewards, terminated, discounts, threshold, slopes, mean_loss, mean_value
    )
    backward(layers, slopes, kept)
