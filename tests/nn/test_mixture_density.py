"""Mixtures on the plane against torch's distributions, their draws against their moments, and what heat does."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from ganglion.nn.drawing.mixture_density import PARAMETERS, PlaneMixture, drawn_class

OUTPUTS = torch.randn(7, 4 * PARAMETERS, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def torchs(mixture: PlaneMixture) -> MixtureSameFamily:
    """The same mixture, of whole covariance matrices."""
    x, y = mixture.log_deviations.exp().unbind(-1)
    mixed = mixture.correlations * x * y
    covariance = torch.stack([torch.stack([x**2, mixed], -1), torch.stack([mixed, y**2], -1)], -2)
    return MixtureSameFamily(Categorical(logits=mixture.log_weights), MultivariateNormal(mixture.means, covariance))


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_densities_are_those_of_torch(temperature: float) -> None:
    mixture = PlaneMixture.of(OUTPUTS).cooled(temperature)
    points = torch.randn(7, 2, dtype=torch.float64)
    torch.testing.assert_close(mixture.log_density(points), torchs(mixture).log_prob(points))


def test_gradients_are_those_of_finite_differences() -> None:
    points = torch.randn(3, 2, dtype=torch.float64)
    outputs = OUTPUTS[:3].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda given: PlaneMixture.of(given).log_density(points), outputs)


def test_draws_have_the_moments_of_the_mixture() -> None:
    count, random = 200_000, torch.Generator().manual_seed(0)
    many = PlaneMixture.of(OUTPUTS[:1].expand(count, -1))
    drawn = many.drawn(
        torch.rand(count, generator=random, dtype=torch.float64),
        torch.randn(count, 2, generator=random, dtype=torch.float64),
    )
    known = torchs(PlaneMixture.of(OUTPUTS[:1]))
    torch.testing.assert_close(drawn.mean(0), known.mean[0], atol=0.03, rtol=0.03)
    torch.testing.assert_close(drawn.var(0), known.variance[0], atol=0.05, rtol=0.03)
    weights = PlaneMixture.of(OUTPUTS[:1]).log_weights[0].exp()
    means = PlaneMixture.of(OUTPUTS[:1]).means[0]
    spread = known.component_distribution.covariance_matrix[0, :, 0, 1]
    together = (weights * (spread + means[:, 0] * means[:, 1])).sum() - (weights @ means).prod()
    torch.testing.assert_close(torch.cov(drawn.T)[0, 1], together, atol=0.05, rtol=0.05)


def test_heat_multiplies_variances_and_divides_logits() -> None:
    plain, cold = PlaneMixture.of(OUTPUTS), PlaneMixture.of(OUTPUTS).cooled(0.25)
    torch.testing.assert_close(cold.log_deviations.exp(), plain.log_deviations.exp() * 0.5)
    torch.testing.assert_close(cold.log_weights, (4 * OUTPUTS[:, :4]).log_softmax(-1))
    still = PlaneMixture.of(OUTPUTS).cooled(0.0).drawn(torch.rand(7, dtype=torch.float64), torch.randn(7, 2))
    likeliest = plain.means[torch.arange(7), plain.log_weights.argmax(-1)]
    torch.testing.assert_close(still, likeliest, atol=0.02, rtol=0)


def test_extreme_outputs_stay_finite() -> None:
    for sign in (-1.0, 1.0):
        outputs = torch.full((2, PARAMETERS), sign * 50.0, requires_grad=True)
        density: Tensor = PlaneMixture.of(outputs).log_density(torch.zeros(2, 2)).sum()
        density.backward()
        assert density.isfinite() and outputs.grad is not None and outputs.grad.isfinite().all()


def test_classes_are_drawn_in_proportion() -> None:
    logits = torch.tensor([0.2, 0.5, 0.3]).log().expand(1000, -1)
    chances = (torch.arange(1000) + 0.5) / 1000
    assert drawn_class(logits, chances).bincount().tolist() == [200, 500, 300]
