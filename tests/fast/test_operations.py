"""What holds for every operation with a gradient of its own, found by its class: another one needs a row here."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import ganglion.fast
import ganglion.nn
from ganglion.fast import matrix_library
from ganglion.fast.applies import enabled, to_convolution_products
from ganglion.fast.convolution.as_product import unfolded_convolution
from ganglion.fast.convolution.stage import Stage, convolution_stage
from ganglion.fast.scans.elman import elman_scan
from ganglion.fast.scans.gru import gru_scan
from ganglion.fast.scans.lstm import lstm_scan
from ganglion.fast.scans.teacher_forcing import teacher_forced_scores
from ganglion.nn.adversarial.style_layers import blurred
from ganglion.nn.recurrent import Cell

pytestmark = [
    pytest.mark.skipif(not enabled(), reason="needs numba"),
    pytest.mark.usefixtures("product_library"),
]


class Case(NamedTuple):
    compute: Callable[..., Tensor | tuple[Tensor, ...]]
    shapes: tuple[tuple[int, ...], ...]
    keeps_results: bool = False
    """Whether the gradient needs what was returned, so that torch refuses it once that has been changed."""


class Leaky(Cell):
    """A cell of a user's own, large enough to be compiled."""

    def __init__(self) -> None:
        super().__init__()
        self.in_features, self.state_features = 64, (64,)
        self.weight = torch.nn.Parameter(torch.randn(64, 64) / 8)

    def step(self, projected: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (0.9 * state[0] + (projected + state[0] @ self.weight).tanh(),)


CASES = {
    "matrix_library._Product": Case(matrix_library.linear, ((5, 7), (3, 7), (3,))),
    "convolution.as_product._Unfolded": Case(
        lambda *given: (unfolded_convolution if to_convolution_products(*given) else functional.conv2d)(*given),
        ((5, 9, 4, 4), (6, 9, 3, 3), (6,)),
    ),
    "convolution.stage._Stage": Case(
        lambda *given: convolution_stage(*given, Stage(slope=0.2)), ((5, 2, 6, 6), (7, 2, 3, 3), (7,))
    ),
    "adversarial.style_layers._Blur": Case(blurred, ((2, 3, 6, 6),)),
    "scans.teacher_forcing._TeacherForced": Case(
        lambda inputs, previous, first, *weights: teacher_forced_scores(inputs, previous, first, weights),
        ((4, 5, 3), (3, 5, 2), (5, 2), (6, 3), (6, 2), (6,), (2, 6), (2,)),
    ),
    "scans.elman._Scan": Case(elman_scan, ((4, 5, 6), (6, 6), (5, 6)), keeps_results=True),
    "scans.gru._ScanAfter": Case(gru_scan, ((4, 5, 18), (18, 6), (6,), (5, 6)), keeps_results=True),
    "scans.gru._ScanBefore": Case(
        lambda projected, weight, hidden: gru_scan(projected, weight, None, hidden, reset_after=False),
        ((4, 5, 18), (18, 6), (5, 6)),
        keeps_results=True,
    ),
    "scans.lstm._Scan": Case(
        lambda projected, weight, hidden, cell: lstm_scan(projected, weight, None, hidden, cell),
        ((4, 5, 24), (24, 6), (5, 6), (5, 6)),
        keeps_results=True,
    ),
    "custom_cells.program._Scan": Case(
        lambda inputs, state: Leaky().scan(inputs, (state,)), ((32, 8, 64), (8, 64)), keeps_results=True
    ),
}
COMPILED_ANEW = ("custom_cells.program._Scan",)
"""What is compiled in every process, which takes seconds."""
each = pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=name, marks=[pytest.mark.full] * (name in COMPILED_ANEW)) for name, case in CASES.items()],
)


def leaves_of(case: Case) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in case.shapes]


def results_of(case: Case, leaves: list[Tensor]) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    results = case.compute(*leaves)
    return (results,) if isinstance(results, Tensor) else tuple(results)


def gradients_of(results: tuple[Tensor, ...], leaves: list[Tensor]) -> tuple[Tensor, ...]:
    total = sum((number * result.square().sum() for number, result in enumerate(results, start=1)), torch.zeros(()))
    return torch.autograd.grad(total, leaves)


def test_every_operation_has_a_row():
    found = set()
    for package in (ganglion.fast, ganglion.nn):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, type) and issubclass(value, torch.autograd.Function):
                    found.add(f"{value.__module__}.{value.__name__}")
    assert {name for name in found if not any(name.endswith(f".{known}") for known in CASES)} == set()
    assert len(found) == len(CASES)


@each
def test_results_may_be_changed_in_place(case):
    """As those of torch may: the gradient is that of the change, or torch says that it needs what was there."""
    leaves = leaves_of(case)
    expected = gradients_of(tuple(result.relu() for result in results_of(case, leaves)), leaves)
    results = results_of(case, leaves)
    try:
        for result in results:
            result.relu_()
        found = gradients_of(results, leaves)
    except RuntimeError as error:
        assert case.keeps_results and "modified" in str(error)
    else:
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs)


@each
def test_a_backward_pass_within_autocast_computes_as_without(case):
    if case.compute is matrix_library.linear and matrix_library.library() == "mkl":
        pytest.skip("an operation of torch's own")
    leaves = leaves_of(case)
    expected = gradients_of(results_of(case, leaves), leaves)
    results = results_of(case, leaves)
    with torch.autocast("cpu", torch.bfloat16):
        found = gradients_of(results, leaves)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours, theirs)


@each
def test_somebody_who_counts_operations_is_told_of_all(case):
    """Their number must not depend on the processor: compiled paths and products by oneDNN step aside."""
    with FlopCounterMode(display=False) as counter:
        results_of(case, leaves_of(case))
    assert counter.get_total_flops() > 0
