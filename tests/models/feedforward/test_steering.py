"""The network that steers: its size, hills and what they mean, and its error written out."""

from functools import cache

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.sources.generators import generate
from ganglion.models.feedforward.steering import SMALL, Config, Steering, build, hills, steering_error
from tests.contract.rows import Row


@cache
def scenes() -> dict[str, torch.Tensor]:
    made = generate("road-scenes", count=800)
    pictures = torch.from_numpy(np.asarray(made.inputs)).movedim(3, 1).float() / 255
    return {"inputs": pictures, "targets": torch.from_numpy(np.asarray(made.targets)) / 10}


def share_explained(rule: LearningRule) -> float:
    """R2 of the directions; the mean has 0."""
    network, known = rule.home, scenes()
    assert isinstance(network, Steering)
    with torch.no_grad():
        said = network.directions(network(known["inputs"]))
    return float(1 - (said - known["targets"][:, 0]).square().mean() / known["targets"].var(correction=0))


ROW = Row(
    loader=lambda: InMemoryLoader(scenes(), batch_size=32, seed=0),
    steps=300,
    measure=share_explained,
    threshold=0.7,
    counts=(
        ({}, "network", 4 * 961 + 30 * 5),
        ({"beside": True}, "network", 3994 + 4 * 961 + 5),
        ({"hidden_features": 5}, "network", 5 * 961 + 30 * 6),
    ),
    data=generate("road-scenes", count=200),
)


def test_the_published_network_has_3994_parameters() -> None:
    assert sum(one.numel() for one in Steering(Config()).parameters()) == 3994


@pytest.mark.parametrize("direction", [-2.9, -1.234, 0.0, 0.05, 2.2])
def test_a_hill_means_the_direction_it_was_made_for(direction: float) -> None:
    network = Steering(Config(largest_direction=4.0))
    hill = network.hills(torch.tensor([direction]))
    np.testing.assert_allclose(
        hill[0], np.exp(-(((direction - np.linspace(-4, 4, 30)) / (8 / 29)) ** 2) / 10), rtol=1e-4
    )
    step = 8 / 29
    assert abs(network.directions(torch.logit(hill, eps=1e-7)).item() - direction) < 0.05 * step + 0.01


def test_of_two_hills_the_higher_one_is_meant_and_not_the_way_between() -> None:
    network = Steering(Config(largest_direction=4.0))
    two = 0.9 * network.hills(torch.tensor([-2.5])) + 0.7 * network.hills(torch.tensor([2.5]))
    assert network.directions(torch.logit(two.clamp(1e-6, 1 - 1e-6))).item() == pytest.approx(-2.5, abs=0.1)


def test_the_error_is_the_sum_over_outputs_and_one_output_is_the_direction() -> None:
    torch.manual_seed(0)
    outputs, directions, places = torch.randn(3, 5), torch.randn(3, 1), torch.linspace(-2, 2, 5)
    by_hand = 0.0
    for row in range(3):
        for k in range(5):
            hill = np.exp(-(float(directions[row] - places[k]) ** 2) / 10)
            by_hand += (hill - 1 / (1 + np.exp(-float(outputs[row, k])))) ** 2 / 2 / 3
    assert steering_error(outputs, directions, places).item() == pytest.approx(by_hand, rel=1e-5)
    assert steering_error(outputs[:, :1], directions, places).item() == pytest.approx(
        float((outputs[:, :1] - directions).square().sum() / 6), rel=1e-5
    )
    assert hills(directions, places).shape == (3, 5)


def test_brightness_and_contrast_of_a_picture_change_nothing() -> None:
    torch.manual_seed(0)
    network, pictures = Steering(Config()), torch.rand(4, 1, 30, 32)
    torch.testing.assert_close(network(pictures), network(0.3 * pictures + 0.2), rtol=1e-3, atol=1e-3)


def test_what_learns_beside_changes_nothing_of_the_network() -> None:
    """They share no weight, so that the network learns as it would alone."""
    weights = []
    for beside in (False, True):
        torch.manual_seed(0)
        rule = build(Config(beside=beside))
        network = rule.home
        assert isinstance(network, Steering)
        for step in range(3):
            rule.step({name: one[32 * step : 32 * step + 32] for name, one in scenes().items()})
        weights.append([one.detach().clone() for one in network.main.parameters()])
    for alone, together in zip(*weights, strict=True):
        torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-6)
    assert SMALL.beside
