"""The phases that a run is made of, one after the other, and where it is in them."""

import sys
from collections.abc import Sequence
from typing import Any, final

from ganglion.core import Phase
from ganglion.errors import UsageError


@final
class Phases:
    """Splits a run by the shares of its phases, and says which one it is in.

    A phase that ends early leaves its iterations to those that follow, in proportion to their shares: what is left of
    the run is shared out whenever one begins. A rule without phases has a single one that has no name.

    In a run of minutes each phase takes its share of the time. How many iterations that is comes out once the first
    steps of the phase have been measured, for those of another may take longer.

    Args:
        declared: the phases of the rule.
        total: iterations of the whole run, at least one for each phase; None in a run of minutes.

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
        self.declared, self._given = tuple(declared), total
        self.settled: list[tuple[int, int]] = []
        """Of each phase of a run of minutes so far, its iterations, and after which of the run that was known."""
        self.number = 0
        """Which phase the run is in, from 0."""
        self.start = 0
        """Iterations before it."""

    def __str__(self) -> str:
        name = f"phase {self.number + 1} of {len(self.declared)}, {self.current.name}: " if self.current else ""
        return f"{name}from step {self.start}" + (f" to {self.end}" if self.is_settled else "")

    @property
    def current(self) -> Phase | None:
        """The phase that the run is in; None for a rule without any."""
        return self.declared[self.number] if self.declared else None

    @property
    def is_settled(self) -> bool:
        """Whether it is known how long the current phase is."""
        return self._given is not None or self.number < len(self.settled)

    @property
    def share(self) -> float:
        """What the current phase takes of what was left of the run when it began."""
        return self._shares[self.number] / sum(self._shares[self.number :])

    @property
    def _shares(self) -> list[float]:
        return [phase.share for phase in self.declared] or [1.0]

    @property
    def total(self) -> int | None:
        """Iterations of the whole run; None where nothing of it has been measured.

        While phases of a run of minutes are to come, their steps are taken to last as long as those measured last.
        """
        if self._given is not None or not self.settled:
            return self._given
        measured = len(self.settled) - 1
        known = self.end if measured == self.number else self.start
        to_come = self._shares[measured + 1 :]
        return known + max(len(to_come), round(self.settled[measured][0] * sum(to_come) / self._shares[measured]))

    @property
    def length(self) -> int:
        """Iterations of the current phase, if it is not ended early; without bounds until these are known."""
        if self._given is None:
            return self.settled[self.number][0] if self.is_settled else sys.maxsize
        left, to_come = self._given - self.start, len(self._shares) - 1 - self.number
        return left if self.is_last else max(1, min(round(left * self.share), left - to_come))

    @property
    def end(self) -> int:
        """The iteration after which the current phase is over at the latest."""
        return self.start + self.length

    @property
    def held(self) -> int:
        """Iterations of the current phase in which its length was not known."""
        known_at = self.settled[self.number][1] if self._given is None and self.is_settled else 0
        return max(0, known_at - self.start)

    def settle(self, length: int, iteration: int) -> None:
        """Learn after so many iterations of the run how many the current phase has."""
        self.settled.append((length, iteration))

    @property
    def is_last(self) -> bool:
        return self.number >= len(self.declared) - 1

    def advance(self, iteration: int) -> None:
        """Enter the next phase after so many iterations of the run."""
        if not self.is_settled:  # it was over before it was measured
            self.settle(iteration - self.start, iteration)
        self.number, self.start = self.number + 1, iteration

    def state_dict(self) -> dict[str, Any]:
        settled = [list(one) for one in self.settled] if self._given is None else []
        return {"phase": self.number, "phase_start": self.start, "settled_length": settled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state; one from before the length of a phase was known leaves what is known now."""
        self.number, self.start = state["phase"], state["phase_start"]
        settled = state.get("settled_length") or []
        if settled and isinstance(settled[0], int):  # as it was written when there was one for the whole run
            settled = [settled]
        if len(settled) > len(self.settled):
            self.settled = [(length, at) for length, at in settled]
