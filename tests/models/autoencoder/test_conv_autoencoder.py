"""The convolutional autoencoder: sizes there and back, counts by hand, and less error than dense layers."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, DataError
from ganglion.models.autoencoder import autoencoder
from ganglion.models.autoencoder.conv_autoencoder import TINY, Config, ConvAutoencoder
from ganglion.runs.session import train
from ganglion.tasks.reconstruction import Reconstruction
from tests.contract.rows import Row
from tests.contract.toys import bars_and_stripes


@torch.no_grad()
def share_of_pixels_rebuilt(rule: LearningRule) -> float:
    """Share of the variance of the patterns that passes the code; the mean pattern has 0."""
    patterns: Any = bars_and_stripes().unflatten(1, (1, 4, 4))
    rebuilt = rule.home.reconstruct(patterns)  # type: ignore[operator]
    return float(1 - (rebuilt - patterns).square().mean() / (patterns.mean(dim=0) - patterns).square().mean())


def counted(config: Config) -> int:
    """Weights and biases there and back, by hand."""
    squares = config.kernel_size**2
    maps = (config.in_channels, *config.channels)
    pairs = list(pairwise(maps))
    windows = sum(2 * squares * few * many + few + many for few, many in pairs)
    sides = [config.image_height, config.image_width]
    for _ in config.channels:
        sides = [math.ceil(side / 2) for side in sides]
    wide = maps[-1] * sides[0] * sides[1]
    return windows + 2 * wide * config.code_size + config.code_size + wide


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": bars_and_stripes().unflatten(1, (1, 4, 4))}, batch_size=10, seed=0),
    steps=500,
    measure=share_of_pixels_rebuilt,
    threshold=0.5,  # Two principal components rebuild a third.
    counts=(({}, "network", counted(Config())),),
)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (7, 7), (8, 8), (9, 14), (31, 17)])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_images_of_any_size_come_back_in_their_size(height: int, width: int, kernel_size: int) -> None:
    config = Config(in_channels=2, image_height=height, image_width=width, channels=(4, 3, 5), kernel_size=kernel_size)
    network = ConvAutoencoder(config)
    images = torch.rand(2, 2, height, width)
    assert network(images).shape == network.reconstruct(images).shape == images.shape
    assert network.encode(images).shape == (2, config.code_size)
    assert sum(parameter.numel() for parameter in network.parameters()) == counted(config)


def test_logistic_outputs_are_logits_of_reconstructions() -> None:
    network = ConvAutoencoder(replace(TINY, loss="binary-cross-entropy"))
    images = torch.rand(3, 1, 4, 4)
    torch.testing.assert_close(network(images).sigmoid(), network.reconstruct(images))


def test_even_windows_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="odd number"):
        Config(kernel_size=4)


def test_large_images_are_shrunk_and_rows_refused() -> None:
    images = torch.randint(0, 256, (12, 200, 100, 3), dtype=torch.uint8).numpy()
    dataset = Dataset.of(name="toy", kind="image", inputs=images)
    task = Reconstruction.prepare(dataset, TINY, DataSettings(), seed=0)
    assert (task.config.in_channels, task.config.image_height, task.config.image_width) == (3, 128, 64)
    with pytest.raises(DataError, match="looks at images"):
        Reconstruction.prepare("wine", TINY, DataSettings(), seed=0)


@pytest.mark.full
@pytest.mark.data
def test_beats_dense_layers_at_an_equal_code_on_fashion_mnist(tmp_path: Any) -> None:
    errors = {}
    for name in ("conv-autoencoder", "autoencoder"):
        run = train(name, "fashion-mnist", form="published", epochs=2, batch_size=128, out=tmp_path / name)
        errors[name] = run.metrics["reconstruction_error"]
        assert run.task.config.code_size == autoencoder.Config().code_size
    assert errors["conv-autoencoder"] < 0.85 * errors["autoencoder"]
