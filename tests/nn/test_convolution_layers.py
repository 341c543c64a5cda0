"""Convolutions against scipy in both conventions, torch's layers and loops written from the equations."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal
from torch import Tensor, nn

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.nn import (
    Convolution1d,
    Convolution2d,
    LocallyConnected1d,
    LocallyConnected2d,
    MaxoutConvolution2d,
    SeparableConvolution2d,
    TiledConvolution2d,
    output_size,
    same_padding,
    transposed_size,
)

DOUBLE = {"dtype": torch.float64}


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), **DOUBLE)


def filled(layer: nn.Module) -> nn.Module:
    """Return a layer in double precision with weights that a test can repeat."""
    layer = layer.double()
    for number, weight in enumerate(layer.parameters()):
        weight.data.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(number), **DOUBLE))
    return layer


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("side", [1, 3, 5])
def test_both_conventions_are_those_of_scipy(padding: str, side: int) -> None:
    series, kernel = drawn(11).numpy(), drawn(side).numpy()
    picture, mask = drawn(7, 9).numpy(), drawn(side, 3).numpy()
    for flipped, one, two in (
        (False, signal.correlate, signal.correlate2d),
        (True, signal.convolve, signal.convolve2d),
    ):
        layer = Convolution1d(1, 1, side, padding=padding, bias=False, flipped=flipped).double()
        layer.weight.data[:] = torch.as_tensor(kernel)
        found = layer(torch.as_tensor(series)[None, None])[0, 0].detach().numpy()
        np.testing.assert_allclose(found, one(series, kernel, padding), atol=1e-12)
        layer = Convolution2d(1, 1, mask.shape, padding=padding, bias=False, flipped=flipped).double()
        layer.weight.data[:] = torch.as_tensor(mask)
        found = layer(torch.as_tensor(picture)[None, None])[0, 0].detach().numpy()
        np.testing.assert_allclose(found, two(picture, mask, padding), atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("padding", [0, 2, "valid", "same"])
def test_without_a_turn_it_is_the_layer_of_torch(padding: int | str, groups: int) -> None:
    inputs, settings = drawn(2, 4, 10, 9), {"dilation": 2, "groups": groups, "padding": padding}
    ours, theirs = Convolution2d(4, 6, (2, 3), **settings).double(), nn.Conv2d(4, 6, (2, 3), **settings).double()
    theirs.load_state_dict(ours.state_dict())
    assert torch.equal(ours(inputs), theirs(inputs))
    assert torch.equal(ours(inputs[0]), theirs(inputs[0]))  # a single sample without a batch
    ours, theirs = Convolution1d(4, 6, 3, **settings).double(), nn.Conv1d(4, 6, 3, **settings).double()
    theirs.load_state_dict(ours.state_dict())
    assert torch.equal(ours(inputs[..., 0]), theirs(inputs[..., 0]))


def by_equation(layer: nn.Module, inputs: Tensor) -> Tensor:
    """Return b + sum x w, one output after the other, of whichever kernels are at that position."""
    kernel, stride = layer.kernel_size, layer.stride
    dilation = getattr(layer, "dilation", (1, 1))
    around = [
        same_padding(*one) if layer.padding == "same" else (0, 0) if layer.padding == "valid" else (width, width)
        for *one, width in zip(inputs.shape[2:], kernel, stride, dilation, layer.padding[:2], strict=True)
    ]
    bordered = F.pad(inputs, [*around[1], *around[0]])
    sides = [(bordered.shape[2 + a] - dilation[a] * (kernel[a] - 1) - 1) // stride[a] + 1 for a in (0, 1)]
    rows = []
    for i, j in itertools.product(*map(range, sides)):
        down, across = (
            slice(at * stride[a], at * stride[a] + dilation[a] * (kernel[a] - 1) + 1, dilation[a])
            for a, at in enumerate((i, j))
        )
        weight, bias = layer.weight, layer.bias
        if weight.dim() == 6:  # of this place, or of this turn
            weight, bias = (one[i % weight.shape[0], j % weight.shape[1]] for one in (weight, bias))
        elif getattr(layer, "flipped", False):
            weight = weight.flip(2, 3)
        rows.append(torch.einsum("bckl,ockl->bo", bordered[:, :, down, across], weight) + bias)
    return torch.stack(rows, dim=-1).unflatten(-1, sides)


@pytest.mark.parametrize("padding", [0, (1, 2), "same"])
@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("sides", [(7, 8), (9, 6)])
def test_every_kind_is_its_equation_with_any_stride(padding, stride, sides) -> None:
    inputs = drawn(2, 2, *sides)
    layers = (
        Convolution2d(2, 3, (3, 2), stride, padding, dilation=2, flipped=True),
        LocallyConnected2d(2, 3, (3, 2), sides, stride, padding, dilation=(1, 2)),
        *(TiledConvolution2d(2, 3, (3, 2), tiles, stride, padding) for tiles in (1, 2, 3, (2, 5), 20)),
    )
    for layer in map(filled, layers):
        assert torch.allclose(layer(inputs), by_equation(layer, inputs)), layer


def test_one_tile_is_a_convolution_and_a_tile_each_is_locally_connected() -> None:
    inputs = drawn(2, 3, 8, 7)
    tiled, shared = filled(TiledConvolution2d(3, 4, 3, tiles=1, padding="same")), Convolution2d(3, 4, 3, padding="same")
    shared.double().load_state_dict({name: one[0, 0] for name, one in tiled.state_dict().items()})
    assert torch.allclose(tiled(inputs), shared(inputs))
    tiled = filled(TiledConvolution2d(3, 4, 3, tiles=(6, 5)))
    local = LocallyConnected2d(3, 4, 3, size=(8, 7)).double()
    local.load_state_dict(tiled.state_dict())
    assert torch.allclose(tiled(inputs), local(inputs))


def test_locally_connected_in_one_direction_is_that_in_two_with_one_row() -> None:
    for padding, stride, dilation in itertools.product((0, 1, "same"), (1, 2), (1, 2)):
        one = filled(LocallyConnected1d(2, 3, 3, 9, stride, padding, dilation))
        rows = padding if padding == "same" else (0, padding)
        two = LocallyConnected2d(2, 3, (1, 3), (1, 9), (1, stride), rows, (1, dilation)).double()
        two.weight.data[:] = one.weight[None, ..., None, :]
        two.bias.data[:] = one.bias[None]
        inputs = drawn(2, 2, 9)
        assert torch.allclose(one(inputs), two(inputs[..., None, :])[..., 0, :])


def test_a_separable_convolution_is_one_with_kernels_of_rank_one() -> None:
    layer = filled(SeparableConvolution2d(3, 4, 3, multiplier=2))
    weight = torch.einsum("om,mkl->omkl", layer.pointwise.weight[..., 0, 0], layer.depthwise.weight[:, 0])
    joined = weight.unflatten(1, (3, 2)).sum(2)  # the kernels of a channel, mixed
    inputs = drawn(2, 3, 6, 7)
    assert torch.allclose(layer(inputs), F.conv2d(inputs, joined, layer.pointwise.bias, padding="same"))


def test_maxout_is_the_largest_of_its_pieces() -> None:
    layer = filled(MaxoutConvolution2d(2, 3, 3, pieces=4))
    inputs, weight, bias = drawn(2, 2, 6, 6), layer.convolution.weight, layer.convolution.bias
    pieces = [F.conv2d(inputs, weight[piece::4], bias[piece::4]) for piece in range(4)]
    torch.testing.assert_close(layer(inputs), torch.stack(pieces).amax(0))


@given(
    size=st.integers(1, 12), kernel=st.integers(1, 5), stride=st.integers(1, 4), dilation=st.integers(1, 3),
    padding=st.integers(0, 3), data=st.data(),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_sizes_are_those_of_torch_and_transposing_goes_back(size, kernel, stride, dilation, padding, data) -> None:
    beside = data.draw(st.integers(0, max(stride, dilation) - 1))
    inputs, weight = torch.zeros(1, 1, size, device="meta"), torch.zeros(1, 1, kernel, device="meta")
    arguments = kernel, stride, padding, beside, dilation
    try:
        theirs = F.conv_transpose1d(inputs, weight, None, stride, padding, beside, 1, dilation).shape[-1]
    except RuntimeError:
        theirs = 0
    if theirs < 1:
        with pytest.raises(ShapeError, match="cuts all"):
            transposed_size(size, *arguments)
        return
    found = transposed_size(size, *arguments)
    assert found == theirs
    if beside < stride:
        assert output_size(found, kernel, stride, padding, dilation) == size
    assert output_size(size, kernel, stride, "same", dilation) == -(-size // stride)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_other_borders_are_those_of_torch(mode: str) -> None:
    ours = Convolution2d(2, 2, 3, padding=1, padding_mode=mode, bias=False).double()
    theirs = nn.Conv2d(2, 2, 3, padding=1, padding_mode=mode, bias=False).double()
    theirs.load_state_dict(ours.state_dict())
    assert torch.equal(ours(drawn(1, 2, 5, 6)), theirs(drawn(1, 2, 5, 6)))


def test_what_cannot_be_is_refused_in_words() -> None:
    for padding in ("full", -1, (0, -2)):
        with pytest.raises(ConfigurationError, match="no padding"):
            Convolution2d(1, 1, 3, padding=padding)
    with pytest.raises(ConfigurationError, match="at least 1 tile"):
        TiledConvolution2d(1, 1, 3, tiles=0)
    with pytest.raises(ShapeError, match="one size only"):
        LocallyConnected2d(1, 1, 3, size=8)(torch.zeros(1, 1, 9, 9))
    with pytest.raises(ShapeError, match="smaller than the window"):
        TiledConvolution2d(1, 1, 5)(torch.zeros(1, 1, 4, 9))
