"""Convolutions as products of matrices against torch's convolutions in double precision."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.fast.applies import enabled, to_convolution_products, to_grown_pixels
from ganglion.fast.convolution.as_product import grown_pixels, unfolded_convolution
from ganglion.nn.stages import in_stages

pytestmark = pytest.mark.skipif(not enabled(), reason="needs numba")


def assert_same(ours, torchs, *tensors: Tensor | None) -> None:
    leaves = [None if tensor is None else tensor.clone().requires_grad_() for tensor in tensors]
    double = [None if tensor is None else tensor.double().requires_grad_() for tensor in tensors]
    maps, expected = ours(*leaves), torchs(*double)
    torch.testing.assert_close(maps.double(), expected, rtol=1e-5, atol=1e-5)
    weights = torch.randn(maps.shape)
    found = torch.autograd.grad(maps, [leaf for leaf in leaves if leaf is not None], weights)
    for slope, other in zip(
        found, torch.autograd.grad(expected, [d for d in double if d is not None], weights.double()), strict=True
    ):
        torch.testing.assert_close(slope.double(), other, rtol=1e-5, atol=1e-5 * float(other.abs().max().clamp(min=1)))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("images", "weight"),
    [((5, 16, 5, 5), (17, 16, 3, 3)), ((3, 9, 6, 4), (4, 9, 6, 4)), ((1, 12, 4, 9), (5, 12, 2, 6))],
)
def test_unfolded(images, weight, bias, layout):
    torch.manual_seed(0)
    tensors = [
        torch.randn(images).contiguous(memory_format=layout),
        (torch.randn(weight) / 10).contiguous(memory_format=layout),
        torch.randn(weight[0]) if bias else None,
    ]
    assert to_convolution_products(*tensors)
    assert_same(unfolded_convolution, F.conv2d, *tensors)


@pytest.mark.parametrize("bias", [True, False])
def test_grown_from_pixels(bias):
    torch.manual_seed(0)
    tensors = torch.randn(5, 6, 1, 1), torch.randn(6, 3, 4, 7), torch.randn(3) if bias else None
    assert to_grown_pixels(*tensors)
    assert_same(grown_pixels, F.conv_transpose2d, *tensors)


@pytest.mark.parametrize("constant", ["images", "weight", None])
def test_can_be_differentiated_twice(constant):
    images, weight = torch.randn(2, 9, 4, 4), torch.randn(5, 9, 3, 3)
    wanted = [tensor.requires_grad_() for name, tensor in (("images", images), ("weight", weight)) if name != constant]

    def penalty(function) -> tuple[Tensor, ...]:
        slope = torch.autograd.grad(function(images, weight, None).pow(3).sum(), wanted, create_graph=True)[0]
        return torch.autograd.grad(slope.square().sum(), wanted)

    for ours, theirs in zip(penalty(unfolded_convolution), penalty(F.conv2d), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


def test_what_is_not_finite_comes_through():
    images = torch.randn(2, 9, 4, 4)
    images[0, 0, 0, 0], images[1, 3, 3, 3] = float("nan"), float("inf")
    weight = torch.randn(3, 9, 3, 3)
    found, expected = unfolded_convolution(images, weight, None), F.conv2d(images, weight)
    torch.testing.assert_close(found, expected, equal_nan=True, rtol=1e-4, atol=1e-4)


def test_what_comes_out_may_be_changed_in_place():
    images, weight = torch.randn(2, 9, 4, 4), torch.randn(5, 9, 3, 3, requires_grad=True)
    unfolded_convolution(images, weight, None).relu_().sum().backward()
    found, weight.grad = weight.grad, None
    F.conv2d(images, weight).relu_().sum().backward()
    torch.testing.assert_close(found, weight.grad, rtol=1e-5, atol=1e-4)


def test_layers_take_this_path_where_it_suits(monkeypatch):
    torch.manual_seed(0)
    called: list[str] = []
    for function in (unfolded_convolution, grown_pixels):
        monkeypatch.setattr(
            f"ganglion.nn.stages.{function.__name__}",
            lambda *given, function=function: (called.append(function.__name__), function(*given))[1],
        )
    layers = nn.ConvTranspose2d(5, 10, 5), nn.ReLU(), nn.Conv2d(10, 12, 3), nn.ReLU(), nn.Conv2d(12, 9, 3)
    inputs = torch.randn(2, 5, 1, 1)
    torch.testing.assert_close(in_stages(inputs, *layers), nn.Sequential(*layers)(inputs), rtol=1e-5, atol=1e-5)
    assert called == ["grown_pixels", "unfolded_convolution", "unfolded_convolution"]
    called.clear()
    bordered = nn.ConvTranspose2d(5, 10, 5, padding=1), nn.Conv2d(10, 12, 3, padding=1), nn.Conv2d(12, 9, 2, stride=2)
    torch.testing.assert_close(in_stages(inputs, *bordered), nn.Sequential(*bordered)(inputs), rtol=1e-5, atol=1e-5)
    assert not called


def test_others_are_torchs():
    images, weight = torch.zeros(2, 9, 8, 8), torch.zeros(4, 9, 3, 3)
    assert not to_convolution_products(images[:1], torch.zeros(99, 9, 3, 3), None)  # 36 of them
    assert not to_convolution_products(images[:, :, :5, :5], weight, None)  # more pixels than weights
    assert not to_convolution_products(images[:, :8, :5, :5], weight, None)
    assert not to_convolution_products(images[:, :, :2], weight, None)
    assert not to_convolution_products(images[:, :, :5, :5].double(), weight.double(), None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not to_convolution_products(images[:, :, :5, :5], weight, None)
