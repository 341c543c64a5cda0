"""Regression: predict one or several values of a sample."""

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
import torch
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import CentredUnits, LearningRule, Measure
from ganglion.data.preprocessing import TabularPreprocessing
from ganglion.rules.losses import LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import answers, ask, judged
from ganglion.tasks.shared.features import Features
from ganglion.tasks.shared.inputs import asked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN = 500
"""Points of a drawn curve."""

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
    fields: ClassVar = {"inputs": ("images", "rows"), "targets": ("values",)}
    measures = (R2, RMSE, MAE, LOSS)
    captions: ClassVar = {
        "predictions": "Predicted against true values of the test samples",
        "fit": "The values over the one input, and what each unit adds where the output is a sum of units",
    }
    verbs: ClassVar = {"predict": Predict, "features": Features}
    next_step = "ganglion predict {run} INPUT"

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        outputs, targets = answers(rule.home, self.data.batches(part))
        return judged(rule, outputs, targets) | _errors(self._in_units(targets), self._in_units(outputs))

    def baseline(self) -> dict[str, float]:
        """Return what answering with the means of the training part scores."""
        scale = self.preprocessing["targets"]
        truth = scale.inverse(self.data.columns("test")["targets"])
        return _errors(truth, np.broadcast_to(scale.means, truth.shape))

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every sample its values by name, in their own units."""
        found, samples = asked(question.inputs, self.preprocessing["inputs"], self.settings)
        values = self._in_units(ask(network, samples))
        return found.answer([dict(zip(self.target_names, row, strict=True)) for row in values.tolist()])

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        outputs, targets = answers(rule.home, self.data.batches("test"))
        drawn = {"predictions": figures.scatter(self._in_units(targets), self._in_units(outputs), self.target_names)}
        preprocessing = self.preprocessing["inputs"]
        if (
            isinstance(preprocessing, TabularPreprocessing)
            and len(preprocessing.features) == 1
            and targets.shape[1] == 1
        ):
            drawn["fit"] = self._fit(preprocessing, rule.home)
        return drawn

    @torch.no_grad()
    def _fit(self, preprocessing: TabularPreprocessing, network: nn.Module) -> "Figure":
        """Draw the values over the one input there is."""
        seen, known = (np.asarray(self.data.raw("test", name).values, dtype=float) for name in ("inputs", "targets"))
        across = np.linspace(np.nanmin(seen), np.nanmax(seen), DRAWN)[:, None]
        points, parts = preprocessing(across), None
        if isinstance(network, CentredUnits):
            answers = network.responses(points.to(network.centres)).cpu()
            scale = float(self.preprocessing["targets"].deviations[0])
            parts = scale * (answers * network.output.weight.detach().cpu()[0]).T.numpy()
        names = (preprocessing.features[0], self.target_names[0])
        curve = self._in_units(ask(network, points)).ravel()
        return figures.fit(across.ravel(), curve, (seen.ravel(), known.ravel()), parts, names)

    @property
    def target_names(self) -> tuple[str, ...]:
        """What the values are called."""
        scale = self.preprocessing["targets"]
        return scale.names or tuple(f"value {number}" for number in range(1, 1 + len(scale.means)))

    def _in_units(self, scaled: Tensor) -> np.ndarray:
        """Return values `(samples, outputs)` in their own units."""
        values: np.ndarray = self.preprocessing["targets"].inverse(scaled)
        return values


def _errors(truth: np.ndarray, said: np.ndarray) -> dict[str, float]:
    return {
        "r2": float(r2_score(truth, said)),
        "rmse": float(root_mean_squared_error(truth, said)),
        "mae": float(mean_absolute_error(truth, said)),
    }


TASK = Regression
