"""The small convolutional network: the published table of shapes and counts, other sizes, and learning."""

import pytest
import torch
from torch import nn

from ganglion.errors import ShapeError
from ganglion.models.convolutional.convnet import Config, ConvNet, build
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

ROW = Row(
    loader=labelled("digits", batch_size=20, side=18),
    steps=60,
    measure=share_of_right_answers("digits", side=18),
    threshold=0.9,
    counts=(({}, "network", 93_322),),
)


SHAPES = [(32, 26, 26), (32, 13, 13), (64, 11, 11), (64, 5, 5), (64, 3, 3), (576,), (64,), (10,)]
COUNTS = [320, 18_496, 36_928, 36_928, 650]


def test_published_shapes_and_parameters() -> None:
    network, shapes = ConvNet(Config()), []
    for layer in network.children():
        if not isinstance(layer, nn.ReLU | nn.Dropout):
            layer.register_forward_hook(lambda layer, inputs, output: shapes.append(tuple(output.shape[1:])))
    network(torch.zeros(1, 1, 28, 28))
    assert shapes == SHAPES
    counts = [sum(parameter.numel() for parameter in layer.parameters()) for layer in network.children()]
    assert [count for count in counts if count] == COUNTS
    assert sum(counts) == 93_322


def test_equals_the_textbook_order_of_rectifier_and_pooling() -> None:
    torch.manual_seed(0)
    network = ConvNet(Config()).eval()
    textbook = nn.Sequential(
        network.convolution1,
        nn.ReLU(),
        nn.MaxPool2d(2),
        network.convolution2,
        nn.ReLU(),
        nn.MaxPool2d(2),
        network.convolution3,
        nn.ReLU(),
        nn.Flatten(),
        network.dense,
        nn.ReLU(),
        network.output,
    )
    images = torch.randn(4, 1, 28, 28)
    torch.testing.assert_close(network(images), textbook(images))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [18, 19, 32, 45])
@pytest.mark.parametrize("channels", [1, 3])
def test_other_images(padding: str, size: int, channels: int) -> None:
    network = build(Config(in_channels=channels, image_size=size, num_classes=7, padding=padding)).home
    assert network(torch.zeros(2, channels, size, size)).shape == (2, 7)


def test_smallest_image() -> None:
    build(Config(image_size=Config.smallest_image))
    with pytest.raises(ShapeError, match="larger images"):
        build(Config(image_size=Config.smallest_image - 1))


def test_wrong_images_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(batch, 1, 28, 28\)"):
        ConvNet(Config())(torch.zeros(1, 3, 28, 28))


def test_learns_where_a_bar_is() -> None:
    """Vertical against horizontal bars at random places: a dense first layer has no such kernel to share."""
    torch.manual_seed(0)
    images, targets = torch.zeros(300, 1, 18, 18), torch.arange(300) % 2
    for image, target in zip(images, targets, strict=True):
        row, column = torch.randint(0, 13, (2,)).tolist()
        image[0, row : row + (5 if target else 1), column : column + (1 if target else 5)] = 1
    rule = build(Config(image_size=18, num_classes=2, channels=(8, 16, 16), descent=Descent(learning_rate=3e-3)))
    for _ in range(15):
        for places in torch.randperm(200).split(20):
            rule.step({"inputs": images[places], "targets": targets[places]})
    assert accuracy(rule.home.eval()(images[200:]), targets[200:]) > 0.95
