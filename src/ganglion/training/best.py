"""Which evaluation was the best, by a measure that says which way is better."""

import math
from collections.abc import Sequence
from typing import Any, final

from torch import Tensor

from ganglion.core import Measure
from ganglion.errors import UsageError


def monitored(measures: Sequence[Measure], name: str | None) -> Measure:
    """Return the measure of that name, the first where none is named.

    Raises `UsageError` with all names where there is no such measure: its direction would have to be guessed.

    >>> monitored([Measure(name="accuracy", higher_is_better=True)], None).name
    'accuracy'
    """
    for measure in measures:
        if name is None or measure.name == name:
            return measure
    raise UsageError(f"cannot monitor {name!r}", expected=f"one of {', '.join(measure.name for measure in measures)}")


@final
class Best:
    """The best evaluation since a phase began, and how many have not improved on it.

    Its weights are in the checkpoint of its step; they are kept here where there is no run folder.

    >>> best = Best(Measure(name="perplexity", higher_is_better=False), patience=2)
    >>> [best.improves(value, step) for step, value in enumerate([30.0, 20.0, 25.0, math.nan])]
    [True, True, False, False]
    >>> best.value, best.step, best.patience_is_used_up
    (20.0, 1, True)
    """

    def __init__(self, measure: Measure, patience: int | None) -> None:
        self.measure, self.patience = measure, patience
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget all evaluations so far."""
        self.value: float | None = None
        self.step = 0
        self.stale_evaluations = 0
        self.weights: dict[str, Tensor] | None = None

    def improves(self, value: float, step: int) -> bool:
        """Remember an evaluation if it is the best so far, and return whether it is; one that is not finite never is.

        Args:
            value: of the measure.
            step: iteration after which it was taken.
        """
        if math.isfinite(value) and (self.value is None or self.measure.is_better(value, than=self.value)):
            self.value, self.step, self.stale_evaluations = value, step, 0
            return True
        self.stale_evaluations += 1
        return False

    @property
    def patience_is_used_up(self) -> bool:
        return self.patience is not None and self.stale_evaluations >= self.patience

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.value, "best_step": self.step, "stale_evaluations": self.stale_evaluations}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value, self.step = state["best"], state["best_step"]
        self.stale_evaluations = state["stale_evaluations"]
