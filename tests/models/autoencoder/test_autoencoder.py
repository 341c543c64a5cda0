"""The autoencoder against principal components, its mirror by hand, and its published size."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.nn import functional

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.autoencoder.autoencoder import Autoencoder, Config, build
from ganglion.rules.descend import Descent
from tests.contract.rows import Row
from tests.contract.toys import bars_and_stripes, share_of_pixels_rebuilt

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


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "swish"])
def test_the_jacobian_of_the_code_is_that_of_autograd(activation: Any) -> None:
    torch.manual_seed(0)
    widths = {"in_features": 6, "hidden_features": (7, 5), "code_size": 3}
    network = Autoencoder(Config(**widths, activation=activation, code_activation="sigmoid")).double()
    inputs = torch.randn(4, 6, dtype=torch.float64)
    exact = torch.stack([torch.autograd.functional.jacobian(network.encode, one[None])[0, :, 0] for one in inputs])
    torch.testing.assert_close(network.encoder_jacobian(inputs), exact)


def test_the_contractive_penalty_has_the_gradient_of_autograd() -> None:
    torch.manual_seed(0)
    config = Config(in_features=6, hidden_features=(5,), code_size=3, activation="tanh", contraction=0.3)
    rule, inputs = build(config), torch.randn(4, 6)
    network: Any = rule.home

    def jacobian(one: torch.Tensor) -> torch.Tensor:
        return torch.func.jacrev(lambda row: network.encode(row[None])[0])(one)

    squares = torch.stack([jacobian(one).square().sum() for one in inputs]).mean()
    expected = functional.mse_loss(network(inputs), inputs) + 0.3 * squares
    gradients = torch.autograd.grad(expected, list(network.parameters()))
    measured = rule.step({"inputs": inputs})
    torch.testing.assert_close(measured["loss"], expected.detach())
    torch.testing.assert_close(measured["contraction"], squares.detach())
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-6, rtol=1e-4)


def test_a_contractive_code_moves_less() -> None:
    norms = {}
    for weight in (0.0, 0.1):
        torch.manual_seed(0)
        rule = build(Config(in_features=16, hidden_features=(32,), code_size=4, contraction=weight))
        for _ in range(200):
            rule.step({"inputs": bars_and_stripes()})
        network: Any = rule.home
        norms[weight] = network.encoder_jacobian(bars_and_stripes()).square().sum(dim=(1, 2)).mean().item()
    assert norms[0.1] < norms[0.0] / 4


def test_sparse_codes_keep_to_their_rate_or_become_nothing() -> None:
    patterns = bars_and_stripes()
    wide = {"in_features": 16, "hidden_features": (), "code_size": 24, "descent": Descent(learning_rate=1e-2)}
    torch.manual_seed(0)
    rate = build(Config(**wide, code_activation="sigmoid", sparsity="rate", sparsity_rate=0.1, sparsity_weight=0.02))
    torch.manual_seed(0)
    plain = build(Config(**wide, code_activation="sigmoid"))
    torch.manual_seed(0)
    size = build(Config(**wide, code_activation="relu", sparsity="size", sparsity_weight=3e-3))
    for _ in range(400):
        measured = [float(rule.step({"inputs": patterns})["loss"]) for rule in (rate, plain, size)]
    codes = [rule.home.encode(patterns).detach() for rule in (rate, plain, size)]  # type: ignore[operator]
    assert codes[0].mean() == pytest.approx(0.1, abs=0.05) and codes[1].mean() > 0.3
    assert (codes[2] == 0).float().mean() > 0.6
    assert share_of_pixels_rebuilt(rate) > 0.7 and share_of_pixels_rebuilt(size) > 0.7, measured


def test_a_rate_is_for_codes_that_are_shares() -> None:
    with pytest.raises(ConfigurationError, match="rate"):
        Config(sparsity="rate")
