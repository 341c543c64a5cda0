"""The bound and the likelihood, against torch's distributions and models whose likelihood is known exactly."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from ganglion.errors import ConfigurationError, DataError
from ganglion.models.autoencoder.vae import TINY, Config, VariationalAutoencoder, build
from ganglion.rules.autoencoder.variational import (
    Variational,
    condition_of,
    divergence_from_normal,
    drawn,
    importance_sampled,
    log_normal,
)
from ganglion.rules.descend import Descent

DEVIATION = 0.7
LINEAR = Config(in_features=5, hidden_features=(), latent_features=2, likelihood="gaussian", deviation=DEVIATION)


def noise(count: int, *shape: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(*shape, generator=generator) for _ in range(count)]


def linear_gaussian() -> tuple[VariationalAutoencoder, MultivariateNormal]:
    """x = W z + b + d e, whose likelihood is N(b, W W^T + d^2 I), with orthogonal columns of W."""
    torch.manual_seed(0)
    network = VariationalAutoencoder(LINEAR)
    (decoder,) = network.decoder
    with torch.no_grad():
        columns, _ = torch.linalg.qr(torch.randn(5, 2))
        decoder.weight.copy_(columns * torch.tensor([1.5, 0.8]))
    weight, bias = decoder.weight.detach(), decoder.bias.detach()
    return network, MultivariateNormal(bias, weight @ weight.T + DEVIATION**2 * torch.eye(5))


def test_divergence_and_density_are_those_of_torch() -> None:
    mean, log_variance, values = torch.randn(3, 7, 4)
    normal = Normal(mean, (log_variance / 2).exp())
    divergence = kl_divergence(normal, Normal(torch.zeros(4), torch.ones(4))).sum(1)
    torch.testing.assert_close(divergence_from_normal(mean, log_variance), divergence)
    torch.testing.assert_close(log_normal(values, mean, log_variance), normal.log_prob(values).sum(1))


def test_outputs_have_the_likelihood_of_torch() -> None:
    inputs, outputs = torch.rand(3, 5).round(), torch.randn(3, 5)
    bernoulli = VariationalAutoencoder(replace(LINEAR, likelihood="bernoulli", deviation=None))
    expected = torch.distributions.Bernoulli(logits=outputs).log_prob(inputs).sum(1)
    torch.testing.assert_close(bernoulli.log_likelihood(outputs, inputs), expected)
    gaussian = VariationalAutoencoder(LINEAR)
    torch.testing.assert_close(
        gaussian.log_likelihood(outputs, inputs), Normal(outputs, DEVIATION).log_prob(inputs).sum(1)
    )


@torch.no_grad()
def test_importance_sampling_finds_the_likelihood_of_a_linear_gaussian_model() -> None:
    network, truth = linear_gaussian()
    inputs = truth.sample((6,))
    mean, log_variance = network.posterior(inputs)  # some guess, far from the posterior
    found = importance_sampled(network, inputs, noise(4_000, 6, 2))
    assert (divergence_from_normal(mean, log_variance) > 0.05).any()
    torch.testing.assert_close(found, truth.log_prob(inputs), atol=0.15, rtol=0)
    few = importance_sampled(network, inputs.repeat(500, 1), noise(1, 3000, 2)).mean()
    some = importance_sampled(network, inputs.repeat(500, 1), noise(8, 3000, 2)).mean()
    assert few < some < truth.log_prob(inputs).mean()  # the bound comes nearer with every draw


@torch.no_grad()
def test_with_the_exact_posterior_one_draw_and_the_bound_are_the_likelihood() -> None:
    network, truth = linear_gaussian()
    (decoder,) = network.decoder
    precision = (decoder.weight.square().sum(0)) / DEVIATION**2 + 1  # diagonal, as the columns are orthogonal
    network.mean.weight.copy_(decoder.weight.T / DEVIATION**2 / precision[:, None])
    network.mean.bias.copy_(-network.mean.weight @ decoder.bias)
    network.log_variance.weight.zero_()
    network.log_variance.bias.copy_(-precision.log())
    inputs = truth.sample((6,))
    torch.testing.assert_close(importance_sampled(network, inputs, noise(1, 6, 2)), truth.log_prob(inputs))
    mean, log_variance = network.posterior(inputs)
    likelihood = torch.stack(
        [network.log_likelihood(network.outputs(drawn(mean, log_variance, e)), inputs) for e in noise(4_000, 6, 2)]
    ).mean(0)
    bound = likelihood - divergence_from_normal(mean, log_variance)
    torch.testing.assert_close(bound, truth.log_prob(inputs), atol=0.1, rtol=0)


def test_linear_layers_reach_the_likelihood_of_probabilistic_principal_components() -> None:
    """Lucas et al. (2019): the bound of a linear model has the maxima of the likelihood, which principal components
    give in closed form (Tipping and Bishop, 1999).
    """
    scales = np.array([3.0, 2.0, 0.5, 0.5, 0.5])
    rows = np.random.default_rng(0).normal(size=(400, 5)) * scales + 1.0
    best = -PCA(2).fit(rows).score(rows)
    torch.manual_seed(0)
    rule = build(replace(LINEAR, deviation=None, descent=Descent(optimizer="adam", learning_rate=0.02)))
    batch = {"inputs": torch.from_numpy(rows).float()}
    losses = [float(rule.step(batch)["loss"]) for _ in range(1200)]
    assert best - 0.02 < np.mean(losses[-200:]) < best + 0.05
    assert losses[0] > best + 1
    assert rule.home.log_deviation.exp().item() == pytest.approx(0.5, abs=0.03)


def test_the_weight_of_the_divergence_rises_evenly_and_stays() -> None:
    torch.manual_seed(0)
    rule = Variational(VariationalAutoencoder(TINY), TINY.descent, beta=2.0, warm_up=4)
    batch, weights = {"inputs": torch.rand(5, 16)}, []
    for _ in range(6):
        weights.append(float(rule.weight))
        measured = rule.step(batch)
        expected = measured["reconstruction"] + weights[-1] * measured["divergence"]
        torch.testing.assert_close(measured["loss"], expected)
    assert weights == [0.0, 0.5, 1.0, 1.5, 2.0, 2.0]
    again = Variational(VariationalAutoencoder(TINY), TINY.descent, beta=2.0, warm_up=4)
    again.load_state_dict(rule.state_dict())
    assert float(again.weight) == 2.0


def test_refuses_what_makes_no_sense() -> None:
    with pytest.raises(ConfigurationError, match="beta must not be negative"):
        Variational(VariationalAutoencoder(TINY), TINY.descent, beta=-1.0)
    conditional = VariationalAutoencoder(replace(TINY, conditional=True))
    with pytest.raises(DataError, match="labelled"):
        condition_of(conditional, {"inputs": torch.zeros(2, 16)})
    assert condition_of(conditional, {"targets": torch.tensor([1, 9])}).argmax(1).tolist() == [1, 9]


def test_constant_of_the_gaussian() -> None:
    network = VariationalAutoencoder(replace(LINEAR, deviation=1.0))
    same = torch.zeros(1, 5)
    assert network.log_likelihood(same, same).item() == pytest.approx(-2.5 * math.log(2 * math.pi))
