"""A finished or half-finished run, as a user meets it: its numbers, pictures, network, and answers."""

import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from ganglion import figures
from ganglion.data.settings import DataSettings
from ganglion.inspect.shapes import with_clear_shapes
from ganglion.models import System, find
from ganglion.runs.opening import build, checked, fill, restored
from ganglion.runs.report import tour_table
from ganglion.settings import from_dict
from ganglion.tasks.base import Part, Task
from ganglion.training import checkpoint
from ganglion.training.run_folder import RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Run:
    """Everything that is known of a run, read from its folder when it is asked for.

    `metrics` are those of the test part, `history` is the metric log, `figures` are the paths of its pictures by name,
    `network` is the plain module with the best weights, in evaluation mode.
    """

    def __init__(self, folder: str | Path) -> None:
        self._files = RunFolder.open(folder)
        self.folder = self._files.path
        self._about = checked(self._files.read("config.json"))
        self.system: System = find(self._about["system"])
        self.config: Any = from_dict(self.system.load().Config, self._about["config"], where="config.json")

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
    def figures(self) -> dict[str, Path]:
        return {path.stem: path for path in sorted(self._files.figures.glob("*.png"))}

    @cached_property
    def task(self) -> Task:
        """The task without its data: it can answer, but not train."""
        return restored(self._about, self.config)

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

    def predict(self, inputs: Any) -> list[dict[str, Any]]:
        """Answer for raw inputs: arrays, or one or more paths of images, CSV or NPZ files."""
        return self.task.predict(self.network, [inputs] if isinstance(inputs, str | Path) else inputs)

    def generate(
        self,
        count: int = 64,
        *,
        prompt: str | None = None,
        length: int = 500,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int = 0,
        out: str | Path | None = None,
    ) -> "Figure | str":
        """Draw `count` new samples as a picture, or write `length` characters of text on from a prompt.

        Texts are drawn at a temperature, 0 always taking the likeliest character, from the `top_k` likeliest. The
        picture or the text is saved where `out` is given.
        """
        if prompt is None and self.task.name != "language":
            figure = self.task.generate(self.network, count, seed)
            if out:
                figures.save(figure, Path(out))
            return figure
        text = self.task.write(self.network, prompt or "", length, temperature, top_k, seed)
        if out:
            Path(out).write_text(text, encoding="utf-8", errors="replace")
        return text

    def forecast(self, steps: int) -> list[dict[str, float]]:
        return self.task.forecast(self.network, steps)

    def play(self, episodes: int = 10, *, seed: int = 0, animation: str | Path | None = None) -> list[float]:
        return self.task.play(self.network, episodes, seed, Path(animation) if animation else None)

    def evaluate(self, part: Part = "test") -> dict[str, float]:
        """Read the data again and judge the best weights on a part of it."""
        rule = build(self.system, self.config)
        rule.home.load_state_dict(self.network.state_dict())
        task = self.prepared_task()
        task.calibrate(rule)
        return task.evaluate(rule, part)

    def prepared_task(self) -> Task:
        """Return the task with its data, as it was when training began."""
        from ganglion.runs.session import prepare_task

        settings = from_dict(DataSettings, self._about["data_settings"], where="config.json")
        source = self._about["data"]
        return prepare_task(self.system, source, self.config, settings, self._about["trainer"]["seed"], self.folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self.result.get('score_name', 'score')}={self.result.get('score')})"

    def _repr_html_(self) -> str:
        return tour_table([self.folder])._repr_html_()


def open_run(folder: str | Path) -> Run:
    """Open the folder of a run."""
    return Run(folder)


def load(folder: str | Path) -> nn.Module:
    """Return the network of a run as a plain module with its best weights, in evaluation mode."""
    return Run(folder).network
