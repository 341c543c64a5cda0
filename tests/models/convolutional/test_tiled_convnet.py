"""Shared, tiled and local kernels: how many there are, which places have the same, what sharing is worth."""

import pytest
import torch
from torch import Tensor

from ganglion.models.convolutional.tiled_convnet import Config, TiledConvNet, build
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

SIDE = 16
ROW = Row(
    loader=labelled("digits", batch_size=20, side=SIDE),
    steps=60,
    measure=share_of_right_answers("digits", side=SIDE),
    threshold=0.9,
    options={"limit": 100, "test": 0.1},
    counts=(
        ({"sharing": "shared"}, "network", (25 + 1) * 16 + (16 * 25 + 1) * 32 + 5130),
        ({"sharing": "tiled"}, "network", 4 * ((25 + 1) * 16 + (16 * 25 + 1) * 32) + 5130),
        ({"sharing": "local"}, "network", 24**2 * (25 + 1) * 16 + 8**2 * (16 * 25 + 1) * 32 + 5130),
    ),
)


def random_images(count: int) -> Tensor:
    return torch.rand(count, 1, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("tiles", "sharing"), [(1, "shared"), (12, "local")])
def test_tiles_range_from_all_to_nothing_shared(tiles: int, sharing: str) -> None:
    tiled = TiledConvNet(Config(image_size=16, channels=(2, 3), tiles=tiles))
    other = TiledConvNet(Config(image_size=16, channels=(2, 3), sharing=sharing))
    for mine, theirs in ((tiled.layer1, other.layer1), (tiled.layer2, other.layer2)):
        places = theirs.weight.shape[:2] if sharing == "local" else (1, 1)  # the second layer has fewer than tiles
        theirs.weight.data = mine.weight.data[: places[0], : places[1]].reshape(theirs.weight.shape).clone()
        theirs.bias.data = mine.bias.data[: places[0], : places[1]].reshape(theirs.bias.shape).clone()
    other.output.load_state_dict(tiled.output.state_dict())
    torch.testing.assert_close(tiled(random_images(3)), other(random_images(3)))


@pytest.mark.parametrize(("step", "same"), [(1, False), (2, True)])
def test_places_two_tiles_apart_have_the_same_kernels(step: int, same: bool) -> None:
    layer = TiledConvNet(Config(image_size=16)).layer1
    images = random_images(1)
    moved = torch.roll(images, step, 3)
    assert torch.allclose(layer(images)[..., :-step], layer(moved)[..., step:], atol=1e-6) == same


@pytest.mark.parametrize("sharing", ["shared", "tiled", "local"])
@pytest.mark.parametrize(("size", "channels"), [(16, 3), (17, 1), (33, 3)])
def test_other_images(size: int, channels: int, sharing: str) -> None:
    with torch.device("meta"):
        network = TiledConvNet(Config(in_channels=channels, image_size=size, num_classes=7, sharing=sharing))
        assert network(torch.zeros(2, channels, size, size)).shape == (2, 7)


def bars(places: Tensor, lying: Tensor) -> Tensor:
    """Return images `(images, 1, 16, 16)` of a bar of five pixels at a row and column each, lying or standing."""
    images = torch.zeros(len(places), 1, 16, 16)
    for image, (row, column), flat in zip(images, places.tolist(), lying.tolist(), strict=True):
        image[0, row : row + (1 if flat else 5), column : column + (5 if flat else 1)] = 1
    return images


def score(sharing: str) -> float:
    """Train on bars in the upper left quarter, and return the share of right answers in the lower right one."""
    torch.manual_seed(0)
    rule = build(
        Config(image_size=16, num_classes=2, channels=(4, 8), sharing=sharing, descent=Descent(learning_rate=1e-2))
    )
    lying = torch.arange(120) % 2
    images = bars(torch.randint(0, 4, (120, 2)), lying)
    for _ in range(15):
        for places in torch.randperm(120).split(20):
            rule.step({"inputs": images[places], "targets": lying[places]})
    elsewhere = bars(torch.randint(7, 11, (120, 2)), lying)
    # What a layer finds is compared, not where: the logits look at places.
    maps = [rule.home.eval().layer1(some).relu().amax((2, 3)) for some in (images, elsewhere)]
    weights = torch.linalg.lstsq(torch.cat([maps[0], torch.ones(120, 1)], 1), lying[:, None].float()).solution
    guesses = torch.cat([maps[1], torch.ones(120, 1)], 1) @ weights - 0.5
    return float(accuracy(guesses, lying))


def test_only_shared_kernels_know_elsewhere_what_was_learnt_at_one_place() -> None:
    assert score("shared") == 1.0
    assert score("local") < 0.8
