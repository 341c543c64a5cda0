"""Losses against their definitions in double precision and against finite differences."""

import math

import pytest
import torch

from ganglion.errors import ShapeError
from ganglion.rules.losses import (
    LOSSES,
    accuracy,
    as_outputs,
    binary_cross_entropy,
    cross_entropy,
    decisions,
    half_squared_error,
    perceptron_criterion,
    quantile_loss,
    squared_error,
    weighted,
)

LOGITS = torch.tensor([[0.3, -1.2, 2.0], [1.5, 0.1, -0.4]], dtype=torch.float64)
CLASSES = torch.tensor([2, 1])


def test_cross_entropy_is_the_logarithm_of_the_softmax() -> None:
    shares = LOGITS.exp() / LOGITS.exp().sum(dim=1, keepdim=True)
    expected = -(math.log(shares[0, 2]) + math.log(shares[1, 1])) / 2
    assert cross_entropy(LOGITS, CLASSES).item() == pytest.approx(expected)


def test_label_smoothing_spreads_the_target() -> None:
    soft = torch.full_like(LOGITS, 0.1 / 3)
    soft[[0, 1], CLASSES] += 0.9
    expected = -(soft * LOGITS.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(cross_entropy(LOGITS, CLASSES, label_smoothing=0.1), expected)
    torch.testing.assert_close(cross_entropy(LOGITS, soft), expected)


def test_binary_cross_entropy() -> None:
    logits, targets = torch.tensor([[0.4], [-2.0], [3.0]], dtype=torch.float64), torch.tensor([1, 0, 0])
    share = logits.sigmoid()[:, 0]
    expected = -(share[0].log() + (1 - share[1]).log() + (1 - share[2]).log()) / 3
    torch.testing.assert_close(binary_cross_entropy(logits, targets), expected)
    smooth = -sum(t * s.log() + (1 - t) * (1 - s).log() for t, s in zip([0.9, 0.1, 0.1], share, strict=True)) / 3
    torch.testing.assert_close(binary_cross_entropy(logits, targets, label_smoothing=0.2), smooth)


def test_losses_of_huge_logits_stay_finite_with_their_gradient() -> None:
    for name, loss in LOSSES.items():
        logits = torch.tensor([[1e4], [-1e4]], requires_grad=True)
        if name == "cross-entropy":
            logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
        value = loss(logits, torch.tensor([0, 1]))
        value.backward()
        assert torch.isfinite(value), name
        assert torch.isfinite(logits.grad).all(), name


def test_squared_errors() -> None:
    targets = torch.tensor([[0.0, 0, 1], [0, 1, 0]], dtype=torch.float64)
    total = sum((z - t) ** 2 for z, t in zip(LOGITS.flatten().tolist(), targets.flatten().tolist(), strict=True))
    assert squared_error(LOGITS, targets).item() == pytest.approx(total / 6)
    assert half_squared_error(LOGITS, targets).item() == pytest.approx(total / 4)
    torch.testing.assert_close(squared_error(LOGITS, CLASSES), squared_error(LOGITS, targets))


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "perceptron"])
def test_gradient_equals_finite_differences(name: str) -> None:
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda outputs: LOSSES[name](outputs, CLASSES), logits)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_a_mean_over_samples(name: str) -> None:
    """Micro-batches weighted by their size must add up to the whole batch."""
    logits = torch.randn(10, 1 if name == "perceptron" else 4, dtype=torch.float64)
    targets = torch.randint(0, 2, (10,))
    parts = sum(LOSSES[name](logits[a:b], targets[a:b]) * (b - a) / 10 for a, b in ((0, 3), (3, 4), (4, 10)))
    torch.testing.assert_close(LOSSES[name](logits, targets), parts)


def test_perceptron_criterion_counts_mistakes_only() -> None:
    logits = torch.tensor([[2.0], [-3.0], [0.5], [-0.25]])
    assert perceptron_criterion(logits, torch.tensor([1, 0, 0, 1])).item() == pytest.approx((0.5 + 0.25) / 4)


def test_decisions_and_accuracy() -> None:
    assert decisions(LOGITS).tolist() == [2, 0]
    assert accuracy(LOGITS, CLASSES).item() == 0.5
    assert decisions(torch.tensor([[0.1], [0.0], [-0.1]])).tolist() == [1, 0, 0]


def test_targets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="targets do not fit"):
        as_outputs(torch.zeros(3, 2), torch.zeros(3, 4))


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.8])
def test_the_quantile_loss_is_least_at_the_quantile(quantile: float) -> None:
    targets = torch.randn(999, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    candidates = torch.linspace(-3, 3, 601, dtype=torch.float64)
    losses = [quantile_loss(one.expand(999, 1), targets, [quantile]).item() for one in candidates]
    best = candidates[int(torch.tensor(losses).argmin())]
    assert best.item() == pytest.approx(torch.quantile(targets, quantile).item(), abs=0.02)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_weights_are_whole_numbers_of_copies(name: str) -> None:
    outputs = LOGITS[:, :1] if name == "perceptron" else LOGITS
    targets = CLASSES % 2 if name == "perceptron" else CLASSES
    copies = torch.tensor([3, 1])
    repeated = LOSSES[name](outputs.repeat_interleave(copies, 0), targets.repeat_interleave(copies, 0))
    weights = copies / copies.double().mean()
    torch.testing.assert_close(weighted(LOSSES[name], outputs, targets, weights), repeated)
    unlike = weighted(LOSSES[name], outputs, targets, weights.flip(0))
    assert not torch.allclose(unlike, repeated) or name == "perceptron"


def test_weights_of_classes_are_those_of_torch() -> None:
    of_class = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)
    weights = of_class[CLASSES]
    torch_s = torch.nn.functional.cross_entropy(LOGITS, CLASSES, of_class)
    torch.testing.assert_close(weighted(cross_entropy, LOGITS, CLASSES, weights / weights.mean()), torch_s)
