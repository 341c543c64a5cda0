"""How near one image is to another: the mean difference, decibels, and likeness of structure."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ganglion.core import Measure
from ganglion.data.pixels import LUMA
from ganglion.errors import ShapeError

L1 = Measure(
    name="l1",
    higher_is_better=False,
    meaning="Mean absolute difference of a pixel, of which 0 is black and 1 is white.",
)
PSNR = Measure(
    name="psnr",
    higher_is_better=True,
    meaning="Decibels between the brightest possible pixel and the error: 10 log10 (1 / mean squared difference).",
)
SSIM = Measure(
    name="ssim",
    higher_is_better=True,
    meaning="Likeness of brightness, contrast and structure in small windows: 1 for equal images, about 0 for unlike.",
)
SHARPNESS = Measure(
    name="sharpness",
    higher_is_better=True,
    meaning="Mean step from pixel to pixel, in that of the true image: 1 is as sharp, below is blurred.",
)
GRADIENT_DISTANCE = Measure(
    name="gradient_distance",
    higher_is_better=False,
    meaning="Mean difference of the steps from pixel to pixel, both sorted, in bytes: 0 where edges and grain are as "
    "strong as in the true image, wherever they lie.",
)
MEASURES = (PSNR, SSIM, L1)
BEST_PSNR = 100.0
"""Decibels that equal images are given; they would be infinite."""
WINDOW = 11
"""Side of the window in which structure is compared; in smaller images it is the largest odd one that fits."""
SIGMA = 1.5
"""Deviation of the Gaussian that weights the pixels of a window."""
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""How much each scale counts in the likeness over several, the finest first."""
K_1, K_2 = 0.01, 0.03
"""What keeps the likeness of even patches stable, as shares of the range."""


def l1(images: Tensor, truth: Tensor) -> Tensor:
    """Return (1/n) sum |x - y| of each image `(samples,)`; both are `(samples, channels, height, width)`.

    >>> l1(torch.full((1, 1, 2, 2), 0.25), torch.zeros(1, 1, 2, 2))
    tensor([0.2500])
    """
    return (images - truth).abs().flatten(1).mean(1)


def psnr(images: Tensor, truth: Tensor) -> Tensor:
    """Return 10 log10 (1 / ((1/n) sum (x - y)^2)) of each image `(samples,)`, at most `BEST_PSNR`.

    Both are `(samples, channels, height, width)` in [0, 1].

    >>> psnr(torch.full((1, 1, 2, 2), 0.1), torch.zeros(1, 1, 2, 2))
    tensor([20.])
    """
    squared = (images - truth).square().flatten(1).mean(1)
    return -10 * squared.clamp(min=10 ** (-BEST_PSNR / 10)).log10()


def sharpness(images: Tensor, truth: Tensor) -> Tensor:
    """Return E|dx| / E|dy| of each image `(samples,)`, dx and dy the steps from a pixel to the next of both.

    Images are `(samples, channels, height, width)`; where the truth is even, so that there is no step, it is 1.

    >>> truth = torch.tensor([0.0, 1.0, 0.0, 1.0]).expand(1, 1, 4, 4)
    >>> sharpness(truth / 2, truth)
    tensor([0.5000])
    """
    found, wanted = (_steps(each).mean(1) for each in (images, truth))
    return torch.where(wanted > 0, found / wanted.clamp(min=1e-12), 1.0)


def gradient_distance(images: Tensor, truth: Tensor) -> Tensor:
    """Return 255 E|sorted dx - sorted dy| of each image `(samples,)`: the Wasserstein distance of their steps in bytes.

    dx and dy are the sizes of the steps from a pixel to the next; images are `(samples, channels, height, width)`.

    >>> truth = torch.tensor([0.0, 1.0, 0.0, 1.0]).expand(1, 1, 4, 4)
    >>> gradient_distance(truth.roll(1, 3), truth), gradient_distance(truth / 2, truth)
    (tensor([0.]), tensor([63.7500]))
    """
    found, wanted = (_steps(each).sort(1).values for each in (images, truth))
    return 255 * (found - wanted).abs().mean(1)


def _steps(images: Tensor) -> Tensor:
    """Return the sizes of the steps from each pixel to the next below and to the right, (samples, steps)."""
    return torch.cat([images.diff(dim=axis).abs().flatten(1) for axis in (2, 3)], dim=1)


def ssim(images: Tensor, truth: Tensor) -> Tensor:
    """Return the mean structural similarity of each image `(samples,)`, the mean over its channels.

    In every window that lies inside the image, with means m, variances v and covariance c under Gaussian weights:

        (2 m_x m_y + C_1) (2 c + C_2) / ((m_x^2 + m_y^2 + C_1) (v_x + v_y + C_2))

    where C_1 = 0.01^2 and C_2 = 0.03^2. Both are `(samples, channels, height, width)` in [0, 1].

    Source: Wang, Bovik, Sheikh and Simoncelli, Image quality assessment: from error visibility to structural
    similarity (2004).

    >>> image = torch.rand(1, 3, 16, 16)
    >>> ssim(image, image)
    tensor([1.])
    """
    if images.shape != truth.shape or images.dim() != 4:
        raise ShapeError(
            "only images of one size can be compared",
            expected="two times (samples, channels, height, width)",
            found=f"{tuple(images.shape)} and {tuple(truth.shape)}",
        )
    brightness, structure = _likenesses(images.double(), truth.double())
    return (brightness * structure).flatten(1).mean(1).to(images.dtype)


def _likenesses(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the likeness of brightness, and that of contrast and structure, in every window of images, double."""
    side = min(WINDOW, *(length - 1 + length % 2 for length in x.shape[2:]))
    m_x, m_y, xx, yy, xy = _smoothed(torch.cat([x, y, x * x, y * y, x * y]), side).chunk(5)
    v_x, v_y, covariance = xx - m_x * m_x, yy - m_y * m_y, xy - m_x * m_y  # small differences of large numbers
    brightness = (2 * m_x * m_y + K_1**2) / (m_x * m_x + m_y * m_y + K_1**2)
    return brightness, (2 * covariance + K_2**2) / (v_x + v_y + K_2**2)


def _smoothed(images: Tensor, side: int) -> Tensor:
    """Return the Gaussian mean in every window of a side that lies inside the images."""
    places = torch.arange(side, dtype=images.dtype, device=images.device) - side // 2
    weights = (-places.square() / (2 * SIGMA**2)).exp()
    weights = weights / weights.sum()
    planes = images.flatten(0, 1)[:, None]
    smooth = functional.conv2d(functional.conv2d(planes, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))
    return smooth.view(*images.shape[:2], *smooth.shape[2:])


def ms_ssim(images: Tensor, truth: Tensor) -> Tensor:
    """Return the multi-scale structural similarity of each image `(samples,)`, of its brightness.

        l_M^(w_M) product over scales j = 1 ... M of cs_j^(w_j)

    cs is the mean likeness of contrast and structure, l that of brightness, which counts at the coarsest scale only; a
    scale has half the pixels a side of the one before. Images with a side below 176 have fewer scales than five, whose
    exponents then sum to one. Both are `(samples, channels, height, width)` in [0, 1].

    Source: Wang, Simoncelli and Bovik, Multi-scale structural similarity for image quality assessment (2003).

    >>> image = torch.rand(1, 3, 32, 32)
    >>> ms_ssim(image, image)
    tensor([1.])
    """
    weights = torch.tensor(LUMA, dtype=torch.float64, device=images.device)
    x, y = (
        torch.einsum("c,nchw->nhw", weights, one.double().expand(-1, 3, -1, -1))[:, None] for one in (images, truth)
    )
    scales = max(1, min(len(SCALES), int(math.log2(max(1, min(x.shape[2:]) / WINDOW))) + 1))
    exponents = torch.tensor(SCALES[:scales], dtype=torch.float64) / sum(SCALES[:scales])
    found = torch.ones(len(x), dtype=torch.float64, device=x.device)
    for number, exponent in enumerate(exponents.tolist(), 1):
        brightness, structure = _likenesses(x, y)
        likeness = brightness * structure if number == scales else structure
        found = found * likeness.flatten(1).mean(1).clamp(min=0) ** exponent
        if number < scales:
            x, y = (functional.avg_pool2d(one, 2) for one in (x, y))
    return found.to(images.dtype)
