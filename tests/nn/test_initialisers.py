"""Spread and shape of initial weights against the formulas of their papers."""

import math

import pytest
import torch
from torch import nn

from ganglion.errors import ConfigurationError
from ganglion.nn import dense_layers, initialise
from ganglion.nn.initialisers import INITIALISERS

FAN_IN, FAN_OUT = 400, 250
VARIANCES = {
    "uniform": 1 / (3 * FAN_IN),
    "xavier-normal": 2 / (FAN_IN + FAN_OUT),
    "xavier-uniform": 2 / (FAN_IN + FAN_OUT),
    "he-normal": 2 / FAN_IN,
    "he-uniform": 2 / FAN_IN,
    "zeros": 0.0,
}


def test_every_initialiser_is_tested_here() -> None:
    assert set(VARIANCES) == set(INITIALISERS)


@pytest.mark.parametrize("name", VARIANCES)
def test_mean_and_variance(name: str) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(FAN_IN, FAN_OUT)
    initialise(layer, name)
    weights = layer.weight.detach()
    deviation = math.sqrt(VARIANCES[name])
    assert weights.std().item() == pytest.approx(deviation, rel=0.01)
    assert abs(weights.mean().item()) <= 4 * deviation / math.sqrt(weights.numel())
    if "uniform" in name:
        assert weights.abs().max().item() == pytest.approx(math.sqrt(3) * deviation, rel=0.01)
    if "normal" in name:
        assert weights.abs().max().item() > 4 * deviation
    assert not layer.bias.any()


def test_convolution_counts_the_window_into_its_fan() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(16, 64, kernel_size=5)
    initialise(layer, "he-normal")
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / (16 * 25)), rel=0.02)


@pytest.mark.parametrize(("name", "activation"), [("he-normal", "relu"), ("xavier-normal", "linear")])
def test_signals_keep_their_size_through_many_layers(name: str, activation: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(*dense_layers([512] * 11, activation_name=activation, initialiser_name=name))
    inputs = torch.randn(64, 512)
    growth = network(inputs).square().mean() / inputs.square().mean()
    assert 0.3 < growth.item() < 3


def test_unknown_name() -> None:
    with pytest.raises(ConfigurationError, match="unknown initialiser"):
        initialise(nn.Linear(1, 1), "he")  # type: ignore[arg-type]


def test_dense_layers_of_maxout_have_pieces_times_the_width() -> None:
    network = nn.Sequential(*dense_layers([4, 6, 3], activation_name="maxout", pieces=5))
    assert network[0].out_features == 30
    assert network(torch.zeros(2, 4)).shape == (2, 3)
    # A maximum of linear functions is convex along any line in each hidden unit.
    start, end = torch.randn(2, 4)
    hidden = network[:2]
    assert (hidden((start + end)[None] / 2) <= (hidden(start[None]) + hidden(end[None])) / 2 + 1e-6).all()
