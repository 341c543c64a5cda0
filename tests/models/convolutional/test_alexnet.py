"""AlexNet: the published table of layers, towers that see their own maps only, small images, and learning."""

import pytest
import torch
from torch import nn

from ganglion.errors import ConfigurationError
from ganglion.models.convolutional.alexnet import AlexNet, Config
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

SIDE = 8
ROW = Row(
    loader=labelled("digits", batch_size=20, side=SIDE),
    steps=100,
    measure=share_of_right_answers("digits", side=SIDE),
    threshold=0.9,
    options={"limit": 100, "test": 0.1},
    counts=(
        ({}, "network", 60_965_224),
        ({"towers": 1}, "network", 62_378_344),
        ({"variant": "2014"}, "network", 61_100_840),
    ),
)
COUNTS = [34_944, 307_456, 885_120, 663_936, 442_624, 37_752_832, 16_781_312, 4_097_000]
SHAPES = [(96, 55, 55), (256, 27, 27), (384, 13, 13), (384, 13, 13), (256, 13, 13), (4096,), (4096,), (1000,)]


def test_published_layers() -> None:
    shapes: list[tuple[int, ...]] = []
    with torch.device("meta"):
        network = AlexNet(Config())
        layers = [layer for layer in network.children() if isinstance(layer, nn.Conv2d | nn.Linear)]
        for layer in layers:
            layer.register_forward_hook(lambda layer, inputs, output: shapes.append(tuple(output.shape[1:])))
        network(torch.zeros(1, 3, 224, 224))
    assert shapes == SHAPES
    assert [sum(parameter.numel() for parameter in layer.parameters()) for layer in layers] == COUNTS


def test_towers_meet_in_the_third_convolution_only() -> None:
    network = AlexNet(Config(image_size=8, in_channels=1, channels=(4, 8, 8, 8, 8), hidden_features=4))
    for name, meets in (("convolution2", False), ("convolution3", True), ("convolution4", False)):
        layer = getattr(network, name)
        maps = torch.rand(1, layer.in_channels, 5, 5, requires_grad=True)
        layer(maps)[:, : layer.out_channels // 2].sum().backward()
        assert bool(maps.grad[:, layer.in_channels // 2 :].any()) == meets, name


def test_published_initial_weights() -> None:
    torch.manual_seed(0)
    network = AlexNet(Config(image_size=32, hidden_features=256))
    assert abs(network.convolution3.weight.std() - 0.01) < 1e-4
    biases = {name: layer.bias.unique().item() for name, layer in network.named_children() if hasattr(layer, "bias")}
    ones = {"convolution2", "convolution4", "convolution5", "hidden1", "hidden2"}
    assert biases == {name: float(name in ones) for name in biases} and len(biases) == 8


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 17, 32, 96, 128])
def test_other_images(size: int, channels: int) -> None:
    with torch.device("meta"):
        network = AlexNet(Config(in_channels=channels, image_size=size, num_classes=7))
        assert network(torch.zeros(2, channels, size, size)).shape == (2, 7)


@pytest.mark.parametrize("channels", [(4, 8), (4, 8, 7, 8, 8)])
def test_channels_that_make_no_towers_are_refused(channels: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match="five"):
        Config(channels=channels)
