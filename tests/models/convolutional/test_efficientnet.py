"""EfficientNet: published counts, blocks and the rule of scaling; excitation and stochastic depth; and learning."""

import pytest
import torch
import torch.nn.functional as F

from ganglion.models.convolutional.efficientnet import (
    VARIANTS,
    Block,
    Config,
    EfficientNet,
    Excitation,
    StochasticDepth,
    compound_scaling,
)
from tests.contract.rows import Row
from tests.contract.toys import labelled, share_of_right_answers

SIDE = 8
ROW = Row(
    loader=labelled("digits", batch_size=20, side=SIDE),
    steps=40,
    measure=share_of_right_answers("digits", side=SIDE),
    threshold=0.9,
    options={"limit": 60, "test": 0.1, "batch_size": 4},
    counts=(
        ({"variant": "b0"}, "network", 5_288_548),
        ({"variant": "b7"}, "network", 66_347_960),
    ),
)
COUNTS = {
    "b1": 7_794_184,
    "b2": 9_109_994,
    "b3": 12_233_232,
    "b4": 19_341_616,
    "b5": 30_389_784,
    "b6": 43_040_704,
}
BLOCKS = {"b0": 16, "b7": 55}
BUFFERS = {"b0": 42_016, "b7": 310_720}


@pytest.mark.full
@pytest.mark.parametrize("variant", COUNTS)
def test_counts_of_the_other_variants(variant: str) -> None:
    with torch.device("meta"):
        network = EfficientNet(Config(variant=variant))
    assert sum(parameter.numel() for parameter in network.parameters()) == COUNTS[variant]


@pytest.mark.parametrize("variant", ["b0", pytest.param("b7", marks=pytest.mark.full)])
def test_published_blocks_and_statistics(variant: str) -> None:
    with torch.device("meta"):
        network = EfficientNet(Config(variant=variant))
    assert sum(isinstance(part, Block) for part in network.modules()) == BLOCKS[variant]
    statistics = [value.numel() for name, value in network.named_buffers() if "running" in name]
    assert sum(statistics) == BUFFERS[variant]


def test_the_released_sizes_do_not_follow_the_rule() -> None:
    depth, width, resolution = compound_scaling(1)
    assert (depth, width, resolution) == (1.2, 1.1, 1.15)
    assert depth * width**2 * resolution**2 == pytest.approx(1.92, abs=0.005)
    released_width, released_depth, pixels, _ = VARIANTS["b7"]
    assert released_width != pytest.approx(1.1**6, abs=0.1) and pixels / 224 != pytest.approx(1.15**6, abs=0.1)
    assert released_depth == pytest.approx(1.2**6, abs=0.2)


def test_excitation_is_its_equation() -> None:
    torch.manual_seed(0)
    layer, maps = Excitation(6, 2), torch.randn(3, 6, 4, 5)
    hidden = maps.mean((2, 3)) @ layer.squeeze.weight[:, :, 0, 0].T + layer.squeeze.bias
    factors = torch.sigmoid((hidden * torch.sigmoid(hidden)) @ layer.excite.weight[:, :, 0, 0].T + layer.excite.bias)
    torch.testing.assert_close(layer(maps), maps * factors[:, :, None, None])


def test_whole_samples_are_left_out_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    layer, maps = StochasticDepth(0.25), torch.rand(4000, 2, 3, 3) + 1
    factors = (layer(maps) / maps).flatten(1)
    torch.testing.assert_close(factors.amin(1), factors.amax(1))
    kept = factors[:, 0] > 0
    torch.testing.assert_close(factors[kept], torch.full_like(factors[kept], 1 / 0.75))
    assert abs(kept.float().mean() - 0.75) < 0.03
    assert layer.eval()(maps) is maps


def test_later_blocks_are_left_out_more_often() -> None:
    with torch.device("meta"):
        network = EfficientNet(Config())
    found = [part.probability for part in network.modules() if isinstance(part, StochasticDepth)]
    assert found == pytest.approx([0.2 * number / 16 for number in range(16)])


def test_a_depthwise_convolution_looks_at_one_map() -> None:
    block = Block(4, 4, 3, 1, 6, 0.0, (1e-3, 0.1)).eval()
    maps = torch.rand(1, 24, 6, 6)
    alone = F.conv2d(maps[:, 5:6], block.look.convolution.weight[5:6], padding=1)
    torch.testing.assert_close(block.look.convolution(maps)[:, 5:6], alone)


@pytest.mark.parametrize(("size", "channels"), [(17, 1), (96, 3)])
def test_other_images(size: int, channels: int) -> None:
    with torch.device("meta"):
        network = EfficientNet(Config(in_channels=channels, image_size=size, num_classes=7))
        assert network(torch.zeros(2, channels, size, size)).shape == (2, 7)
        assert min(network.stages(network.stem(torch.zeros(2, channels, size, size))).shape[2:]) >= 4
