"""The command line in one of several processes that `torchrun` started: what may be asked, and who speaks."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from ganglion.errors import ProcessError, UsageError

if TYPE_CHECKING:
    from ganglion.training.processes.joining import Member

SHARED = ("train", "resume")
"""Commands that several processes do together."""


def follows() -> bool:
    """Whether this process leaves words and files to another one."""
    return _size() > 1 and os.environ.get("RANK", "0") != "0"


def refuse_alone(command: str) -> None:
    """Raise `UsageError` for a command that several processes would only do several times."""
    if _size() == 1:
        return
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # what torch prints of a lost process, we say in words
    if command not in SHARED:
        raise UsageError(
            f"several processes cannot share the command {command!r}",
            expected=" or ".join(SHARED),
            remedy=f"python -m ganglion {command} ... without torchrun",
        )


@contextmanager
def silence() -> Iterator[None]:
    """Let a process that follows print nothing; how it ended is said elsewhere, if by it."""
    if not follows():
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def may_speak(error: BaseException) -> bool:
    """Whether this process is the one that says how all of them ended."""
    if _size() == 1:
        return True
    member = _member()
    if member is None or isinstance(error, KeyboardInterrupt):
        return not follows()
    return member.may_speak()


def explained(error: ProcessError) -> ProcessError:
    """Return an error with the processes that are gone, as far as can be found out."""
    member = _member()
    lost = [] if member is None else member.lost()
    who = f"process {', '.join(map(str, lost))} of {_size()}" if lost else "another process of this training"
    return ProcessError(f"{who} has ended", where=error.where, found=error.found, remedy=error.remedy)


def _member() -> "Member | None":
    joining = sys.modules.get("ganglion.training.processes.joining")
    return None if joining is None else joining.member()


def _size() -> int:
    """Return how many processes were started together; nothing of torch is needed to know that."""
    named = all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))
    return int(os.environ["WORLD_SIZE"]) if named else 1
