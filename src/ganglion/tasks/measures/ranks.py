"""Whether a network knows which of several texts belongs to what it saw or heard."""

import numpy as np
import torch
from torch import Tensor

from ganglion.core import Measure
from ganglion.tasks.shared.texts.writing import surprises

CANDIDATES = 10
RANKED = Measure(
    name="ranked_first",
    higher_is_better=True,
    meaning=f"Share of the samples whose own text is held likelier than those of {CANDIDATES - 1} others.",
)


def ranked_first(network: object, inputs: Tensor, targets: Tensor, blank: Tensor | None = None) -> float:
    """Return how often a sample's own text is held likelier than the texts of nine other samples; chance has 0.1.

    A text y of n tokens has the score log p(y | x) / n of what x it is about, less log p(y | nothing) / n where
    nothing can be said to the network: then a text is not preferred because it fits everywhere. Each ten samples that
    follow one another are compared; equal texts count as one.

    Args:
        inputs: what each text is about (samples, ...), in an order of chance.
        targets: tokens of the texts with their marks (samples, steps).
        blank: what stands for nothing, one of the inputs (...).

    Source for the difference: Li, Galley, Brockett, Gao and Dolan, A diversity-promoting objective function for neural
    conversation models (2016).
    """
    count = max(2, min(CANDIDATES, len(targets)))
    right, asked = 0, 0
    for first in range(0, len(targets) - count + 1, count):
        about, texts = inputs[first : first + count], targets[first : first + count]
        pairs = about.repeat_interleave(count, 0), texts.repeat(count, 1)
        scores = -per_token(network, *pairs).reshape(count, count)
        if blank is not None:
            scores = scores + per_token(network, blank.expand(count, *blank.shape), texts)
        chosen = scores.argmax(1)
        right += int((texts[chosen] == texts).all(1).sum())
        asked += count
    return right / asked if asked else float("nan")


def per_token(network: object, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean surprise at the tokens of each text (texts,) but the first."""
    return surprises(network, inputs, targets).sum(1) / (targets[:, 1:] != 0).sum(1).clamp(min=1)


def in_order_of_chance(count: int, most: int) -> np.ndarray:
    """Return at most so many places of samples, always in the same order of chance `(chosen,)`."""
    order: np.ndarray = torch.randperm(count, generator=torch.Generator().manual_seed(0))[:most].numpy()
    return order
