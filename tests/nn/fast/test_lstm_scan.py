"""The compiled scan of an LSTM against its equations, torch's own LSTM and itself."""

from itertools import combinations

import pytest
import torch
from torch import Tensor, nn

from ganglion.nn.fast import lstm_scan, suits
from ganglion.nn.fast.dispatch import installed
from ganglion.nn.fast.lstm import lstm_reference

pytestmark = pytest.mark.skipif(not installed(), reason="needs numba")
NAMES = ("projected", "recurrent_weight", "peepholes", "hidden", "cell", "mask")
SHAPES = [(1, 1, 3), (4, 1, 1), (5, 17, 3), (7, 33, 40), (3, 64, 32), (2, 9, 65)]  # time, batch, hidden


def arguments(
    time: int, batch: int, width: int, *, peepholes: bool = True, mask: bool = True
) -> dict[str, Tensor | None]:
    make = torch.Generator().manual_seed(time + batch + width)
    draw = lambda *shape: torch.randn(*shape, generator=make)  # noqa: E731
    return {
        "projected": draw(time, batch, 4 * width),
        "recurrent_weight": draw(4 * width, width) / width**0.5,
        "peepholes": draw(3, width) if peepholes else None,
        "hidden": draw(batch, width),
        "cell": draw(batch, width),
        "mask": (draw(batch, width) > 0).float() * 2 if mask else None,
    }


def gradients(scan, values: dict[str, Tensor | None], wanted: tuple[str, ...], weights: tuple[Tensor | None, ...]):
    leaves = {
        name: None if value is None else value.detach().clone().requires_grad_(name in wanted)
        for name, value in values.items()
    }
    states = scan(**leaves)
    sum((state * weight).sum() for state, weight in zip(states, weights, strict=True) if weight is not None).backward()
    return states, {name: leaves[name].grad for name in wanted if leaves[name] is not None}


def assert_same(values: dict[str, Tensor | None], wanted: tuple[str, ...], weights: tuple[Tensor | None, ...]) -> None:
    fast, fast_slopes = gradients(lstm_scan, values, wanted, weights)
    double = {name: None if value is None else value.double() for name, value in values.items()}
    slow, slow_slopes = gradients(lstm_reference, double, wanted, weights)
    for ours, theirs in zip(fast, slow, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)
    for name in slow_slopes:
        scale = float(slow_slopes[name].abs().max().clamp(min=1))
        torch.testing.assert_close(
            fast_slopes[name].double(), slow_slopes[name], rtol=1e-5, atol=1e-5 * scale, msg=name
        )


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("options", [{}, {"mask": False}, {"peepholes": False}, {"peepholes": False, "mask": False}])
def test_values_and_gradients_are_those_of_the_equations(shape, options):
    time, batch, width = shape
    weights = torch.randn(2, time, batch, width)
    assert_same(arguments(*shape, **options), NAMES, tuple(weights))


def test_gradients_that_arrive_at_the_last_step_alone_or_at_one_output():
    last = torch.zeros(5, 17, 3)
    last[-1] = torch.randn(17, 3)
    for weights in ((last, None), (None, last), (last, last)):
        assert_same(arguments(5, 17, 3), NAMES, weights)


@pytest.mark.parametrize("wanted", [*combinations(NAMES, 1), ("projected", "hidden"), ("recurrent_weight", "cell")])
def test_any_argument_may_be_the_one_that_is_differentiated(wanted):
    assert_same(arguments(4, 10, 5), wanted, tuple(torch.randn(2, 4, 10, 5)))


def test_arguments_need_not_be_contiguous():
    values = arguments(6, 12, 8)
    skewed = {name: value.transpose(0, 1).contiguous().transpose(0, 1) for name, value in values.items()}
    assert not skewed["projected"].is_contiguous()
    for ours, theirs in zip(lstm_scan(**skewed), lstm_scan(**values), strict=True):
        assert torch.equal(ours, theirs)


def test_torch_says_the_same():
    module = nn.LSTM(6, 20)
    inputs, state = torch.randn(9, 16, 6), torch.randn(2, 1, 16, 20)
    outputs, (_, cells) = module(inputs, tuple(state))
    projected = nn.functional.linear(inputs, module.weight_ih_l0, module.bias_ih_l0 + module.bias_hh_l0)
    hiddens, ours = lstm_scan(projected, module.weight_hh_l0, None, state[0, 0], state[1, 0])
    torch.testing.assert_close(hiddens, outputs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours[-1], cells[0], rtol=1e-5, atol=1e-5)


def test_without_gradients_only_states_are_kept():
    values = arguments(5, 16, 8)
    with torch.no_grad():
        states = lstm_scan(**values)
    leaves = dict(values, projected=values["projected"].clone().requires_grad_())
    for ours, theirs in zip(states, lstm_scan(**leaves), strict=True):
        assert not ours.requires_grad and torch.equal(ours, theirs)


def test_same_bits_in_every_run_and_on_every_number_of_threads():
    values, weights = arguments(8, 50, 24), tuple(torch.randn(2, 8, 50, 24))
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 2, 3):
            torch.set_num_threads(threads)
            states, slopes = gradients(lstm_scan, values, ("projected", "hidden", "cell"), weights)
            results.append([*states, *slopes.values()])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(other, results[0], strict=True))


def test_what_is_not_a_number_stays_so_and_large_sums_saturate():
    values = arguments(3, 8, 16, mask=False)
    values["projected"] = torch.full((3, 8, 64), 1e30)
    values["projected"][1, 2] = torch.nan
    hiddens, cells = lstm_scan(**values)
    assert hiddens[1:, 2].isnan().all() and not hiddens[:, 3].isnan().any()
    torch.testing.assert_close(cells[0, 3], values["cell"][3] + 1)


def test_graph_can_be_walked_twice():
    leaves = {name: value.clone().requires_grad_() for name, value in arguments(4, 10, 5).items()}
    loss = sum(state.square().sum() for state in lstm_scan(**leaves))
    first = torch.autograd.grad(loss, list(leaves.values()), retain_graph=True)
    second = torch.autograd.grad(loss, list(leaves.values()))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_sixteen_bits_in_and_out():
    values = {name: value.bfloat16() for name, value in arguments(5, 16, 8).items()}
    states, slopes = gradients(lstm_scan, values, NAMES, tuple(torch.ones(2, 5, 16, 8)))
    exact, _ = gradients(lstm_reference, {name: value.double() for name, value in values.items()}, NAMES, (1, 1))
    assert all(slope.dtype is torch.bfloat16 for slope in slopes.values())
    for ours, theirs in zip(states, exact, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-2, atol=1e-2)


def test_what_the_compiled_path_cannot_do_goes_by_the_equations():
    values = arguments(3, 4, 2)
    assert suits(*values.values())
    double = {name: value.double().requires_grad_() for name, value in values.items()}
    assert not suits(*double.values())
    assert torch.autograd.gradcheck(lstm_scan, tuple(double.values()))
    batched = torch.func.vmap(lambda shift: lstm_scan(**dict(values, hidden=values["hidden"] + shift))[0])(
        torch.ones(2)
    )
    torch.testing.assert_close(batched[1], lstm_scan(**dict(values, hidden=values["hidden"] + 1))[0])
