"""Bands between quantiles that hold what they promise: widened by how far off they were on data held back.

Source: Romano, Patterson and Candes, Conformalized quantile regression (2019).
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ganglion.core import Measure

COVERAGE = Measure(
    name="coverage",
    higher_is_better=True,
    meaning="How often the truth lies between the outer quantiles; it should be what they promise.",
)
UNCALIBRATED_COVERAGE = Measure(
    name="uncalibrated_coverage",
    higher_is_better=True,
    meaning="The same of the quantiles as they were learnt.",
)


def bands(quantiles: Sequence[float]) -> list[tuple[int, int]]:
    """Return the places of the quantiles that bound a band around the median, from the outermost band inwards.

    >>> bands((0.05, 0.25, 0.5, 0.75, 0.95))
    [(0, 4), (1, 3)]
    >>> bands((0.5, 0.9))
    []
    """
    below, above = (sum(side * (one - 0.5) > 0 for one in quantiles) for side in (-1, 1))
    return [(low, len(quantiles) - 1 - low) for low in range(min(below, above))]


def promised(quantiles: Sequence[float], band: tuple[int, int]) -> float:
    """Return the share of values that is said to lie in a band."""
    return quantiles[band[1]] - quantiles[band[0]]


def least_count(share: float) -> int:
    """Return how many held-out values it takes to promise that this share lies in a band.

    >>> least_count(0.8), least_count(0.95)
    (4, 19)
    """
    return math.ceil(round(share / (1 - share), 9))


def margins(levels: np.ndarray, truth: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """Return by how much each band has to be widened on both sides, (..., bands).

    The score of a value y in a band from a to b is how far it lies outside, max(a - y, y - b). Of n scores, the margin
    is the ceil((n + 1) s)-th smallest, s being the share that the band promises. A new value that is exchangeable with
    them then lies in the band with a probability of s to s + 1 / (n + 1). Bands that are too wide get a negative
    margin; where the values are too few to promise anything it is zero.

    Args:
        levels: forecast quantiles, (values, ..., levels).
        truth: what came, (values, ...), NaN where nobody knows.
    """
    found = np.zeros((*truth.shape[1:], len(bands(quantiles))))
    for number, (low, high) in enumerate(bands(quantiles)):
        scores = np.maximum(levels[..., low] - truth, truth - levels[..., high])
        count = np.isfinite(scores).sum(axis=0)
        share = promised(quantiles, (low, high))
        place = np.ceil(np.round((count + 1) * share, 9)).astype(int)
        ordered = np.sort(scores, axis=0)  # NaN last
        chosen = np.take_along_axis(ordered, np.minimum(place, len(scores))[None] - 1, axis=0)[0]
        found[..., number] = np.where(place <= count, chosen, 0.0)
    return found


def widened(levels: Tensor, margins: Tensor, quantiles: Sequence[float]) -> Tensor:
    """Return quantiles (..., levels) with every band widened by its margin (..., bands).

    A band always holds the median and the bands within, also where its margin is negative.

    >>> widened(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5]), (0.1, 0.5, 0.9))
    tensor([0.5000, 2.0000, 3.5000])
    """
    levels = levels.clone()
    inner = outer = levels[..., quantiles.index(0.5)]
    for number, (low, high) in reversed(list(enumerate(bands(quantiles)))):
        inner = torch.minimum(levels[..., low] - margins[..., number], inner)
        outer = torch.maximum(levels[..., high] + margins[..., number], outer)
        levels[..., low], levels[..., high] = inner, outer
    return levels
