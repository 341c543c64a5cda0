"""The Gaussian machine against what it is: a mixture of Gaussians, one for every state of its hidden units."""

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad
from scipy.stats import norm
from torch import Tensor

from ganglion.errors import UsageError
from ganglion.nn.energy.gaussian import LEAST_VARIANCE, GaussianRBM
from ganglion.nn.energy.restricted import binary_states


def machine(num_visible: int = 2, num_hidden: int = 3) -> GaussianRBM:
    """Return a machine of double precision whose hidden units matter."""
    torch.manual_seed(3)
    made = GaussianRBM(num_visible, num_hidden, deviation=1.0).double()
    with torch.no_grad():
        made.visible_bias.normal_()
        made.hidden_bias.normal_()
        made.log_variance.uniform_(-1.5, 0.5)
    return made


def mixture(of: GaussianRBM) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return shares (states,), means (states, units) and deviations (units,) by completing the square of E."""
    states = binary_states(of.num_hidden).double().numpy()
    weight, a, b = (one.detach().numpy() for one in (of.weight, of.visible_bias, of.hidden_bias))
    variance = LEAST_VARIANCE + np.exp(of.log_variance.detach().numpy())
    means = a + np.sqrt(variance) * (states @ weight)
    heights = np.exp(states @ b + ((states @ weight) ** 2).sum(1) / 2)
    return heights / heights.sum(), means, np.sqrt(variance)


def densities(of: GaussianRBM, visible: Tensor) -> np.ndarray:
    """Return the density of each unit in each component (rows, states, units)."""
    _, means, deviations = mixture(of)
    return norm.pdf(visible.numpy()[:, None], means, deviations)


def test_free_energy_sums_out_the_hidden_units() -> None:
    one, visible = machine(), torch.randn(5, 2).double()
    states = binary_states(3).double()
    energies = torch.stack([one.energy(visible, state.expand(5, -1)) for state in states])
    torch.testing.assert_close(one.free_energy(visible), -(-energies).logsumexp(0))


def test_the_partition_function_is_the_integral_over_the_plane() -> None:
    one = machine()

    def density(y: float, x: float) -> float:
        with torch.no_grad():
            return float((-one.free_energy(torch.tensor([[x, y]], dtype=torch.float64))).exp())

    integral, _ = dblquad(density, -9, 9, -9, 9, epsabs=1e-4, epsrel=1e-4)
    assert float(one.log_partition()) == pytest.approx(np.log(integral), abs=1e-3)


@torch.no_grad()
def test_it_is_a_mixture_of_gaussians() -> None:
    one, visible = machine(), torch.randn(6, 2).double()
    shares, _, _ = mixture(one)
    expected = np.log((shares * densities(one, visible).prod(2)).sum(1))
    np.testing.assert_allclose((-one.free_energy(visible) - one.log_partition()).numpy(), expected, rtol=1e-9)


def test_gradients_of_the_free_energy_equal_autograd() -> None:
    one, visible, shares = machine(4, 5), torch.randn(6, 4).double(), torch.randn(6).double()
    total, gradients = one.free_energy_gradients(visible, shares)
    expected = shares @ one.free_energy(visible)
    torch.testing.assert_close(total, expected)
    for ours, theirs in zip(gradients, torch.autograd.grad(expected, list(one.parameters())), strict=True):
        torch.testing.assert_close(ours, theirs)


@torch.no_grad()
def test_conditional_densities_are_those_of_the_mixture() -> None:
    one, visible = machine(3, 4), torch.randn(5, 3).double()
    units = torch.tensor([[0, 2]]).expand(5, -1)
    shares, each = mixture(one)[0], densities(one, visible)
    expected = []
    for unit in (0, 2):
        others = shares * np.delete(each, unit, axis=2).prod(2)
        expected.append(np.log((others * each[:, :, unit]).sum(1) / others.sum(1)))
    np.testing.assert_allclose(one.conditional_log_likelihood(visible, units).numpy(), np.stack(expected, 1), atol=1e-7)


@torch.no_grad()
def test_long_chains_have_the_moments_of_the_mixture() -> None:
    one = machine()
    one.weight.mul_(0.6)  # components that a chain passes between
    shares, means, deviations = mixture(one)
    visible, generator = torch.zeros(4000, 2).double(), torch.Generator().manual_seed(0)
    for _ in range(100):
        visible = one.gibbs_step(visible, generator)
    mean = shares @ means
    covariance = np.diag(deviations**2) + (means - mean).T @ (shares[:, None] * (means - mean))
    np.testing.assert_allclose(visible.mean(0).numpy(), mean, atol=0.1)
    np.testing.assert_allclose(np.cov(visible.T.numpy()), covariance, atol=0.15)


def test_annealed_importance_sampling_finds_the_partition_function() -> None:
    one, generator = machine(6, 8), torch.Generator().manual_seed(0)
    with torch.no_grad():
        one.weight.mul_(0.5)
    estimate = one.estimate_log_partition(torch.zeros(6).double(), chains=400, generator=generator)
    assert float(estimate) == pytest.approx(float(one.log_partition()), abs=0.1)


def test_an_untrained_machine_is_the_best_of_independent_gaussians() -> None:
    one, visible = GaussianRBM(3, 4, deviation=0.0), torch.randn(2000, 3) * torch.tensor([1.0, 0.5, 2.0]) + 1
    one.match_means(visible)
    with torch.no_grad():
        found = (-one.free_energy(visible).mean() - one.log_partition()).item()
    expected = norm.logpdf(visible.numpy(), visible.numpy().mean(0), visible.numpy().std(0)).sum(1).mean()
    assert found == pytest.approx(expected, abs=1e-3)


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be counted"):
        GaussianRBM(2, 30).log_partition()
