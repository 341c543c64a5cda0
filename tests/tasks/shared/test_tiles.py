"""Tiles give what the whole image would have given, leave no seams, and keep within memory."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.tasks.shared.pictures import tiles
from ganglion.tasks.shared.pictures.tiles import Tiling, bytes_per_pixel, fitting, in_tiles

SIZES = [(1, 1), (7, 90), (32, 32), (33, 31), (64, 65), (100, 47)]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("tiling", [Tiling(side=32), Tiling(side=32, margin=5, blend=1), Tiling(side=24, multiple=8)])
def test_a_network_that_changes_nothing_changes_no_bit(height: int, width: int, tiling: Tiling) -> None:
    image = torch.randn(3, height, width)
    assert torch.equal(in_tiles(nn.Identity(), image, tiling), image)


def convolutions() -> nn.Module:
    torch.manual_seed(0)
    first, middle, last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 5, padding=2), nn.Conv2d(8, 2, 3, padding=1)
    return nn.Sequential(first, nn.ReLU(), middle, nn.ReLU(), last).requires_grad_(False)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_with_a_margin_of_the_reach_tiles_equal_the_whole(height: int, width: int) -> None:
    network, image = convolutions(), torch.rand(3, height, width)
    found = in_tiles(network, image, Tiling(side=32, margin=4, blend=6))  # it reaches 1 + 2 + 1 pixels
    torch.testing.assert_close(found, network(image[None])[0], atol=1e-6, rtol=1e-5)


def test_without_a_margin_they_do_not() -> None:
    network, image = convolutions(), torch.rand(3, 100, 47)
    found = in_tiles(network, image, Tiling(side=32, margin=0, blend=6))
    assert float((found - network(image[None])[0]).abs().max()) > 1e-3


def test_the_order_of_tiles_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    network, image, tiling = convolutions(), torch.rand(3, 90, 70), Tiling(side=32)
    expected = in_tiles(network, image, tiling)
    monkeypatch.setattr(tiles, "product", lambda *axes: reversed(list(product(*axes))))
    assert torch.equal(in_tiles(network, image, tiling), expected)


def test_networks_that_enlarge() -> None:
    def twice(image: Tensor) -> Tensor:
        return image.repeat_interleave(2, 2).repeat_interleave(2, 3)

    image = torch.rand(1, 50, 41)
    assert torch.equal(in_tiles(twice, image, Tiling(side=16, blend=4, multiple=4)), twice(image[None])[0])


def test_networks_that_halve_and_double_get_sizes_that_they_take() -> None:
    sizes = []

    def hourglass(image: Tensor) -> Tensor:
        sizes.append(image.shape[2:])
        return functional.interpolate(functional.avg_pool2d(image, 8), scale_factor=8)

    image = torch.rand(3, 61, 35)
    assert in_tiles(hourglass, image, Tiling(side=40, multiple=8)).shape == image.shape
    assert all(length % 8 == 0 for size in sizes for length in size)


def test_tiles_keep_within_memory() -> None:
    network = convolutions()
    each = bytes_per_pixel(network, 3)
    assert each == 4 * (3 + 8 + 8 + 8 + 8 + 2)
    largest = 0

    def listen(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal largest
        largest = max(largest, inputs[0].shape[2] * inputs[0].shape[3])

    network.register_forward_pre_hook(listen)
    for memory in (300_000, 1_000_000):
        tiling = fitting(network, 3, memory=memory, margin=4)
        largest = 0
        in_tiles(network, torch.rand(3, 300, 200), tiling)
        assert 0.8 * memory < largest * each <= memory
    assert fitting(network, 3, memory=1, margin=4, multiple=16).side == 32  # as small as the overlap allows


def test_tiles_that_cannot_cover_are_refused() -> None:
    for options in ({"side": 10, "margin": 1}, {"side": 20, "multiple": 8}):
        with pytest.raises(ShapeError):
            Tiling(**options)
    with pytest.raises(ConfigurationError):
        Tiling(side=32, blend=0)
    with pytest.raises(ShapeError, match="gives no image"):
        in_tiles(lambda image: image[:, :, :3], torch.rand(1, 8, 8), Tiling(side=32))
