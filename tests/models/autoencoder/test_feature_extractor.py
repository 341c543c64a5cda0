"""The feature extractor: counts by hand, and codes of pictures and of rows."""

from itertools import pairwise

import torch

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.models.autoencoder.feature_extractor import Config, FeatureExtractor
from tests.contract.rows import Row
from tests.contract.toys import bars_and_stripes, share_of_pixels_rebuilt


def counted(config: Config) -> int:
    """Weights and biases of dense layers there and back, by hand."""
    widths = [config.in_features, *config.hidden_features, config.code_size]
    return sum(2 * wide * narrow + wide + narrow for wide, narrow in pairwise(widths))


ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": bars_and_stripes()}, batch_size=10, seed=0),
    steps=500,
    measure=share_of_pixels_rebuilt,
    threshold=0.3,  # A quarter of what it sees is blank.
    counts=(({}, "network", counted(Config())),),
)


def test_pictures_and_rows_have_codes() -> None:
    pictures = FeatureExtractor(Config(in_channels=3, image_height=9, image_width=14, channels=(4,)))
    assert pictures.encode(torch.rand(2, 3, 9, 14)).shape == (2, 64)
    assert FeatureExtractor(Config(in_features=5)).encode(torch.rand(2, 5)).shape == (2, 64)
