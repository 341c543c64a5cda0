"""What is found out about a run, each thing once: before it began, or by a callback while it trains."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, final

from ganglion.findings import LEVELS, Finding, worst_first
from ganglion.training.run_folder import RunFolder


@final
class Found:
    """The findings of a run, told apart by their names and by what they are about, and written into its folder.

    They are part of every checkpoint, so that a run that was killed has the findings of one that was not.

    Args:
        before: what was found out about the data, before the first step.
        run: where they are written, None where nothing is.

    >>> found = Found()
    >>> found.add(Finding(name="slow", level="warn", message="slow", value=3.0), iteration=10).since
    10
    >>> found.add(Finding(name="slow", level="warn", message="slow", value=2.0), iteration=20)
    >>> [(one.value, one.since) for one in found]
    [(2.0, 10)]
    """

    def __init__(self, before: Iterable[Finding] = (), run: RunFolder | None = None) -> None:
        self.run = run
        self._known = {_key(one): one for one in before}

    def __iter__(self) -> Iterator[Finding]:
        """Yield the worst first."""
        return iter(worst_first(self._known.values()))

    def add(self, finding: Finding, iteration: int) -> Finding | None:
        """Keep a finding, with the iteration since which it is known; return it if it is new, or worse than it was."""
        known = self._known.get(_key(finding))
        since = iteration if known is None else known.since
        finding = replace(finding, since=since if finding.since is None else finding.since)
        if finding == known:
            return None
        self._known[_key(finding)] = finding
        self.write()
        is_worse = known is None or LEVELS.index(finding.level) < LEVELS.index(known.level)
        if is_worse and self.run:
            self.run.log(str(finding))
        return finding if is_worse else None

    def write(self) -> None:
        """Write them into the folder of the run, which needs no file where there are none and were none."""
        if self.run:
            self.run.write_findings(self._known.values())

    def state_dict(self) -> dict[str, Any]:
        return {"findings": [one.to_dict() for one in self._known.values()]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Know what was known at a checkpoint, beside what was found before the first step, and nothing else."""
        self._known = {key: one for key, one in self._known.items() if one.since is None}
        self._known |= {_key(one): one for one in map(Finding.from_dict, state.get("findings", []))}
        self.write()


def _key(finding: Finding) -> tuple[str, tuple[str, ...]]:
    return finding.name, finding.where
