"""Xception: the published count and shapes, the equations of its parts, small images, and learning."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ganglion.models.convolutional.xception import Block, Config, NormalisedSeparable, Xception
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

SIDE = 8
ROW = Row(
    loader=labelled("digits", batch_size=20, side=SIDE),
    steps=60,
    measure=share_of_right_answers("digits", side=SIDE),
    threshold=0.9,
    options={"limit": 100, "test": 0.1},
    counts=(({}, "network", 22_855_952),),
)


def test_published_shapes_and_statistics() -> None:
    shapes: list[tuple[int, ...]] = []
    with torch.device("meta"):
        network = Xception(Config())
        for part in (network.stem, *network.entry, network.middle, network.leaving, network.last):
            part.register_forward_hook(lambda part, inputs, output: shapes.append(tuple(output.shape[1:])))
        network(torch.zeros(1, 3, 299, 299))
    sides = (147, 74, 37, 19, 19, 10, 10)
    maps = (64, 128, 256, 728, 728, 1024, 2048)
    assert shapes == [(count, side, side) for count, side in zip(maps, sides, strict=True)]
    assert sum(value.numel() for name, value in network.named_buffers() if "running" in name) == 54_528


def test_a_separable_convolution_is_one_of_full_kernels() -> None:
    torch.manual_seed(0)
    layer, maps = NormalisedSeparable(3, 5, (1e-3, 0.1)).eval(), torch.randn(2, 3, 6, 6)
    depth, point = layer.convolution.depthwise.weight, layer.convolution.pointwise.weight
    whole = F.conv2d(maps, point * depth[:, 0][None], padding=1)
    torch.testing.assert_close(layer(maps), whole / (1 + 1e-3) ** 0.5)


def test_the_first_block_begins_without_a_rectifier() -> None:
    with torch.device("meta"):
        network = Xception(Config())
    blocks = [part for part in network.modules() if isinstance(part, Block)]
    assert [isinstance(block.residual[0], nn.ReLU) for block in blocks] == [False] + [True] * 11


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (17, 3), (32, 3), (96, 1), (160, 3)])
def test_other_images(size: int, channels: int) -> None:
    with torch.device("meta"):
        network = Xception(Config(in_channels=channels, image_size=size, num_classes=7))
        assert network(torch.zeros(2, channels, size, size)).shape == (2, 7)
