"""The variational autoencoder: its published size, its layers by hand, and classes that are asked for."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from ganglion.core import LatentModel, LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ShapeError
from ganglion.models.autoencoder.vae import TINY, Config, VariationalAutoencoder, build
from ganglion.rules.autoencoder.variational import importance_sampled
from tests.contract.rows import Row
from tests.contract.toys import bars_and_stripes


@torch.no_grad()
def log_likelihood(rule: LearningRule) -> float:
    """Mean log p of the patterns; pixels that know nothing of each other have -16 log 2 = -11.09."""
    patterns, network = bars_and_stripes(), rule.home
    generator = torch.Generator().manual_seed(0)
    draws = [torch.randn(len(patterns), TINY.latent_features, generator=generator) for _ in range(20)]
    assert isinstance(network, LatentModel)
    return float(importance_sampled(network, patterns, draws).mean())


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": bars_and_stripes()}, batch_size=10, seed=0),
    steps=600,
    measure=log_likelihood,
    threshold=-8.5,
    counts=(({}, "network", 652_824),),
)


def test_layers_by_hand() -> None:
    network = VariationalAutoencoder(Config(in_features=5, hidden_features=(4,), latent_features=2, activation="tanh"))
    inputs = torch.rand(3, 5)
    first, _ = network.encoder
    hidden = (inputs @ first.weight.T + first.bias).tanh()
    mean, log_variance = network.posterior(inputs)
    torch.testing.assert_close(mean, hidden @ network.mean.weight.T + network.mean.bias)
    torch.testing.assert_close(log_variance, hidden @ network.log_variance.weight.T + network.log_variance.bias)
    up, _, down = network.decoder
    outputs = (mean @ up.weight.T + up.bias).tanh() @ down.weight.T + down.bias
    torch.testing.assert_close(network(inputs), outputs)
    torch.testing.assert_close(network.decode(network.encode(inputs)), outputs.sigmoid())


def test_a_conditional_network_draws_what_it_is_told() -> None:
    """Two classes of two pixels each: without the class nothing tells them apart in latents that say nothing."""
    config = replace(TINY, in_features=4, conditional=True, num_classes=2, divergence_warm_up=0)
    torch.manual_seed(0)
    rule = build(config)
    targets = torch.tensor([0, 1]).repeat(20)
    inputs = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])[targets]
    for _ in range(200):
        rule.step({"inputs": inputs, "targets": targets})
    network: Any = rule.home
    drawn = network.decode(torch.randn(2, 4), torch.eye(2))
    torch.testing.assert_close(drawn.round(), inputs[:2])


def test_a_conditional_network_refuses_to_guess_the_class() -> None:
    network = VariationalAutoencoder(replace(TINY, conditional=True))
    with pytest.raises(ShapeError, match="what class"):
        network.encode(torch.zeros(2, 16))
    with pytest.raises(ShapeError, match=r"\(2, 10\)"):
        network.decode(torch.zeros(2, 4), torch.eye(2))
