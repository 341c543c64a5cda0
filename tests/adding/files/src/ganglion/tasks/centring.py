"""Centring: find the point that is nearest to all samples, and say how far from it others are."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.preparing import fit_preprocessing, load_preprocessing, save_preprocessing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DISTANCE = Measure(name="mean_square", higher_is_better=False, meaning="Mean square of the distance from the point.")


@settings
class Predict:
    """Say how far rows are from the centre."""

    inputs: Given
    """CSV files."""
    squared: bool = False
    """Give the squares of the distances."""


@final
class Centring(Task):
    """Rows, judged by the mean square of their distance from a point."""

    name = "centring"
    reads = ("tabular",)
    takes = "rows of a table"
    measures = (DISTANCE,)
    captions: ClassVar = {"distances": "True against predicted distances"}
    verbs: ClassVar = {"predict": Predict}
    next_step = "ganglion predict {run} rows.csv"
    tensors: dict[str, Tensor]

    def __init__(self, config: Any, preprocessing: Any) -> None:
        self.config, self.preprocessing = config, preprocessing

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        samples = split(dataset, settings, seed)
        preprocessing, notes = fit_preprocessing(dataset, samples["train"], config)
        task = cls(replace(config, in_features=len(preprocessing.features)), preprocessing)
        task.tensors = {name: preprocessing(part.inputs) for name, part in samples.items()}
        task.notes, task.fingerprint, task.batch_size = (
            (*dataset.notes, *notes),
            dataset.fingerprint,
            settings.batch_size,
        )
        task.has_validation = len(task.tensors["validation"]) > 0
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        return cls(config, load_preprocessing(state))

    def state(self) -> dict[str, Any]:
        return save_preprocessing(self.preprocessing)

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        inputs = self.tensors["train"]
        return InMemoryLoader({"inputs": inputs, "targets": torch.zeros(len(inputs), 1)}, self.batch_size, seed)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        return {"mean_square": float(ask(rule.home, self.tensors[part]).square().mean())}

    def baseline(self) -> dict[str, float]:
        return {"mean_square": float(self.tensors["test"].square().sum(1).mean())}

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        distances = ask(rule.home, self.tensors["test"]).numpy()
        return {"distances": figures.scatter(distances, distances, ("distance",))}

    def example(self) -> Tensor:
        return self.tensors["train"][:2]

    def predict(self, home: nn.Module, question: Predict) -> Rows:
        found = asked(question.inputs, self.preprocessing)
        distances = ask(home, self.preprocessing(found.samples))[:, 0]
        answers = distances.square() if question.squared else distances
        return Rows(found.name([{"distance": distance} for distance in answers.tolist()]))


TASK = Centring
