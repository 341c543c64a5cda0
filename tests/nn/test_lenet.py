"""The pieces of LeNet-5 against loops that spell their definitions out."""

import pytest
import torch
import torch.nn.functional as F

from ganglion.errors import ConfigurationError
from ganglion.nn import PartialConvolution, RadialBasisOutput, ScaledTanh, Subsampling, character_codes


def test_squash_maps_one_to_one_with_extreme_curvature_there() -> None:
    squash = ScaledTanh()
    points = torch.tensor([1.0, -1.0], dtype=torch.float64)
    torch.testing.assert_close(squash(points), points, atol=1e-4, rtol=0)
    grid = torch.linspace(0.5, 1.5, 1001, dtype=torch.float64, requires_grad=True)
    (slopes,) = torch.autograd.grad(squash(grid).sum(), grid, create_graph=True)
    (curvatures,) = torch.autograd.grad(slopes.sum(), grid)
    assert grid[curvatures.abs().argmax()].item() == pytest.approx(1, abs=0.02)


def test_subsampling_adds_four_inputs_and_scales() -> None:
    layer = Subsampling(3)
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    inputs = torch.randn(2, 3, 6, 4)
    for channel in range(3):
        for row in range(3):
            for column in range(2):
                window = inputs[:, channel, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].sum(dim=(1, 2))
                expected = layer.weight[channel] * window + layer.bias[channel]
                torch.testing.assert_close(layer(inputs)[:, channel, row, column], expected)


def test_partial_convolution_sums_over_the_listed_maps_only() -> None:
    table = [(0, 2), (1,), (3, 0, 1)]
    layer = PartialConvolution(table, in_channels=4, kernel_size=3)
    inputs = torch.randn(2, 4, 7, 7)
    outputs, kernel = layer(inputs), 0
    for number, row in enumerate(table):
        expected = layer.bias[number].expand(2, 5, 5).clone()
        for channel in row:
            expected += F.conv2d(inputs[:, channel : channel + 1], layer.weight[kernel][None, None])[:, 0]
            kernel += 1
        torch.testing.assert_close(outputs[:, number], expected)
    outputs.sum().backward()
    assert layer.weight.grad.shape == (6, 3, 3)
    assert layer.weight.grad.abs().sum(dim=(1, 2)).all()


def test_output_is_the_negative_squared_distance() -> None:
    codes, features = torch.randn(5, 9), torch.randn(4, 9)
    expected = -torch.cdist(features, codes).square()
    torch.testing.assert_close(RadialBasisOutput(codes)(features), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("classes", [2, 3, 10, 26, 47, 84])
def test_codes_are_signs_and_all_differ(classes: int) -> None:
    codes = character_codes(classes)
    assert codes.shape == (classes, 84)
    assert set(codes.flatten().tolist()) == {-1.0, 1.0}
    differing = (codes[:, None] != codes).sum(dim=2) + 84 * torch.eye(classes)
    assert differing.min() >= 10


def test_digits_that_look_alike_have_codes_that_are_alike() -> None:
    codes = character_codes(10)
    differing = (codes[:, None] != codes).sum(dim=2)
    assert differing[8, 0] < differing[8, 1]
    assert differing[3, 9] < differing[3, 4]


def test_too_many_classes_for_the_codes() -> None:
    with pytest.raises(ConfigurationError, match="at most 84"):
        character_codes(85)
