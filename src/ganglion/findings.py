"""Findings: what a check of data, of gradients or of a run saw, as values that one piece of code shows everywhere."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal

from ganglion.errors import printable

Level = Literal["stop", "warn", "info"]
LEVELS: tuple[Level, ...] = ("stop", "warn", "info")
"""From worst to best: `stop` makes training pointless, `warn` is for the user to judge, `info` is sound."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was seen, how it was measured, and what to do about it.

    >>> print(Finding(name="one-class", level="stop", message="all samples are of one class", where=("label",),
    ...               remedy="choose another column with --target"))
    stop: all samples are of one class (label)
      try: choose another column with --target
    """

    name: str
    """Short and constant, for machines: `vanishing`, `repeated-samples`."""
    level: Level
    message: str
    """One sentence without a full stop, with the numbers that decide."""
    measure: str = ""
    """What was measured, with its unit."""
    value: float | None = None
    threshold: float | None = None
    """Value at which the finding begins."""
    since: int | None = None
    """Iteration from which on it has been so; None where it has nothing to do with time."""
    remedy: str = ""
    """A command or an action."""
    where: tuple[str, ...] = ()
    """Examples of what it is about: files, layers, columns, samples."""

    def __str__(self) -> str:
        since = "" if self.since is None else f", since iteration {self.since}"
        where = f" ({', '.join(self.where)})" if self.where else ""
        remedy = f"\n  try: {printable(self.remedy)}" if self.remedy else ""
        return printable(f"{self.level}: {self.message}{since}{where}") + remedy

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values; a number that is none becomes None."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in ("value", "threshold"):
            if values[name] is not None and not math.isfinite(values[name]):
                values[name] = None
        return values | {"where": list(self.where)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Finding":
        """Rebuild a finding from what `to_dict` returned."""
        return cls(**values | {"where": tuple(values["where"])})


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort findings by level, those of one level as they came."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))
