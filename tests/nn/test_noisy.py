"""Noisy layers: judged by their means, shaken in the stated way while they learn."""

import torch
from torch import nn
from torch.nn import functional as F

from ganglion.nn.reinforcement.noisy import NoisyLinear


def test_judged_it_is_the_layer_of_its_means() -> None:
    layer, inputs = NoisyLinear(5, 3).eval(), torch.randn(4, 5)
    assert torch.equal(layer(inputs), F.linear(inputs, layer.weight, layer.bias))


def test_while_learning_the_noise_is_factorised_and_drawn_anew_in_every_call() -> None:
    torch.manual_seed(0)
    layer, inputs = NoisyLinear(5, 3), torch.randn(4, 5)
    state = torch.get_rng_state()
    shown = layer(inputs)
    torch.set_rng_state(state)
    into, out = (noise.sign() * noise.abs().sqrt() for noise in (torch.randn(5), torch.randn(3)))
    weight = layer.weight + layer.weight_noise * out[:, None] * into[None, :]
    torch.testing.assert_close(shown, inputs @ weight.T + layer.bias + layer.bias_noise * out)
    assert not torch.equal(layer(inputs), shown)


def test_the_spread_of_outputs_is_that_of_the_formula() -> None:
    """Var y = σ² |E f(ε)²| (|x|² E f² + 1), with E f(ε)² = E |ε| = sqrt(2 / π), where all σ are alike."""
    torch.manual_seed(0)
    layer, inputs = NoisyLinear(4, 2, scale=1.0), torch.tensor([[1.0, -2.0, 0.5, 3.0]])
    draws = torch.stack([layer(inputs).detach() for _ in range(4000)])
    square, sigma = (2 / torch.pi) ** 0.5, 1 / 4**0.5
    expected = sigma**2 * square * (square * inputs.square().sum() + 1)
    torch.testing.assert_close(draws.var(0).mean(), expected, rtol=0.1, atol=0)
    torch.testing.assert_close(draws.mean(0), layer.eval()(inputs), rtol=0, atol=0.15)


def test_means_and_noise_both_learn() -> None:
    layer = NoisyLinear(4, 2)
    layer(torch.ones(1, 4)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in layer.parameters())
    assert sum(parameter.numel() for parameter in layer.parameters()) == 2 * sum(
        parameter.numel() for parameter in nn.Linear(4, 2).parameters()
    )
