"""The phases that a run is made of, one after the other, and where it is in them."""

import sys
from collections.abc import Sequence
from typing import Any, final

from ganglion.core import Phase
from ganglion.errors import UsageError


@final
class Phases:
    """Splits the iterations of a run by the shares of its phases, and says which one it is in.

    A phase that ends early leaves its iterations to those that follow, in proportion to their shares: what is left of
    the run is shared out whenever one begins. A rule without phases has a single one that has no name.

    Args:
        declared: the phases of the rule.
        total: iterations of the whole run, at least one for each phase; None while they are not known, until `settle`.

    >>> phases = Phases([Phase(name="first"), Phase(name="second", share=3.0)], total=40)
    >>> phases.length, phases.is_last
    (10, False)
    >>> phases.advance(6)  # four iterations early
    >>> phases.length, phases.end, phases.is_last
    (34, 40, True)
    """

    def __init__(self, declared: Sequence[Phase], total: int | None) -> None:
        if total is not None and total < len(declared):
            names = ", ".join(phase.name for phase in declared)
            raise UsageError(
                "the run is too short for its phases", expected=f"an iteration for each of {names}", found=str(total)
            )
        self.declared, self.total = tuple(declared), total
        self.settled_at: int | None = None
        """The iteration after which the total became known, where it was measured."""
        self.number = 0
        """Which phase the run is in, from 0."""
        self.start = 0
        """Iterations before it."""
        self.length = self._length()
        """Iterations of it, if it is not ended early."""

    @property
    def current(self) -> Phase | None:
        """The phase that the run is in; None for a rule without any."""
        return self.declared[self.number] if self.declared else None

    def _length(self) -> int:
        if self.total is None:
            return sys.maxsize
        left, shares = self.total - self.start, [phase.share for phase in self.declared[self.number :]]
        if self.is_last:
            return left
        return max(1, min(round(left * shares[0] / sum(shares)), left - len(shares) + 1))

    @property
    def end(self) -> int:
        """The iteration after which the current phase is over at the latest."""
        return self.start + self.length

    @property
    def held(self) -> int:
        """Iterations of the current phase in which the total was not known."""
        return max(0, (self.settled_at or 0) - self.start)

    def settle(self, total: int, iteration: int) -> None:
        """Learn after so many iterations of the run how many there will be, at least one for each phase to come."""
        self.total, self.settled_at = max(total, iteration + len(self.declared) - 1 - self.number), iteration
        self.length = self._length()

    @property
    def is_last(self) -> bool:
        return self.number >= len(self.declared) - 1

    def advance(self, iteration: int) -> None:
        """Enter the next phase after so many iterations of the run."""
        self.number, self.start = self.number + 1, iteration
        self.length = self._length()

    def state_dict(self) -> dict[str, Any]:
        settled = None if self.settled_at is None else [self.total, self.settled_at]
        return {"phase": self.number, "phase_start": self.start, "settled_length": settled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state; one from before the total was known leaves what is known now."""
        self.number, self.start = state["phase"], state["phase_start"]
        if (settled := state.get("settled_length")) and (self.total is None or self.settled_at is not None):
            self.total, self.settled_at = settled
        self.length = self._length()
