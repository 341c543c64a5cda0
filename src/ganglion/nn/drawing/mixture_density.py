"""Mixture density outputs: a network says where a point may lie as a sum of Gaussians on the plane."""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

PARAMETERS = 6
"""Outputs that each Gaussian takes: its weight, the two parts of its middle, two deviations, the correlation."""
NARROWEST = 1e-3
"""Least deviation: data on a grid would else be made infinitely likely."""
MOST_CORRELATED = 0.999


@dataclass(frozen=True)
class PlaneMixture:
    """p(x, y) = sum_j w_j N(x, y; m_j, s_j, r_j), for every step of every sequence.

    w = softmax(a),  s = exp(b),  r = tanh(c)              of outputs a, m, b, c

    Source: Bishop, Mixture density networks (1994); Graves, Generating sequences with recurrent neural networks
    (2013), for the plane.

    >>> mixture = PlaneMixture.of(torch.zeros(5, 3 * PARAMETERS))  # three times the standard normal
    >>> round(mixture.log_density(torch.zeros(5, 2))[0].item(), 4)  # -log 2 pi
    -1.8379
    """

    log_weights: Tensor
    """log w `(..., Gaussians)`."""
    means: Tensor
    """`(..., Gaussians, 2)`."""
    log_deviations: Tensor
    """log s, across and down, `(..., Gaussians, 2)`."""
    correlations: Tensor
    """`(..., Gaussians)`."""

    @classmethod
    def of(cls, outputs: Tensor) -> Self:
        """Return the mixture that outputs `(..., 6 * Gaussians)` of a network stand for."""
        weights, across, down, wide, high, correlations = outputs.chunk(PARAMETERS, dim=-1)
        return cls(
            weights.log_softmax(-1),
            torch.stack([across, down], -1),
            torch.stack([wide, high], -1).clamp(min=math.log(NARROWEST)),
            MOST_CORRELATED * correlations.tanh(),
        )

    def log_density(self, points: Tensor) -> Tensor:
        """Return log p, `(...,)`, of points `(..., 2)`."""
        x, y = ((points[..., None, :] - self.means) * (-self.log_deviations).exp()).unbind(-1)
        free = 1 - self.correlations.square()
        distance = (x.square() + y.square() - 2 * self.correlations * x * y) / free
        scale = self.log_deviations.sum(-1) + free.log() / 2 + math.log(2 * math.pi)
        return (self.log_weights - scale - distance / 2).logsumexp(-1)

    def cooled(self, temperature: float) -> "PlaneMixture":
        """Return the mixture with logits / t and variances * t: below 1 nearer to what is likeliest, at 0 almost that.

        Source: Ha and Eck, A neural representation of sketch drawings (2017).
        """
        heat = max(temperature, 1e-6)
        weights = ((self.log_weights - self.log_weights.amax(-1, keepdim=True)) / heat).log_softmax(-1)
        return PlaneMixture(weights, self.means, self.log_deviations + math.log(heat) / 2, self.correlations)

    def drawn(self, chances: Tensor, noise: Tensor) -> Tensor:
        """Return one point of each mixture, `(..., 2)`.

        Args:
            chances: numbers from 0 to below 1 `(...,)`, which choose a Gaussian.
            noise: standard normal numbers `(..., 2)`.
        """
        chosen = drawn_class(self.log_weights, chances)
        mean, spread = (
            values.gather(-2, chosen[..., None, None].expand(*chosen.shape, 1, 2))[..., 0, :]
            for values in (self.means, self.log_deviations.exp())
        )
        correlation = self.correlations.gather(-1, chosen[..., None])[..., 0]
        first, second = noise.unbind(-1)
        second = correlation * first + (1 - correlation.square()).sqrt() * second
        return mean + spread * torch.stack([first, second], -1)


def drawn_class(logits: Tensor, chances: Tensor) -> Tensor:
    """Return the class, `(...,)`, of softmax(logits), `(..., classes)`, at which the sum passes a chance `(...,)`.

    >>> drawn_class(torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([0.1, 0.9])).tolist()
    [0, 1]
    """
    sums = logits.softmax(-1).cumsum(-1)
    return (chances[..., None] * sums[..., -1:] >= sums).sum(-1).clamp(max=logits.shape[-1] - 1)
