"""What a network that learnt a model of inputs and classes makes up of classes that are named."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ganglion.core import Dreamer
from ganglion.settings import unknown_name
from ganglion.tasks.shared.pictures.drawing import generators

TOGETHER = 64
"""Samples that are drawn side by side."""
MOST_COLUMNS = 12
"""Classes that stand side by side in a row of pictures."""


def classes_asked_for(name: str | None, count: int, labels: Sequence[str]) -> Tensor:
    """Return the class of each of `count` samples, (count,): the one of this name, or all in turn.

    >>> classes_asked_for(None, 5, ["cat", "dog"]).tolist(), classes_asked_for("dog", 2, ["cat", "dog"]).tolist()
    ([0, 1, 0, 1, 0], [1, 1])
    """
    if name is None:
        return torch.arange(count) % len(labels)
    if name not in labels:
        raise unknown_name("class", name, list(labels), where="class")
    return torch.full((count,), labels.index(name))


@torch.no_grad()
def dreams_of(network: Dreamer, classes: Tensor, seed: int, device: torch.device) -> Tensor:
    """Return inputs (samples, features) made up of classes (samples,), each a function of the seed and its number."""
    count = len(classes)
    blocks = -(-count // TOGETHER)
    filled = torch.cat([classes, classes.new_zeros(blocks * TOGETHER - count)]).to(device)
    drawn = [
        network.dream(block, generator=one)
        for block, one in zip(filled.split(TOGETHER), generators(blocks, seed, device), strict=True)
    ]
    return torch.cat(drawn)[:count].cpu()
