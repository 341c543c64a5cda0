"""Pieces of deep Q-learning that take as long as the network when they are dozens of operations: each in one call."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganglion.nn.fast.dispatch import installed
from ganglion.nn.fast.perceptron import is_plain, is_plain_matrix


class TemporalDifference(NamedTuple):
    """What a batch of transitions says of the values of its actions."""

    loss: Tensor
    """The mean of Huber_δ(Q(s, a) - y)."""
    action_value: Tensor
    """The mean of Q(s, a)."""
    slopes: Tensor
    """The gradient of the loss with respect to Q(s, .), (batch, actions)."""


def temporal_difference(
    values: Tensor, judged: Tensor, choosing: Tensor, actions: Tensor, rewards: Tensor, terminated: Tensor,
    discounts: Tensor | float, threshold: float,
) -> TemporalDifference:  # fmt: skip
    """Compare Q(s, a) with y = r + γ Q'(s', a'), without autograd.

    Args:
        values: Q(s, .), (batch, actions).
        judged: Q'(s', .), (batch, actions).
        choosing: whose largest value names a', (batch, actions).
        actions, rewards, terminated: a, r, and whether s' has no future, (batch).
        discounts: γ, of each transition (batch) or of all.
        threshold: δ.

    >>> values, none = torch.tensor([[1.0, 2.0]]), torch.zeros(1, 2)
    >>> action, reward, terminated = torch.tensor([1]), torch.tensor([5.0]), torch.tensor([True])
    >>> temporal_difference(values, none, none, action, reward, terminated, 0.9, threshold=1.0)
    TemporalDifference(loss=tensor(2.5000), action_value=tensor(2.), slopes=tensor([[ 0., -1.]]))
    """
    transitions = actions, rewards, terminated, discounts
    if not (_suit_matrices(values, judged, choosing) and _suit_transitions(*transitions)):
        return temporal_difference_reference(values, judged, choosing, *transitions, threshold)
    from ganglion.nn.fast import q_kernels

    count = len(values)
    powers = discounts.numpy() if isinstance(discounts, Tensor) else np.full(count, discounts, np.float32)
    slopes, measured = torch.empty_like(values), torch.empty(2)
    matrices = values.numpy(), judged.numpy(), choosing.numpy()
    arrays = actions.numpy(), rewards.numpy(), terminated.numpy(), powers
    q_kernels.temporal_difference(*matrices, *arrays, threshold, slopes.numpy(), measured.numpy())
    return TemporalDifference(measured[0], measured[1], slopes)


def temporal_difference_reference(
    values: Tensor, judged: Tensor, choosing: Tensor, actions: Tensor, rewards: Tensor, terminated: Tensor,
    discounts: Tensor | float, threshold: float,
) -> TemporalDifference:  # fmt: skip
    """Do what `temporal_difference` does in operations of torch."""
    best, rows = choosing.argmax(1, keepdim=True), actions.unsqueeze(1)
    future = torch.where(terminated, 0.0, judged.gather(1, best).squeeze(1))
    taken = values.gather(1, rows).squeeze(1)
    targets = rewards + discounts * future
    loss = functional.huber_loss(taken, targets, delta=threshold)
    slope = (taken - targets).clamp(-threshold, threshold) / len(values)
    return TemporalDifference(loss, taken.mean(), torch.zeros_like(values).scatter(1, rows, slope.unsqueeze(1)))


def standardised(inputs: Tensor, mean: Tensor, variance: Tensor, count: Tensor | None, limit: float) -> Tensor:
    """Return inputs in deviations from the running mean, cut off at `limit`, without autograd.

    Args:
        inputs: plain numbers, (batch, features).
        mean, variance: of each feature so far.
        count: inputs so far; then the statistics learn from these first. None leaves them.
    """
    from ganglion.nn.fast import q_kernels

    scaled = torch.empty_like(inputs)
    numbers, centres, spreads = inputs.numpy(), mean.numpy(), variance.numpy()
    if count is not None:
        q_kernels.observe(numbers, centres, spreads, count.numpy().reshape(1))
    q_kernels.standardise(numbers, centres, spreads, limit, scaled.numpy())
    return scaled


def _suit_matrices(*matrices: Tensor) -> bool:
    return installed() and all(is_plain_matrix(matrix) for matrix in matrices)


def _suit_transitions(actions: Tensor, rewards: Tensor, terminated: Tensor, discounts: Tensor | float) -> bool:
    plain = is_plain(rewards) and (not isinstance(discounts, Tensor) or is_plain(discounts))
    usual = actions.dtype is torch.int64 and terminated.dtype is torch.bool
    return plain and usual and all(tensor.is_cpu and tensor.is_contiguous() for tensor in (actions, terminated))
