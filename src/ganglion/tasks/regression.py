"""Regression: predict one or several values of a sample."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import Judge, LearningRule, Loader, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import SeriesPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.rules.losses import LOSS
from ganglion.settings import from_dict, settings, to_dict
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import answers, ask
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.labelled import LabelledData, encode
from ganglion.tasks.shared.preparing import (
    Preprocessing,
    adapt,
    input_sizes,
    load_preprocessing,
    save_preprocessing,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


R2 = Measure(
    name="r2",
    higher_is_better=True,
    meaning="Share of the variance of the values that is explained; 1 is perfect.",
)
RMSE = Measure(name="rmse", higher_is_better=False, meaning="Root of the mean squared error, in the values' own units.")
MAE = Measure(name="mae", higher_is_better=False, meaning="Mean absolute error, in the values' own units.")


@settings
class Predict:
    """Say which values samples have, in their own units; the preprocessing comes from the run."""

    inputs: Given
    """Image files or folders of them, CSV or NPZ files, or arrays."""


@final
class Regression(Task):
    """Rows or images with values, judged by the share of their variance that is explained.

    The network predicts standardised values; errors are in the values' own units.
    """

    name = "regression"
    reads = ("image", "tabular")
    takes = "images or rows of a table, with values"
    measures = (R2, RMSE, MAE, LOSS)
    captions: ClassVar = {
        "predictions": "Predicted against true values of the test samples",
    }
    verbs: ClassVar = {"predict": Predict}
    next_step = "ganglion predict {run} INPUT"
    data: LabelledData
    """What the task was prepared with; a restored one has none."""

    def __init__(
        self,
        config: Any,
        preprocessing: Preprocessing,
        target_scale: SeriesPreprocessing,
        target_names: Sequence[str],
    ) -> None:
        self.config, self.preprocessing = config, preprocessing
        self.target_scale, self.target_names = target_scale, tuple(target_names)

    @classmethod
    def refusal(cls, dataset: Dataset) -> DataError | None:
        if dataset.kind not in cls.reads or (dataset.targets is not None and not dataset.is_classification):
            return super().refusal(dataset)
        return DataError(
            "this system predicts values, and this data has none",
            where=dataset.source or dataset.name,
            found="no targets" if dataset.targets is None else "classes",
            remedy="name a column of numbers with --target, or choose a system from `ganglion list`",
        )

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        data = LabelledData.prepare(cls.open(source, settings), config, settings, seed)
        assert data.target_scale is not None
        outputs = len(data.target_scale.means)
        names = data.dataset.target_names or tuple(f"value {number + 1}" for number in range(outputs))
        preprocessing = data.parts.preprocessing
        config = adapt(config, **input_sizes(preprocessing), num_classes=None, out_features=outputs)
        task = cls(config, preprocessing, data.target_scale, names)
        task.data, task.notes, task.fingerprint = data, data.notes, data.dataset.fingerprint
        task.has_validation = len(data.parts["validation"]) > 0
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        scale = from_dict(SeriesPreprocessing, state["target_scale"], where="target_scale")
        return cls(config, load_preprocessing(state), scale, state["target_names"])

    def state(self) -> dict[str, Any]:
        return save_preprocessing(self.preprocessing) | {
            "target_scale": to_dict(self.target_scale),
            "target_names": list(self.target_names),
        }

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        return self.data.parts.loader(seed)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        assert isinstance(rule, Judge)
        outputs, targets = answers(rule.home, self.data.parts.batches(part))
        judged = {name: float(value) for name, value in rule.judge(outputs, targets).items()}
        return judged | _errors(self.target_scale.inverse(targets), self.target_scale.inverse(outputs))

    def baseline(self) -> dict[str, float]:
        """Return what answering with the means of the training part scores."""
        truth = self.target_scale.inverse(encode(self.data.parts.nearest("test").targets, self.target_scale))
        return _errors(truth, np.broadcast_to(self.target_scale.means, truth.shape))

    def example(self) -> Tensor:
        return self.data.parts.example()

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every sample its values by name, in their own units."""
        found = asked(question.inputs, self.preprocessing)
        values = self.target_scale.inverse(ask(network, self.preprocessing(found.samples)))
        named = found.name([dict(zip(self.target_names, row, strict=True)) for row in values.tolist()])
        return Rows(named, notes=found.notes, beside=found.own)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        outputs, targets = answers(rule.home, self.data.parts.batches("test"))
        truth, said = self.target_scale.inverse(targets), self.target_scale.inverse(outputs)
        return {"predictions": figures.scatter(truth, said, self.target_names)}


def _errors(truth: np.ndarray, said: np.ndarray) -> dict[str, float]:
    return {
        "r2": float(r2_score(truth, said)),
        "rmse": float(root_mean_squared_error(truth, said)),
        "mae": float(mean_absolute_error(truth, said)),
    }


TASK = Regression
