"""Convolutions that see no future, the reach that the formula gives, and the published count."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.convolutional.series_convnet import (
    TINY,
    CausalConvolution,
    Config,
    SeriesConvNet,
    TemporalBlock,
    build,
)
from tests.contract.rows import Row
from tests.models.recurrent.test_lstm_forecaster import sine_windows, skill_over_the_last_value

ROW = Row(
    loader=lambda: InMemoryLoader(sine_windows(), batch_size=32, seed=0),
    steps=120,
    measure=skill_over_the_last_value,
    threshold=0.7,
    counts=(({"num_classes": 10}, "network", 66_910), ({}, "network", 66_676)),
    data="sine",
)


def test_counts_by_hand() -> None:
    """A block has two convolutions whose kernels have a length and a bias each; the first a way past it, too."""
    first = (1 * 7 + 2) * 25 + (25 * 7 + 2) * 25 + 2 * 25
    assert first + 7 * 2 * (25 * 7 + 2) * 25 + 26 * 10 == 66_910


def test_a_causal_convolution_is_that_of_torch_on_what_came_before() -> None:
    layer = CausalConvolution(3, 5, kernel_size=4, dilation=3)
    inputs = torch.randn(2, 3, 20)
    padded = functional.conv1d(inputs, layer.layer.weight, layer.layer.bias, padding=9, dilation=3)
    torch.testing.assert_close(layer(inputs), padded[..., :20])
    t, (w, b) = 14, (layer.layer.weight, layer.layer.bias)
    by_hand = b + sum(w[:, :, 3 - k] @ inputs[0, :, t - 3 * k] for k in range(4))
    torch.testing.assert_close(layer(inputs)[0, :, t], by_hand)


def test_normalised_weights_are_length_times_direction() -> None:
    layer = CausalConvolution(3, 5, kernel_size=4, weight_normalisation=True).layer
    length, direction = layer.parametrizations.weight.original0, layer.parametrizations.weight.original1
    with torch.no_grad():
        length.copy_(torch.arange(1.0, 6.0).reshape(5, 1, 1))
    torch.testing.assert_close(layer.weight.flatten(1).norm(dim=1), torch.arange(1.0, 6.0))
    torch.testing.assert_close(
        functional.normalize(direction.flatten(1)), functional.normalize(layer.weight.flatten(1))
    )


def test_a_block_is_its_equation() -> None:
    block = TemporalBlock(3, 8, kernel_size=3, dilation=2, dropout=0.5).eval()
    inputs = torch.randn(2, 3, 12)
    hidden = block.convolution2(block.convolution1(inputs).clamp(min=0)).clamp(min=0)
    torch.testing.assert_close(block(inputs), (block.past(inputs) + hidden).clamp(min=0))
    assert isinstance(TemporalBlock(8, 8, 3, 1).past, nn.Identity)


def test_no_step_sees_a_later_one() -> None:
    blocks = SeriesConvNet(replace(TINY, num_blocks=3)).double().eval().blocks
    inputs = torch.randn(1, 1, 40, dtype=torch.float64)
    changed = inputs.clone()
    changed[..., 25:] += 10
    before, after = blocks(inputs), blocks(changed)
    assert torch.equal(before[..., :25], after[..., :25]) and not torch.equal(before[..., 25], after[..., 25])


@pytest.mark.parametrize(("kernel_size", "num_blocks"), [(2, 3), (3, 3), (5, 2)])
def test_the_last_step_sees_as_far_as_the_formula_says(kernel_size: int, num_blocks: int) -> None:
    config = Config(kernel_size=kernel_size, num_blocks=num_blocks, window=60, relative=False, dropout=0.0)
    network = SeriesConvNet(config).double()
    for name, parameter in network.named_parameters():  # nothing is rectified away, and no path cancels another
        nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 1.0)
    inputs = torch.ones(1, 60, 1, dtype=torch.float64, requires_grad=True)
    network(inputs).sum().backward()
    assert inputs.grad is not None
    assert int((inputs.grad != 0).sum()) == network.receptive_field
    assert (inputs.grad[0, -network.receptive_field :] != 0).all()


def test_dropout_takes_whole_channels() -> None:
    block = TemporalBlock(4, 64, kernel_size=3, dilation=1, dropout=0.5)
    with torch.no_grad():
        block.convolution2.layer.bias.fill_(100.0)  # what is zero now was dropped
        block.past.weight.zero_(), block.past.bias.zero_()
    answers = block(torch.randn(3, 4, 10))
    dropped = answers == 0
    assert torch.equal(dropped.any(-1), dropped.all(-1)) and 40 < int(dropped.all(-1).sum()) < 152


def test_relative_forecasts_move_with_the_level() -> None:
    windows = torch.randn(3, TINY.window, 1)
    for relative in (True, False):
        network = build(replace(TINY, relative=relative)).home.eval()
        moved = network(windows + 100) - network(windows)
        assert torch.allclose(moved, torch.tensor(100.0), atol=1e-3) is relative
    with pytest.raises(ConfigurationError, match="every column"):
        build(replace(TINY, in_features=3))


def test_several_steps_and_levels_have_axes_of_their_own() -> None:
    config = replace(TINY, in_features=3, out_features=3, horizon=4, quantiles=(0.25, 0.5))
    assert build(config).home(torch.randn(2, TINY.window, 3)).shape == (2, 4, 3, 2)


@pytest.mark.parametrize("readout", ["last", "mean"])
def test_classes_are_read_from_the_last_step_or_from_all(readout: str) -> None:
    network = SeriesConvNet(replace(TINY, num_classes=3, readout=readout)).eval()
    windows = torch.randn(2, 16, 1)
    hidden = network.blocks(windows.transpose(1, 2))
    torch.testing.assert_close(
        network(windows), network.output(hidden[..., -1] if readout == "last" else hidden.mean(-1))
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 0},
        {"num_blocks": 0},
        {"num_blocks": 21},
        {"kernel_size": 1},
        {"num_classes": 1},
        {"quantiles": (0.1, 0.9)},
    ],
)
def test_refuses_impossible_configurations(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Config(**wrong)  # type: ignore[arg-type]
