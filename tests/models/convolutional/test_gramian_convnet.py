"""The network on angular fields: its size by hand, what it looks at, and short series."""

from dataclasses import replace
from functools import cache

import pytest
import torch

from ganglion.core import LearningRule, PicturesSeries
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.errors import ConfigurationError
from ganglion.models.convolutional.gramian_convnet import TINY, Config, GramianConvNet
from tests.contract.rows import Row


@cache
def waves() -> dict[str, torch.Tensor]:
    """Series (samples, 16, 1): slow or fast sines of random phase and size."""
    random = torch.Generator().manual_seed(0)
    classes = torch.arange(200) % 2
    phase, size = 6.3 * torch.rand(200, 1, generator=random), 1 + torch.rand(200, 1, generator=random)
    series = size * torch.sin((0.4 + 0.8 * classes[:, None]) * torch.arange(16) + phase)
    return {"inputs": series[..., None], "targets": classes}


@torch.no_grad()
def accuracy(rule: LearningRule) -> float:
    return float((rule.home.eval()(waves()["inputs"]).argmax(1) == waves()["targets"]).float().mean())


def some_waves() -> Dataset:
    data = {name: one.numpy() for name, one in waves().items()}
    return Dataset.of(name="toy", kind="short-series", label_names=("slow", "fast"), source="toy", **data)


ROW = Row(
    loader=lambda: InMemoryLoader(waves(), batch_size=32, seed=0),
    steps=60,
    measure=accuracy,
    threshold=0.9,
    counts=(({}, "network", 318_500),),
    data=some_waves(),
)


def test_counts_by_hand() -> None:
    convolutions = (2 * 9 + 1) * 32 + (32 * 9 + 1) * 64 + (64 * 9 + 1) * 64
    assert convolutions + (64 * 8 * 8 + 1) * 64 + 65 * 4 == 318_500


def test_the_pictures_are_what_the_network_looks_at() -> None:
    network = GramianConvNet(replace(TINY, in_features=3)).eval()
    assert isinstance(network, PicturesSeries)
    series = torch.randn(2, 16, 3)
    pictures = network.pictures(series)
    assert [(name, tuple(one.shape)) for name, one in pictures.items()] == [
        ("summation", (2, 3, 12, 12)),
        ("difference", (2, 3, 12, 12)),
    ]
    torch.testing.assert_close(network(series), network.network(torch.cat(list(pictures.values()), dim=1)))


def test_fields_are_no_larger_than_the_series_is_long() -> None:
    network = GramianConvNet(Config(window=10))
    assert network.fields.size == 10 and network(torch.randn(2, 10, 1)).shape == (2, 4)


@pytest.mark.parametrize("wrong", [{"window": 1}, {"field_size": 3}, {"num_classes": 1}, {"dropout": 1.0}])
def test_refuses_impossible_configurations(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Config(**wrong)  # type: ignore[arg-type]
