"""Regression: predict one or several values of a sample."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import CentredUnits, LearningRule, Measure, SideBySide
from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import ImagePreprocessing, TabularPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import NonFiniteError
from ganglion.figures.words import number
from ganglion.rules.losses import LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import answers, ask, judged
from ganglion.tasks.shared.features import Features
from ganglion.tasks.shared.fitting import refuse_other_loss
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.pictures.figures import FILTERS, filters, under_titles
from ganglion.tasks.shared.pictures.searching import Search
from ganglion.tasks.shared.sizes import answers_by_size, steps_by_width

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN = 500
"""Points of a drawn curve."""
CLIP_NORM = 1.0
"""Of gradients of networks for pictures whose learning rates were chosen for classes."""
EXTREMES = 24
"""Pictures that are drawn of those with the smallest errors, and of those with the largest."""

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
        "best": "Test pictures with the smallest errors, and the value of each that is furthest off: truth → answer",
        "worst": "Test pictures with the largest errors, and the value of each that is furthest off: truth → answer",
        **FILTERS,
        "fit": "The values over the one input, and what each unit adds where the output is a sum of units",
        "sizes": "Error of networks by their width and depth on the test part, beside steps that nobody learnt",
        "fits": "The function as networks of each width have it, of the fewest hidden layers, and as many steps",
    }
    verbs: ClassVar = {"predict": Predict, "features": Features, "search": Search}
    joined = frozenset({"predict"})
    next_step = "ganglion predict {run} INPUT"

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        refuse_other_loss(config, "squared-error", "quantities", "--task classification for classes")
        task = super().prepare(source, config, settings, seed)
        descent = getattr(task.config, "descent", None)
        pictures = isinstance(task.preprocessing["inputs"], ImagePreprocessing)
        if not pictures or descent is None or descent.optimizer != "sgd" or descent.clip_norm is not None:
            return task
        task.config = replace(task.config, descent=replace(descent, clip_norm=CLIP_NORM))
        said = f"gradients are cut to a norm of {CLIP_NORM:g}, since errors of quantities have no bound: --clip-norm"
        return task.holding(task.data, said)

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
        truth, said = self._in_units(targets), self._in_units(outputs)
        drawn = {"predictions": figures.scatter(truth, said, self.target_names)}
        if isinstance(pictures := self.preprocessing["inputs"], ImagePreprocessing):
            drawn |= self._best_and_worst(truth, said) | filters(pictures, rule.home)
        if (preprocessing := self._of_one_input()) is not None:
            drawn["fit"] = self._fit(preprocessing, rule.home)
        if isinstance(rule.home, SideBySide):
            drawn |= self._by_size(rule.home)
        return drawn

    def _best_and_worst(self, truth: np.ndarray, said: np.ndarray) -> "dict[str, Figure]":
        """Draw the pictures with the smallest and the largest errors, of values `(samples, outputs)`.

        Errors are in deviations of the training part, so that values of several units count alike.
        """
        errors = np.abs(said - truth) / np.asarray(self.preprocessing["targets"].deviations)
        order = np.argsort(errors.mean(axis=1), kind="stable")
        few = min(EXTREMES, (len(order) + 1) // 2)
        drawn = {}
        for name, places in (("best", order[:few]), ("worst", order[::-1][:few])):
            furthest = errors[places].argmax(axis=1)
            titles = [
                (f"{self.target_names[column]}\n" if truth.shape[1] > 1 else "")
                + f"{number(truth[place, column])} → {number(said[place, column])}"
                for place, column in zip(places, furthest, strict=True)
            ]
            words = {"best": "Smallest", "worst": "Largest"}[name]
            drawn[name] = under_titles(self.data, places, titles, f"{words} errors: truth → answer")
        return drawn

    def sheet(self, home: nn.Module) -> np.ndarray | None:
        """Return a function of one input as the network has it so far; None for functions of several."""
        if (preprocessing := self._of_one_input()) is None:
            return None
        points = self._across()
        inputs = preprocessing(points[:, None])
        every = [ask(home, inputs)]
        if isinstance(home, SideBySide):
            by_size = answers_by_size(home, inputs.to(next(home.parameters()).device))
            first = [size for size in sorted(by_size) if size[0] == min(by_size)[0]]
            every = [by_size[first[0]], by_size[first[len(first) // 2]], by_size[max(by_size)]]
        return figures.traces([self._in_units(one).ravel() for one in every], self._samples("test"))

    def _of_one_input(self) -> TabularPreprocessing | None:
        """Return how the one input is prepared, where there is one input and one value."""
        preprocessing = self.preprocessing["inputs"]
        one = isinstance(preprocessing, TabularPreprocessing) and len(preprocessing.features) == 1
        return preprocessing if one and len(self.target_names) == 1 else None

    def _samples(self, part: Part) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs and the values of a part, (samples,) each, in their own units; of known inputs only."""
        x, y = (np.asarray(self.data.raw(part, name).values, dtype=float).ravel() for name in ("inputs", "targets"))
        return x[np.isfinite(x)], y[np.isfinite(x)]

    def _across(self) -> np.ndarray:
        """Return inputs to draw a curve over, (points,)."""
        seen, _ = self._samples("test")
        return np.linspace(seen.min(), seen.max(), DRAWN)

    def _by_size(self, network: SideBySide) -> "dict[str, Figure]":
        """Draw the errors of networks of all sizes and, of one input, what they make of the function."""
        from sklearn.metrics import root_mean_squared_error

        device = next(network.parameters()).device  # type: ignore[attr-defined]
        test = self.data.columns("test")
        inputs, targets = test["inputs"], test["targets"]
        assert isinstance(inputs, Tensor) and isinstance(targets, Tensor)
        truth = self._in_units(targets)
        errors = {
            size: root_mean_squared_error(truth.ravel(), self._in_units(said).ravel())
            for size, said in answers_by_size(network, inputs.to(device)).items()
        }
        shallow, widths = min(network.sizes)[0], sorted({width for _, width in network.sizes})
        preprocessing = self._of_one_input()
        steps = {} if preprocessing is None else steps_by_width(widths, *self._samples("train"))
        of_steps = {}
        if steps:
            x, y = self._samples("test")
            of_steps = {width: root_mean_squared_error(y, function(x)) for width, function in steps.items()}
        drawn = {"sizes": figures.errors_by_size(errors, of_steps, self.baseline()["rmse"], "root mean squared error")}
        if preprocessing is not None:
            across = self._across()
            answers = answers_by_size(network, preprocessing(across[:, None]).to(device))
            curves = [
                (
                    f"{width} unit{'s' if width > 1 else ''}",
                    self._in_units(answers[shallow, width]).ravel(),
                    steps[width](across) if width in steps else None,
                )
                for width in widths
            ]
            names = (preprocessing.features[0], self.target_names[0])
            drawn["fits"] = figures.fits_by_size(across, curves, self._samples("test"), names)
        return drawn

    @torch.no_grad()
    def _fit(self, preprocessing: TabularPreprocessing, network: nn.Module) -> "Figure":
        """Draw the values over the one input there is."""
        across = self._across()
        points, parts = preprocessing(across[:, None]), None
        if isinstance(network, CentredUnits):
            answers = network.responses(points.to(network.centres)).cpu()
            scale = float(self.preprocessing["targets"].deviations[0])
            parts = scale * (answers * network.output.weight.detach().cpu()[0]).T.numpy()
        names = (preprocessing.features[0], self.target_names[0])
        curve = self._in_units(ask(network, points)).ravel()
        return figures.fit(across, curve, self._samples("test"), parts, names)

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
    """Return the measures of values `(samples, outputs)`; raise `NonFiniteError` where some said are no numbers."""
    from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

    if not np.isfinite(said).all():
        raise NonFiniteError(
            "the values that the network says are not finite",
            expected="numbers",
            found=f"{np.isfinite(said).all(axis=1).sum()} of {len(said)} samples have some",
            remedy="lower the learning rate, or set clip_norm",
        )
    return {
        "r2": float(r2_score(truth, said)),
        "rmse": float(root_mean_squared_error(truth, said)),
        "mae": float(mean_absolute_error(truth, said)),
    }


TASK = Regression
