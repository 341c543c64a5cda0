"""Feature maps are what the layers put out."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.errors import ConfigurationError, UsageError
from ganglion.inspect import feature_maps, first_filters
from ganglion.inspect.features import activations


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(108, 2))


def test_activations_are_those_of_evaluation_mode_before_later_layers_overwrite_them(network):
    inputs = torch.randn(2, 1, 8, 8)
    found = activations(network, inputs, "1")
    assert network.training
    network.eval()
    torch.testing.assert_close(found, network[1](network[0](inputs)))
    assert found.min() < 0


def test_maps_come_strongest_first(network):
    figure = feature_maps(network, torch.randn(2, 1, 8, 8), "0", sample=1)
    title, *captions = [entry.get_text() for entry in figure.axes[0].texts]
    assert title.startswith("Maps of 0: 3 of 6 x 6")
    strengths = [float(caption.partition(": ")[2]) for caption in captions]
    assert strengths == sorted(strengths, reverse=True)
    assert len(figure.axes[0].images) == 3


def test_filters_are_those_of_the_first_convolution(network):
    figure = first_filters(network)
    assert len(figure.axes[0].images) == 3
    assert np.asarray(figure.axes[0].images[0].get_array()).shape == (3, 3, 3)


@pytest.mark.parametrize(
    ("layer", "error", "words"),
    [
        ("9", ConfigurationError, "unknown layer"),
        ("4", UsageError, "makes no maps"),
        ("", ConfigurationError, "unknown"),
    ],
)
def test_wrong_layers(network, layer, error, words):
    with pytest.raises(error, match=words):
        feature_maps(network, torch.randn(1, 1, 8, 8), layer)


def test_no_convolution():
    with pytest.raises(UsageError, match="no convolution"):
        first_filters(nn.Linear(2, 2))
