"""What a learning rule measured since the last report."""

from typing import Any

import torch
from torch import Tensor


class Measurements:
    """Sums that stay on the device until somebody asks for their means.

    >>> measurements = Measurements()
    >>> measurements.add({"loss": torch.tensor(1.0)}), measurements.add({"loss": torch.tensor(2.0)})
    (None, None)
    >>> measurements.take()
    {'loss': 1.5}
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, measured: dict[str, Tensor]) -> None:
        self._count += 1
        for name, value in measured.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def take(self) -> dict[str, float]:
        """Return the means, and begin anew."""
        means = {name: float(value) / max(1, self._count) for name, value in self._sums.items()}
        self._sums, self._count = {}, 0
        return means

    def state_dict(self) -> dict[str, Any]:
        return {"sums": dict(self._sums), "count": self._count}

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        self._sums = {name: value.to(device) for name, value in state["sums"].items()}
        self._count = state["count"]
