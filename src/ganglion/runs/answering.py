"""Whatever has a task and a network, asked: a run, or a file that one was exported to."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from ganglion.data.settings import WRITTEN, DataSettings
from ganglion.runs.writing import write
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.answers import Answer
from ganglion.tasks.base import Task
from ganglion.tasks.questions import unable


class Answering(ABC):
    """A task without its data and the network that answers its questions."""

    folder: Path
    """Where both were found."""

    @property
    @abstractmethod
    def task(self) -> Task:
        """The task without its data: it can answer, but not train."""

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """What answers, in evaluation mode."""

    def answer(self, verb: str, **question: Any) -> Answer:
        """Return the answer to a question with everything that belongs to it; see `ask`."""
        if verb not in self.task.questions:
            raise unable(verb, self.task.name, self.task.questions)
        written = {name: question.pop(name) for name in WRITTEN if name in question}
        asked: Any = from_dict(self.task.questions[verb], question, where=verb)
        with self._reading(written):
            answer = self.task.ask(verb, self.network, asked)
        for value in vars(asked).values():
            if isinstance(value, Path):
                write(answer, value)
        return answer

    @contextmanager
    def _reading(self, written: dict[str, Any]) -> Iterator[None]:
        """Read files for a while as they are said to be written, otherwise as those of training were."""
        trained = self.task.settings
        self.task.settings = from_dict(DataSettings, to_dict(trained) | written, where="data")
        try:
            yield
        finally:
            self.task.settings = trained

    def ask(self, verb: str, *, out: str | Path | None = None, **question: Any) -> Any:
        """Ask anything that the task of this run answers: `run.ask("generate", count=4, seed=1)`.

        Args:
            verb: one of `run.task.questions`.
            out: file or folder to write the answer to; `ganglion.runs.writing` says which endings there are.
            question: fields of the question, those that `ganglion VERB RUN --help` lists; where files are asked about
                also how these are written: `delimiter`, `decimal`, `encoding` and so on.

        Returns:
            Rows as a list of dicts, images as uint8 `(count, height, width, channels)`, text as a string, a film or a
            sound as an array and its rate.
        """
        answer = self.answer(verb, **question)
        if out is not None:
            write(answer, out)
        return answer.value

    def predict(self, inputs: Any, *, out: str | Path | None = None, **question: Any) -> Any:
        """Answer for raw inputs: arrays, texts, or one or more paths of files."""
        return self.ask("predict", out=out, inputs=[inputs] if isinstance(inputs, str | Path) else inputs, **question)

    def generate(self, count: int | None = None, *, out: str | Path | None = None, **question: Any) -> Any:
        """Draw `count` new samples, or write text on: `run.generate(prompt="Once ", length=200)`."""
        return self.ask("generate", out=out, **_given(count=count), **question)

    def forecast(self, steps: int | None = None, *, out: str | Path | None = None, **question: Any) -> Any:
        """Continue the series that the run was trained on, by as many steps as its data lists without values, or 10."""
        return self.ask("forecast", out=out, **_given(steps=steps), **question)

    def play(self, episodes: int | None = None, *, out: str | Path | None = None, **question: Any) -> Any:
        """Play episodes, 10 when not told how many, always taking the action of highest value."""
        return self.ask("play", out=out, **_given(episodes=episodes), **question)


def _given(**question: Any) -> dict[str, Any]:
    """Return the fields of a question that were given; what the others come to is decided by the task."""
    return {name: value for name, value in question.items() if value is not None}
