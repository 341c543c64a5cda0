"""What a learning rule measured since the last report."""

from typing import Any

import torch
from torch import Tensor


class Measurements:
    """Sums that stay on the device until somebody asks for their means, over the steps in which each was measured.

    >>> measurements = Measurements()
    >>> measurements.add({"loss": torch.tensor(1.0)})
    >>> measurements.add({"loss": torch.tensor(2.0), "penalty": torch.tensor(5.0)})
    >>> measurements.take()
    {'loss': 1.5, 'penalty': 5.0}
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, measured: dict[str, Tensor]) -> None:
        for name, value in measured.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """Return the means, and begin anew."""
        means = {name: float(value) / self._counts[name] for name, value in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means

    def state_dict(self) -> dict[str, Any]:
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._counts = dict(state["counts"])
