"""The centre against the mean."""

import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from tests.contract.rows import Row

POINTS = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))


def nearness(rule: LearningRule) -> float:
    return -float((rule.home["centre"].point.detach() - POINTS.mean(0)).norm())


def loader() -> InMemoryLoader:
    return InMemoryLoader({"inputs": POINTS}, 20, seed=torch.initial_seed() % 2**31)


ROW = Row(
    loader=loader,
    steps=200,
    measure=nearness,
    threshold=-0.2,
    counts=(({"in_features": 7}, "centre", 7),),
    data="two-moons",
)
