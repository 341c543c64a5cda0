"""Norm, clipping and Adam's update in one compiled pass against those of torch."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ganglion.fast import descent
from ganglion.fast.applies import enabled
from ganglion.rules.optimizers import OPTIMIZERS

if enabled():
    from ganglion.fast import descent_kernels
pytestmark = pytest.mark.skipif(not enabled(), reason="needs numba")
SHAPES = [(7, 33), (7,), (1,), (5, 7), (64, 65), (5, 3, 2, 2)]


def tensors(seed: int = 0, size: float = 1.0) -> list[Tensor]:
    source = torch.Generator().manual_seed(seed)
    drawn = [size * torch.randn(shape, generator=source) for shape in SHAPES]
    return [one.contiguous(memory_format=torch.channels_last) if one.dim() == 4 else one for one in drawn]


@pytest.mark.parametrize("name", ["adam", "adamw"])
@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}, {"betas": (0.5, 0.9), "eps": 1e-3, "lr": 0.1}])
def test_adam_is_adam(name: str, options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    update = descent_kernels.adam
    monkeypatch.setattr(descent_kernels, "adam", lambda *arguments: calls.append(1) or update(*arguments))
    mine, theirs = ([nn.Parameter(tensor) for tensor in tensors()] for _ in range(2))
    fast = OPTIMIZERS[name](mine, fused=True, **options)
    plain = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name](theirs, foreach=False, **options)
    for step in range(20):
        for parameters in (mine, theirs):
            for parameter, gradient in zip(parameters, tensors(step + 1), strict=True):
                parameter.grad = gradient.clone()
        fast.step()
        plain.step()
    assert len(calls) == 19, "all but the first, which makes the moments"
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
        for part in ("exp_avg", "exp_avg_sq", "step"):
            torch.testing.assert_close(fast.state[one][part], plain.state[other][part], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_share_the_numbers_wherever_that_cuts(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descent, "SHARE", 100)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        test_adam_is_adam("adamw", {"weight_decay": 0.1}, monkeypatch)
        test_the_norm_is_that_of_torch()
        test_the_total_is_the_sum()
    finally:
        torch.set_num_threads(before)


def test_gradients_that_are_huge_tiny_or_not_a_number_do_what_they_do_in_torch() -> None:
    mine, theirs = (nn.Parameter(torch.ones(40)) for _ in range(2))
    pair = OPTIMIZERS["adam"]([mine], fused=True), torch.optim.Adam([theirs], fused=True)
    for row in ([1.0, 2.0, 3.0, 4.0, 0.0], [1e25, -1e30, 0.0, torch.nan, 0.0], [1e20, -1.0, 1e-30, 1.0, 0.0]):
        for weight, made in zip((mine, theirs), pair, strict=True):
            weight.grad = torch.tensor(row).repeat(8)
            made.step()
    torch.testing.assert_close(mine, theirs, equal_nan=True, rtol=1e-6, atol=0)
    assert mine[0].item() == pytest.approx(0.999) and mine[3].isnan()


def test_two_groups_have_each_their_rate_and_a_frozen_parameter_stays() -> None:
    first, second, frozen = (nn.Parameter(torch.ones(3)) for _ in range(3))
    made = OPTIMIZERS["adam"]([{"params": [first], "lr": 0.1}, {"params": [second, frozen], "lr": 0.01}], fused=True)
    for _ in range(3):
        first.grad, second.grad = torch.ones(3), torch.ones(3)
        made.step()
    torch.testing.assert_close(first, torch.full((3,), 1 - 0.3), rtol=0, atol=1e-5)
    torch.testing.assert_close(second, torch.full((3,), 1 - 0.03), rtol=0, atol=1e-5)
    assert torch.equal(frozen, torch.ones(3))


@pytest.mark.parametrize("option", ["amsgrad", "maximize"])
def test_variants_stay_with_torch(option: str) -> None:
    mine, theirs = (nn.Parameter(torch.ones(3)) for _ in range(2))
    pair = OPTIMIZERS["adam"]([mine], fused=True, **{option: True}), torch.optim.Adam([theirs], **{option: True})
    for step in range(3):
        for weight, made in zip((mine, theirs), pair, strict=True):
            weight.grad = torch.full((3,), step - 1.5)
            made.step()
    torch.testing.assert_close(mine, theirs)


def test_the_norm_is_that_of_torch() -> None:
    for size in (1.0, 1e-12, 1e12):
        gradients = tensors(size=size)
        torch.testing.assert_close(
            descent.norm_of(gradients), torch.nn.utils.get_total_norm(gradients), rtol=1e-5, atol=0
        )


def test_the_total_is_the_sum() -> None:
    for gradients in (tensors(), [torch.tensor([3e38, -3e38, 1.0])], [], [torch.ones(2, 3)[:, ::2]]):
        expected = torch.tensor(sum((gradient.double().sum().item() for gradient in gradients), 0.0))
        torch.testing.assert_close(descent.total_of(gradients), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_norm_and_total_of_what_is_not_finite_are_not_finite(value: float) -> None:
    gradients = tensors()
    gradients[3][2, 5] = value
    assert not descent.norm_of(gradients).isfinite()
    assert not descent.total_of(gradients).isfinite()
    gradients[0][0, 0] = -value
    assert not descent.total_of(gradients).isfinite()


@pytest.mark.parametrize("length", [0.5, 1e6])
def test_clipping_is_that_of_torch(length: float) -> None:
    mine, theirs = tensors(), copy.deepcopy(tensors())
    descent.shorten(mine, length, descent.norm_of(mine))
    parameters = [nn.Parameter(tensor) for tensor in theirs]
    for parameter in parameters:
        parameter.grad = parameter.detach().clone()
    torch.nn.utils.clip_grad_norm_(parameters, length)
    for one, other in zip(mine, parameters, strict=True):
        torch.testing.assert_close(one, other.grad)
