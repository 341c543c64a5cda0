"""Classification: say which of several classes a sample is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import Judge, LearningRule, Loader
from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import ImagePreprocessing, TabularPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.nn import probabilities
from ganglion.rules.losses import ACCURACY, LOSS, decisions
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import answers, ask
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.labelled import LabelledData
from ganglion.tasks.shared.parts import take
from ganglion.tasks.shared.preparing import (
    Preprocessing,
    adapt,
    input_sizes,
    load_preprocessing,
    save_preprocessing,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 40
"""Misclassified images, filters and samples of a picture are cut to a number that can be looked at."""
TOP = 5


@settings
class Predict:
    """Say which class samples are of; the preprocessing comes from the run."""

    inputs: Given
    """Image files or folders of them, CSV or NPZ files, or arrays."""


@final
class Classification(Task):
    """Labelled images or rows, judged by the share of right answers."""

    name = "classification"
    reads = ("image", "tabular")
    takes = "images or rows of a table, with classes"
    measures = (ACCURACY, LOSS)
    captions: ClassVar = {
        "confusion_matrix": "What the test samples are (rows) and what the network answers (columns)",
        "decision_regions": "What the network answers over two inputs, and the samples",
        "misclassified": "Test samples that the network gets wrong",
        "filters": "Weights of the first layer; blue is positive, orange negative",
    }
    verbs: ClassVar = {"predict": Predict}
    next_step = "ganglion predict {run} INPUT"
    data: LabelledData
    """What the task was prepared with; a restored one has none."""

    def __init__(self, config: Any, preprocessing: Preprocessing, label_names: Sequence[str]) -> None:
        self.config, self.preprocessing, self.label_names = config, preprocessing, tuple(label_names)

    @classmethod
    def refusal(cls, dataset: Dataset) -> DataError | None:
        if dataset.kind not in cls.reads or dataset.is_classification:
            return super().refusal(dataset)
        return DataError(
            "this system tells classes apart, and this data has none",
            where=dataset.source or dataset.name,
            found="no targets" if dataset.targets is None else "values to predict",
            remedy="name a column of classes with --target, or choose a system from `ganglion list`",
        )

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        data = LabelledData.prepare(cls.open(source, settings), config, settings, seed)
        dataset = data.dataset
        assert dataset.targets is not None
        names = dataset.label_names or tuple(str(label) for label in range(int(dataset.targets.max()) + 1))
        preprocessing = data.parts.preprocessing
        task = cls(adapt(config, **input_sizes(preprocessing), num_classes=len(names)), preprocessing, names)
        task.data, task.notes, task.fingerprint = data, data.notes, dataset.fingerprint
        task.has_validation = len(data.parts["validation"]) > 0
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        return cls(config, load_preprocessing(state), state["label_names"])

    def state(self) -> dict[str, Any]:
        return save_preprocessing(self.preprocessing) | {"label_names": list(self.label_names)}

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        return self.data.parts.loader(seed)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        assert isinstance(rule, Judge)
        judged = rule.judge(*answers(rule.home, self.data.parts.batches(part)))
        return {name: float(value) for name, value in judged.items()}

    def baseline(self) -> dict[str, float]:
        """Return what answering with the commonest class of the training part scores."""
        train, test = self.data.parts.nearest("train").targets, self.data.parts.nearest("test").targets
        assert train is not None
        return {"accuracy": float(np.mean(test == np.bincount(train).argmax()))}

    def example(self) -> Tensor:
        return self.data.parts.example()

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every sample its likeliest class and probability, and those of the next in order."""
        found = asked(question.inputs, self.preprocessing)
        outputs = ask(network, self.preprocessing(found.samples))
        shares, labels = probabilities(outputs).topk(min(TOP, len(self.label_names)))
        rows = [
            [{"label": self.label_names[label], "probability": share} for share, label in zip(*pair, strict=True)]
            for pair in zip(shares.tolist(), labels.tolist(), strict=True)
        ]
        named = found.name([{**row[0], "top": row} for row in rows])
        return Rows(named, notes=found.notes, beside=found.own)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        outputs, targets = answers(rule.home, self.data.parts.batches("test"))
        said, truth = decisions(outputs).cpu().numpy(), targets.cpu().numpy()
        classes = len(self.label_names)
        counts = np.bincount(truth * classes + said, minlength=classes**2).reshape(classes, classes)
        drawn = {"confusion_matrix": figures.confusion_matrix(counts, self.label_names)}
        preprocessing = self.preprocessing
        if isinstance(preprocessing, ImagePreprocessing):
            drawn |= self._misclassified(preprocessing, truth, said) | _filters(preprocessing, rule.home)
        elif len(preprocessing.means) in (2, 3) and not preprocessing.categories:
            drawn["decision_regions"] = self._decision_regions(preprocessing, rule.home)
        return drawn

    def _misclassified(
        self, preprocessing: ImagePreprocessing, truth: np.ndarray, said: np.ndarray
    ) -> "dict[str, Figure]":
        wrong = np.flatnonzero(truth != said)[:SHOWN]
        if not len(wrong):
            return {}
        images = preprocessing.inverse(preprocessing(take(self.data.parts.nearest("test").inputs, wrong)))
        titles = [f"{self.label_names[truth[place]]} → {self.label_names[said[place]]}" for place in wrong]
        return {"misclassified": figures.image_grid(images, titles, title="Misclassified: truth → answer")}

    def _decision_regions(self, preprocessing: TabularPreprocessing, network: nn.Module) -> "Figure":
        """Draw the answers over the two inputs that the first layer weighs most."""
        first = next(layer for layer in network.modules() if isinstance(layer, nn.Linear))
        heaviest = first.weight.detach().norm(dim=0).topk(2).indices.sort().values.tolist()
        rows = np.asarray(self.data.dataset.inputs, dtype=np.float32)
        return figures.decision_regions(
            lambda points: decisions(ask(network, preprocessing(points))).numpy(),
            rows,
            np.asarray(self.data.dataset.targets),
            self.label_names,
            preprocessing.columns,
            (heaviest[0], heaviest[1]),
        )


def _filters(preprocessing: ImagePreprocessing, network: nn.Module) -> "dict[str, Figure]":
    """Draw the weights that look at pixels: the first convolution, or the first dense layer."""
    layers = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
    first = next(layers, None)
    if first is None:
        return {}
    shape = (-1, preprocessing.channels, *preprocessing.size)
    weights = first.weight if isinstance(first, nn.Conv2d) else first.weight.reshape(shape)
    return {"filters": figures.filters(weights[:SHOWN].detach().cpu().numpy(), "Filters of the first layer")}


TASK = Classification
