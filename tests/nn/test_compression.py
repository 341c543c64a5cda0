"""Parts of compressors: the lapped transform, divisive normalisation, and the order in which codes are expected."""

import math

import numpy as np
import pytest
import torch

from ganglion.nn.compression.context import Context, bits, group_sizes, phases
from ganglion.nn.compression.lapped import SIDE, LappedAnalysis, LappedSynthesis, frequencies, lapped_basis
from ganglion.nn.compression.normalisation import DivisiveNormalisation


def test_the_lapped_transform_is_orthogonal_and_has_its_published_coding_gain() -> None:
    """9.20 to 9.24 dB for a process whose neighbours correlate by 0.95; the cosines of a block have 8.83."""
    basis = lapped_basis()
    torch.testing.assert_close(basis @ basis.T, torch.eye(SIDE, dtype=torch.float64))
    torch.testing.assert_close(basis[:, SIDE:] @ basis[:, :SIDE].T, torch.zeros(SIDE, SIDE, dtype=torch.float64))
    places = torch.arange(2 * SIDE, dtype=torch.float64)
    process = 0.95 ** (places[:, None] - places).abs()
    variances = torch.diag(basis @ process @ basis.T)
    gain = 10 * math.log10(float(variances.mean() / variances.log().mean().exp()))
    assert gain == pytest.approx(9.22, abs=0.02)


@pytest.mark.parametrize("size", [(8, 8), (16, 40), (64, 24)])
def test_the_lapped_transform_gives_pictures_back(size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    made = LappedSynthesis(192, 3.0)(LappedAnalysis(192, 3.0)(image))
    torch.testing.assert_close(made, image, atol=1e-5, rtol=1e-4)


def test_blocks_as_channels_are_windows_of_16_pixels() -> None:
    layer, image = LappedAnalysis(20, 1.0), torch.rand(1, 3, 32, 40)
    mirrored = torch.from_numpy(np.pad(image.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)), mode="symmetric"))
    slow = torch.nn.functional.conv2d(mirrored, layer.weight, layer.bias, stride=8)
    torch.testing.assert_close(layer(image), slow, atol=1e-5, rtol=1e-4)


def test_frequencies_are_all_different() -> None:
    assert len(set(frequencies(192))) == 192 and frequencies(3) == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]


def test_divisive_normalisation_is_that_of_the_equation() -> None:
    torch.manual_seed(0)
    for inverse in (False, True):
        layer, maps = DivisiveNormalisation(3, inverse).double(), torch.randn(1, 3, 2, 2, dtype=torch.float64)
        layer.gamma.data += torch.rand(3, 3)
        for i in range(3):
            strength = layer.beta[i] ** 2 + sum(layer.gamma[i, j] ** 2 * maps[0, j] ** 2 for j in range(3))
            power = 0.5 if inverse else -0.5
            torch.testing.assert_close(layer(maps)[0, i], maps[0, i] * strength**power, atol=1e-5, rtol=1e-5)


def test_bits_of_all_whole_numbers_add_up_to_a_probability() -> None:
    numbers = torch.arange(-400, 401, dtype=torch.float64)
    for mean, width in ((0.3, 0.0), (-7.2, 2.0), (0.0, -3.0)):
        chances = 2 ** -bits(numbers, torch.tensor(mean).double(), torch.tensor(width).double())
        assert float(chances.sum()) == pytest.approx(1, abs=1e-5)


def test_groups_hold_all_channels() -> None:
    for channels in (1, 2, 3, 12, 96, 192):
        sizes = group_sizes(channels, 8)
        assert sum(sizes) == channels and min(sizes) >= 1


def test_nothing_is_told_from_what_is_written_later() -> None:
    """The slope of what is expected of a number is 0 for itself and for all that come after it."""
    torch.manual_seed(0)
    context = Context(6, qualities=1, features=5, groups=3).double()
    codes = (3 * torch.randn(1, 6, 6, 6, dtype=torch.float64)).requires_grad_()
    turns, of_group = phases(6, 6), np.repeat(range(3), context.sizes)
    means, widths = context(codes, torch.tensor([0]))
    before = 0
    for channel in range(6):
        for row, column in ((2, 2), (3, 3), (2, 3), (3, 2)):
            asked = means[0, channel, row, column] + widths[0, channel, row, column]
            (slopes,) = torch.autograd.grad(asked, codes, retain_graph=True)
            for other, y, x in torch.nonzero(slopes[0]).tolist():
                earlier = of_group[other] < of_group[channel]
                same = of_group[other] == of_group[channel] and turns[y, x] < turns[row, column]
                assert earlier or same
                before += 1
    assert before > 100
