"""The denoiser: its published size, any size of picture, and decibels gained on digits that it has not seen."""

from functools import cache

import numpy as np
import pytest
import torch

from ganglion.core import Blocked, LearningRule, Local
from ganglion.data.catalogue import read
from ganglion.data.loaders.derived import GaussianNoise, derive
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.models.autoencoder.denoiser import Config, Denoiser
from ganglion.tasks.measures.images import psnr
from tests.contract.rows import Row

NOISE = GaussianNoise(of="targets", deviation=50 / 255)


@cache
def digits() -> torch.Tensor:
    return torch.from_numpy(np.asarray(read("digits", DataSettings()).inputs)).movedim(3, 1).float() / 255


@torch.no_grad()
def decibels_gained(rule: LearningRule) -> float:
    """How much nearer digits come to what they were before noise was added."""
    batch = derive({"targets": digits()[-200:], "index": torch.arange(200)}, {"inputs": NOISE}, seed=1, epoch=0)
    before, after = batch["inputs"], rule.home(batch["inputs"])
    return float((psnr(after, batch["targets"]) - psnr(before, batch["targets"])).mean())


ROW = Row(
    loader=lambda: InMemoryLoader({"targets": digits()[:256]}, batch_size=32, seed=0, derived={"inputs": NOISE}),
    steps=120,
    measure=decibels_gained,
    threshold=2.0,
    counts=(({}, "network", 556_096),),
    options={"batch_size": 64},
)


def test_nothing_beyond_its_reach_matters() -> None:
    torch.manual_seed(0)
    network = Denoiser(Config(depth=4, channels=8)).eval()
    assert isinstance(network, Local) and network.reach == 4
    image = torch.rand(1, 1, 21, 33, requires_grad=True)
    network(image)[0, 0, 10, 16].backward()
    assert image.grad is not None
    rows, columns = torch.nonzero(image.grad[0, 0], as_tuple=True)
    assert (int(rows.min()), int(rows.max())) == (6, 14)
    assert (int(columns.min()), int(columns.max())) == (12, 20)


def test_it_starts_near_the_picture_itself() -> None:
    image = torch.rand(1, 3, 20, 20)
    network = Denoiser(Config(in_channels=3, depth=3, channels=8, normalised=False))
    assert float((network(image) - image).detach().abs().max()) < 0.5


@pytest.mark.parametrize("size", [(20, 24), (21, 33), (1, 1)])
def test_in_blocks_it_takes_any_size_and_sees_twice_as_far(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = Denoiser(Config(depth=3, channels=8, block=2, normalised=False)).eval()
    assert isinstance(network, Blocked) and network.reach == 7
    image = torch.rand(1, 1, *size, requires_grad=True)
    made = network(image)
    assert made.shape == image.shape
    if min(size) > 20:
        made[0, 0, 10, 17].backward()
        assert image.grad is not None
        rows, columns = torch.nonzero(image.grad[0, 0], as_tuple=True)
        assert (int(rows.min()), int(rows.max())) == (4, 17)
        assert (int(columns.min()), int(columns.max())) == (10, 23)
