"""The upscaler: published sizes, any size of picture, its reach, and decibels gained over interpolation on digits."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule, Local
from ganglion.data.catalogue import read
from ganglion.data.loaders.derived import Shrunk, derive
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.models.autoencoder.upscaler import Config, Espcn, Srcnn
from ganglion.nn.images.resampling import enlarged
from ganglion.tasks.measures.images import psnr
from tests.contract.rows import Row

SMALLER = {"inputs": Shrunk(of="targets", factor=2)}


@cache
def digits() -> torch.Tensor:
    return torch.from_numpy(np.asarray(read("digits", DataSettings()).inputs)).movedim(3, 1).float() / 255


@torch.no_grad()
def decibels_gained(rule: LearningRule) -> float:
    """How much nearer digits come to what they were than by interpolation."""
    batch = derive({"targets": digits()[-200:], "index": torch.arange(200)}, SMALLER, seed=1, epoch=0)
    made, interpolated = rule.home(batch["inputs"]), enlarged(batch["inputs"], 2)
    return float((psnr(made, batch["targets"]) - psnr(interpolated, batch["targets"])).mean())


ROW = Row(
    loader=lambda: InMemoryLoader({"targets": digits()[:256]}, batch_size=32, seed=0, derived=SMALLER),
    steps=120,
    measure=decibels_gained,
    threshold=1.0,
    counts=(
        ({"design": "srcnn"}, "network", 8_129),
        ({"design": "srcnn", "windows": (9, 5, 5)}, "network", 57_281),
        ({"design": "espcn", "scale": 2}, "network", 21_284),
        ({"design": "espcn", "scale": 3}, "network", 22_729),
        ({"design": "espcn", "scale": 4}, "network", 24_752),
    ),
    options={"image_size": 8, "validation": 0.02, "test": 0.02},
)


@pytest.mark.parametrize("network", [Srcnn, Espcn])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_nothing_beyond_its_reach_matters(network: Any, scale: Any) -> None:
    torch.manual_seed(0)
    made = network(Config(scale=scale, channels=(6, 5), residual=True)).double()
    assert isinstance(made, Local)
    image = torch.rand(1, 1, 25, 31, requires_grad=True, dtype=torch.float64)
    output = made(image)
    assert output.shape == (1, 1, 25 * scale, 31 * scale)
    block = output[0, 0, 12 * scale : 13 * scale, 15 * scale : 16 * scale]
    block.sum().backward()
    assert image.grad is not None
    rows, columns = torch.nonzero(image.grad[0, 0], as_tuple=True)
    far = max(12 - int(rows.min()), int(rows.max()) - 12, 15 - int(columns.min()), int(columns.max()) - 15)
    assert made.reach - 1 <= far <= made.reach


def test_pixels_are_shuffled_as_the_equation_says() -> None:
    """Map r (y mod r) + (x mod r) of the last convolution holds the large pixel (y, x)."""
    network = Espcn(Config(design="espcn", scale=3, channels=(4, 4)))
    image = torch.rand(1, 1, 5, 6)
    maps, large = network.layers[:-1](image)[0], network(image)[0, 0]
    for y, x in ((0, 0), (4, 7), (14, 17), (7, 3)):
        assert large[y, x] == maps[3 * (y % 3) + x % 3, y // 3, x // 3]


def test_with_residual_it_starts_as_interpolation() -> None:
    image = torch.rand(1, 1, 12, 12)
    for network in (Srcnn(Config(residual=True)), Espcn(Config(design="espcn", residual=True))):
        assert float((network(image) - enlarged(image, 3)).detach().abs().max()) < 0.2
