"""What one process reports."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Outcome:
    """How long each epoch took, and how well what was learnt does on the test part."""

    epochs: list[float] = field(default_factory=list)
    """Seconds."""
    score: float = float("nan")

    def timed(self, epoch: Callable[[], object]) -> None:
        started = time.perf_counter()
        epoch()
        self.epochs.append(time.perf_counter() - started)

    @property
    def seconds(self) -> float:
        """Seconds of an epoch, the first left out where there are more."""
        return float(np.median(self.epochs[1:] or self.epochs))


def judged(outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return the accuracy of logits or probabilities where targets are classes, otherwise the mean squared error."""
    if targets.dtype.kind == "i":
        return float((outputs.argmax(1) == targets).mean())
    return float(np.square(outputs - targets).mean())
