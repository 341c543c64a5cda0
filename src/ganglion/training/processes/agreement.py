"""What processes that learn one model must do alike, and how they agree on it: the word of the first one counts."""

import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

import torch

from ganglion.core import LearningRule
from ganglion.core.team import Team
from ganglion.errors import UsageError
from ganglion.training.machine.signals import Interrupted
from ganglion.training.processes.sharding import refuse
from ganglion.training.settings import TrainerSettings


def stopped_by(team: Team | None, number: int | None) -> int | None:
    """Return the signal that any process was sent, given the one that this process was."""
    if team is None:
        return number
    return team.largest(number or 0) or None


def first(team: Team | None, value: float | None) -> float | None:
    """Return a number that the first process has measured."""
    if team is None or team.size == 1:
        return value
    found = float(team.first(torch.tensor(math.nan if value is None else value, dtype=torch.float64)))
    return None if math.isnan(found) else found


def judged(team: Team | None, judge: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Return what a judgement comes to. Raises `Interrupted` in every process if one of them was interrupted in it."""
    if team is None or team.size == 1:
        return judge()
    number, found = 0, dict[str, float]()
    try:
        found = judge()
    except Interrupted as stop:
        number = stop.number
    if number := team.largest(number):
        raise Interrupted(number)
    agreed: dict[str, float] = json.loads(team.said(json.dumps(found).encode()))
    return agreed


def require_alike(team: Team | None, description: dict[str, Any]) -> None:
    """Raise `UsageError` unless all processes were asked for the same."""
    if team is None or team.size == 1:
        return
    own = {name: _digest(value) for name, value in sorted(description.items())}
    everyone = team.rows(torch.tensor(list(own.values()))[None])
    differing = [name for name, column in zip(own, everyone.T, strict=True) if (column != column[0]).any()]
    if differing:
        raise UsageError(
            "the processes were asked for different things",
            found=f"they differ in {', '.join(differing)}",
            remedy="give all of them one command line, the same files and the same version of ganglion",
        )


def refuse_alone(rule: LearningRule, name: str, team: Team | None, settings: TrainerSettings) -> None:
    """Raise `UsageError` for a rule that follows no gradient, of which several processes could each find a part."""
    if settings.shard:
        refuse(rule, settings, name, team)
    if team is not None and not rule.optimizers and not rule.phases:
        raise UsageError(
            "this system follows no gradient that several processes could share",
            where=name,
            found=f"{team.size} processes" if team.size > 1 else f"{team.slots} slices",
            remedy="train it in one process: ganglion train, without torchrun and --exact-world",
        )


def _digest(value: Any) -> int:
    words = json.dumps(value, sort_keys=True, default=str).encode()
    return int.from_bytes(hashlib.blake2b(words, digest_size=7).digest(), "little")
