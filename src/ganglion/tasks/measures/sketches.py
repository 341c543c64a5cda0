"""How well a network foretells drawings, and what moves and pens say that know nothing of each other."""

import math
from collections.abc import Sequence

import numpy as np

from ganglion.core import Measure

LOSS = Measure(
    name="loss",
    higher_is_better=False,
    meaning="Reconstruction, and the divergence with its whole weight; below zero where moves are foretold sharply.",
)
RECONSTRUCTION = Measure(
    name="reconstruction",
    higher_is_better=False,
    meaning="-log p of all moves and pen states of a drawing in nats, divided by the points of the longest drawing.",
)
DIVERGENCE = Measure(
    name="divergence",
    higher_is_better=False,
    meaning="Nats a latent by which the guess of a drawing's latents differs from the normal distribution.",
)
MEASURES = (LOSS, RECONSTRUCTION, DIVERGENCE)


def independent(train: Sequence[np.ndarray], test: Sequence[np.ndarray], longest: int) -> float:
    """Return the reconstruction by one Gaussian for the moves across, one for those down, and frequencies of the pen.

    Args:
        train: drawings `(points, 3)` in the units of the network, by which these are measured.
        test: drawings that are judged.
        longest: points by which the sum of a drawing is divided.

    >>> line = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 1.0]])
    >>> round(independent([line], [line], 2), 2) < 10
    True
    """
    known, moves = np.concatenate(train), np.concatenate(test)
    means, variances = known[:, :2].mean(axis=0), known[:, :2].var(axis=0) + 1e-6
    density = ((moves[:, :2] - means) ** 2 / variances + np.log(2 * math.pi * variances)).sum() / 2
    lifted, ends = known[:, 2].sum() + 1, len(train) + 1
    shares = np.log(np.array([len(known) - lifted + 2, lifted, ends]) / (len(known) + ends + 2))
    came = np.array([(moves[:, 2] == 0).sum(), (moves[:, 2] == 1).sum(), len(test)])
    return float((density - came @ shares) / (len(test) * longest))
