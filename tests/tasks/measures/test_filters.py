"""Filters that a denoiser stands beside, and the estimate of noise, against other sources and known noise."""

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter

from ganglion.data.catalogue import read
from ganglion.data.settings import DataSettings
from ganglion.tasks.measures import filters
from ganglion.tasks.measures.images import psnr
from ganglion.tasks.measures.noise import estimated_noise

PIECES = torch.from_numpy(np.asarray(read("photographs", DataSettings()).inputs)).movedim(3, 1).float() / 255


def noisy(deviation: float, images: torch.Tensor = PIECES) -> torch.Tensor:
    return images + deviation * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))


def whole() -> torch.Tensor:
    """Return neighbouring pieces as one picture, (3, 256, 256)."""
    return torch.cat([torch.cat(list(PIECES[row : row + 4]), 2) for row in (60, 70, 80, 90)], 1)


@pytest.mark.parametrize("deviation", [0.0, 5.0, 15.0, 25.0, 50.0])
def test_noise_is_estimated_near_what_it_is(deviation: float) -> None:
    found = estimated_noise(noisy(deviation / 255, whole()))
    off = 1.5 if deviation else 2.5  # the photograph has some
    assert found is not None and found * 255 == pytest.approx(deviation, abs=off)


def test_of_a_picture_too_small_nothing_is_said() -> None:
    assert estimated_noise(torch.rand(1, 7, 90)) is None
    assert estimated_noise(torch.rand(3, 10, 10)) is None


def test_every_filter_takes_noise_off() -> None:
    """Decibels of noisy pictures, of the median and of the others rise in this order, as they do in the literature."""
    clean, given = PIECES[:12], noisy(25 / 255, PIECES[:12])
    found = {name: float(psnr(made(given, 25 / 255), clean).mean()) for name, made in filters.FILTERS.items()}
    before = float(psnr(given, clean).mean())
    assert before + 3 < found["median"] < found["wavelets"] and found["median"] < found["non-local means"]


def test_the_median_is_that_of_scipy() -> None:
    image = PIECES[0]
    expected = np.stack([median_filter(channel, 3, mode="reflect") for channel in image.numpy()])
    np.testing.assert_array_equal(filters.median(image[None])[0].numpy(), expected)


def test_wavelets_without_noise_give_the_picture_back() -> None:
    """Analysis and synthesis are each other's inverse, for sides that are no power of two as well."""
    image = PIECES[:1, :, :37, :51]
    torch.testing.assert_close(filters.wavelets(image, 0.0), image, atol=1e-5, rtol=0)


def test_means_are_those_of_the_equation() -> None:
    """Of one pixel, patch by patch."""
    image = torch.rand(1, 2, 30, 31, generator=torch.Generator().manual_seed(1))
    found = filters.nonlocal_means(image, 0.3)[0, :, 14, 15]
    total, weights = np.zeros(2), 0.0
    x = image[0].numpy().astype(float)
    for row in range(14 - 6, 14 + 7):
        for column in range(15 - 6, 15 + 7):
            here, there = x[:, 12:17, 13:18], x[:, row - 2 : row + 3, column - 2 : column + 3]
            weight = np.exp(-max(((here - there) ** 2).mean() - 2 * 0.3**2, 0) / (0.6 * 0.3) ** 2)
            total, weights = total + weight * x[:, row, column], weights + weight
    np.testing.assert_allclose(found.numpy(), total / weights, rtol=1e-5)
