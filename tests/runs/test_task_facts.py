"""The generated facts of tasks: current, complete, and true of the code."""

import inspect

import pytest

from ganglion import tasks
from ganglion.cli.ask import VERBS
from ganglion.runs import task_facts
from ganglion.tasks.base import Task


@pytest.mark.parametrize("name", tasks.names())
def test_the_file_is_current(name: str) -> None:
    assert task_facts.load(name) == task_facts.make(name), "run `make facts`"


def test_there_is_a_file_for_every_task_and_no_other() -> None:
    assert {path.stem for path in task_facts.FOLDER.iterdir()} == set(tasks.names())


@pytest.mark.parametrize("name", tasks.names())
def test_a_task_describes_itself(name: str) -> None:
    task = tasks.find(name)
    assert issubclass(task, Task) and task.name == name
    assert task.measures and all(measure.meaning for measure in task.measures)
    assert len({measure.name for measure in task.measures}) == len(task.measures)
    assert task.next_step.startswith("ganglion ") and "{run}" in task.next_step
    assert task.next_step.split()[1] in task.verbs
    for verb, question in task.verbs.items():
        assert verb in VERBS and (question.__module__ == task.__module__ or hasattr(Task, verb))  # asked of many
        assert list(inspect.signature(getattr(task, verb)).parameters) == ["self", "network", "question"]
        assert all(field["help"].endswith(".") for field in task_facts.question(question)["fields"])


def test_a_name_that_is_no_task_is_refused() -> None:
    for name in ("base", "answers", "shared", "../evil", "classificaton"):
        with pytest.raises(Exception, match="unknown task"):
            tasks.find(name)
