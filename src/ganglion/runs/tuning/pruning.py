"""When a trial is given up: where it does worse than the middle of those that were trained before it.

What a trial is compared with is settled when it is asked for, from trials that were told by then. So it is given up or
not whoever trains it, and when, and whether it was killed in between.
"""

import statistics
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, ClassVar, final

from ganglion.errors import PrunedError
from ganglion.findings import Finding
from ganglion.inspect.adversarial import COLLAPSES
from ganglion.runs.tuning.proposals import Told
from ganglion.training.callback import Callback, Training

STAGES = 20
"""Parts of a run; where each ends, trials are compared."""
FEWEST = 5
"""Trials that must have been trained to their ends before one is given up."""

Bar = tuple[float, float]
"""A share of the run, and what a trial should have reached by then."""


def bars(told: Sequence[Told], warm_up: float) -> list[Bar]:
    """Return what a trial has to reach: the median of the best that finished trials had reached by the same share.

    Args:
        told: what is known of trials.
        warm_up: share of the run before which none is given up.

    >>> curves = [Told(point={}, value=1.0, reports=[(0.5, height)]) for height in (1.0, 2.0, 3.0, 4.0, 9.0)]
    >>> bars(curves, warm_up=0.5)[0]
    (0.5, 3.0)
    """
    curves = [one.reports for one in told if one.value is not None and one.reports]
    found = []
    for stage in range(1, STAGES):
        share = stage / STAGES
        reached = [value for curve in curves if (value := _by(curve, share)) is not None]
        if share >= warm_up and len(reached) >= FEWEST:
            found.append((share, statistics.median(reached)))
    return found


def _by(curve: Sequence[tuple[float, float]], share: float) -> float | None:
    """Return the last report by a share of the run, which is the best until then."""
    place = bisect_right([at for at, _ in curve], share)
    return curve[place - 1][1] if place else None


@final
class Watch(Callback):
    """Notes the best value after each evaluation, and gives up a trial that is below its bar or has collapsed.

    Raises:
        PrunedError: from within the training.
    """

    name: ClassVar[str] = "tuning"

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.bars = sorted((share, value) for share, value in bars)
        self.reports: list[tuple[float, float]] = []
        self.measure, self.higher_is_better = "", False

    def on_start(self, trainer: Training) -> None:
        self.measure, self.higher_is_better = trainer.measure.name, trainer.measure.higher_is_better

    def on_report(self, trainer: Training) -> None:
        best, total = trainer.best.value, trainer.total_steps
        if f"validation_{self.measure}" not in trainer.row or not trainer.phases.is_last or not total or best is None:
            return
        share = trainer.iteration / total
        self.reports.append((share, best))
        bar = _by(self.bars, share)
        if share < 1 and bar is not None and trainer.measure.is_better(bar, than=best):
            raise PrunedError(
                "worse than the median",
                expected=f"{bar:.4g}",
                found=f"{self.measure.replace('_', ' ')} {best:.4g} after {share:.0%} of the run",
            )

    def on_finding(self, trainer: Training, finding: Finding) -> None:
        if finding.name in COLLAPSES:
            raise PrunedError(finding.message, remedy=finding.remedy)

    def state_dict(self) -> dict[str, Any]:
        return {
            "reports": [list(one) for one in self.reports],
            "measure": self.measure,
            "higher_is_better": self.higher_is_better,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.reports = [(share, value) for share, value in state["reports"]]
        self.measure, self.higher_is_better = state["measure"], state["higher_is_better"]
