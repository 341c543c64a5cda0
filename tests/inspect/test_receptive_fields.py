"""Receptive fields: published ones, ones worked out by hand, and those that probing with gradients finds."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.errors import UsageError
from ganglion.inspect import receptive_fields
from ganglion.inspect.receptive.table import follow
from ganglion.nn import (
    Convolution2d,
    ConvolutionBlock,
    FilterBank,
    L2Pooling2d,
    LocallyConnected2d,
    LocalResponseNormalisation,
    MaxoutConvolution2d,
    Parallel,
    SeparableConvolution2d,
    TiledConvolution2d,
)
from tests.cli.conftest import command as command
from tests.cli.outcome import Command


def vgg16() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512 * 49, 4096))


def alexnet() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), nn.ReLU(), LocalResponseNormalisation(), nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), LocalResponseNormalisation(), nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(9216, 4096),
    )  # fmt: skip


def test_those_of_vgg_and_alexnet_are_the_published_ones() -> None:
    with torch.device("meta"):
        network, inputs = vgg16(), torch.zeros(1, 3, 224, 224)
    found = receptive_fields(network, inputs)
    by_stage = [[row.receptive_field[0] for row in found.layers if row.output.startswith(side)] for side in (
        "224x", "112x", "56x", "28x", "14x", "7x")]  # fmt: skip
    assert by_stage == [[3, 5], [6, 10, 14], [16, 24, 32, 40], [44, 60, 76, 92], [100, 132, 164, 196], [212]]
    dense = found.layers[-1]
    assert dense.step == (0, 0) and dense.first[0] <= 0 and dense.multiply_adds == 512 * 49 * 4096
    with torch.device("meta"):
        network, inputs = alexnet(), torch.zeros(1, 3, 227, 227)
    rows = [row for row in receptive_fields(network, inputs).layers if row.kind.startswith("Conv2d")]
    assert [row.receptive_field for row in rows] == [(side, side) for side in (11, 51, 99, 131, 163)]
    assert [row.step[0] for row in rows] == [4, 8, 16, 16, 16]
    assert [row.window for row in rows] == [(side, side) for side in (11, 5, 3, 3, 3)]


class Residual(nn.Module):
    """A short cut with a stride around two convolutions, and one that changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 7, 2, 3)
        self.one, self.two = nn.Conv2d(2, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1)
        self.short, self.norm = nn.Conv2d(2, 4, 1, 2), nn.BatchNorm2d(4)
        self.three = nn.Conv2d(4, 4, 3, 1, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        maps = self.stem(inputs).relu()
        maps = F.relu(self.norm(self.two(F.relu(self.one(maps)))) + self.short(maps), inplace=True)
        return maps + self.three(maps)


class UNet(nn.Module):
    """Two floors, transposed convolutions, and maps beside each other that are cropped."""

    def __init__(self, up: nn.Module) -> None:
        super().__init__()
        self.down, self.middle = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)
        self.up, self.out = up, nn.Conv2d(4, 2, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        first = self.down(inputs)
        raised = self.up(self.middle(F.avg_pool2d(first, 2)))
        border = (first.shape[-1] - raised.shape[-1]) // 2
        height, width = raised.shape[-2:]
        return self.out(torch.cat([first[..., border : border + height, border : border + width], raised], dim=1))


class Reshaped(nn.Module):
    """Places to channels and back, by views alone and by torch's own layer, with a product of matrices between."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.convolve = nn.Linear(4, 4), nn.Conv2d(1, 1, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        batch, _, height, width = inputs.shape
        blocks = inputs.view(batch, height // 2, 2, width // 2, 2).permute(0, 1, 3, 2, 4).reshape(batch, -1, 4)
        mixed = self.mix(blocks).transpose(1, 2).reshape(batch, 4, height // 2, width // 2)
        return self.convolve(F.pixel_shuffle(mixed, 2))


class Gated(nn.Module):
    """Squeeze and excitation: a mean of everything, multiplied with every place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.gate, self.last = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        maps = self.first(inputs)
        return self.last(maps * self.gate(F.adaptive_avg_pool2d(maps, 1)))


class ChannelsLast(nn.Module):
    """Layers that want channels last, as of ConvNeXt."""

    def __init__(self) -> None:
        super().__init__()
        self.deep, self.norm, self.mix = nn.Conv2d(1, 4, 5, padding=2), nn.LayerNorm(4), nn.Linear(4, 4)

    def forward(self, inputs: Tensor) -> Tensor:
        maps = self.deep(inputs).movedim(1, -1)
        return torch.chunk(self.mix(self.norm(maps) * 0 + maps).movedim(-1, 1), 2, dim=1)[1]


def interpolation(**settings: object) -> nn.Module:
    return UNet(nn.Upsample(**settings))  # type: ignore[arg-type]


NETWORKS = {
    "chain": lambda: nn.Sequential(
        nn.Conv2d(1, 2, 3, 2, 1), nn.AvgPool2d(3, 1), nn.Conv2d(2, 2, (3, 2), (1, 2), dilation=2)
    ),
    "same": lambda: nn.Sequential(
        Convolution2d(1, 2, 4, 3, "same"), Convolution2d(2, 2, 3, padding="same", flipped=True)
    ),
    "residual": Residual,
    "U-Net": lambda: UNet(nn.ConvTranspose2d(2, 2, 2, 2)),
    "U-Net, overlapping": lambda: UNet(nn.ConvTranspose2d(2, 2, 3, 2)),
    "transposed with gaps": lambda: nn.Sequential(nn.ConvTranspose2d(1, 1, 2, 3, 1), nn.Conv2d(1, 1, 2)),
    "dilated transposed": lambda: nn.Sequential(nn.Conv2d(1, 1, 3, 2), nn.ConvTranspose2d(1, 1, 3, 2, 1, dilation=3)),
    "nearest": lambda: interpolation(scale_factor=2),
    "nearest, odd": lambda: interpolation(size=(14, 15)),
    "bilinear": lambda: interpolation(scale_factor=2, mode="bilinear"),
    "bilinear, corners": lambda: interpolation(size=(16, 13), mode="bilinear", align_corners=True),
    "adaptive": lambda: nn.Sequential(nn.Conv2d(1, 1, 3), nn.AdaptiveAvgPool2d((6, 5))),
    "reshaped": Reshaped,
    "gated": Gated,
    "channels last": ChannelsLast,
    "branches": lambda: Parallel(
        nn.Conv2d(1, 1, 1), Convolution2d(1, 1, (5, 3), padding="same"), nn.AvgPool2d(3, 1, 1)
    ),
    "tiled": lambda: nn.Sequential(TiledConvolution2d(1, 2, 3, 2, 2, "same"), nn.Conv2d(2, 1, 3)),
    "locally connected": lambda: nn.Sequential(LocallyConnected2d(1, 2, 3, (24, 22), 2), nn.Conv2d(2, 1, 2)),
    "separable": lambda: nn.Sequential(SeparableConvolution2d(1, 2, 3, 2), MaxoutConvolution2d(2, 2, 3)),
    "block": lambda: nn.Sequential(ConvolutionBlock(1, 2, 3, pool="average"), L2Pooling2d(2)),
    "filters": lambda: nn.Sequential(FilterBank(["gaussian"]), nn.ReplicationPad2d(1), nn.Conv2d(1, 1, 3, 2)),
    "flipped maps": lambda: nn.Sequential(
        nn.Conv2d(1, 1, 3, 2), Applied(lambda maps: maps.flip(2, 3)), nn.Conv2d(1, 1, 2, 2)
    ),
    "space to depth": lambda: nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4, 1, 2)),
    "nearest, by a factor": lambda: interpolation(scale_factor=1.7),
    "bilinear, by a factor": lambda: interpolation(scale_factor=1.7, mode="bilinear"),
    "repeated": lambda: nn.Sequential(nn.Conv2d(1, 1, 3), Applied(lambda maps: maps.repeat_interleave(2, -1))),
    "windows of attention": lambda: nn.Sequential(nn.Conv2d(1, 1, 3), Applied(attended_in_windows)),
    "constants": lambda: nn.Sequential(
        nn.Conv2d(1, 1, 3), Applied(lambda maps: maps + torch.arange(maps.shape[-1])), nn.Conv2d(1, 1, 3)
    ),
}  # fmt: skip


class Applied(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, inputs: Tensor) -> Tensor:
        return self.function(inputs)


def attended_in_windows(maps: Tensor) -> Tensor:
    """Return maps whose places see those of their window of 2 x 2, as of Swin."""
    batch, channels, height, width = maps.shape
    blocks = maps.view(batch, channels, height // 2, 2, width // 2, 2).permute(0, 2, 4, 3, 5, 1).flatten(3, 4)
    blocks = F.scaled_dot_product_attention(blocks, blocks, blocks).unflatten(3, (2, 2))
    return blocks.permute(0, 5, 1, 3, 2, 4).reshape(maps.shape)


def shifted_by_a_copy(maps: Tensor) -> Tensor:
    moved = torch.zeros_like(maps)
    moved[:, :, 1:] = maps[:, :, :-1]
    return moved


def self_attended(maps: Tensor) -> Tensor:
    columns = maps.permute(0, 2, 3, 1)
    return ((columns @ columns.mT).softmax(-1) @ columns).permute(0, 3, 1, 2)


OVERSTATED = {
    "rolled": lambda maps: maps.roll(2, 3),
    "rolled in a row": lambda maps: maps.roll(1),
    "softmax": lambda maps: maps.softmax(3),
    "sums that run on": lambda maps: maps.cumsum(2),
    "unbound": lambda maps: torch.stack(maps.unbind(2)[1:], 2),
    "expanded": lambda maps: maps[:, :, :1].expand(-1, -1, 5, -1) * maps.amax(2, keepdim=True),
    "tiled": lambda maps: maps.repeat(1, 1, 1, 2),
    "cut across": lambda maps: maps.flatten(2)[..., :80].unflatten(2, (10, 8)),
    "chosen": lambda maps: maps[:, :, [3, 2, 1]],
    "copied": shifted_by_a_copy,
    "attended": self_attended,
    "in a new order": lambda maps: torch.cat([maps[:, :, 4:], maps[:, :, :4]], 2),
    "product with itself": lambda maps: maps * torch.dot(maps.flatten(), maps.flatten()),
    "product of rows and columns": lambda maps: torch.einsum("bch,bcw->bchw", maps.mean(3), maps.mean(2)),
}
"""What moves places about, of which more may be said to be seen than is, and never less."""


def probed(network: nn.Module, shape: tuple[int, ...], direction: int) -> list[tuple[float, float]]:
    """Return the first and last input that each row or column of the output has a slope along."""
    inputs = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    outputs = network(inputs)
    seen = []
    for position in range(outputs.shape[2 + direction]):
        part = outputs.select(2 + direction, position)
        (slope,) = torch.autograd.grad(part.sum(), inputs, retain_graph=True)
        places = slope.abs().sum([0, 1, 3 - direction]).nonzero().flatten().tolist()
        seen.append((places[0], places[-1]) if places else (math.inf, -math.inf))
    return seen


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_probing_with_gradients_finds_the_same(make) -> None:
    network = make().double().eval()
    shape = (1, 1, 48, 46) if make is Residual else (1, 1, 24, 22)
    for weight in network.parameters():
        weight.data.uniform_(0.1, 1.0)  # nothing may cancel, and no rectifier be shut
    following = follow(network, (torch.zeros(shape, dtype=torch.float64),))
    for direction, size in enumerate(shape[2:]):
        reach, _ = following.layers[""].along(direction)
        inside = 0
        for position, seen in enumerate(probed(network, shape, direction)):
            first, last = reach.at(position)
            if (first >= 0 and last < size) or first > last:
                assert (first, last) == seen, f"position {position}"
                inside += 1
            else:
                assert first <= seen[0] and last >= seen[1]
        assert inside or make is Gated


@pytest.mark.parametrize("function", OVERSTATED.values(), ids=OVERSTATED)
def test_nothing_that_is_seen_is_left_out(function: Callable[[Tensor], Tensor]) -> None:
    network, shape = nn.Sequential(nn.Conv2d(1, 1, 3), Applied(function)).double(), (1, 1, 14, 12)
    for weight in network.parameters():
        weight.data.uniform_(0.1, 1.0)
    following = follow(network, (torch.zeros(shape, dtype=torch.float64),))
    for direction in (0, 1):
        reach, size = following.layers[""].along(direction)
        for position, seen in enumerate(probed(network, shape, direction)):
            first, last = reach.at(position)
            assert first <= seen[0] and last >= seen[1], f"position {position} of {size}"


def test_words_are_seen_through_their_vectors() -> None:
    network = nn.Sequential(nn.Embedding(9, 4), Applied(lambda vectors: vectors.mT), nn.Conv1d(4, 2, 3))
    row = receptive_fields(network, torch.zeros(1, 20, dtype=torch.int64)).layers[-1]
    assert (row.receptive_field, row.step) == ((3,), (1,))


def test_neighbours_that_see_the_same_lie_less_than_a_pixel_apart() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 3), Applied(lambda maps: maps.repeat_interleave(2, -1)))
    assert receptive_fields(network, torch.zeros(1, 1, 9, 9)).layers[-1].step == (1, 0.5)


def test_windows_steps_and_gaps_are_given_in_every_direction() -> None:
    chain = nn.Sequential(nn.AvgPool2d(3), nn.Conv2d(1, 1, (3, 1), dilation=2))
    pooled, convolved = receptive_fields(chain, torch.zeros(1, 1, 24, 22)).layers
    assert (pooled.window, pooled.stride, pooled.padding, pooled.dilation) == ((3, 3), (3, 3), (0, 0), (1, 1))
    assert (convolved.window, convolved.dilation) == ((3, 1), (2, 2))


def test_an_answer_that_does_not_follow_from_the_input_has_no_row() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.convolve = nn.Parameter(torch.ones(1)), nn.Conv2d(1, 1, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            self.convolve(inputs)
            return self.weight * 2

    assert [row.name for row in receptive_fields(Constant(), torch.zeros(1, 1, 9, 9)).layers] == ["convolve"]


def test_residual_and_unet_by_hand() -> None:
    rows = {row.name: row for row in receptive_fields(Residual(), torch.zeros(1, 1, 64, 64)).layers}
    by_hand = {"stem": (7, 2), "one": (7 + 2 * 2, 4), "two": (11 + 2 * 4, 4), "short": (7, 4), "three": (19 + 2 * 4, 4)}
    assert {name: (rows[name].receptive_field[0], rows[name].step[0]) for name in by_hand} == by_hand
    assert rows["stem"].first == (-3, -3) and rows["two"].first == (-9, -9)
    rows = {
        row.name: row
        for row in receptive_fields(UNet(nn.ConvTranspose2d(2, 2, 2, 2)), torch.zeros(1, 1, 24, 24)).layers
    }
    assert (
        rows["middle"].receptive_field == (8, 8) and rows["up"].receptive_field == (8, 8) and rows["up"].step == (1, 1)
    )
    assert rows["out"].receptive_field == (10, 10)  # three neighbours see two or three of the maps below: 8 + 2


def test_series_and_films_have_one_and_three_directions() -> None:
    series = nn.Sequential(nn.Conv1d(3, 4, 5, 2), nn.MaxPool1d(2), nn.Conv1d(4, 4, 3, dilation=2))
    rows = receptive_fields(series, torch.zeros(1, 3, 50)).layers
    assert [(row.receptive_field, row.step) for row in rows] == [((5,), (2,)), ((7,), (4,)), ((7 + 2 * 2 * 4,), (4,))]
    film = nn.Sequential(nn.Conv3d(1, 1, (3, 5, 5)), nn.MaxPool3d((1, 2, 2)))
    assert receptive_fields(film, torch.zeros(1, 1, 8, 12, 12)).layers[-1].receptive_field == (3, 6, 6)


def test_it_costs_no_memory_and_leaves_no_trace() -> None:
    with torch.device("meta"):
        huge, inputs = (
            nn.Sequential(nn.Conv2d(3, 100_000, 3), nn.Conv2d(100_000, 100_000, 3)),
            torch.zeros(1, 3, 999, 999),
        )
    assert receptive_fields(huge, inputs).layers[-1].receptive_field == (5, 5)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.5)).train()
    before = {name: one.clone() for name, one in network.state_dict().items()}
    torch.manual_seed(0)
    drawn = torch.rand(3)
    torch.manual_seed(0)
    receptive_fields(network, torch.ones(1, 1, 5, 5))
    assert network.training and torch.equal(torch.rand(3), drawn)
    assert all(torch.equal(one, before[name]) for name, one in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_a_network_without_windows_is_refused() -> None:
    with pytest.raises(UsageError, match="no window"):
        receptive_fields(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), torch.zeros(1, 1, 4, 4))
    with pytest.raises(UsageError, match="no window"):
        receptive_fields(nn.Linear(16, 2), torch.zeros(1, 16))


def test_the_command_shows_systems_in_any_configuration(command: Command) -> None:
    (found,) = command("inspect", "receptive-field", "lenet5", "--json").json
    fields = {row["name"]: (row["receptive_field"], row["step"]) for row in found["layers"]}
    assert found["input"] == [32, 32] and fields["c1"] == ([5, 5], [1, 1])
    assert fields["c3"][0] == [14, 14] and fields["c5"][0] == [32, 32]
    text = command("inspect", "receptive-field", "convnet").out
    assert "receptive field" in text and all(len(line) < 140 for line in text.splitlines())
    (small,) = command("inspect", "receptive-field", "convnet", "padding=same", "--json").json
    assert small["layers"][0]["first"] == [-1, -1] and found["layers"][0]["first"] == [0, 0]
    refused = command("inspect", "receptive-field", "mlp")
    assert refused.code == 2 and "no window" in refused.err
    assert command("inspect", "receptive-field", "nothing").code in (1, 2)


def test_every_combination_of_a_chain_is_the_formula() -> None:
    for (f, g), (s, t), d in itertools.product([(3, 2), (1, 5)], [(1, 2), (2, 3)], (1, 2)):
        chain = nn.Sequential(nn.Conv1d(1, 1, f, s), nn.Conv1d(1, 1, g, t, dilation=d))
        row = receptive_fields(chain, torch.zeros(1, 1, 40)).layers[-1]
        assert (row.receptive_field, row.step) == ((f + d * (g - 1) * s,), (s * t,))
