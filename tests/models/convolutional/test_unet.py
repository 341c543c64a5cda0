"""U-Net: the published count and sizes, any picture through mirrored borders, and cells told from their background."""

from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor

from ganglion.core import LearningRule, Segmenter
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError, ShapeError
from ganglion.models.convolutional.unet import Config, UNet, build
from tests.contract.rows import Row


@cache
def cells() -> tuple[Tensor, Tensor]:
    """Pictures (24, 1, 32, 32) and masks (24, 32, 32)."""
    data = generate("cells", count=24)
    images = torch.from_numpy(np.asarray(data.inputs)).movedim(3, 1).float() / 255
    masks = torch.from_numpy(np.asarray(data.fields["masks"].values)).long()
    return images[:, :, 16:48, 16:48], masks[:, 16:48, 16:48]


@torch.no_grad()
def share_of_right_pixels(rule: LearningRule) -> float:
    """The mean over the two classes of how many of their pixels are found, in pictures that were not learnt from."""
    images, masks = (part[16:] for part in cells())
    said = rule.home(images).argmax(1)
    return float(torch.stack([(said[masks == number] == number).float().mean() for number in (0, 1)]).mean())


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": cells()[0][:16], "targets": cells()[1][:16]}, batch_size=4, seed=0),
    steps=60,
    measure=share_of_right_pixels,
    threshold=0.65,
    counts=(
        ({}, "network", 31_030_658),
        ({"num_classes": 3, "in_channels": 3}, "network", 31_031_875),
    ),
    options={"batch_size": 8, "limit": 16},
    data="cells",
)


def test_published_sizes() -> None:
    with torch.device("meta"):
        network = UNet(Config())
        shapes: list[tuple[int, ...]] = []
        for layer in (*network.contracting, *network.expanding):
            layer.register_forward_hook(lambda layer, inputs, output: shapes.append(tuple(output.shape[1:])))
        assert network(torch.zeros(1, 1, 572, 572)).shape == (1, 2, 388, 388)
    downwards = [(64, 568, 568), (128, 280, 280), (256, 136, 136), (512, 64, 64), (1024, 28, 28)]
    assert shapes == [*downwards, (512, 52, 52), (256, 100, 100), (128, 196, 196), (64, 388, 388)]
    assert network.margin == 92 and Config().side_for(388) == 572


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_windows_are_the_smallest_that_give_such_an_answer(padding: str, depth: int) -> None:
    config = Config(padding=padding, depth=depth)
    with torch.device("meta"):
        network = UNet(Config(padding=padding, depth=depth, width=1))
        for side in (1, 5, 16, 31):
            window = config.side_for(side)
            answer = network(torch.zeros(1, 1, window, window)).shape[2]
            assert window - answer == 2 * config.margin
            assert answer >= side
            smaller = window - (1 << depth)
            assert smaller - 2 * config.margin < max(1, side)


def test_windows_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="such as 556 or 572"):
        Config(image_size=570)
    with pytest.raises(ConfigurationError, match="such as 240 or 256"):
        Config(image_size=250, padding="same")
    with pytest.raises(ShapeError, match=r"\(batch, 1, 572, 572\)"):
        UNet(Config(width=1))(torch.zeros(1, 1, 570, 570))
    with pytest.raises(ShapeError, match=r"\(batch, 1, 16, 32\)"):
        UNet(Config(width=1, padding="same"))(torch.zeros(1, 3, 16, 32))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_pictures_of_any_size_are_answered_at_every_pixel(padding: str) -> None:
    network = UNet(Config(width=2, depth=2, padding=padding)).eval()
    assert isinstance(network, Segmenter)
    for size in ((1, 1), (3, 50), (37, 20)):
        assert network.at_every_pixel(torch.rand(1, 1, *size)).shape == (1, 2, *size)


def test_without_padding_the_middle_knows_nothing_of_mirrors() -> None:
    """What is answered for the middle of a picture is what the network answers where it needs no reflection."""
    torch.manual_seed(0)
    network = UNet(Config(width=2, depth=2)).eval()
    window = Config(depth=2).side_for(20)
    image = torch.rand(1, 1, window, window)
    margin = network.margin
    everywhere = network.at_every_pixel(image)[..., margin:-margin, margin:-margin]
    torch.testing.assert_close(everywhere, network(image))


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_nothing_beyond_its_reach_matters(padding: str) -> None:
    torch.manual_seed(0)
    network = UNet(Config(width=3, depth=2, padding=padding)).eval()
    side = Config(depth=2, padding=padding).side_for(96)
    image = torch.rand(1, 1, side, side, requires_grad=True)
    answer = network(image)
    place = answer.shape[2] // 2 + 1
    answer[0, :, place, place].sum().backward()
    assert image.grad is not None
    touched = torch.nonzero(image.grad[0, 0].abs().sum(0)).flatten() - (place + network.margin)
    assert network.reach // 2 < int(touched.abs().max()) <= network.reach


def test_weights_begin_with_the_deviation_that_keeps_maps_alive() -> None:
    network = UNet(Config(width=32, depth=2))
    layer = network.contracting[1][2]
    assert float(layer.weight.detach().std()) == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)


def test_dropout_falls_at_the_end_of_the_contracting_path() -> None:
    torch.manual_seed(0)
    network = build(Config(width=8, depth=1, padding="same", dropout=0.5)).home.train()
    one, other = (network(torch.ones(1, 1, 16, 16)) for _ in range(2))
    assert not torch.equal(one, other)
    assert torch.equal(network.eval()(torch.ones(1, 1, 16, 16)), network(torch.ones(1, 1, 16, 16)))
