"""Networks of many sizes that learn one function side by side, and networks of steps of the same sizes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ganglion.core import SideBySide
from ganglion.nn.step_functions import StepNetwork

Size = tuple[int, int]


@torch.no_grad()
def answers_by_size(network: SideBySide, inputs: Tensor) -> dict[Size, Tensor]:
    """Return what every network answers, (samples, values), by its hidden layers and their units."""
    return dict(zip(network.sizes, [one.cpu() for one in network.heads(inputs)], strict=True))


def steps_by_width(
    widths: list[int], inputs: np.ndarray, values: np.ndarray
) -> dict[int, Callable[[np.ndarray], np.ndarray]]:
    """Return networks of so many steps, as functions of (points,), made from samples (samples,) and their values.

    Widths for which there are too few different inputs are left out.
    """
    x, y = (torch.as_tensor(one, dtype=torch.float64) for one in (inputs, values))
    made = {width: StepNetwork(x, y, width) for width in widths if width < len(np.unique(inputs))}
    return {width: _as_function(network) for width, network in made.items()}


def _as_function(network: StepNetwork) -> Callable[[np.ndarray], np.ndarray]:
    def function(points: np.ndarray) -> np.ndarray:
        found: np.ndarray = network(torch.as_tensor(points, dtype=torch.float64)).numpy()
        return found

    return function
