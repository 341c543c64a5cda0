"""Questions to tasks, as Python asks them of runs."""

from typing import Any

from torch import nn

from ganglion.settings import from_dict
from ganglion.tasks.base import Task


def ask(task: Task, network: nn.Module, verb: str, **question: Any) -> Any:
    """Return the value of a task's answer."""
    return task.ask(verb, network, from_dict(task.verbs[verb], question, where=verb)).value
