"""All steps of Jordan's network at once, against its equations one step after the other."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ganglion.fast.applies import enabled
from ganglion.fast.scans.teacher_forcing import _TeacherForced, reference_scores, teacher_forced_scores

pytestmark = pytest.mark.skipif(not enabled(), reason="needs numba")
SHAPES = [(1, 1, 3, 1, 1), (4, 1, 1, 5, 3), (5, 17, 3, 2, 9), (7, 33, 40, 6, 10), (3, 8, 32, 1, 130)]
"""Steps, batch, hidden units, inputs, outputs."""


def step_by_step(inputs: Tensor, previous: Tensor, first: Tensor, weights: tuple[Tensor, ...]) -> Tensor:
    input_weight, feedback_weight, bias, output_weight, output_bias = weights
    if not previous.is_floating_point():
        previous = functional.one_hot(previous, first.shape[1]).to(first.dtype)
    read = [first, *previous]
    states = [torch.tanh(x @ input_weight.T + y @ feedback_weight.T + bias) for x, y in zip(inputs, read, strict=True)]
    return torch.stack([state @ output_weight.T + output_bias for state in states])


def arguments(shape: tuple[int, ...], classes: bool, kind: torch.dtype = torch.float32) -> list[Tensor]:
    time, batch, hidden, width, wide = shape
    torch.manual_seed(sum(shape))
    previous = torch.randint(wide, (time - 1, batch)) if classes else torch.randn(time - 1, batch, wide)
    sizes = [(time, batch, width), (batch, wide), (hidden, width), (hidden, wide), (hidden,), (wide, hidden), (wide,)]
    inputs, first, *weights = [torch.randn(size) / size[-1] ** 0.5 for size in sizes]
    given = [inputs, previous, first, *weights]
    return [one.to(kind).requires_grad_() if one.is_floating_point() else one for one in given]


def called(function, given: list[Tensor]) -> Tensor:
    return function(*given[:3], tuple(given[3:]))


def differentiated(function, given: list[Tensor], slopes: Tensor, **options: bool) -> list[Tensor]:
    scores = called(function, given)
    wanted = [one for one in given if one.requires_grad]
    return [scores, *torch.autograd.grad(scores, wanted, slopes.to(scores.dtype), materialize_grads=True, **options)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("function", [teacher_forced_scores, reference_scores])
def test_values_and_gradients_are_those_of_the_equations(function, shape, classes):
    given = arguments(shape, classes)
    slopes = torch.randn(shape[0], shape[1], shape[4])
    double = [one.detach().double().requires_grad_() if one.is_floating_point() else one for one in given]
    expected = differentiated(step_by_step, double, slopes)
    for ours, theirs in zip(differentiated(function, given, slopes), expected, strict=True):
        scale = float(theirs.detach().abs().max().clamp(min=1)) if theirs.numel() else 1
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("classes", [True, False])
def test_gradients_have_gradients(classes):
    given, second = arguments((5, 17, 3, 2, 9), classes), []
    slopes = torch.randn(5, 17, 9, requires_grad=True)
    for function in (teacher_forced_scores, step_by_step):
        first = differentiated(function, given, slopes, create_graph=True)[1:]
        wanted = [slopes, *(one for one in given if one.requires_grad)]
        second.append(torch.autograd.grad(sum(one.square().sum() for one in first), wanted, materialize_grads=True))
    for ours, theirs in zip(*second, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * float(theirs.detach().abs().max().clamp(min=1)))


def test_same_bits_in_every_run_and_a_graph_walked_twice():
    given, slopes = arguments((8, 50, 24, 3, 6), True), torch.randn(8, 50, 6)
    results = [differentiated(teacher_forced_scores, given, slopes) for _ in range(3)]
    scores = called(teacher_forced_scores, given)
    wanted = [one for one in given if one.requires_grad]
    results += [[scores, *torch.autograd.grad(scores, wanted, slopes, retain_graph=True)] for _ in range(2)]
    for other in results[1:]:
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(other, results[0], strict=True))


def test_sixteen_bits_in_and_out():
    given = arguments((5, 16, 8, 3, 6), True, torch.bfloat16)
    double = [one.detach().double().requires_grad_() if one.is_floating_point() else one for one in given]
    slopes = torch.randn(5, 16, 6)
    expected = differentiated(step_by_step, double, slopes)
    for ours, theirs in zip(differentiated(teacher_forced_scores, given, slopes), expected, strict=True):
        assert ours.dtype is torch.bfloat16
        assert float((ours - theirs).detach().norm() / theirs.detach().norm()) < 0.02


def test_what_is_no_number_stays_in_its_sequence_and_no_class_is_refused():
    given = [one.detach() for one in arguments((4, 8, 16, 2, 5), True)]
    given[0][1, 2] = torch.nan
    scores = called(teacher_forced_scores, given)
    assert scores[1, 2].isnan().all() and int(scores.isnan().sum()) == 5
    for wrong in (-1, 5):
        given[1][0, 0] = wrong
        for function in (teacher_forced_scores, reference_scores):
            with pytest.raises((IndexError, RuntimeError), match=r"out of (bounds|range)"):
                function(*given[:3], tuple(given[3:]))


def test_transforms_and_double_precision_go_by_the_equations(monkeypatch):
    monkeypatch.setattr(_TeacherForced, "apply", None)
    double = arguments((3, 4, 2, 2, 3), True, torch.float64)
    torch.testing.assert_close(called(teacher_forced_scores, double), called(step_by_step, double))
    inputs, *others = [one.detach() for one in arguments((3, 4, 2, 2, 3), True)]
    batched = torch.func.vmap(lambda shift: called(teacher_forced_scores, [inputs + shift, *others]))
    torch.testing.assert_close(batched(torch.ones(2))[1], called(step_by_step, [inputs + 1, *others]))
