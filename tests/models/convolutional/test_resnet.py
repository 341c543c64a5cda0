"""Residual networks: published counts and shapes, the equations of a block, small images, and learning."""

import pytest
import torch
import torch.nn.functional as F

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.models.convolutional.resnet import Config, ResNet
from ganglion.nn.convolution import fitting_strides
from ganglion.nn.convolution.residual import Block, PaddedShortcut
from ganglion.settings import from_dict
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

SIDE = 8
CIFAR = {"image_size": 32, "num_classes": 10}
ROW = Row(
    loader=labelled("digits", batch_size=20, side=SIDE),
    steps=40,
    measure=share_of_right_answers("digits", side=SIDE),
    threshold=0.9,
    options={"limit": 100, "test": 0.1},
    counts=(
        ({"depth": 18}, "network", 11_689_512),
        ({"depth": 34}, "network", 21_797_672),
        ({"depth": 50}, "network", 25_557_032),
        ({"depth": 101}, "network", 44_549_160),
        ({"depth": 152}, "network", 60_192_808),
        ({"depth": 20, **CIFAR}, "network", 269_722),
        ({"depth": 32, **CIFAR}, "network", 464_154),
        ({"depth": 44, **CIFAR}, "network", 658_586),
        ({"depth": 56, **CIFAR}, "network", 853_018),
        ({"depth": 110, **CIFAR}, "network", 1_727_962),
        ({"depth": 20, "shortcut": "B", **CIFAR}, "network", 272_474),
    ),
)


@pytest.mark.parametrize(
    ("config", "sides"),
    [
        (Config(depth=50), (112, 56, 56, 28, 14, 7)),
        (Config(depth=18, image_size=32), (32, 32, 32, 16, 8, 4)),
        (Config(depth=18, image_size=64), (64, 32, 32, 16, 8, 4)),
        (Config(depth=20, image_size=32), (32, 32, 32, 16, 8)),
        (Config(depth=20, image_size=8), (8, 8, 8, 4, 2)),
    ],
)
def test_sides_of_maps(config: Config, sides: tuple[int, ...]) -> None:
    found: list[int] = []
    with torch.device("meta"):
        network = ResNet(config)
        for layer in (network.stem, network.pool, *network.stages):
            layer.register_forward_hook(lambda layer, inputs, output: found.append(output.shape[-1]))
        network(torch.zeros(1, config.in_channels, config.image_size, config.image_size))
    assert tuple(found) == sides


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 17, 96])
@pytest.mark.parametrize("depth", [20, 50])
def test_other_images(depth: int, size: int, channels: int) -> None:
    with torch.device("meta"):
        network = ResNet(Config(depth=depth, in_channels=channels, image_size=size, num_classes=7))
        assert network(torch.zeros(2, channels, size, size)).shape == (2, 7)


def test_wrong_images_are_refused() -> None:
    with torch.device("meta"), pytest.raises(ShapeError, match=r"\(batch, 3, 224, 224\)"):
        ResNet(Config(depth=18))(torch.zeros(1, 1, 32, 32))


def test_another_depth_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="depth"):
        from_dict(Config, {"depth": 19})


def test_a_block_is_its_equation() -> None:
    torch.manual_seed(0)
    block = Block(4, 6, 2, bottleneck=False, projection=True).eval()
    inputs = torch.randn(2, 4, 7, 7)

    def normalised(maps: torch.Tensor, part: torch.nn.Module) -> torch.Tensor:
        norm = part.normalisation
        return F.batch_norm(maps, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)

    first, second = block.residual
    inner = normalised(F.conv2d(inputs, first.convolution.weight, stride=2, padding=1), first).relu()
    inner = normalised(F.conv2d(inner, second.convolution.weight, padding=1), second)
    beside = normalised(F.conv2d(inputs, block.shortcut.convolution.weight, stride=2), block.shortcut)
    torch.testing.assert_close(block(inputs), (inner + beside).relu())


def test_a_block_of_zeros_hands_on_what_it_was_given() -> None:
    block = Block(4, 4, 1, bottleneck=False, projection=False).eval()
    for weight in block.parameters():
        torch.nn.init.zeros_(weight)
    inputs = torch.rand(2, 4, 5, 5)
    assert torch.equal(block(inputs), inputs)


@pytest.mark.parametrize("side", [8, 7])
def test_the_shortcut_without_weights(side: int) -> None:
    inputs = torch.randn(2, 4, side, side)
    found = PaddedShortcut(channels=4, stride=2)(inputs)
    assert torch.equal(found[:, 2:6], inputs[:, :, ::2, ::2]) and not found[:, :2].any() and not found[:, 6:].any()


def test_strides_become_one_from_the_front() -> None:
    assert fitting_strides(40, (2, 2, 2), least=5) == (2, 2, 2)
    assert fitting_strides(39, (2, 2, 2), least=5) == (1, 2, 2)
    assert fitting_strides(3, (2, 2, 2), least=5) == (1, 1, 1)
