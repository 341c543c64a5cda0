"""Measures of images against scikit-image and, where that measures nothing, against sums written out."""

import math

import numpy as np
import pytest
import torch

from ganglion.errors import ShapeError
from ganglion.tasks.measures.images import BEST_PSNR, MEASURES, l1, psnr, ssim

metrics = pytest.importorskip("skimage.metrics", reason="the extra images is not installed")
GENERATOR = torch.Generator().manual_seed(0)


def pair(channels: int, height: int, width: int, noise: float = 0.2) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth images, and the same with noise."""
    rows, columns = torch.linspace(0, 3, height)[:, None], torch.linspace(0, 5, width)
    truth = (torch.sin(rows + columns) / 2 + 0.5).expand(3, channels, -1, -1)
    return (truth + noise * torch.randn(truth.shape, generator=GENERATOR)).clamp(0, 1), truth


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 11, 40), (3, 33, 21)])
@pytest.mark.parametrize("noise", [0.02, 0.3])
def test_structural_similarity_is_that_of_scikit_image(shape: tuple[int, int, int], noise: float) -> None:
    images, truth = pair(*shape, noise=noise)
    expected = [
        metrics.structural_similarity(
            x, y, channel_axis=0, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        for x, y in zip(images.double().numpy(), truth.double().numpy(), strict=True)
    ]
    np.testing.assert_allclose(ssim(images, truth), expected, atol=1e-6)


def test_small_images_are_compared_in_the_largest_window_that_fits() -> None:
    images, truth = pair(1, 8, 9)
    places = np.arange(7) - 3
    weights = np.exp(-(places[:, None] ** 2 + places**2) / (2 * 1.5**2))
    weights /= weights.sum()
    x, y = images[0, 0].double().numpy(), truth[0, 0].double().numpy()
    found = []
    for top in range(2):
        for left in range(3):
            a, b = x[top : top + 7, left : left + 7], y[top : top + 7, left : left + 7]
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
            both = (weights * (a - mean_a) * (b - mean_b)).sum()
            top_part = (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
            found.append(top_part / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)))
    assert float(ssim(images, truth)[0]) == pytest.approx(np.mean(found), abs=1e-6)
    assert ssim(images[..., :1, :1], truth[..., :1, :1]).shape == (3,)


def test_decibels_are_those_of_scikit_image() -> None:
    images, truth = pair(3, 20, 30)
    for x, y, found in zip(images.numpy(), truth.numpy(), psnr(images, truth), strict=True):
        assert float(found) == pytest.approx(metrics.peak_signal_noise_ratio(y, x, data_range=1), abs=1e-4)
    assert psnr(truth, truth).tolist() == [BEST_PSNR] * 3


def test_mean_differences() -> None:
    images, truth = pair(2, 5, 5)
    np.testing.assert_allclose(
        l1(images, truth), np.abs(images.numpy() - truth.numpy()).mean(axis=(1, 2, 3)), rtol=1e-5
    )


def test_every_measure_points_where_it_says() -> None:
    """Less noise is better by all three."""
    (noisy, truth), (cleaner, _) = pair(1, 32, 32, noise=0.3), pair(1, 32, 32, noise=0.1)
    for measure, function in zip(MEASURES, (psnr, ssim, l1), strict=True):
        assert measure.is_better(float(function(cleaner, truth).mean()), float(function(noisy, truth).mean()))


def test_images_of_other_sizes_are_refused() -> None:
    with pytest.raises(ShapeError):
        ssim(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 9))
    assert math.isfinite(float(ssim(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 8, 8))))
