"""The compressor: published sizes, its reach, pictures of any size, and fewer bits at less error than it began with."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from torch.nn import functional

from ganglion.core import Coder, LearningRule
from ganglion.data.catalogue import read
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.models.autoencoder.compressor import SMALL, TINY, Compressor, Config, build
from ganglion.nn.compression.context import bits
from ganglion.rules.autoencoder.compression import Compression
from tests.contract.rows import Row


@cache
def photographs() -> torch.Tensor:
    """Return parts of photographs (120, 3, 32, 32)."""
    images = torch.from_numpy(np.asarray(read("photographs", DataSettings()).inputs))
    return functional.avg_pool2d(images.movedim(3, 1).float() / 255, 2)


@torch.no_grad()
def cheapness(rule: LearningRule) -> float:
    """Return how low the loss of held-out pictures is, over all qualities."""
    assert isinstance(rule, Compression)
    images = photographs()[100:]
    losses = [rule.judge_qualities(images, torch.full((len(images),), q))["loss"].mean() for q in (0, 1)]
    return -float(sum(losses) / len(losses))


ROW = Row(
    loader=lambda: InMemoryLoader({"targets": photographs()[:96]}, batch_size=8, seed=0),
    steps=120,
    measure=cheapness,
    threshold=-2.88,
    counts=(
        # 9 x 9 x 3 x N + N, twice N^2 + N, twice 25 N^2 + N; there and back, and N numbers of each gain and width
        ({"channels": 128, "quantisation_steps": (20.0,)}, "network", 2 * 31_104 + 131 + 8 * 128 + 104 * 128**2 + 384),
    ),
    options={"image_size": 32, "limit": 24, "batch_size": 8, "validation": 0.01, "test": 0.01},
    data="photographs",
)


@pytest.mark.parametrize("config", [TINY, Config(channels=6, quantisation_steps=(20.0,))], ids=["lapped", "gdn"])
@pytest.mark.parametrize("size", [(16, 16), (17, 40), (33, 9)])
def test_pictures_of_any_size_come_back(config: Config, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = Compressor(config)
    images = torch.rand(2, 3, *size)
    assert isinstance(network, Coder)
    assert network(images).shape == images.shape
    rows, columns = (-(-side // network.block) for side in size)
    assert network.latents(images).shape == (2, config.channels, rows, columns)


@pytest.mark.parametrize("config", [TINY, Config(channels=6, quantisation_steps=(20.0,))], ids=["lapped", "gdn"])
def test_nothing_beyond_its_reach_matters(config: Config) -> None:
    torch.manual_seed(0)
    network = Compressor(config).double()
    for parameter in network.parameters():  # blocks begin as nothing
        parameter.data += 0.01 * torch.rand_like(parameter)
    side = 16 * network.block
    images = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    network.latents(images)[0, :, 8, 8].sum().backward()
    assert images.grad is not None
    rows = torch.nonzero(images.grad[0].abs().amax((0, 2)))[:, 0]
    low, high = 8 * network.block - network.reach, 9 * network.block + network.reach
    assert low <= int(rows.min()) and int(rows.max()) < high
    codes = torch.rand(1, config.channels, 16, 16, dtype=torch.float64, requires_grad=True)
    pixel = 8 * network.block + 3
    network.pictures(codes, torch.tensor([0]))[0, :, pixel, pixel].sum().backward()
    assert codes.grad is not None
    rows = torch.nonzero(codes.grad[0].abs().amax((0, 2)))[:, 0] * network.block
    assert pixel - network.reach - network.block < int(rows.min()) and int(rows.max()) <= pixel + network.reach


def test_it_begins_as_a_transform_that_keeps_lengths() -> None:
    """Without rounding all 192 frequencies give the picture back, and rounding costs step^2 / 12 of squared error."""
    torch.manual_seed(0)
    step = 10.0
    network = Compressor(replace(SMALL, channels=192, quantisation_steps=(step,), context_features=0))
    images, quality = photographs()[:8], torch.zeros(8, dtype=torch.long)
    with torch.no_grad():
        scaled = network.scaled(network.latents(images), quality)
        torch.testing.assert_close(network.pictures(scaled, quality), images, atol=1e-4, rtol=0)
        noisy = scaled + torch.rand_like(scaled) - 0.5
        error = (255 * (network.pictures(noisy, quality) - images)).square().mean()
    assert float(error) == pytest.approx(step**2 / 12, rel=0.1)  # the border of a picture is a little less even


def test_the_loss_is_that_of_the_equation() -> None:
    rule = build(TINY)
    assert isinstance(rule, Compression)
    network, images, quality = Compressor(TINY), photographs()[:4], torch.tensor([0, 1, 0, 1])
    network.load_state_dict(rule.home.state_dict())
    with torch.no_grad():
        found = rule.judge_qualities(images, quality)
        codes = network.scaled(network.latents(images), quality).round()
        rate = bits(codes, *network.context(codes, quality)).sum((1, 2, 3)) / 32**2
        error = (255 * (network.pictures(codes, quality) - images)).square().sum((1, 2, 3)) / 32**2
    step = torch.tensor([60.0, 20.0])[quality]
    torch.testing.assert_close(found["loss"], step / 40 * (rate + error / (np.log(2) / 6 * step**2)))
    torch.testing.assert_close(found["bits_per_pixel"], rate)


@pytest.mark.parametrize("seed", [0, 1])
def test_finer_qualities_cost_more_and_err_less(seed: int) -> None:
    torch.manual_seed(seed)
    rule = build(SMALL)
    assert isinstance(rule, Compression)
    images = photographs()[seed : seed + 2]
    with torch.no_grad():
        found = [rule.judge_qualities(images, torch.full((2,), quality)) for quality in range(8)]
    rates = [float(one["bits_per_pixel"].mean()) for one in found]
    errors = [float(one["mse"].mean()) for one in found]
    assert rates == sorted(rates) and errors == sorted(errors, reverse=True)
