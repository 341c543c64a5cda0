"""Network that writes tunes: that it learns more than pairs of signs say, and its size."""

from functools import cache
from typing import Any

import numpy as np
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.streams import StreamLoader
from ganglion.data.preprocessing import TextPreprocessing
from ganglion.data.sources.generators import generate
from tests.contract.rows import Row


@cache
def music() -> np.ndarray:
    """Signs of generated tunes as numbers: 20,000 to learn from, then 2,000 to judge by."""
    text = "".join(generate("tunes", count=130).fields["tunes"].values)
    return TextPreprocessing.fit([text], unit="characters", padded=False).encode(text)[:22_000]


@torch.no_grad()
def foretold_nats(rule: LearningRule) -> float:
    """Minus the nats for each sign of the end; frequencies of pairs have about -1.8."""
    network: Any = rule.home.eval()
    numbers = torch.from_numpy(music()[-2001:])
    outputs = network(numbers[None, :-1])[0]
    rule.home.train()
    return -float(torch.nn.functional.cross_entropy(outputs, numbers[1:]))


ROW = Row(
    loader=lambda: StreamLoader(music()[:20_000], streams=16, window=20, seed=0),
    steps=350,
    measure=foretold_nats,
    threshold=-1.3,
    counts=(({}, "network", 80 * 64 + 2048 * (64 + 512 + 1) + 2 * 2048 * (512 + 512 + 1) + 513 * 80),),
    options={"validation": 0.05, "test": 0.05, "limit": 60},
    data="tunes",
)
