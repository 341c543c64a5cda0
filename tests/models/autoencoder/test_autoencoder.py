"""The autoencoder against principal components, its mirror by hand, and its published size."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.nn import functional

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.autoencoder.autoencoder import Autoencoder, Config, build
from ganglion.rules.descend import Descent
from tests.contract.rows import Row
from tests.contract.toys import bars_and_stripes


@torch.no_grad()
def share_of_pixels_rebuilt(rule: LearningRule) -> float:
    """Share of the variance of the patterns that passes the code; the mean pattern has 0."""
    patterns, network = bars_and_stripes(), rule.home
    rebuilt: Any = network.reconstruct(patterns)  # type: ignore[operator]
    return float(1 - (rebuilt - patterns).square().mean() / (patterns.mean(dim=0) - patterns).square().mean())


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": bars_and_stripes()}, batch_size=10, seed=0),
    steps=500,
    measure=share_of_pixels_rebuilt,
    threshold=0.5,  # Two principal components rebuild a third.
    counts=(({}, "network", 2_837_314),),
)


def test_linear_layers_find_the_plane_of_principal_components() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 6)) * np.array([3.0, 2.0, 1.0, 0.5, 0.3, 0.2]) + 1.0
    linear = PCA(2).fit(rows)
    best = ((linear.inverse_transform(linear.transform(rows)) - rows) ** 2).mean()
    torch.manual_seed(0)
    descent = Descent(optimizer="adam", learning_rate=0.02)
    rule = build(Config(in_features=6, hidden_features=(), code_size=2, activation="linear", descent=descent))
    batch = {"inputs": torch.from_numpy(rows).float()}
    losses = [float(rule.step(batch)["loss"]) for _ in range(1500)]
    assert best * (1 - 1e-5) <= losses[-1] <= best * 1.001


def test_published_count_and_half_of_it_with_tied_weights() -> None:
    widths = {"in_features": 784, "hidden_features": (1000, 500, 250), "code_size": 30}
    weights = 784 * 1000 + 1000 * 500 + 500 * 250 + 250 * 30
    biases = (1000 + 500 + 250 + 30) + (250 + 500 + 1000 + 784)
    counts = [
        sum(parameter.numel() for parameter in build(Config(**widths, tied=tied)).home.parameters())
        for tied in (False, True)
    ]
    assert counts == [2 * weights + biases, weights + biases]
    assert counts[0] == 2_837_314


@pytest.mark.parametrize("tied", [False, True])
def test_layers_by_hand(tied: bool) -> None:
    network = Autoencoder(Config(in_features=5, hidden_features=(4,), code_size=2, activation="tanh", tied=tied))
    inputs = torch.randn(3, 5)
    first, second = network.encoder
    codes = (inputs @ first.weight.T + first.bias).tanh() @ second.weight.T + second.bias
    torch.testing.assert_close(network.encode(inputs), codes)
    back, last = network.decoder
    up, down = (second.weight.T, first.weight.T) if tied else (back.weight, last.weight)
    torch.testing.assert_close(network.decode(codes), (codes @ up.T + back.bias).tanh() @ down.T + last.bias)
    torch.testing.assert_close(network.reconstruct(inputs), network.decode(codes))


def test_logistic_outputs_are_logits_of_reconstructions() -> None:
    network = Autoencoder(Config(in_features=12, hidden_features=(4,), code_size=2, loss="binary-cross-entropy"))
    images = torch.rand(3, 3, 2, 2)
    assert network(images).shape == images.shape
    torch.testing.assert_close(network(images).sigmoid(), network.reconstruct(images))
    rule = build(Config(in_features=12, hidden_features=(4,), loss="binary-cross-entropy"))
    expected = functional.binary_cross_entropy(rule.home.reconstruct(images), images)
    torch.testing.assert_close(rule.step({"inputs": images})["loss"], expected.detach())


def test_tied_weights_learn_from_both_passages() -> None:
    network = Autoencoder(Config(in_features=4, hidden_features=(3,), code_size=2, activation="linear", tied=True))
    inputs = torch.randn(6, 4)
    codes = network.encode(inputs)
    (weight,) = torch.autograd.grad(network.decode(codes.detach()).sum(), network.encoder[0].weight, retain_graph=True)
    assert weight.abs().sum() > 0
    (through,) = torch.autograd.grad(network(inputs).sum(), network.encoder[0].weight)
    assert not torch.allclose(weight, through)


def test_refuses_a_layer_without_units() -> None:
    with pytest.raises(ConfigurationError, match="hidden_features must be at least 1"):
        Config(hidden_features=(32, 0))
