"""Noise taken off pictures without learning: median, wavelets, non-local means. What a denoiser stands beside."""

from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from scipy.ndimage import median_filter
from torch import Tensor
from torch.nn import functional

LEVELS = 4
"""Times that wavelets halve a picture."""
SHIFTS = ((0, 0), (1, 1), (2, 3), (3, 2), (5, 7), (7, 5), (4, 6), (6, 4))
"""Places that the wavelets begin at; the mean of the results has no blocks."""
PATCH = 5
"""Side of the patches that are compared."""
SEARCH = 6
"""Pixels in each direction in which like patches are looked for."""
STRENGTH = 0.6
"""Deviations of noise by which patches may differ."""

Filter = Callable[[Tensor, float], Tensor]
"""Noisy images `(batch, channels, height, width)` and the deviation of their noise to images without."""


def median(images: Tensor, deviation: float = 0.0) -> Tensor:
    """Return the median of the 3 x 3 pixels around each, for images `(batch, channels, height, width)`.

    >>> image = torch.zeros(1, 1, 5, 5).index_put((torch.tensor(0),) * 4, torch.tensor(1.0))
    >>> float(median(image).max())
    0.0
    """
    return torch.from_numpy(median_filter(images.numpy(), size=(1, 1, 3, 3), mode="reflect"))


def wavelets(images: Tensor, deviation: float) -> Tensor:
    """Return images `(batch, channels, height, width)` whose small wavelet coefficients are pulled to zero.

    Haar's wavelets, orthonormal. A coefficient w of a band becomes sign(w) max(|w| - t, 0), where t = s^2 / s_x for
    noise of deviation s, and s_x^2 = max(mean w^2 - s^2, 0) over the band.

    Source: Chang, Yu and Vetterli, Adaptive wavelet thresholding for image denoising and compression (2000); Coifman
    and Donoho, Translation-invariant de-noising (1995).

    >>> noisy = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> bool(wavelets(noisy, 1.0).std() < 0.3)
    True
    """
    height, width = images.shape[2:]
    unit = 1 << LEVELS
    room = [(-length) % unit + unit for length in (height, width)]
    padded = torch.from_numpy(np.pad(images.numpy(), ((0, 0), (0, 0), (0, room[0]), (0, room[1])), mode="symmetric"))
    total = torch.zeros_like(images)
    for shift in SHIFTS:
        rolled = padded.roll(shift, (2, 3))
        total += _shrunk(rolled, deviation, LEVELS).roll((-shift[0], -shift[1]), (2, 3))[..., :height, :width]
    return total / len(SHIFTS)


def _shrunk(images: Tensor, deviation: float, levels: int) -> Tensor:
    """Return images put together again of their mean and their shrunk details, level below level."""
    if not levels:
        return images
    a, b, c, d = (images[..., row::2, column::2] for row in (0, 1) for column in (0, 1))
    mean = _shrunk((a + b + c + d) / 2, deviation, levels - 1)
    across, down, both = (_soft(band / 2, deviation) for band in (a - b + c - d, a + b - c - d, a - b - c + d))
    whole = torch.empty_like(images)
    whole[..., 0::2, 0::2] = (mean + across + down + both) / 2
    whole[..., 0::2, 1::2] = (mean - across + down - both) / 2
    whole[..., 1::2, 0::2] = (mean + across - down - both) / 2
    whole[..., 1::2, 1::2] = (mean - across - down + both) / 2
    return whole


def _soft(band: Tensor, deviation: float) -> Tensor:
    signal = (band.square().mean((2, 3), keepdim=True) - deviation**2).clamp(min=1e-12).sqrt()
    return band.sign() * (band.abs() - deviation**2 / signal).clamp(min=0)


def nonlocal_means(images: Tensor, deviation: float) -> Tensor:
    """Return for each pixel the mean of the pixels nearby, weighed by how like the patches around them are.

    w = exp(-max(d - 2 s^2, 0) / h^2) with d the mean squared difference of the patches, noise of deviation s and
    h = 0.6 s. Images are `(batch, channels, height, width)`.

    Source: Buades, Coll and Morel, A non-local algorithm for image denoising (2005).

    >>> noisy = 0.5 + 0.1 * torch.randn(1, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    >>> bool(nonlocal_means(noisy, 0.1).std() < 0.03)
    True
    """
    height, width = images.shape[2:]
    padded = torch.from_numpy(
        np.pad(images.numpy(), ((0, 0), (0, 0), (SEARCH, SEARCH), (SEARCH, SEARCH)), mode="symmetric")
    )
    total, weights = torch.zeros_like(images), torch.zeros_like(images[:, :1])
    for top, left in product(range(2 * SEARCH + 1), repeat=2):
        other = padded[..., top : top + height, left : left + width]
        apart = (images - other).square().mean(1, keepdim=True)
        edge = PATCH // 2
        apart = functional.avg_pool2d(functional.pad(apart, (edge,) * 4, mode="replicate"), PATCH, stride=1)
        weight = (-(apart - 2 * deviation**2).clamp(min=0) / (STRENGTH * deviation) ** 2).exp()
        total += weight * other
        weights += weight
    return total / weights


FILTERS: dict[str, Filter] = {"median": median, "wavelets": wavelets, "non-local means": nonlocal_means}
"""By the name under which a figure shows them."""
