"""Centring: find the point that is nearest to all samples, and say how far from it others are."""

from typing import TYPE_CHECKING, Any, ClassVar, final

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
        return InMemoryLoader({"inputs": inputs}, self.data.settings.batch_size, seed)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        return {"mean_square": float(ask(rule.home["centre"], self.data.whole(part)["inputs"]).square().mean())}

    def baseline(self) -> dict[str, float]:
        return {"mean_square": float(self.data.whole("test")["inputs"].square().sum(1).mean())}

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        distances = ask(rule.home["centre"], self.data.whole("test")["inputs"]).numpy()
        return {"distances": figures.scatter(distances, distances, ("distance",))}

    def predict(self, home: nn.ModuleDict, question: Predict) -> Rows:
        found, samples = asked(question.inputs, self.preprocessing["inputs"])
        distances = ask(home["centre"], samples)
        radii = ask(home["radius"], distances)[:, 0].tolist()
        answers = (distances.square() if question.squared else distances)[:, 0].tolist()
        return Rows(found.name([{"distance": one, "radii": other} for one, other in zip(answers, radii, strict=True)]))


TASK = Centring
