"""The anomaly detector: counts by hand, and odd samples of every kind of data found beside an isolation forest."""

from itertools import pairwise

import pytest
import torch

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.models.autoencoder.anomaly_detector import TINY, AnomalyDetector, Config
from tests.contract.rows import Row
from tests.contract.toys import bars_and_stripes, share_of_pixels_rebuilt


def counted(config: Config) -> int:
    """Weights and biases of dense layers there and back, by hand."""
    widths = [config.in_features, *config.hidden_features, config.code_size]
    return sum(2 * wide * narrow + wide + narrow for wide, narrow in pairwise(widths))


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": bars_and_stripes()}, batch_size=10, seed=0),
    steps=400,
    measure=share_of_pixels_rebuilt,
    threshold=0.45,  # Two principal components rebuild a third.
    counts=(({}, "network", counted(Config())),),
)


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 8, 8), (3, 9, 14)])
def test_pictures_come_back_in_their_shape(channels: int, height: int, width: int) -> None:
    network = AnomalyDetector(Config(in_channels=channels, image_height=height, image_width=width, channels=(4, 3)))
    images = torch.rand(2, channels, height, width)
    assert network(images).shape == network.reconstruct(images).shape == images.shape
    assert network.encode(images).shape == (2, Config().code_size)


def test_rows_and_series_pass_dense_layers() -> None:
    network = AnomalyDetector(TINY)
    for samples in (torch.rand(3, 16), torch.rand(3, 8, 2)):
        assert network.reconstruct(samples).shape == samples.shape
