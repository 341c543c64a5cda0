"""Runs in several processes, seen from within one of them."""

import os
import signal
from pathlib import Path
from typing import Any

from ganglion.runs.run import Run
from ganglion.runs.session import Session, begin, prepare_resume
from ganglion.training import checkpoint
from ganglion.training.callback import Callback, Training
from tests.processes.worlds import LIMIT, ended

PARTS = ("networks", "optimizers", "rule", "loader")
"""Of a state, those that are the same however many processes made it."""
SETTINGS: dict[str, Any] = {"epochs": 2, "batch_size": 32, "threads": 1, "checkpoint_every": 2}


class Kill(Callback):
    """Sends this process a signal after a step."""

    def __init__(self, step: int, number: int) -> None:
        self.step, self.number = step, number

    def on_step(self, trainer: Training) -> None:
        if trainer.iteration == self.step:
            os.kill(os.getpid(), self.number)


def learn(folder: str, system: str, data: str | None, options: dict[str, Any], at: dict[str, list[int]]) -> None:
    """Train, or go on where the same was begun; some processes send themselves a signal after a step."""
    session = begin(system, data, out=folder, **{**SETTINGS, **options})
    _go(session, at)


def go_on(folder: str, at: dict[str, list[int]], exact: bool = False) -> None:
    """Resume a run."""
    _go(prepare_resume(folder, exact=exact), at)


def _go(session: Session | Run, at: dict[str, list[int]]) -> None:
    """Train to the last step, without the report after it."""
    assert isinstance(session, Session)
    rank = os.environ.get("RANK", "0")
    if rank in at:
        session.trainer.callbacks = [*session.trainer.callbacks, Kill(*at[rank])]
    try:
        session.trainer.fit()
    finally:
        session.files.unlock()


def differ(folder: str) -> list[dict[str, Any]]:
    """Let two processes be asked for runs of different lengths, and return how they ended."""
    return ended(2, lambda: learn(folder, "mlp", "iris", {"epochs": 2 + int(os.environ["RANK"])}, {}))


def in_world(size: int, call: str, *arguments: Any, limit: float = LIMIT) -> list[dict[str, Any]]:
    """Do one of the above in so many processes, in this one where it is one, and return how they ended.

    Args:
        limit: seconds after which those that are left are killed.
    """
    action = {"learn": learn, "go_on": go_on}[call]
    if size == 1:
        action(*arguments)
        return [{"status": 0, "errors": ""}]
    found: list[dict[str, Any]] = ended(size, lambda: action(*arguments), limit)
    return found


def state_of(folder: str | Path) -> dict[str, str]:
    """Return the digests of what the newest checkpoint of a run holds: of an agent, its memory and games too."""
    newest, state, _ = checkpoint.load_newest(Path(folder) / "checkpoints", PARTS)
    return {"step": newest.name} | {name: checkpoint.digest(part) for name, part in state.items()}


def alike(
    folder: str, sizes: list[int], system: str, data: str | None, options: dict[str, Any]
) -> list[dict[str, str]]:
    """Return what the same run leaves in different numbers of processes."""
    found = []
    for size in sizes:
        place = f"{folder}/{system}-{size}"
        ends = in_world(size, "learn", place, system, data, options, {})
        assert not any(one["status"] for one in ends), ends
        found.append(state_of(place))
    return found


def killed_and_resumed(
    folder: str, system: str, data: str, options: dict[str, Any], step: int, number: int, sizes: list[int]
) -> dict[str, Any]:
    """Let the last of some processes be sent a signal after a step, go on in others, and return how all ended."""
    first, then = sizes
    ends = in_world(first, "learn", folder, system, data, options, {str(first - 1): [step, number]})
    left = [path.name for path in checkpoint.steps(Path(folder) / "checkpoints")]
    later = in_world(then, "go_on", folder, {})
    return {"ends": ends, "left": left, "later": later, **state_of(folder)}


def dies(
    folder: str, system: str, data: str, rank: int, step: int, number: int = int(signal.SIGKILL), limit: float = LIMIT
) -> dict[str, Any]:
    """Let one of two processes be sent a signal after a step, begin the same again, and return how all ended."""
    options = {"epochs": 3}
    ends = in_world(2, "learn", folder, system, data, options, {str(rank): [step, number]}, limit=limit)
    later = in_world(2, "learn", folder, system, data, options, {})
    return {"ends": ends, "later": later, **state_of(folder)}


def spread(folder: str, system: str, data: str, options: dict[str, Any], step: int) -> dict[str, Any]:
    """Return how far the weights of a run that is spread over two processes, killed after a step and resumed, are from
    those of two processes that hold all of them, as a share of the largest; and which files its checkpoints have.
    """
    whole, together = f"{folder}/whole", f"{folder}/together"
    in_world(2, "learn", whole, system, data, options, {})
    ends = in_world(2, "learn", together, system, data, {**options, "shard": True}, {"1": [step, int(signal.SIGKILL)]})
    later = in_world(2, "go_on", together, {})
    one, other = (checkpoint.load_newest(Path(place) / "checkpoints")[1] for place in (whole, together))
    largest = max(float(value.abs().max()) for value in one["weights"].values())
    apart = max(float((value - other["weights"][name]).abs().max()) for name, value in one["weights"].items())
    files = sorted({path.name for path in Path(together).glob("checkpoints/step-*/*")})
    return {"ends": ends, "later": later, "apart": apart / largest, "files": files}
