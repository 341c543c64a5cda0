"""How much noise a picture has, when nobody says."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

PATCH = 8
"""Side of the patches that are looked at."""
MOST = 20_000
"""Patches at most, evenly spread over a picture."""


def estimated_noise(image: Tensor) -> float | None:
    """Return the standard deviation of the Gaussian noise in an image `(channels, height, width)`, in its own units.

    Patches of a picture lie near a space of few dimensions, noise in all of them alike: the smallest eigenvalues of
    their covariance are the variance of the noise. Taken are so many of the smallest that their mean is their median.

    Returns:
        None where the image is too small for that: there must be as many patches as a patch has pixels.

    Source: Chen, Zhu and Heng, An efficient statistical method for image noise level estimation (2015).

    >>> import torch
    >>> noise = 0.1 * torch.randn(1, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> round(estimated_noise(0.5 + noise), 2)
    0.1
    """
    variances = []
    for channel in image.double().cpu().numpy():
        if min(channel.shape) < PATCH:
            return None
        patches = sliding_window_view(channel, (PATCH, PATCH)).reshape(-1, PATCH * PATCH)
        if len(patches) < PATCH * PATCH:
            return None
        values = np.linalg.eigvalsh(np.cov(patches[:: -(-len(patches) // MOST)].T))
        variances.append(_of_noise(values))
    return float(np.sqrt(np.mean(variances)))


def _of_noise(values: np.ndarray) -> float:
    """Return the mean of so many of the smallest of eigenvalues, which rise, that it lies in their middle."""
    for count in range(len(values), 1, -1):
        mean, middle = float(values[:count].mean()), count // 2
        if values[middle - 1] <= mean <= values[middle]:
            return max(mean, 0.0)
    return max(float(values[0]), 0.0)
