"""Centring: find the point that is nearest to all samples, and say how far from it others are."""

from typing import TYPE_CHECKING, Any, ClassVar, final

import torch
from torch import nn

from ganglion import figures
from ganglion.core import LearningRule, Loader, Measure
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.inputs import asked

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
    fields: ClassVar = {"inputs": ("rows",)}
    measures = (DISTANCE,)
    captions: ClassVar = {"distances": "True against predicted distances"}
    verbs: ClassVar = {"predict": Predict}
    next_step = "ganglion predict {run} rows.csv"

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        inputs: Any = self.data.columns("train")["inputs"]
        columns = {"inputs": inputs, "targets": torch.zeros(len(inputs), 1)}
        return InMemoryLoader(columns, self.data.settings.batch_size, seed)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        return {"mean_square": float(ask(rule.home, self.data.whole(part)["inputs"]).square().mean())}

    def baseline(self) -> dict[str, float]:
        return {"mean_square": float(self.data.whole("test")["inputs"].square().sum(1).mean())}

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        distances = ask(rule.home, self.data.whole("test")["inputs"]).numpy()
        return {"distances": figures.scatter(distances, distances, ("distance",))}

    def predict(self, home: nn.Module, question: Predict) -> Rows:
        found, samples = asked(question.inputs, self.preprocessing["inputs"])
        distances = ask(home, samples)[:, 0]
        answers = distances.square() if question.squared else distances
        return Rows(found.name([{"distance": distance} for distance in answers.tolist()]))


TASK = Centring
