"""Pooling of regions: against torch's adaptive pooling of each region cut out by hand, values and gradients."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ganglion.nn.images.regions import RegionPooling


def by_hand(maps: Tensor, boxes: Tensor, side: int, scale: float) -> Tensor:
    """Cut every box out of its map and let torch pool it."""
    pooled = []
    for image, own in zip(maps, boxes, strict=True):
        height, width = image.shape[1:]
        for left, top, right, bottom in (own * scale).tolist():
            rows = min(max(math.floor(top), 0), height - 1), min(max(math.ceil(bottom), 1), height)
            columns = min(max(math.floor(left), 0), width - 1), min(max(math.ceil(right), 1), width)
            region = image[:, rows[0] : max(rows[1], rows[0] + 1), columns[0] : max(columns[1], columns[0] + 1)]
            pooled.append(functional.adaptive_max_pool2d(region[None], side)[0])
    return torch.stack(pooled).view(len(maps), boxes.shape[1], maps.shape[1], side, side)


def random_boxes(generator: torch.Generator, images: int, count: int, height: float, width: float) -> Tensor:
    """Boxes of any size, some of which reach over the border."""
    points = torch.rand(images, count, 2, 2, generator=generator) * 1.3 - 0.15
    corners = torch.cat([points.amin(2), points.amax(2)], dim=2)
    return corners * torch.tensor([width, height, width, height])


@pytest.mark.parametrize(("side", "scale", "size"), [(2, 1.0, (7, 9)), (3, 0.5, (16, 5)), (7, 0.25, (12, 31))])
def test_values_and_gradients_are_those_of_regions_cut_out(side: int, scale: float, size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(side)
    maps = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64, requires_grad=True)
    boxes = random_boxes(generator, 2, 40, size[0] / scale, size[1] / scale)
    found, expected = RegionPooling(side, scale)(maps, boxes), by_hand(maps, boxes, side, scale)
    assert torch.equal(found, expected)
    weights = torch.randn(found.shape, generator=generator, dtype=torch.float64)
    (one,) = torch.autograd.grad((found * weights).sum(), maps)
    (other,) = torch.autograd.grad((expected * weights).sum(), maps)
    torch.testing.assert_close(one, other)


def test_a_map_of_one_place_and_boxes_of_no_size() -> None:
    maps = torch.tensor([[[[5.0]]]])
    boxes = torch.tensor([[[0.0, 0, 1, 1], [3.0, 3, 3, 3], [-9.0, -9, -8, -8]]])
    assert RegionPooling(2, 1.0)(maps, boxes).flatten().tolist() == [5.0] * 12
