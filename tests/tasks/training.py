"""Training without the trainer: for tests of what a task makes of a rule that has learnt."""

from collections.abc import Callable
from typing import Any

import torch

from ganglion.core import LearningRule
from ganglion.tasks.base import Task


def trained(task: Task, build: Callable[[Any], LearningRule], epochs: int) -> LearningRule:
    """Return a rule, built of the task's configuration, after so many passes over the training part."""
    torch.manual_seed(0)
    rule = build(task.config)
    loader = task.loader(rule, seed=0)
    for _ in range(epochs):
        for batch in loader:
            rule.step(batch)
    return rule
