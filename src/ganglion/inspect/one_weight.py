"""Gradient descent of one weight, as a lecture writes it down."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.errors import ConfigurationError
from ganglion.tables import Table, Tabled

INPUTS, WANTED, WEIGHTS = (0.0, 1.0, 2.0), (0.0, 2.0, 4.0), (3.0, 4.0, 2.0)
"""Of the one weight of a lecture: what goes in, what should come out, and the weights that are tried."""


@dataclass(frozen=True)
class OneWeight(Tabled):
    """The network y = W x of one weight: what weights that are tried cost, and what the update rule makes of it."""

    rate: float
    weights: tuple[float, ...]
    """W after each update, the start first."""

    def tables(self) -> Sequence[Table]:
        tried = Table(
            ("W", "input", "wanted", "output", "error", "squared error"),
            [
                (f"{w:g}", f"{x:g}", f"{t:g}", f"{w * x:g}", f"{abs(w * x - t):g}", f"{(w * x - t) ** 2:g}")
                for w in WEIGHTS
                for x, t in zip(INPUTS, WANTED, strict=True)
            ],
        )
        rows = [
            (str(number), f"{w:.4g}", f"{error_of(w):.4g}", f"{slope_of(w):.4g}", f"{w - self.rate * slope_of(w):.4g}")
            for number, w in enumerate(self.weights[:-1])
        ]
        updates = Table(("update", "W", "E", "dE/dW", f"W - {self.rate:g} dE/dW"), rows)
        return [tried, updates]

    @property
    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights around all that occur, and their errors (places,) each."""
        known = (*WEIGHTS, *self.weights)
        weights = np.linspace(min(known) - 0.5, max(known) + 0.3, 200)
        return weights, np.array([error_of(float(weight)) for weight in weights])

    def to_dict(self) -> dict[str, Any]:
        """Return the tries and the updates as JSON values."""
        return {
            "inputs": list(INPUTS),
            "wanted": list(WANTED),
            "tried": [{"weight": w, "error": error_of(w), "slope": slope_of(w)} for w in WEIGHTS],
            "rate": self.rate,
            "weights": list(self.weights),
            "errors": [error_of(w) for w in self.weights],
        }


def error_of(weight: float) -> float:
    """Return E = sum (W x - t)^2 over the three samples of the lecture.

    >>> [error_of(weight) for weight in (3, 4, 2)]
    [5.0, 20.0, 0.0]
    """
    return float(sum((weight * x - t) ** 2 for x, t in zip(INPUTS, WANTED, strict=True)))


def slope_of(weight: float) -> float:
    """Return dE/dW = sum 2 x (W x - t).

    >>> slope_of(3.0)
    10.0
    """
    return float(sum(2 * x * (weight * x - t) for x, t in zip(INPUTS, WANTED, strict=True)))


def one_weight(steps: int = 6, rate: float = 0.02) -> OneWeight:
    """Return the lecture's table of one weight, and W = W - rate dE/dW from the first weight that is tried.

    >>> [round(weight, 3) for weight in one_weight(steps=3, rate=0.05).weights]
    [3.0, 2.5, 2.25, 2.125]
    """
    weights = [WEIGHTS[0]]
    for _ in range(steps):
        weights.append(weights[-1] - rate * slope_of(weights[-1]))
        if not math.isfinite(weights[-1]) or abs(weights[-1]) > 1e6:
            raise ConfigurationError(
                "the weight runs away", where="learning_rate", expected="below 0.2", found=f"{rate:g}"
            )
    return OneWeight(rate, tuple(weights))
