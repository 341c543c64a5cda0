"""The compiled scans against their equations, torch's own layers and themselves."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganglion.errors import ShapeError
from ganglion.fast.applies import enabled, to_scans
from ganglion.fast.scans.elman import elman_reference, elman_scan
from ganglion.fast.scans.gru import gru_reference, gru_scan
from ganglion.fast.scans.lstm import lstm_layer, lstm_reference, lstm_scan

pytestmark = pytest.mark.skipif(not enabled(), reason="needs numba")


class Scan(NamedTuple):
    """A scan, its equations, and what it takes beside projected inputs, weight, state and mask."""

    fast: Callable[..., tuple[Tensor, ...]]
    reference: Callable[..., tuple[Tensor, ...]]
    gates: int
    states: tuple[str, ...] = ("hidden",)
    vectors: tuple[tuple[str, int], ...] = ()
    absent: tuple[str, ...] = ()


SCANS = {
    "lstm": Scan(lstm_scan, lstm_reference, 4, ("hidden", "cell"), absent=("peepholes",)),
    "peephole lstm": Scan(lstm_scan, lstm_reference, 4, ("hidden", "cell"), (("peepholes", 3),)),
    "gru": Scan(gru_scan, gru_reference, 3, vectors=(("recurrent_bias", 0),)),
    "gru without bias": Scan(gru_scan, gru_reference, 3, absent=("recurrent_bias",)),
    "gru of 2014": Scan(
        partial(gru_scan, reset_after=False), partial(gru_reference, reset_after=False), 3, absent=("recurrent_bias",)
    ),
    "elman": Scan(elman_scan, elman_reference, 1),
    "rectified elman": Scan(partial(elman_scan, nonlinearity="relu"), partial(elman_reference, nonlinearity="relu"), 1),
}
SHAPES = [(1, 1, 3), (4, 1, 1), (5, 17, 3), (7, 33, 40), (3, 64, 32), (2, 9, 65)]  # time, batch, hidden

each = pytest.mark.parametrize("name", SCANS)


def arguments(name: str, time: int, batch: int, width: int, *, mask: bool = True) -> dict[str, Tensor | None]:
    scan, source = SCANS[name], torch.Generator().manual_seed(time + batch + width)
    draw = partial(torch.randn, generator=source)
    vectors = {key: draw(rows, width) if rows else draw(width) for key, rows in scan.vectors}
    return {
        "projected": draw(time, batch, scan.gates * width),
        "recurrent_weight": draw(scan.gates * width, width) / width**0.5,
        **{state: draw(batch, width) for state in scan.states},
        **vectors,
        **dict.fromkeys(scan.absent),
        "mask": (draw(batch, width) > 0).float() * 2 if mask else None,
    }


def gradients(scan, values, weights, wanted: tuple[str, ...] | None = None):
    """Return the states and the gradients of their weighted sum."""
    wanted = tuple(name for name, value in values.items() if value is not None) if wanted is None else wanted
    leaves = {
        name: None if value is None else value.detach().clone().requires_grad_(name in wanted)
        for name, value in values.items()
    }
    states = scan(**leaves)
    sum((state * weight).sum() for state, weight in zip(states, weights, strict=True) if weight is not None).backward()
    return states, {name: leaves[name].grad for name in wanted}


def assert_same(name: str, values, weights, wanted: tuple[str, ...] | None = None) -> None:
    fast, fast_slopes = gradients(SCANS[name].fast, values, weights, wanted)
    double = {key: None if value is None else value.double() for key, value in values.items()}
    slow, slow_slopes = gradients(SCANS[name].reference, double, weights, wanted)
    for ours, theirs in zip(fast, slow, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)
    for key, theirs in slow_slopes.items():
        scale = float(theirs.abs().max().clamp(min=1))
        torch.testing.assert_close(fast_slopes[key].double(), theirs, rtol=1e-5, atol=1e-5 * scale, msg=key)


def some_weights(name: str, *shape: int) -> list[Tensor]:
    return list(torch.randn(len(SCANS[name].states), *shape, generator=torch.Generator().manual_seed(0)))


@each
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("mask", [True, False])
def test_values_and_gradients_are_those_of_the_equations(name, shape, mask):
    assert_same(name, arguments(name, *shape, mask=mask), some_weights(name, *shape))


@each
def test_gradients_that_arrive_at_the_last_step_alone_or_at_one_of_the_states(name):
    last = torch.zeros(5, 17, 3)
    last[-1] = torch.randn(17, 3)
    for place in range(len(SCANS[name].states)):
        weights = [last if number == place else None for number in range(len(SCANS[name].states))]
        assert_same(name, arguments(name, 5, 17, 3), weights)


@each
def test_any_argument_may_be_the_one_that_is_differentiated(name):
    values = arguments(name, 4, 10, 5)
    for wanted in (key for key, value in values.items() if value is not None):
        assert_same(name, values, some_weights(name, 4, 10, 5), (wanted,))


@each
def test_arguments_need_not_be_contiguous(name):
    values = {key: value for key, value in arguments(name, 6, 12, 8).items() if value is not None}
    skewed = {key: value.mT.contiguous().mT if value.dim() > 1 else value for key, value in values.items()}
    assert not skewed["projected"].is_contiguous() and not skewed["recurrent_weight"].is_contiguous()
    absent = dict.fromkeys(SCANS[name].absent)
    for ours, theirs in zip(SCANS[name].fast(**skewed, **absent), SCANS[name].fast(**values, **absent), strict=True):
        assert torch.equal(ours, theirs)


@each
def test_without_gradients_the_same_states(name):
    values = arguments(name, 5, 16, 8)
    with torch.no_grad():
        states = SCANS[name].fast(**values)
    leaves = dict(values, projected=values["projected"].clone().requires_grad_())
    for ours, theirs in zip(states, SCANS[name].fast(**leaves), strict=True):
        assert not ours.requires_grad and torch.equal(ours, theirs)


@each
def test_same_bits_in_every_run_and_on_every_number_of_threads(name):
    values, weights = arguments(name, 8, 50, 24), some_weights(name, 8, 50, 24)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 2, 3):
            torch.set_num_threads(threads)
            states, slopes = gradients(SCANS[name].fast, values, weights, ("projected", *SCANS[name].states))
            results.append([*states, *slopes.values()])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(other, results[0], strict=True))


@each
def test_graph_can_be_walked_twice(name):
    leaves = {key: value for key, value in arguments(name, 4, 10, 5).items() if value is not None}
    leaves = {key: value.requires_grad_() for key, value in leaves.items()}
    states = SCANS[name].fast(**leaves, **dict.fromkeys(SCANS[name].absent))
    loss = sum(state.square().sum() for state in states)
    first = torch.autograd.grad(loss, list(leaves.values()), retain_graph=True)
    second = torch.autograd.grad(loss, list(leaves.values()))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@each
@pytest.mark.parametrize("shape", [(5, 16, 8), (3, 64, 32), (4, 33, 40)])
@pytest.mark.parametrize("tiles", [True, False])
def test_sixteen_bits_in_and_out(name, shape, tiles, monkeypatch):
    if not tiles:
        monkeypatch.setattr("ganglion.fast.packed_product.has_tiles", lambda: False)
    values, weights = arguments(name, *shape), some_weights(name, *shape)
    values = {key: None if value is None else value.bfloat16() for key, value in values.items()}
    states, slopes = gradients(SCANS[name].fast, values, weights)
    double = {key: None if value is None else value.double() for key, value in values.items()}
    exact, exact_slopes = gradients(SCANS[name].reference, double, weights)
    assert states[0].dtype is torch.bfloat16 and all(slope.dtype is torch.bfloat16 for slope in slopes.values())
    for ours, theirs in zip([*states, *slopes.values()], [*exact, *exact_slopes.values()], strict=True):
        assert float((ours - theirs).detach().norm() / theirs.detach().norm()) < 0.01


@each
def test_what_the_compiled_path_cannot_do_goes_by_the_equations(name):
    values, absent = arguments(name, 3, 4, 2), dict.fromkeys(SCANS[name].absent)
    assert to_scans(*values.values())
    double = {key: value.double().requires_grad_() for key, value in values.items() if value is not None}
    assert not to_scans(*double.values())
    keys = list(double)
    scan = SCANS[name].fast
    assert torch.autograd.gradcheck(
        lambda *tensors: scan(**dict(zip(keys, tensors, strict=True)), **absent), tuple(double.values())
    )
    batched = torch.func.vmap(lambda shift: scan(**dict(values, hidden=values["hidden"] + shift))[0])(torch.ones(2))
    torch.testing.assert_close(batched[1], scan(**dict(values, hidden=values["hidden"] + 1))[0])


@each
def test_what_is_not_a_number_stays_so_and_large_sums_saturate(name):
    values = arguments(name, 3, 8, 16, mask=False)
    values["projected"] = torch.full_like(values["projected"], 30.0)
    values["projected"][1, 2] = torch.nan
    hiddens = SCANS[name].fast(**values)[0]
    assert hiddens[1:, 2].isnan().all() and hiddens[:, 3].isfinite().all()


@each
def test_arguments_that_do_not_fit_together_are_refused(name):
    values = arguments(name, 3, 8, 16)
    for key, value in values.items():
        if value is not None:
            with pytest.raises(ShapeError, match=r"fit together|needs steps"):
                SCANS[name].fast(**dict(values, **{key: value[..., :-1]}))
    with pytest.raises(ShapeError, match="needs steps"):
        SCANS[name].fast(**dict(values, projected=values["projected"][:0]))


def test_torch_says_the_same():
    inputs, state = torch.randn(9, 16, 6), torch.randn(2, 16, 20)
    for module, name in ((nn.LSTM(6, 20), "lstm"), (nn.GRU(6, 20), "gru"), (nn.RNN(6, 20), "elman")):
        bias = module.bias_hh_l0.detach().clone()
        values = {"recurrent_weight": module.weight_hh_l0, **dict(zip(SCANS[name].states, state, strict=False))}
        if name == "gru":
            values["recurrent_bias"] = bias[40:].clone()
            bias[40:] = 0
        values["projected"] = nn.functional.linear(inputs, module.weight_ih_l0, module.bias_ih_l0 + bias)
        first = (state[:1], state[1:]) if name == "lstm" else state[:1]
        outputs = module(inputs, first)[0]
        hiddens = SCANS[name].fast(**values, **dict.fromkeys(SCANS[name].absent))[0]
        torch.testing.assert_close(hiddens, outputs, rtol=1e-5, atol=1e-5)


LAYER_SHAPES = [(1, 1, 3, 1), (5, 17, 3, 2), (7, 33, 40, 5), (3, 64, 32, 1), (4, 9, 65, 0), (2, 16, 8, 40)]
"""Steps, batch, hidden units, inputs."""


def layer_arguments(shape: tuple[int, ...], name: str) -> dict[str, Tensor | None]:
    time, batch, width, features = shape
    values = arguments(name, time, batch, width)
    inputs = {
        "inputs": torch.randn(time, batch, features), "input_weight": torch.randn(4 * width, features),
        "bias": torch.randn(4 * width),
    }  # fmt: skip
    return {**inputs, **{key: value for key, value in values.items() if key != "projected"}}


def projected_reference(inputs, input_weight, bias, **others):
    return lstm_reference(inputs @ input_weight.t() + bias, **others)


@pytest.mark.parametrize("name", ["lstm", "peephole lstm"])
@pytest.mark.parametrize("shape", LAYER_SHAPES)
def test_a_layer_is_its_projection_and_its_scan(name, shape):
    values, weights = layer_arguments(shape, name), some_weights(name, *shape[:3])
    double = {key: None if value is None else value.double() for key, value in values.items()}
    slow, slow_slopes = gradients(projected_reference, double, weights)
    for wanted in (tuple(slow_slopes), ("input_weight", "bias"), ("inputs",)):
        fast, fast_slopes = gradients(lstm_layer, values, weights, wanted)
        for ours, theirs in zip(fast, slow, strict=True):
            torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)
        for key in wanted:
            scale = float(slow_slopes[key].abs().max().clamp(min=1)) if slow_slopes[key].numel() else 1
            torch.testing.assert_close(
                fast_slopes[key].double(), slow_slopes[key], rtol=1e-5, atol=1e-5 * scale, msg=key
            )


@pytest.mark.parametrize("shape", LAYER_SHAPES[1:])
def test_a_layer_of_sixteen_bits(shape):
    values, weights = layer_arguments(shape, "peephole lstm"), some_weights("peephole lstm", *shape[:3])
    short = {key: value.bfloat16() for key, value in values.items()}
    states, slopes = gradients(lstm_layer, short, weights)
    exact, exact_slopes = gradients(projected_reference, {key: value.double() for key, value in short.items()}, weights)
    assert states[0].dtype is torch.bfloat16
    for ours, theirs in zip([*states, *slopes.values()], [*exact, *exact_slopes.values()], strict=True):
        assert not theirs.numel() or float((ours - theirs).detach().norm() / theirs.detach().norm()) < 0.02


@pytest.mark.parametrize("features", [1, 40])
def test_a_layer_has_the_same_bits_in_every_run(features):
    values, weights = layer_arguments((8, 50, 24, features), "lstm"), some_weights("lstm", 8, 50, 24)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            (one, first), (other, second) = (gradients(lstm_layer, values, weights) for _ in range(2))
            assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))
            assert all(torch.equal(first[key], second[key]) for key in first)
    finally:
        torch.set_num_threads(before)


def test_weights_that_do_not_fit_the_inputs_are_refused():
    values = layer_arguments((3, 8, 16, 2), "lstm")
    with pytest.raises(ShapeError, match="fit together"):
        lstm_layer(**dict(values, inputs=values["inputs"][..., :-1]))


def test_words_of_sixteen_bits_are_those_of_torch():
    from ganglion.fast.packed_product import shorten, widen

    bits = torch.randint(-(2**31), 2**31, (50, 333), dtype=torch.int64).int()
    bits[0, :4] = torch.tensor([0x7F800000, -0x800000, 0x3F808000, 0x7F7FFFFF])  # infinities, a tie, the largest
    numbers = bits.view(torch.float32)
    numbers[1, :2] = torch.tensor([-1, 0x7FFFFFFF]).int().view(torch.float32)  # NaN whose rounding would overflow
    words, wide = np.empty(bits.shape, np.uint16), np.empty(bits.shape, np.float32)
    shorten(numbers.numpy(), words)
    widen(words, wide)
    torch.testing.assert_close(torch.from_numpy(wide), numbers.bfloat16().float(), rtol=0, atol=0, equal_nan=True)
