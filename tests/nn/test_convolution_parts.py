"""Pooling, response normalisation, blocks and filters, and what each of the convolutional layers must be able to."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.nn import (
    FILTERS,
    Convolution1d,
    Convolution2d,
    ConvolutionBlock,
    FilterBank,
    L2Pooling1d,
    L2Pooling2d,
    LocallyConnected1d,
    LocallyConnected2d,
    LocalResponseNormalisation,
    MaxoutConvolution2d,
    Parallel,
    SeparableConvolution2d,
    TiledConvolution2d,
    pooling,
)

maps = torch.randn(2, 4, 9, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
series = maps[..., 0]

LAYERS = {
    "convolution of series": (lambda: Convolution1d(4, 3, 3, 2, "same", flipped=True), series),
    "convolution": (lambda: Convolution2d(4, 3, 3, 2, "same", dilation=2, flipped=True), maps),
    "separable": (lambda: SeparableConvolution2d(4, 3, 3), maps),
    "maxout": (lambda: MaxoutConvolution2d(4, 3, 3), maps),
    "tiled": (lambda: TiledConvolution2d(4, 3, 3, padding="same"), maps),
    "local in series": (lambda: LocallyConnected1d(4, 3, 3, size=9), series),
    "local": (lambda: LocallyConnected2d(4, 3, 3, size=(9, 8)), maps),
    "l2 in series": (lambda: L2Pooling1d(2), series),
    "l2": (lambda: L2Pooling2d(3, 2, 1), maps),
    "response": (lambda: LocalResponseNormalisation(3, alpha=0.5), maps),
    "block": (lambda: ConvolutionBlock(4, 3, 3, detector="tanh", pool="l2"), maps),
    "maxout block": (lambda: ConvolutionBlock(4, 3, 3, detector="maxout", pool="average"), maps),
    "parallel": (lambda: Parallel(nn.Conv2d(4, 2, 1), Convolution2d(4, 3, 3, padding="same")), maps),
    "filters": (lambda: FilterBank(list(FILTERS), channels=4, learnable=True), maps),
}
cases = pytest.mark.parametrize(("make", "inputs"), LAYERS.values(), ids=LAYERS)


@cases
def test_gradients_are_those_of_finite_differences_once_and_twice(make, inputs) -> None:
    layer = make().double()
    given = inputs[:1, :, :5].clone() if not isinstance(layer, LocallyConnected1d | LocallyConnected2d) else inputs[:1]
    names = [name for name, _ in layer.named_parameters()]

    def called(x: Tensor, *weights: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), x).square()

    arguments = (given.clone().requires_grad_(), *(one.detach().clone().requires_grad_() for one in layer.parameters()))
    assert torch.autograd.gradcheck(called, arguments, fast_mode=True)
    assert torch.autograd.gradgradcheck(called, arguments, fast_mode=True)


@cases
def test_without_memory_in_half_precision_and_read_again(make, inputs) -> None:
    torch.manual_seed(0)
    layer, given = make(), inputs.float()
    outputs = layer(given)
    assert copy.deepcopy(layer).to("meta")(given.to("meta")).shape == outputs.shape
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.allclose(layer(given).float(), outputs, atol=0.05 * outputs.abs().max().item())
    again = make()
    again.load_state_dict(layer.state_dict())
    assert torch.equal(again(given), outputs)


@cases
def test_it_can_be_exported(make, inputs) -> None:
    layer, given = make(), inputs.float()
    exported = torch.export.export(layer, (given,), strict=False).module()
    assert torch.allclose(exported(given), layer(given), atol=1e-6)


@pytest.mark.parametrize(
    ("window", "stride", "padding", "ceil"), [(2, None, 0, False), (3, 2, 1, False), (3, 2, 0, True)]
)
def test_pooling_is_what_its_name_says(window, stride, padding, ceil) -> None:
    arguments = window, stride, padding
    layers = {name: pooling(name, *arguments, ceil_mode=ceil) for name in ("max", "average", "l2")}
    assert torch.equal(layers["max"](maps), F.max_pool2d(maps, *arguments, ceil_mode=ceil))
    assert torch.equal(layers["average"](maps), F.avg_pool2d(maps, *arguments, ceil_mode=ceil))
    if not padding and not ceil:  # torch's has no border, and scales partial windows
        assert torch.allclose(layers["l2"](maps), F.lp_pool2d(maps, 2, window, stride))
        assert torch.allclose(pooling("l2", *arguments, directions=1)(series), F.lp_pool1d(series, 2, window, stride))
    row = F.pad(series[:, :, None], [0, 0, window // 2, window // 2])  # rows of zeros around it change no sum
    alone = pooling("l2", *arguments, ceil_mode=ceil, directions=1)
    assert torch.allclose(alone(series), L2Pooling2d(window, stride or window, padding, ceil)(row)[:, :, 0])
    squares = F.unfold(F.pad(maps, [0, 9, 0, 9]).square(), window, padding=padding, stride=stride or window)
    rows, columns = layers["l2"](maps).shape[2:]
    whole = (maps.shape[3] + 9 + 2 * padding - window) // (stride or window) + 1
    by_hand = squares.unflatten(1, (4, -1)).sum(2).sqrt().unflatten(-1, (-1, whole))[..., :rows, :columns]
    assert torch.allclose(layers["l2"](maps), by_hand)


def test_the_slope_of_l2_pooling_is_zero_where_all_is_zero() -> None:
    for layer, inputs in ((L2Pooling2d(2), torch.zeros(1, 1, 4, 4)), (L2Pooling1d(2), torch.zeros(1, 1, 4))):
        inputs[..., -1] = 3.0
        inputs.requires_grad_()
        first = torch.autograd.grad(layer(inputs).sum(), inputs, create_graph=True)[0]
        second = torch.autograd.grad(first.sum(), inputs)[0]
        assert ((first == 0) == (inputs == 0)).all() and (first[..., -1] > 0).all() and second.isfinite().all()


def test_response_normalisation_is_the_equation_of_the_paper() -> None:
    layer, channels = LocalResponseNormalisation(5, alpha=0.3, beta=0.75, k=2.0), maps.shape[1]
    expected = torch.empty_like(maps)
    for i in range(channels):
        around = maps[:, max(0, i - 2) : min(channels - 1, i + 2) + 1]
        expected[:, i] = maps[:, i] / (2.0 + 0.3 * around.square().sum(1)) ** 0.75
    assert torch.allclose(layer(maps), expected)
    assert torch.allclose(layer(maps), F.local_response_norm(maps, 5, alpha=0.3 * 5, beta=0.75, k=2.0))
    assert not torch.allclose(layer(maps), nn.LocalResponseNorm(5, alpha=0.3, beta=0.75, k=2.0)(maps))


def test_a_block_is_its_three_stages() -> None:
    block = ConvolutionBlock(4, 6, 3, padding="same", pool="max", window=3, window_stride=2).double()
    by_hand = F.max_pool2d(F.relu(F.conv2d(maps, block.convolution.weight, block.convolution.bias, padding=1)), 3, 2)
    assert torch.equal(block(maps), by_hand)
    normalised = ConvolutionBlock(4, 6, 3, normalisation=LocalResponseNormalisation(), pool="max").double()
    convolved = F.relu(F.conv2d(maps, normalised.convolution.weight, normalised.convolution.bias))
    assert torch.equal(normalised(maps), F.max_pool2d(LocalResponseNormalisation()(convolved), 2))


def test_branches_stand_behind_one_another() -> None:
    branches = Parallel(nn.Conv2d(4, 2, 1), nn.MaxPool2d(3, 1, padding=1)).double()
    assert torch.equal(branches(maps)[:, :2], branches.branches[0](maps))
    assert torch.equal(branches(maps)[:, 2:], F.max_pool2d(maps, 3, 1, 1))
    with pytest.raises(ShapeError, match="not of one size"):
        Parallel(nn.Identity(), nn.MaxPool2d(2))(maps)
    with pytest.raises(ConfigurationError, match="at least one branch"):
        Parallel()


SCIPY = {
    "prewitt-x": lambda picture: ndimage.prewitt(picture, axis=1, mode="nearest"),
    "prewitt-y": lambda picture: ndimage.prewitt(picture, axis=0, mode="nearest"),
    "sobel-x": lambda picture: ndimage.sobel(picture, axis=1, mode="nearest"),
    "sobel-y": lambda picture: ndimage.sobel(picture, axis=0, mode="nearest"),
    "laplacian": lambda picture: ndimage.laplace(picture, mode="nearest"),
    "edge-detect": lambda picture: -ndimage.laplace(picture, mode="nearest"),
    "sharpen": lambda picture: picture - ndimage.laplace(picture, mode="nearest"),
    "strong-edge": lambda picture: 9 * (picture - ndimage.uniform_filter(picture, 3, mode="nearest")),
}


def test_filters_are_those_of_scipy_on_every_channel() -> None:
    for border, mode in (("replicate", "nearest"), ("zeros", "constant")):
        bank = FilterBank(list(FILTERS), channels=4, border=border).double()
        found = bank(maps).unflatten(1, (4, len(FILTERS)))
        for place, (name, known) in enumerate(FILTERS.items()):
            for channel in range(4):
                picture = maps[0, channel].numpy()
                expected = ndimage.correlate(picture, np.array(known.rows) * known.scale, mode=mode)
                np.testing.assert_allclose(found[0, channel, place], expected, atol=1e-6)
                if border == "replicate" and name in SCIPY:
                    np.testing.assert_allclose(found[0, channel, place], SCIPY[name](picture), atol=1e-6)


def test_filters_sum_to_nothing_or_to_one_and_turn_into_each_other() -> None:
    for name, known in FILTERS.items():
        assert known.kernel.sum().item() == pytest.approx(float(known.keeps_brightness)), name
        assert known.keeps_brightness == (name in ("sharpen", "gaussian", "emboss"))
    for name in ("prewitt", "sobel", "scharr"):
        assert torch.equal(FILTERS[f"{name}-x"].kernel.t(), FILTERS[f"{name}-y"].kernel)


def test_a_bank_learns_only_when_it_may() -> None:
    assert not list(FilterBank(["sobel-x"]).parameters()) and "weight" in FilterBank(["sobel-x"]).state_dict()
    bank = FilterBank(["sobel-x"], learnable=True).double()
    wanted = F.conv2d(F.pad(maps[:, :1], [1] * 4, "replicate"), FILTERS["scharr-x"].kernel[None, None].double())
    optimizer = torch.optim.SGD(bank.parameters(), lr=0.02, momentum=0.9)
    for _ in range(300):
        optimizer.zero_grad()
        F.mse_loss(bank(maps[:, :1]), wanted).backward()
        optimizer.step()
    assert torch.allclose(bank.weight[0, 0], FILTERS["scharr-x"].kernel.double(), atol=1e-3)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="sobel-x"):
        FilterBank(["sobel"])
    with pytest.raises(ConfigurationError, match="needs one"):
        FilterBank([])
    with pytest.raises(ConfigurationError, match="border"):
        FilterBank(["sobel-x"], border="mirror")
    with pytest.raises(ShapeError, match=r"\(batch, 3"):
        FilterBank(["sobel-x"], channels=3)(maps)
    with pytest.raises(ConfigurationError, match="pooling"):
        pooling("median", 2)
    with pytest.raises(ConfigurationError, match="odd"):
        LocalResponseNormalisation(4)
