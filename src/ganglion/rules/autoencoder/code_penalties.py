"""What else a code may be asked for beside rebuilding its sample: few numbers at a time, or little change."""

import torch
from torch import Tensor

from ganglion.rules.statistics import mean_of_batch


def absolute_sum(codes: Tensor) -> Tensor:
    """Return the mean over samples of sum_j |c_j|, a scalar, of codes (batch, features): it makes many of them 0.

    >>> absolute_sum(torch.tensor([[1.0, -2.0], [0.0, 0.0]])).item()
    1.5
    """
    return codes.abs().sum(dim=1).mean()


def divergence_from_rate(codes: Tensor, rate: float) -> Tensor:
    """Return sum_j r log(r / m_j) + (1 - r) log((1 - r) / (1 - m_j)), a scalar: how far from r its means m are.

    Args:
        codes: (batch, features) in (0, 1); m is their mean over the batch.
        rate: r, the share of the samples for which a number of the code should be near 1.

    Source: Ng, Sparse autoencoder (2011).

    >>> divergence_from_rate(torch.full((4, 3), 0.1), rate=0.1).item()
    0.0
    """
    means = mean_of_batch(codes.mean(dim=0)).clamp(1e-6, 1 - 1e-6)
    wanted = torch.full_like(means, rate)
    active, silent = wanted * (wanted / means).log(), (1 - wanted) * ((1 - wanted) / (1 - means)).log()
    return (active + silent).sum()


def contraction(jacobians: Tensor) -> Tensor:
    """Return the mean over samples of the squared Frobenius norm of dc/dx, (batch, features, inputs), a scalar.

    Source: Rifai et al., Contractive auto-encoders: explicit invariance during feature extraction (2011).

    >>> contraction(torch.tensor([[[3.0, 4.0]]])).item()
    25.0
    """
    return jacobians.square().sum(dim=(1, 2)).mean()
