"""Generalised divisive normalisation: each channel in proportion to how strong all of them are at a place."""

import torch
from torch import Tensor, nn
from torch.nn import functional

PEDESTAL = 2.0**-18
"""Keeps the slope of square roots at zero."""


class DivisiveNormalisation(nn.Module):
    """y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2), or times that where it undoes another.

    beta and gamma are squares of what is learnt, so they never become negative.

    Args:
        channels: of the maps.
        inverse: multiply.

    Source: Balle, Laparra and Simoncelli, Density modeling of images using a generalized normalization
    transformation (2016).

    >>> DivisiveNormalisation(2)(torch.ones(1, 2, 1, 1)).flatten().round(decimals=3)
    tensor([0.9530, 0.9530], grad_fn=<RoundBackward1>)
    """

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.ones(channels))
        self.gamma = nn.Parameter((0.1 * torch.eye(channels) + PEDESTAL**2).sqrt())
        self.inverse = inverse

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (batch, channels, height, width), normalised."""
        strengths = functional.conv2d(maps.square(), self.gamma.square()[:, :, None, None], self.beta.square() + 1e-6)
        return maps * (strengths.sqrt() if self.inverse else strengths.rsqrt())
