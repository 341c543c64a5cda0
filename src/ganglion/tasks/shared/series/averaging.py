"""The mean of several forecasters, weighted by what each is worth."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor, nn


class AveragedForecaster(nn.Module):
    """Forecast with several networks at once: y = sum_m w_m y_m, for windows as long as the longest that one reads.

    Args:
        networks: each from windows (batch, its steps, columns) to forecasts, all of one shape.
        windows: the steps that each network reads, the last ones of what is given.
        weights: w `(networks,)`.

    >>> averaged = AveragedForecaster([nn.Identity(), nn.Identity()], [2, 2], np.array([0.25, 0.75]))
    >>> averaged(torch.tensor([[[1.0], [3.0]]])).tolist()
    [[[1.0], [3.0]]]
    """

    weights: Tensor

    def __init__(self, networks: Sequence[nn.Module], windows: Sequence[int], weights: np.ndarray) -> None:
        super().__init__()
        self.networks, self.windows = nn.ModuleList(networks), tuple(windows)
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float32))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mean of what the networks forecast after windows `(batch, steps, columns)`."""
        each = (network(inputs[:, -steps:]) for network, steps in zip(self.networks, self.windows, strict=True))
        return torch.stack([weight * one for weight, one in zip(self.weights, each, strict=True)]).sum(0)


def fitted_weights(forecasts: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the weights `(forecasters,)` by which the mean of several forecasts comes closest to the truth.

    argmin_w sum_i (sum_m w_m f_im - y_i)^2  with  w >= 0 and sum w = 1. With e_im = f_im - y_i that is the least
    |E w|. It is found as v / sum v from the least |E v|^2 + (1 - sum v)^2 with v >= 0 alone: for v = t w this is
    lowest over t at |E w|^2 / (1 + |E w|^2), which falls and rises with |E w|.

    Args:
        forecasts: f, those of each forecaster `(places, forecasters)`.
        truth: y, what came `(places,)`.

    >>> fitted_weights(np.array([[0.0, 2.0], [1.0, 3.0]]), np.array([0.5, 1.5])).round(6).tolist()
    [0.75, 0.25]
    """
    off = forecasts - truth[:, None]
    off = off / max(float(np.sqrt((off**2).sum(0)).mean()), np.finfo(float).tiny)
    found, _ = nnls(np.vstack([off, np.ones(off.shape[1])]), np.append(np.zeros(len(off)), 1.0))
    weights: np.ndarray = found / found.sum()
    return weights
