"""Activation functions and their derivatives as curves, and what they are at a few places."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch

from ganglion.nn.activations import ACTIVATIONS, ActivationName
from ganglion.settings import unknown_name

POINTS, REACH = 801, 5.0
DRAWABLE = tuple(name for name in get_args(ActivationName) if name not in ("glu", "maxout"))
"""Functions of one number; the others are of several."""


@dataclass(frozen=True)
class ActivationCurve:
    """A function of one number: `values` and `slopes`, its derivative by autograd, (points,), at `places` (points,)."""

    name: str
    kind: str
    """The class of `torch.nn`."""
    places: np.ndarray
    values: np.ndarray
    slopes: np.ndarray

    def row(self) -> dict[str, object]:
        """Return the name, the class, the range on the interval, and the largest slope, in four digits."""
        low, high, steepest = (
            round(float(one), 4) for one in (self.values.min(), self.values.max(), self.slopes.max())
        )
        return {"activation": self.name, "torch.nn": self.kind, "lowest": low, "highest": high, "steepest": steepest}


def activation_curves(names: Sequence[str] = ()) -> list[ActivationCurve]:
    """Return curves of activation functions from -5 to 5, as they are after training; of all if none are named.

    >>> [curve.kind for curve in activation_curves(["swish", "gelu"])]
    ['SiLU', 'GELU']
    """
    curves = []
    for name in names or DRAWABLE:
        if name not in DRAWABLE:
            raise unknown_name("activation of one number", name, list(DRAWABLE))
        layer = ACTIVATIONS[name]().double().eval()
        places = torch.linspace(-REACH, REACH, POINTS, dtype=torch.float64, requires_grad=True)
        values = layer(places)
        (slopes,) = torch.autograd.grad(values.sum(), places)
        arrays = (one.detach().numpy() for one in (places, values, slopes))
        curves.append(ActivationCurve(name, type(layer).__name__, *arrays))
    return curves
