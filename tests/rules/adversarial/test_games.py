"""The losses of every game against their formulas, torch's own losses, autograd, and each other's fixed points."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.rules.adversarial.games import (
    cross_entropy_on_generated,
    cross_entropy_on_real,
    game,
    hinge_on_generated,
    hinge_on_real,
    minimax_loss,
    negative_mean,
    non_saturating_loss,
    squares,
)

NAMES = ("non-saturating", "minimax", "wasserstein", "hinge", "least-squares")


def logits(seed: int, count: int = 7) -> Tensor:
    return 3 * torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slope(loss: object, outputs: Tensor) -> Tensor:
    outputs = outputs.clone().requires_grad_()
    return torch.autograd.grad(loss(outputs), outputs)[0]  # type: ignore[operator]


@pytest.mark.parametrize("label", [1.0, 0.9])
def test_losses_with_probabilities_are_those_of_the_paper(label: float) -> None:
    on_real, on_generated = logits(0), logits(1)
    d_real, d_generated = on_real.sigmoid(), on_generated.sigmoid()
    value = label * d_real.log() + (1 - label) * (1 - d_real).log()
    torch.testing.assert_close(cross_entropy_on_real(on_real, label), -value.mean())
    torch.testing.assert_close(cross_entropy_on_generated(on_generated), -(1 - d_generated).log().mean())
    torch.testing.assert_close(minimax_loss(on_generated), (1 - d_generated).log().mean())
    torch.testing.assert_close(non_saturating_loss(on_generated), -d_generated.log().mean())


@pytest.mark.parametrize("label", [1.0, 0.9])
def test_losses_with_probabilities_are_binary_cross_entropies(label: float) -> None:
    on_real, on_generated = logits(2), logits(3)
    ones, zeros = torch.ones_like(on_real), torch.zeros_like(on_real)
    entropy = F.binary_cross_entropy_with_logits
    torch.testing.assert_close(cross_entropy_on_real(on_real, label), entropy(on_real, label * ones))
    torch.testing.assert_close(cross_entropy_on_generated(on_generated), entropy(on_generated, zeros))
    torch.testing.assert_close(non_saturating_loss(on_generated), entropy(on_generated, ones))
    torch.testing.assert_close(minimax_loss(on_generated), -entropy(on_generated, zeros))


def test_losses_without_probabilities_are_those_of_torch() -> None:
    outputs = logits(4)
    ones = torch.ones_like(outputs)
    # torch's hinge embedding loss of label -1 is max(0, margin - x); that of its margin loss of 0 against x the same.
    torch.testing.assert_close(hinge_on_real(outputs), F.hinge_embedding_loss(outputs, -ones, margin=1.0))
    torch.testing.assert_close(hinge_on_generated(outputs), F.hinge_embedding_loss(-outputs, -ones, margin=1.0))
    torch.testing.assert_close(squares(outputs), F.mse_loss(outputs, ones) / 2)
    torch.testing.assert_close(squares(outputs, 0.0), F.mse_loss(outputs, 0 * ones) / 2)
    torch.testing.assert_close(negative_mean(outputs), outputs.sum() / -7)


def test_losses_by_hand() -> None:
    outputs = torch.tensor([-2.0, 0.5, 3.0])
    assert hinge_on_real(outputs) == pytest.approx((3 + 0.5 + 0) / 3)
    assert hinge_on_generated(outputs) == pytest.approx((0 + 1.5 + 4) / 3)
    assert squares(outputs) == pytest.approx((9 + 0.25 + 4) / 6)
    assert squares(outputs, 0.9) == pytest.approx((2.9**2 + 0.4**2 + 2.1**2) / 6)
    assert negative_mean(outputs) == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("name", "real", "generated", "generator"),
    [
        ("non-saturating", math.log(1 + math.exp(-2)), math.log(1 + math.exp(2)), math.log(1 + math.exp(-2))),
        ("minimax", math.log(1 + math.exp(-2)), math.log(1 + math.exp(2)), -math.log(1 + math.exp(2))),
        ("wasserstein", -2, 2, -2),
        ("hinge", 0, 3, -2),
        ("least-squares", 0.5, 2, 0.5),
    ],
)
def test_every_game_by_its_name_for_an_output_of_two(
    name: Any, real: float, generated: float, generator: float
) -> None:
    played, two = game(name), torch.full((3,), 2.0)
    found = [float(loss(two)) for loss in (played.real, played.generated, played.generator)]
    assert found == pytest.approx([real, generated, generator])


def test_smoothing_is_one_sided() -> None:
    smoothed = game("non-saturating", real_label=0.9)
    sure = torch.full((4,), 9.0, dtype=torch.float64).log()  # the logit of 0.9
    torch.testing.assert_close(slope(smoothed.real, sure), torch.zeros(4, dtype=torch.float64))
    on_generated = logits(4)
    torch.testing.assert_close(slope(smoothed.generated, on_generated), on_generated.sigmoid() / 7)  # all the way to 0
    squared = game("least-squares", real_label=0.9)
    assert slope(squared.real, torch.full((3,), 0.9)).abs().max() < 1e-7
    assert slope(squared.generated, torch.zeros(3)).abs().max() == 0
    assert slope(squared.generator, torch.ones(3)).abs().max() == 0  # what the generator wants is not smoothed


def test_minimax_and_non_saturating_pull_the_same_way_but_minimax_fades() -> None:
    on_generated = logits(5)
    score = on_generated.sigmoid()
    minimax, non_saturating = slope(minimax_loss, on_generated), slope(non_saturating_loss, on_generated)
    torch.testing.assert_close(minimax, -score / 7)
    torch.testing.assert_close(non_saturating, -(1 - score) / 7)


@pytest.mark.parametrize("name", NAMES)
def test_the_players_of_every_game_pull_against_each_other(name: Any) -> None:
    played, outputs = game(name), logits(6).clamp(-0.9, 0.9)
    assert (slope(played.real, outputs) < 0).all()
    assert (slope(played.generator, outputs) < 0).all()
    wanted = slope(played.generated, outputs - (1 if name == "least-squares" else 0))
    assert ((wanted > 0) == (outputs > 1) if name == "least-squares" else wanted > 0).all()


@pytest.mark.parametrize("name", ["minimax", "wasserstein"])
def test_what_the_generator_gains_in_a_zero_sum_game_the_discriminator_loses(name: Any) -> None:
    played, outputs = game(name), logits(7)
    torch.testing.assert_close(played.generator(outputs), -played.generated(outputs))


@pytest.mark.parametrize("name", NAMES)
def test_patches_count_as_much_as_samples(name: Any) -> None:
    played, outputs = game(name, 0.9), logits(8, 24)
    for loss in (played.real, played.generated, played.generator, played.score):
        torch.testing.assert_close(loss(outputs.view(2, 1, 3, 4)), loss(outputs))


@pytest.mark.parametrize("name", NAMES)
def test_losses_stay_finite_for_huge_outputs(name: Any) -> None:
    huge, played = torch.tensor([-1e4, 1e4]), game(name)
    for loss in (played.real, played.generated, played.generator):
        assert torch.isfinite(loss(huge)) and torch.isfinite(slope(loss, huge)).all()


def test_scores_are_probabilities_only_where_the_game_speaks_of_them() -> None:
    outputs = torch.tensor([0.0, 4.0])
    assert game("minimax").score(outputs) == pytest.approx((0.5 + 1 / (1 + 2.718281828459045**-4)) / 2)
    assert game("hinge").score(outputs) == game("wasserstein").score(outputs) == 2
