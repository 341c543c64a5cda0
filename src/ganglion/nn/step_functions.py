"""The constructive proof that one hidden layer suffices, as a network: a function as a sum of steps."""

from itertools import pairwise

import torch
from torch import Tensor, nn


class StepNetwork(nn.Module):
    """y = c + sum_j a_j sigmoid(k (x - t_j)): a hidden layer of steep sigmoids, each of which adds a step a_j at t_j.

    Nothing is learnt: the steps stand where equally many samples lie between two of them, and between two the output
    is the samples' mean. With n units a continuous function is met within the largest change over 1 / (n + 1) of the
    samples.

    Args:
        inputs: of the samples, (samples,).
        values: of the samples, (samples,).
        units: steps, at most one less than there are different inputs.
        slope: k, in units of one over the mean distance of two steps.

    References:
        Cybenko (1989), Approximation by superpositions of a sigmoidal function.
        Nielsen (2015), Neural networks and deep learning, chapter 4.

    >>> x = torch.linspace(0, 1, 100)
    >>> network = StepNetwork(x, x, units=9)
    >>> bool((network(x) - x).abs().max() < 0.06)
    True
    """

    thresholds: Tensor
    heights: Tensor
    start: Tensor

    def __init__(self, inputs: Tensor, values: Tensor, units: int, *, slope: float = 1000.0) -> None:
        super().__init__()
        order = inputs.argsort()
        pieces = inputs[order].tensor_split(units + 1)
        means = torch.stack([piece.mean() for piece in values[order].tensor_split(units + 1)])
        between = pairwise(pieces)
        self.register_buffer("thresholds", torch.stack([(left[-1] + right[0]) / 2 for left, right in between]))
        self.register_buffer("heights", means.diff())
        self.register_buffer("start", means[0])
        self.steepness = slope * (units + 1) / float(inputs.max() - inputs.min())

    def forward(self, inputs: Tensor) -> Tensor:
        """Return y, (samples,), for x of (samples,)."""
        steps = torch.sigmoid(self.steepness * (inputs.unsqueeze(-1) - self.thresholds))
        return self.start + steps @ self.heights
