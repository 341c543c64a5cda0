"""Kinds of task, one file each: what a system is used for, how that is judged, and what can be asked of it.

A file of this folder is a kind of task if it is none of `NOT_KINDS`. Importing this imports no torch.
"""

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ganglion.settings import unknown_name

if TYPE_CHECKING:
    from ganglion.tasks.base import Task

NOT_KINDS = {"__init__", "base", "answers", "questions"}


@cache
def names() -> tuple[str, ...]:
    """Return the names of all kinds of task, those of their files."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in NOT_KINDS))


def find(name: str) -> "type[Task]":
    """Return the class of a kind of task, which its file names at the end, or raise with the nearest name."""
    if name not in names():
        raise unknown_name("task", name, list(names()))
    kind: type[Task] = import_module(f"ganglion.tasks.{name}").TASK
    return kind
