"""The encoder of image search: counts by hand, and more found among Fashion-MNIST than by pixels or components."""

from typing import Any

import pytest

from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.models.autoencoder.image_search import Config, ImageSearch
from ganglion.runs.session import train
from tests.contract.rows import Row
from tests.contract.toys import bars_and_stripes
from tests.models.autoencoder.test_conv_autoencoder import share_of_pixels_rebuilt

TWO_NUMBERS = {"image_height": 8, "image_width": 8, "channels": (4,), "code_size": 2}

ROW = Row(
    loader=lambda: InMemoryLoader({"inputs": bars_and_stripes().unflatten(1, (1, 4, 4))}, batch_size=10, seed=0),
    steps=500,
    measure=share_of_pixels_rebuilt,
    threshold=0.4,  # Two principal components rebuild a third.
    counts=(
        (
            TWO_NUMBERS,
            "network",
            40 + 2 * 128 + 2 + 64 + 37,
        ),
    ),
)


def test_counts_by_hand() -> None:
    """4 windows of 3 x 3 and a bias each, 64 values to 64 numbers, and the same way back."""
    network = ImageSearch(Config(image_height=8, image_width=8, channels=(4,)))
    assert sum(parameter.numel() for parameter in network.parameters()) == 40 + 64 * 64 + 64 + 64 * 64 + 64 + 37


@pytest.mark.full
@pytest.mark.data
def test_finds_more_than_pixels_and_components_on_fashion_mnist(tmp_path: Any) -> None:
    options = {"form": "published", "epochs": 3, "batch_size": 128, "limit": 30_000}
    metrics = train("image-search", "fashion-mnist", out=tmp_path / "run", **options).metrics
    beside = metrics["raw_precision_at_10"], metrics["components_precision_at_10"]
    assert metrics["precision_at_10"] > max(beside)
