"""Character-level network: what it learns, and its size as published."""

from functools import cache
from typing import Any

import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.streams import StreamLoader
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.models.recurrent.char_rnn import Config
from tests.contract.rows import Row


@cache
def tale() -> torch.Tensor:
    """Characters of the generated tales as numbers: 20,000 to learn from, then 2,000 to judge by."""
    text = generate("tales", count=700).inputs[0][:22_000]
    known = sorted(set(text))
    return torch.tensor([known.index(character) for character in text])


@torch.no_grad()
def foretold_nats(rule: LearningRule) -> float:
    """Minus the nats for each character of the end; frequencies of pairs have -1.8."""
    network: Any = rule.home.eval()
    outputs, end = network(tale()[None, -2001:-1])[0], tale()[-2000:]
    rule.home.train()
    return -float(torch.nn.functional.cross_entropy(outputs, end))


ROW = Row(
    loader=lambda: StreamLoader(tale()[:20_000].numpy(), streams=16, window=20, seed=0),
    steps=250,
    measure=foretold_nats,
    threshold=-1.5,
    # Karpathy says about 3.5 million; here the first layer reads vectors of 64 numbers.
    counts=(({}, "network", 66 * 64 + 4 * 512 * (64 + 512 + 1) + 4 * 512 * (512 + 512 + 1) + 513 * 66),),
    options={"validation": 0.05, "test": 0.05},
    data="tales",
)


@pytest.mark.parametrize("fields", [{"hidden_features": 0}, {"dropout": 1.0}, {"window": 0}])
def test_refuses_what_cannot_be_built(fields: dict) -> None:
    with pytest.raises(ConfigurationError):
        Config(**fields)
