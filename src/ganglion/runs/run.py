"""A finished or half-finished run, as a user meets it: its numbers, pictures, network, and answers."""

import warnings
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any

from torch import nn

from ganglion.data.settings import DataSettings
from ganglion.errors import CheckpointError, DataError
from ganglion.findings import Finding
from ganglion.inspect.shapes import with_clear_shapes
from ganglion.models import System, find
from ganglion.runs.answering import Answering
from ganglion.runs.opening import build, checked, fill, restored
from ganglion.runs.preparing import other_names, prepare_task, samples_of
from ganglion.runs.report import tour_table
from ganglion.runs.sheets import FILM, SAMPLES
from ganglion.settings import from_dict
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.training import checkpoint
from ganglion.training.run_folder import RunFolder


class Run(Answering):
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
    def description(self) -> dict[str, Any]:
        """The contents of `config.json` in the present format."""
        return dict(self._description)

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
        weights, complaints = self._files.usable_weights()
        for sentence in complaints:
            warnings.warn(sentence, stacklevel=2)
        fill(network, weights, str(self.folder))
        examples = self.system.load().examples(self.config)
        for role, part in rule.networks.items():
            with_clear_shapes(part, *examples[role])
        return network.eval()

    def evaluate(self, part: Part = "test", data: str | Path | None = None) -> dict[str, float]:
        """Read the data again, or where it lies now, and judge the best weights on a part of it."""
        return self.judged(part, data)[0]

    def judged(self, part: Part = "test", data: str | Path | None = None) -> tuple[dict[str, float], Rows | None]:
        """Return what `evaluate` does, and the same of each of the groups that the data consists of, if it does."""
        rule = build(self.system, self.config)
        if rule.phases:  # judged in the state that training ended in
            rule.begin(rule.phases[-1])
        rule.home.load_state_dict(self.network.state_dict())
        task = self.prepared_task(data)
        task.calibrate(rule)
        return task.evaluate(rule, part), task.groups(rule, part)

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
                command = f"ganglion resume {quote(str(self.folder))} --data PATH"
                error.remedy = f"if it was moved, say where it is now: {command}"
            raise
        if not task.has_fingerprint(self._description["fingerprint"]):
            raise CheckpointError(
                "the data is not the data that this run was trained on",
                where=source,
                expected=_told_apart(self._description.get("samples"), self._description["fingerprint"]),
                found=_told_apart(samples_of(task), task.fingerprint),
                remedy="put the old data back, or start a new run",
            )
        if renamed := other_names(self._description["state"], task.state()):
            raise CheckpointError(
                "columns or classes of the data have other names than when this run was trained",
                where=source,
                expected=renamed[0],
                found=renamed[1],
                remedy="give them the old names if they mean the same, or start a new run",
            )
        return task

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self.result.get('score_name', 'score')}={self.result.get('score')})"

    def _repr_html_(self) -> str:
        return tour_table([self.folder])._repr_html_()


def _told_apart(samples: object, fingerprint: str) -> str:
    count = f"{samples:,} samples, " if isinstance(samples, int) else ""
    return f"{count}SHA-256 {fingerprint[:12]}"


def open_run(folder: str | Path) -> Run:
    """Open the folder of a run."""
    return Run(folder)


def load(folder: str | Path) -> nn.Module:
    """Return the network of a run as a plain module with its best weights, in evaluation mode."""
    return Run(folder).network
