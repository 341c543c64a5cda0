"""Compiled stages of convolution, pooling and rectifier against torch's operations in double precision."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.fast.applies import enabled, to_convolution_stages
from ganglion.fast.convolution.stage import Stage, convolution_stage, stage_reference
from ganglion.nn.stages import Stages, in_stages

pytestmark = pytest.mark.skipif(not enabled(), reason="needs numba")

HALVED = {"window": (2, 2), "window_stride": (2, 2)}


class Case(NamedTuple):
    images: tuple[int, int, int, int]
    weight: tuple[int, int, int]
    """Features, height and width of the kernel."""
    stage: Stage


CASES = {
    "grey digits": Case((17, 1, 28, 28), (32, 3, 3), Stage(**HALVED, slope=0.0)),
    "six maps": Case((16, 1, 32, 32), (6, 5, 5), Stage(**HALVED, slope=0.0)),
    "sixteen of six": Case((19, 6, 14, 14), (16, 5, 5), Stage(**HALVED)),
    "strided with border": Case((16, 1, 28, 28), (64, 4, 4), Stage((2, 2), (1, 1, 1, 1), slope=0.2)),
    "odd rows and columns": Case((3, 2, 13, 11), (33, 3, 2), Stage(**HALVED, slope=0.1)),
    "uneven everything": Case(
        (16, 3, 31, 33), (70, 7, 5), Stage((3, 2), (2, 1, 0, 3), window=(3, 2), window_stride=(3, 4), slope=0.0)
    ),
    "one pixel": Case((1, 1, 1, 1), (1, 1, 1), Stage()),
    "whole map": Case((9, 8, 5, 5), (40, 5, 5), Stage(slope=0.0)),
}
each = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def draw(case: Case, bias: bool = True) -> tuple[Tensor, Tensor, Tensor | None]:
    generator = torch.Generator().manual_seed(0)
    features, height, width = case.weight
    fan_in = case.images[1] * height * width
    weight = torch.randn(features, case.images[1], height, width, generator=generator) / fan_in**0.5
    return (
        torch.randn(case.images, generator=generator),
        weight,
        torch.randn(features, generator=generator) if bias else None,
    )


def gradients(function, tensors, stage: Stage, wanted: tuple[bool, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    leaves = [
        tensor if tensor is None else tensor.clone().requires_grad_(want)
        for tensor, want in zip(tensors, wanted, strict=True)
    ]
    maps = function(*leaves, stage)
    weights = torch.randn(maps.shape, generator=torch.Generator().manual_seed(1)).to(maps.dtype)
    return maps, torch.autograd.grad(
        maps, [leaf for leaf in leaves if leaf is not None and leaf.requires_grad], weights
    )


def assert_same(case: Case, tensors, wanted=(True, True, True)) -> None:
    assert to_convolution_stages(*tensors, case.stage)
    maps, slopes = gradients(convolution_stage, tensors, case.stage, wanted)
    double = [tensor if tensor is None else tensor.double() for tensor in tensors]
    expected_maps, expected_slopes = gradients(stage_reference, double, case.stage, wanted)
    torch.testing.assert_close(maps.double(), expected_maps, rtol=1e-5, atol=1e-5)
    for slope, expected in zip(slopes, expected_slopes, strict=True):
        scale = float(expected.abs().max().clamp(min=1))
        torch.testing.assert_close(slope.double(), expected, rtol=1e-5, atol=1e-5 * scale)


@each
@pytest.mark.parametrize("threads", [1, 2])
def test_values_and_gradients_are_torchs(case, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert_same(case, draw(case))
    finally:
        torch.set_num_threads(before)


@each
def test_without_bias_and_with_other_layouts(case):
    images, weight, _ = draw(case, bias=False)
    last = torch.channels_last
    assert_same(case, (images.contiguous(memory_format=last), weight.contiguous(memory_format=last), None))
    assert_same(case, (images.mT.contiguous().mT, weight.mT.contiguous().mT, None))


@pytest.mark.parametrize("place", range(3))
def test_any_argument_may_be_the_one_that_is_differentiated(place):
    case = CASES["sixteen of six"]
    wanted = [number == place for number in range(3)]
    assert_same(case, draw(case), tuple(wanted))


def test_of_equal_maxima_the_first_gets_the_gradient():
    images = torch.zeros(2, 1, 4, 4)
    weight = torch.ones(1, 1, 1, 1)
    for stage in (Stage(**HALVED), Stage(**HALVED, slope=0.0), Stage(**HALVED, slope=0.3)):
        _, ours = gradients(convolution_stage, (images, weight, None), stage, (True, False, False))
        _, torchs = gradients(stage_reference, (images, weight, None), stage, (True, False, False))
        assert torch.equal(ours[0], torchs[0])


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_what_is_not_finite_comes_through(slope):
    images = torch.randn(2, 1, 8, 8)
    images[0, 0, 1, 1], images[0, 0, 4, 4], images[1, 0, 7, 0], images[1, 0, 2, 2] = (
        float("nan"), float("inf"), -float("inf"), float("nan"),
    )  # fmt: skip
    stage, tensors = Stage(**HALVED, slope=slope), (images, torch.tensor([2.0, -1.0]).view(2, 1, 1, 1), torch.ones(2))
    maps, slopes = gradients(convolution_stage, tensors, stage, (True, True, True))
    expected_maps, expected_slopes = gradients(stage_reference, tensors, stage, (True, True, True))
    torch.testing.assert_close(maps, expected_maps, equal_nan=True)
    torch.testing.assert_close(slopes[0], expected_slopes[0])
    torch.testing.assert_close(slopes[2], expected_slopes[2])
    # 0 x NaN: whoever multiplies by pixels that won nothing meets more of them.
    assert (slopes[1].isnan() | ~expected_slopes[1].isnan()).all()


def test_what_comes_out_may_be_changed_in_place():
    images, weight, bias = draw(CASES["six maps"])
    weight.requires_grad_()
    found, expected = (
        torch.autograd.grad(function(images, weight, bias, Stage()).relu_().sum(), weight)[0]
        for function in (convolution_stage, stage_reference)
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-2)


def test_bits_repeat():
    case = CASES["grey digits"]
    first, second = (gradients(convolution_stage, draw(case), case.stage, (True,) * 3) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert all(torch.equal(one, other) for one, other in zip(first[1], second[1], strict=True))


def test_can_be_differentiated_twice():
    case = Case((2, 1, 5, 5), (2, 2, 2), Stage(**HALVED, slope=0.2))
    images, weight, bias = (tensor.requires_grad_() for tensor in draw(case))

    def penalty(function) -> tuple[Tensor, ...]:
        (slope,) = torch.autograd.grad(
            function(images, weight, bias, case.stage).square().sum(), images, create_graph=True
        )
        return torch.autograd.grad(slope.square().sum(), (images, weight, bias))

    for ours, theirs in zip(penalty(convolution_stage), penalty(stage_reference), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("why", "images", "weight", "stage"),
    [
        ("torch is faster", (2, 64, 8, 8), (4, 64, 3, 3), Stage()),
        ("windows overlap", (2, 1, 8, 8), (4, 1, 3, 3), Stage(window=(3, 3), window_stride=(2, 2))),
        ("channels differ", (2, 1, 8, 8), (4, 2, 3, 3), Stage()),
        ("nothing is left", (2, 1, 3, 3), (4, 1, 4, 4), Stage()),
        ("no batch", (0, 1, 8, 8), (4, 1, 3, 3), Stage()),
    ],
)
def test_others_are_torchs(why, images, weight, stage):
    assert not to_convolution_stages(torch.zeros(images), torch.zeros(weight), None, stage), why


def test_other_numbers_and_modes_are_torchs(monkeypatch):
    images, weight = torch.zeros(2, 1, 8, 8), torch.zeros(4, 1, 3, 3)
    assert to_convolution_stages(images, weight, None, Stage())
    assert not to_convolution_stages(images.double(), weight.double(), None, Stage())
    assert not to_convolution_stages(images.to("meta"), weight, None, Stage())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not to_convolution_stages(images, weight, None, Stage())
    monkeypatch.setenv("GANGLION_FAST", "0")
    assert not to_convolution_stages(images, weight, None, Stage())


# Layers in stages.


@pytest.fixture
def taken(monkeypatch) -> list[Stage]:
    """The stages that were computed at once."""
    stages: list[Stage] = []

    def watched(images, weight, bias, stage):
        stages.append(stage)
        return convolution_stage(images, weight, bias, stage)

    monkeypatch.setattr("ganglion.nn.stages.convolution_stage", watched)
    return stages


def test_layers_are_joined_in_either_order(taken):
    torch.manual_seed(0)
    layers = Stages(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 5, (5, 3), padding="same"), nn.MaxPool2d((1, 2)), nn.LeakyReLU(0.1), nn.Tanh(),
        nn.Conv2d(5, 3, 2, stride=2, padding=(1, 0)),
    )  # fmt: skip
    images = torch.randn(4, 1, 16, 17)
    torch.testing.assert_close(layers(images), nn.Sequential(*layers)(images), rtol=1e-5, atol=1e-5)
    assert taken == [
        Stage(window=(2, 2), window_stride=(2, 2), slope=0.0),
        Stage(padding=(2, 2, 1, 1), window=(1, 2), window_stride=(1, 2), slope=0.1),
        Stage((2, 2), (1, 1, 0, 0)),
    ]


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 4, 3, groups=2),
        nn.Conv2d(2, 4, 3, dilation=2),
        nn.Conv2d(2, 4, 3, padding=1, padding_mode="circular"),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 4, 3)),
    ],
)
def test_unusual_convolutions_are_called(taken, layer):
    images = torch.randn(2, 2, 9, 9)
    assert torch.equal(in_stages(images, layer, nn.ReLU()), F.relu(layer(images)))
    assert not taken


@pytest.mark.parametrize(
    "pool", [nn.MaxPool2d(2, ceil_mode=True), nn.MaxPool2d(2, padding=1), nn.MaxPool2d(2, dilation=2), nn.AvgPool2d(2)]
)
def test_unusual_poolings_are_called(taken, pool):
    images, convolution = torch.randn(2, 2, 9, 9), nn.Conv2d(2, 4, 3)
    torch.testing.assert_close(
        in_stages(images, convolution, pool, nn.ReLU()), F.relu(pool(convolution(images))), rtol=1e-5, atol=1e-5
    )
    assert taken == [Stage()]


@pytest.mark.parametrize("number", range(3))
def test_a_watched_layer_is_called(number):
    layers, seen = [nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.ReLU()], []
    handle = layers[number].register_forward_hook(lambda layer, inputs, output: seen.append(output))
    images = torch.randn(2, 1, 8, 8)
    watched = in_stages(images, *layers)
    assert len(seen) == 1
    handle.remove()
    torch.testing.assert_close(in_stages(images, *layers), watched, rtol=1e-5, atol=1e-5)
    assert len(seen) == 1


def test_wrong_images_meet_torchs_own_error():
    with pytest.raises(RuntimeError, match="channels"):
        in_stages(torch.zeros(2, 3, 8, 8), nn.Conv2d(1, 4, 3), nn.ReLU())
