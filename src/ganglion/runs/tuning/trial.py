"""A trial: an ordinary run, begun or taken up again wherever it is, and what came of it as plain values."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import filelock

from ganglion.data.formats.stored import STORED, stored
from ganglion.errors import CheckpointError, DataError, GanglionError, PrunedError, ShapeError, UsageError
from ganglion.runs.run import Run
from ganglion.runs.session import Session, prepare, prepare_resume
from ganglion.runs.tuning.pruning import Bar, Watch

PATIENCE = 30.0
"""Seconds in which a process that lost its study is expected to have let go of its run."""

State = Literal["finished", "pruned", "failed", "stopped"]

_ONE_AT_A_TIME = threading.Lock()
"""The networks of a process draw from one generator and share its threads."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What a worker is told; it needs nothing else but the data."""

    system: str
    data: str
    """Name or path; that of a stored set is in the folder of the study."""
    folder: str
    """Of the run, below that of the study."""
    options: dict[str, Any]
    bars: Sequence[Bar] = ()
    is_first: bool = False
    """It trains with what training starts from, so what is refused is refused to the user."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a trial, in JSON values."""

    state: State
    value: float | None = None
    """Best value on the validation part."""
    measure: str = ""
    """What was measured."""
    higher_is_better: bool = False
    score_name: str = ""
    score: float | None = None
    """On the test part, which no decision looks at."""
    reports: Sequence[tuple[float, float]] = ()
    reason: str = ""
    """Why it was pruned or failed."""
    seconds: float = 0.0
    steps: int = 0
    parameters: int = 0


def run_trial(assignment: Assignment) -> Outcome:
    """Train a trial, or what is left of it, and return what came of it.

    Raises:
        CheckpointError: its folder cannot be written or read, which no other settings would change.
        UsageError: with `is_first`, it is refused.
    """
    with _ONE_AT_A_TIME:
        watch = Watch(assignment.bars)
        session: Session | Run | None = None
        try:
            session = _opened(assignment, watch)
            run = session.fit() if isinstance(session, Session) else session
            return _finished(run, watch)
        except PrunedError as pruned:
            return _given_up("pruned", _sentence(pruned), watch, session)
        except (CheckpointError, OSError):
            raise
        except Exception as error:
            if assignment.is_first and isinstance(error, UsageError | DataError | ShapeError):
                raise
            return _given_up("failed", _sentence(error), watch, session)


def busy() -> bool:
    """Whether a trial is being trained in this process."""
    return _ONE_AT_A_TIME.locked()


def _opened(assignment: Assignment, watch: Watch) -> Session | Run:
    folder = Path(assignment.folder)
    if (folder / "config.json").exists():
        try:  # of a study that was killed a worker may just be saving
            with filelock.FileLock(folder / ".lock", timeout=PATIENCE):
                pass
        except filelock.Timeout:
            pass  # who trains it is said when it is opened
        return prepare_resume(folder, callbacks=[watch])
    data = stored(folder.parent) if assignment.data == STORED else assignment.data
    session = prepare(assignment.system, data, out=folder, callbacks=[watch], **assignment.options)
    if not session.task.has_validation:
        session.files.unlock()
        session.files.withdraw()
        raise UsageError(
            "trials are compared on held-out samples, and nothing is held back",
            where="validation",
            remedy="--validation 0.1 holds a tenth back",
        )
    return session


def _finished(run: Run, watch: Watch) -> Outcome:
    if not watch.measure:  # it had finished before its study heard of it
        watch.load_state_dict(run.callback_state(Watch.name))
    result, value = run.result, watch.reports[-1][1] if watch.reports else None
    about = _about(watch)
    if value is None or not math.isfinite(value):
        return Outcome(state="failed", reason="no evaluation came out as a number", **about)
    return Outcome(
        state="finished",
        value=value,
        score_name=result["score_name"],
        score=result["score"] if math.isfinite(result["score"]) else None,
        seconds=result["seconds"],
        steps=result["steps"],
        parameters=result["parameters"],
        **about,
    )


def _given_up(state: State, reason: str, watch: Watch, session: Session | Run | None) -> Outcome:
    trained: dict[str, Any] = {}
    if isinstance(session, Session):
        trained = {"seconds": round(session.trainer.seconds, 2), "steps": session.trainer.iteration}
    value = watch.reports[-1][1] if watch.reports and state == "pruned" else None
    return Outcome(state=state, value=value, reason=reason, **trained, **_about(watch))


def _about(watch: Watch) -> dict[str, Any]:
    return {
        "measure": watch.measure,
        "higher_is_better": watch.higher_is_better,
        "reports": tuple(watch.reports),
    }


def _sentence(error: Exception) -> str:
    """Return an error on one line."""
    if not isinstance(error, GanglionError):
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    parts = {"at": error.where, "found": error.found, "expected": error.expected}
    details = (f"{name} {text}" for name, text in parts.items() if text)
    return ", ".join([error.what, *details])
