"""A finished or half-finished run, as a user meets it: its numbers, pictures, network, and answers."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from ganglion.data.settings import WRITTEN, DataSettings
from ganglion.errors import CheckpointError, DataError
from ganglion.findings import Finding
from ganglion.inspect.shapes import with_clear_shapes
from ganglion.models import System, find
from ganglion.runs.opening import build, checked, fill, restored
from ganglion.runs.preparing import prepare_task
from ganglion.runs.report import tour_table
from ganglion.runs.sheets import FILM, SAMPLES
from ganglion.runs.writing import write
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.answers import Answer
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import unable
from ganglion.training import checkpoint
from ganglion.training.run_folder import RunFolder


class Run:
    """Everything that is known of a run, read from its folder when it is asked for.

    `metrics` are those of the test part, `history` is the metric log, `figures` are the paths of its pictures by name,
    `network` is the plain module with the best weights, in evaluation mode.
    """

    def __init__(self, folder: str | Path) -> None:
        self._files = RunFolder.open(folder)
        self.folder = self._files.path
        self._description = checked(self._files.read("config.json"))
        self.system: System = find(self._description["system"])
        self.config: Any = from_dict(self.system.load().Config, self._description["config"], where="config.json")

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def result(self) -> dict[str, Any]:
        """Score, baseline, seconds, parameters; empty until training has finished."""
        return self._files.read("result.json") if (self.folder / "result.json").exists() else {}

    @property
    def metrics(self) -> dict[str, float]:
        return dict(self.result.get("metrics", {}))

    @property
    def history(self) -> list[dict[str, Any]]:
        return self._files.metrics()

    @property
    def findings(self) -> list[Finding]:
        """What was found out about data and training, the worst first."""
        return self._files.findings()

    @property
    def figures(self) -> dict[str, Path]:
        return {path.stem: path for path in sorted(self._files.figures.glob("*.png"))}

    @property
    def film(self) -> Path | None:
        """The film of what the networks drew while they learned; None where they drew nothing."""
        film = self.folder / SAMPLES / FILM
        return film if film.is_file() else None

    def callback_state(self, name: str) -> dict[str, Any]:
        """Return what a callback of that name remembered at the newest checkpoint; nothing where there was none."""
        _, state, _ = checkpoint.load_newest(self._files.checkpoints)
        return dict(state["callbacks"].get(name, {}))

    @cached_property
    def task(self) -> Task:
        """The task without its data: it can answer, but not train."""
        return restored(self._description, self.config)

    @cached_property
    def network(self) -> nn.Module:
        """The network with the best weights; the newest usable ones when the best are damaged."""
        rule = build(self.system, self.config)
        network = rule.home
        weights, complaint = self._files.best_weights()
        if weights is None:
            path, state, others = checkpoint.load_newest(self._files.checkpoints, ("weights",))
            weights = state["weights"]
            for sentence in filter(None, (f"{complaint}; using {path.name} instead" if complaint else "", *others)):
                warnings.warn(sentence, stacklevel=2)
        fill(network, weights, str(self.folder))
        examples = self.system.load().examples(self.config)
        for role, part in rule.networks.items():
            with_clear_shapes(part, *examples[role])
        return network.eval()

    def answer(self, verb: str, **question: Any) -> Answer:
        """Return the answer to a question with everything that belongs to it; see `ask`."""
        if verb not in self.task.verbs:
            raise unable(verb, self.task.name, self.task.verbs)
        written = {name: question.pop(name) for name in WRITTEN if name in question}
        asked: Any = from_dict(self.task.verbs[verb], question, where=verb)
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
            verb: one of `run.task.verbs`.
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

    def evaluate(self, part: Part = "test", data: str | Path | None = None) -> dict[str, float]:
        """Read the data again, or where it lies now, and judge the best weights on a part of it."""
        rule = build(self.system, self.config)
        if rule.phases:  # judged in the state that training ended in
            rule.begin(rule.phases[-1])
        rule.home.load_state_dict(self.network.state_dict())
        task = self.prepared_task(data)
        task.calibrate(rule)
        return task.evaluate(rule, part)

    def prepared_task(self, data: str | Path | None = None) -> Task:
        """Return the task with its data, as it was when training began.

        Args:
            data: name or path of the data, if it has been moved since.

        Raises:
            DataError: There is no such data any more.
            CheckpointError: It is not the data that the run was trained on.
        """
        settings = from_dict(DataSettings, self._description["data_settings"], where="config.json")
        source, seed = str(data or self._description["data"]), self._description["trainer"]["seed"]
        try:
            task = prepare_task(self.system, source, self.config, settings, seed, self.folder)
        except DataError as error:
            if data is None and not Path(source).exists():
                error.remedy = f"if it was moved, say where it is now: ganglion resume {self.folder} --data PATH"
            raise
        if task.fingerprint != self._description["fingerprint"]:
            raise CheckpointError(
                "the data is not the data that this run was trained on",
                where=source,
                expected=f"SHA-256 {self._description['fingerprint'][:12]}",
                found=f"SHA-256 {task.fingerprint[:12]}",
                remedy="put the old data back, or start a new run",
            )
        return task

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self.result.get('score_name', 'score')}={self.result.get('score')})"

    def _repr_html_(self) -> str:
        return tour_table([self.folder])._repr_html_()


def _given(**question: Any) -> dict[str, Any]:
    """Return the fields of a question that were given; what the others come to is decided by the task."""
    return {name: value for name, value in question.items() if value is not None}


def open_run(folder: str | Path) -> Run:
    """Open the folder of a run."""
    return Run(folder)


def load(folder: str | Path) -> nn.Module:
    """Return the network of a run as a plain module with its best weights, in evaluation mode."""
    return Run(folder).network
