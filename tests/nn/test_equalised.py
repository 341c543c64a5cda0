"""Layers of an equalised rate: their scale, and strided kernels that are enlargement, or a mean, and a convolution."""

import pytest
import torch
from torch.nn import functional

from ganglion.nn.adversarial.equalised import EqualisedConvolution, EqualisedLinear
from ganglion.nn.adversarial.style_layers import adain, blurred, with_deviation


@pytest.mark.parametrize("side", [4, 7])
def test_one_strided_convolution_is_enlargement_and_a_convolution(side: int) -> None:
    layer, maps = EqualisedConvolution(3, 5, 3, scale="up").double(), torch.randn(2, 3, side, side, dtype=torch.float64)
    large = functional.interpolate(maps, scale_factor=2, mode="nearest")
    expected = functional.conv2d(large, layer.weight * layer.factor, layer.bias, padding=1)
    torch.testing.assert_close(layer(maps), expected)


def test_one_strided_convolution_is_a_convolution_and_the_mean_of_four() -> None:
    layer, maps = EqualisedConvolution(3, 5, 3, scale="down").double(), torch.randn(2, 3, 8, 8, dtype=torch.float64)
    expected = functional.avg_pool2d(functional.conv2d(maps, layer.weight * layer.factor, layer.bias, padding=1), 2)
    torch.testing.assert_close(layer(maps), expected)


def test_a_slow_layer_starts_alike_and_its_output_moves_less() -> None:
    """A step of one size on every weight moves the output of rate .01 by .01 of what it moves that of rate 1."""
    moved = {}
    for rate in (1.0, 0.01):
        torch.manual_seed(0)
        layer, inputs = EqualisedLinear(64, 32, rate=rate), torch.randn(200, 64)
        before = layer(inputs).detach()
        assert 1.2 < before.std() < 1.6
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.add_(0.1)
        moved[rate] = (layer(inputs) - before).norm().item()
    assert moved[0.01] == pytest.approx(moved[1.0] / 100, rel=1e-3)


def test_blurring_is_its_own_transpose_in_both_derivatives() -> None:
    maps = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(blurred, maps) and torch.autograd.gradgradcheck(blurred, maps)
    torch.testing.assert_close(blurred(torch.ones(1, 1, 5, 5))[0, 0, 1:4, 1:4], torch.ones(3, 3))


def test_styles_are_means_and_deviations_of_maps() -> None:
    style = torch.randn(3, 8)
    maps = adain(torch.rand(3, 4, 16, 16), style)
    torch.testing.assert_close(maps.mean((2, 3)), style[:, 4:], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(maps.std((2, 3), unbiased=False), (style[:, :4] + 1).abs(), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("batch", "group"), [(8, 4), (6, 3), (7, 1), (2, 2)])
def test_the_deviation_within_groups_is_one_more_map(batch: int, group: int) -> None:
    maps = torch.randn(batch, 2, 3, 3)
    found = with_deviation(maps)[:, 2]
    for number in range(batch // group):
        members = maps[number :: batch // group]
        torch.testing.assert_close(found[number, 0, 0], members.std(0, unbiased=False).mean(), atol=1e-3, rtol=1e-3)
    assert found.shape == (batch, 3, 3)
