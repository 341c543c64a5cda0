"""Products of many sizes by either library against torch in double precision: values, gradients, second derivatives.

Batches leave every kind of rest beside the blocks that libraries work in; an activation changes each result in place.
"""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ganglion.fast.applies import enabled, to_grown_pixels
from ganglion.fast.convolution.as_product import grown_pixels, unfolded_convolution
from ganglion.fast.matrix_library import linear

BATCHES = (1, 2, 3, 7, 8, 15, 16, 17, 20, 31, 32, 33, 60, 64)
each_batch = pytest.mark.parametrize("batch", BATCHES)
needs_kernels = pytest.mark.skipif(not enabled(), reason="needs numba")
pytestmark = pytest.mark.usefixtures("product_library")


def assert_same(ours: Callable[..., Tensor], torchs: Callable[..., Tensor], *tensors: Tensor | None) -> None:
    """Compare both, followed by a rectifier in place, with slopes that are as large as the results."""
    found = list(derivatives(ours, [None if tensor is None else tensor.clone() for tensor in tensors]))
    exact = list(derivatives(torchs, [None if tensor is None else tensor.double() for tensor in tensors]))
    for mine, theirs in zip(found, exact, strict=True):
        scale = float(theirs.detach().abs().max().clamp(min=1))
        torch.testing.assert_close(mine.double(), theirs, rtol=1e-5, atol=1e-5 * scale)


def derivatives(function: Callable[..., Tensor], tensors: list[Tensor | None]) -> Iterator[Tensor]:
    """Yield f, the gradient of f^2 / 2, and the gradient of that gradient's square."""
    leaves = [tensor.requires_grad_() for tensor in tensors if tensor is not None]
    result = function(*tensors).relu_()
    yield result
    gradient = torch.autograd.grad(result.square().mean() / 2, leaves, create_graph=True)
    yield from gradient
    yield from torch.autograd.grad(sum(part.square().sum() for part in gradient), leaves)


def test_rows_may_have_gaps_between_them() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs, weight = (torch.randn(rows, 66, generator=generator)[:, :65] for rows in (31, 17))
    assert not inputs.is_contiguous()
    torch.testing.assert_close(linear(inputs, weight), functional.linear(inputs, weight), rtol=1e-5, atol=1e-5)


@each_batch
@pytest.mark.parametrize(("depth", "width"), [(1, 1), (3, 5), (16, 16), (17, 33), (64, 10), (130, 65), (1, 48)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(batch, depth, width, bias):
    generator = torch.Generator().manual_seed(batch)
    inputs, weight = (torch.randn(rows, depth, generator=generator) for rows in (batch, width))
    assert_same(linear, functional.linear, inputs, weight / depth**0.5, torch.ones(width) / 9 if bias else None)


@needs_kernels
@each_batch
@pytest.mark.parametrize(
    ("channels", "side", "kernel", "features"),
    [(9, 3, 3, 5), (64, 5, 3, 64), (33, 4, 3, 17), (16, 5, 5, 120), (9, 4, 2, 300), (70, 2, 2, 1)],
)
@pytest.mark.parametrize("bias", [True, False])
def test_convolution_of_few_positions(batch, channels, side, kernel, features, bias):
    generator = torch.Generator().manual_seed(batch)
    images = torch.randn(batch, channels, side, side, generator=generator)
    weight = torch.randn(features, channels, kernel, kernel, generator=generator) / (kernel * channels**0.5)
    offsets = torch.ones(features) / 9 if bias else None
    assert_same(unfolded_convolution, functional.conv2d, images, weight, offsets)


@needs_kernels
@each_batch
@pytest.mark.parametrize(("channels", "kernel", "features"), [(1, 1, 1), (6, 4, 3), (100, 4, 17)])
@pytest.mark.parametrize("bias", [True, False])
def test_transposed_convolution_of_single_pixels(batch, channels, kernel, features, bias):
    generator = torch.Generator().manual_seed(batch)
    inputs = torch.randn(batch, channels, 1, 1, generator=generator)
    weight = torch.randn(channels, features, kernel, kernel, generator=generator) / channels**0.5
    offsets = torch.ones(features) / 9 if bias else None
    assert to_grown_pixels(inputs, weight, offsets)
    assert_same(grown_pixels, functional.conv_transpose2d, inputs, weight, offsets)
