"""VGG: published counts and shapes, small images, and learning."""

import pytest
import torch
from torch import nn

from ganglion.models.convolutional.vgg import CONVOLUTIONS, VGG, Config
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

SIDE = 8
ROW = Row(
    loader=labelled("digits", batch_size=20, side=SIDE),
    steps=120,
    measure=share_of_right_answers("digits", side=SIDE),
    threshold=0.9,
    options={"limit": 100, "test": 0.1},
    counts=(
        ({"depth": 11}, "network", 132_863_336),
        ({"depth": 13}, "network", 133_047_848),
        ({"depth": 16}, "network", 138_357_544),
        ({"depth": 19}, "network", 143_667_240),
    ),
)


@pytest.mark.parametrize("depth", CONVOLUTIONS)
def test_layers_with_weights_are_as_many_as_the_name_says(depth: int) -> None:
    with torch.device("meta"):
        network = VGG(Config(depth=depth))
    assert sum(isinstance(layer, nn.Conv2d | nn.Linear) for layer in network.modules()) == depth
    assert network(torch.zeros(1, 3, 224, 224, device="meta")).shape == (1, 1000)
    assert network.features(torch.zeros(1, 3, 224, 224, device="meta")).shape == (1, 512, 7, 7)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("size", "side"), [(8, 2), (17, 2), (32, 2), (96, 3), (160, 5)])
def test_other_images(size: int, side: int, channels: int) -> None:
    with torch.device("meta"):
        network = VGG(Config(in_channels=channels, image_size=size, num_classes=7))
        assert network.features(torch.zeros(2, channels, size, size)).shape == (2, 512, side, side)
        assert network(torch.zeros(2, channels, size, size)).shape == (2, 7)
