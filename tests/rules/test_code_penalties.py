"""Penalties of codes against torch's own divergence and sums by hand."""

import torch
from torch.distributions import Bernoulli, kl_divergence

from ganglion.rules.autoencoder.code_penalties import absolute_sum, contraction, divergence_from_rate


def test_the_divergence_from_a_rate_is_that_of_coins() -> None:
    codes = torch.rand(20, 5)
    expected = kl_divergence(Bernoulli(torch.full((5,), 0.2)), Bernoulli(codes.mean(0))).sum()
    torch.testing.assert_close(divergence_from_rate(codes, 0.2), expected)


def test_codes_at_the_edge_have_a_finite_divergence_and_gradient() -> None:
    codes = torch.tensor([[0.0, 1.0]]).requires_grad_()
    divergence_from_rate(codes, 0.1).backward()
    assert codes.grad is not None and codes.grad.isfinite().all()


def test_sums_are_means_over_samples() -> None:
    codes, jacobians = torch.randn(6, 3), torch.randn(6, 3, 4)
    torch.testing.assert_close(absolute_sum(codes), codes.abs().sum() / 6)
    torch.testing.assert_close(contraction(jacobians), torch.linalg.matrix_norm(jacobians).square().mean())
