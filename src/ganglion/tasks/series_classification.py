"""Series classification: say which of several classes each of many short series is of."""

from typing import TYPE_CHECKING, ClassVar, final

import numpy as np
from torch import nn

from ganglion import figures
from ganglion.core import LearningRule, Measure, PicturesSeries
from ganglion.data.preprocessing import ShortSeriesPreprocessing
from ganglion.rules.losses import ACCURACY, LOSS, decisions
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.classes import CALIBRATION, TOP_5, measured
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.classes import VERDICTS, commonest, ranked, verdicts
from ganglion.tasks.shared.evaluation import answers, ask, judged
from ganglion.tasks.shared.features import Features
from ganglion.tasks.shared.inputs import asked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 4
"""Series of each class in a figure."""
MOST_CLASSES = 9
"""Classes in a figure."""
MOST_COMPARED = 20_000
"""Training series among which the nearest is looked for."""

NEAREST_ACCURACY = Measure(
    name="nearest_neighbour_accuracy",
    higher_is_better=True,
    meaning="Accuracy of answering with the class of the training series that differs least, step by step.",
)


@settings
class Predict:
    """Say which class series are of; the preprocessing comes from the run."""

    inputs: Given
    """CSV files with a series in each row, NPZ files, or arrays (samples, steps, channels)."""


@final
class SeriesClassification(Task):
    """Many short series of one length with a class each, judged by the share of right answers.

    Beside the score of the test part stands that of the nearest neighbour: the class of the training series with the
    least squared difference, step by step, after standardising. It is hard to beat where series are aligned in time,
    and easy where they are not.
    """

    name = "series_classification"
    reads = ("short-series",)
    takes = "series of one length with classes: a table with a series in each row, or arrays (samples, steps, channels)"
    fields: ClassVar = {"inputs": ("short-series",), "targets": ("classes",)}
    measures = (ACCURACY, LOSS, NEAREST_ACCURACY, CALIBRATION, TOP_5)
    captions: ClassVar = {
        **VERDICTS,
        "series": "Test series of each class, and what the network takes them for where it is wrong",
        "fields": "A test series of each class, and the pictures of it that the network looks at",
    }
    verbs: ClassVar = {"predict": Predict, "features": Features}
    joined = frozenset({"predict"})
    next_step = "ganglion predict {run} INPUT"

    @property
    def label_names(self) -> tuple[str, ...]:
        """What class 0, 1, ... is called."""
        labels: tuple[str, ...] = self.preprocessing["targets"].labels
        return labels

    @property
    def scale(self) -> ShortSeriesPreprocessing:
        scale: ShortSeriesPreprocessing = self.preprocessing["inputs"]
        return scale

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        """Judge the network on a part; on the test part beside the nearest neighbour."""
        outputs, targets = answers(rule.home, self.data.batches(part))
        measures = judged(rule, outputs, targets) | measured(outputs, targets)
        if part == "test":
            measures["nearest_neighbour_accuracy"] = self._nearest()
        return measures

    def _nearest(self) -> float:
        """Return the share of test series whose nearest training series is of their class."""
        from sklearn.neighbors import KNeighborsClassifier

        pairs = [self.data.columns(part) for part in ("train", "test")]
        (series, classes), (asked, truth) = (
            (np.asarray(pair["inputs"]).reshape(len(pair["inputs"]), -1), np.asarray(pair["targets"])) for pair in pairs
        )
        model = KNeighborsClassifier(1).fit(series[:MOST_COMPARED], classes[:MOST_COMPARED])
        return float(model.score(asked, truth))

    def baseline(self) -> dict[str, float]:
        """Return what answering with the commonest class of the training part scores."""
        return commonest(self.data)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        outputs, targets = answers(rule.home, self.data.batches("test"))
        said, truth = decisions(outputs).cpu().numpy(), targets.cpu().numpy()
        raw = np.asarray(self.data.raw("test").values, dtype=np.float64)[..., 0]
        drawn = verdicts(outputs, targets, self.label_names)
        some = {number: self._some(truth == number, said == truth) for number in np.unique(truth)[:MOST_CLASSES]}
        drawn["series"] = figures.series_by_class(
            {self.label_names[number]: raw[places] for number, places in some.items()},
            {
                self.label_names[number]: ["" if said[one] == number else self.label_names[said[one]] for one in places]
                for number, places in some.items()
            },
        )
        if isinstance(rule.home, PicturesSeries):
            firsts = [places[0] for places in some.values()]
            pictures = rule.home.pictures(self.data.some("test", np.array(firsts)))
            drawn["fields"] = figures.series_pictures(
                {self.label_names[truth[one]]: raw[one] for one in firsts},
                {name: one[:, 0].detach().cpu().numpy() for name, one in pictures.items()},
            )
        return drawn

    @staticmethod
    def _some(of_class: np.ndarray, right: np.ndarray) -> list[int]:
        """Return places of some series of a class (samples,), right ones first, wrong ones among them if there are."""
        known, missed = np.flatnonzero(of_class & right), np.flatnonzero(of_class & ~right)
        wrong = missed[: SHOWN // 2].tolist()
        return [*known[: SHOWN - len(wrong)].tolist(), *wrong]

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every series its likeliest class and probability, and those of the next in order."""
        found, samples = asked(question.inputs, self.scale, self.settings)
        return found.answer(ranked(ask(network, samples), self.label_names))


TASK = SeriesClassification
