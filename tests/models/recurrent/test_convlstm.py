"""The forecaster of films: its published sizes, what its two stacks hand on, the dense form, and its row."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.recurrent.convlstm import FORMS, TINY, Config, DenseForecaster, FilmForecaster, build
from ganglion.nn.recurrent.convolutional import ConvLSTMCell
from ganglion.rules.losses import frame_cross_entropy
from tests.contract.rows import Row


@cache
def squares(count: int = 200) -> tuple[Tensor, Tensor]:
    """Frames read (films, 4, 1, 8, 8) of a square that goes one of four ways around a ring, and the next three."""
    random = np.random.default_rng(0)
    page = np.zeros((8, 8), np.float32)
    page[:3, :3] = 1
    ways = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)])[random.integers(4, size=count)]
    starts = random.integers(8, size=(count, 2))
    films = [
        [np.roll(page, tuple(start + time * way), axis=(0, 1)) for time in range(7)]
        for start, way in zip(starts, ways, strict=True)
    ]
    whole = torch.from_numpy(np.array(films))[:, :, None]
    return whole[:, :4], whole[:, 4:]


@torch.no_grad()
def certainty(rule: LearningRule) -> float:
    """Return minus the cross-entropy of a frame; the mean frame has -26."""
    inputs, targets = squares()
    return -float(frame_cross_entropy(rule.home.eval()(inputs), targets))


def toy() -> InMemoryLoader:
    inputs, targets = squares()
    return InMemoryLoader({"inputs": inputs, "targets": targets}, 20, seed=torch.initial_seed() % 2**31)


ROW = Row(
    loader=toy,
    steps=220,
    measure=certainty,
    threshold=-23.0,
    counts=(
        ({}, "network", 7_585_296),
        ({"hidden_channels": (128, 128)}, "network", 10_042_896),
        ({"hidden_channels": (256,)}, "network", 13_524_496),
        ({"hidden_channels": (128, 128), "kernel_size": 1, "input_kernel_size": 9}, "network", 11_550_224),
        ({"kernel_size": 1, "input_kernel_size": 9}, "network", 8_830_480),
        ({"memory": "dense", "hidden_channels": (2048, 2048)}, "network", 142_667_776),
    ),
    frozen=("network.forecaster.0.layers.0.input_weight",),  # it has no inputs, and so no weights of them
    data="bouncing-digits",
)


def test_the_forms_are_those_that_were_published() -> None:
    counts = [count for _, _, count in ROW.counts]
    forms = ("128-128", "256", "9x9-128-128", "9x9-128-64-64")
    found = [sum(p.numel() for p in build(FORMS[form]).home.parameters()) for form in forms]
    assert found == [counts[1], counts[2], counts[3], counts[4]]


def test_it_knows_the_way_better_than_the_mean_frame() -> None:
    _, targets = squares()
    mean = targets.mean((0, 1)).logit().expand_as(targets)
    assert float(frame_cross_entropy(mean, targets)) == pytest.approx(26, abs=1)


def test_kernels_over_inputs_and_states_are_those_of_the_equations() -> None:
    torch.manual_seed(0)
    cell = ConvLSTMCell(2, 3, 1, input_kernel_size=5)
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter)
    maps, hidden, memory = torch.rand(1, 1, 2, 6, 6), torch.rand(1, 3, 6, 6), torch.rand(1, 3, 6, 6)
    found = cell.step(cell.project(maps)[0], (hidden, memory))
    total = conv2d(maps[0], cell.input_weight, padding=2) + conv2d(hidden, cell.recurrent_weight)
    i, f, z, o = (total + cell.bias[:, None, None]).chunk(4, dim=1)
    assert cell.peepholes is not None
    p_i, p_f, p_o = cell.peepholes[:, :, None, None]
    after = (f + p_f * memory).sigmoid() * memory + (i + p_i * memory).sigmoid() * z.tanh()
    torch.testing.assert_close(found[1], after)
    torch.testing.assert_close(found[0], (o + p_o * after).sigmoid() * after.tanh())


@pytest.mark.parametrize("memory", ["convolutional", "dense"])
def test_a_longer_forecast_begins_with_the_shorter_one(memory: str) -> None:
    torch.manual_seed(0)
    network = build(replace(TINY, memory=memory)).home.eval()
    assert isinstance(network, FilmForecaster | DenseForecaster)
    films = torch.rand(2, 4, 1, 8, 8)
    torch.testing.assert_close(network.forecast(films, 6)[:, :3], network(films))


def test_maps_know_no_places() -> None:
    """What moves to the right is forecast to the right: away from the edges, a shifted film has a shifted forecast."""
    torch.manual_seed(0)
    network = FilmForecaster(replace(TINY, hidden_channels=(4,), input_frames=2, output_frames=1)).eval()
    film = torch.zeros(1, 2, 1, 32, 32)
    film[..., 12:16, 12:16] = torch.rand(4, 4)
    shifted = film.roll(4, dims=-1)
    torch.testing.assert_close(network(film).roll(4, -1)[..., 8:24, 8:24], network(shifted)[..., 8:24, 8:24])


def test_patches_must_cover_a_frame() -> None:
    with pytest.raises(ConfigurationError, match="patches must cover"):
        FilmForecaster(replace(TINY, patch_size=3))
    for wrong in ({"kernel_size": 4}, {"input_frames": 0}, {"hidden_channels": (0,)}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            Config(**wrong)
