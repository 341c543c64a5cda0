"""Labelling: say which of several labels a sample has, of which any number may hold."""

from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
from torch import nn

from ganglion import figures
from ganglion.core import LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.rules.losses import LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import answers, ask, judged
from ganglion.tasks.shared.features import Features
from ganglion.tasks.shared.fitting import adapt, refuse_other_loss, sizes
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.pictures.figures import FILTERS, SHOWN, filters, under_titles
from ganglion.tasks.shared.pictures.searching import Search

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMED = 5
"""Labels that a note names."""
LOSS_OF_LABELS = "binary-cross-entropy"
SIGN = "|"
"""Stands between the labels of an answer, as it may in the cells that they are read from."""
F1 = Measure(
    name="f1",
    higher_is_better=True,
    meaning="2 right / (said + true), over all labels of all samples; 1 is perfect.",
)
MACRO_F1 = Measure(name="macro_f1", higher_is_better=True, meaning="The mean over labels of F1 of each.")
PRECISION = Measure(
    name="average_precision",
    higher_is_better=True,
    meaning="Mean over labels of the precision at all recalls, whatever the threshold.",
)
EXACT = Measure(name="exact", higher_is_better=True, meaning="Share of the samples all of whose labels are right.")


@settings
class Predict:
    """Say which labels samples have, each with its probability; the preprocessing comes from the run."""

    inputs: Given
    """Image files or folders of them, CSV or NPZ files, or arrays."""


@final
class Labelling(Task):
    """Rows or images each with any number of labels. Each label is a decision of its own: it holds from 0.5 on."""

    name = "labelling"
    reads = ("image", "tabular")
    takes = "images or rows of a table, with columns of 0 and 1 of which any number may be 1"
    fields: ClassVar = {"inputs": ("images", "rows"), "targets": ("labels",)}
    measures = (F1, LOSS, MACRO_F1, PRECISION, EXACT)
    captions: ClassVar = {
        "labels": "F1 of each label on the test part, the best first",
        "mistakes": "Test pictures with wrong labels, most of them first: + was said and does not hold, − was not said",
        **FILTERS,
    }
    verbs: ClassVar = {"predict": Predict, "features": Features, "search": Search}
    joined = frozenset({"predict"})
    augment = "shift"
    next_step = "ganglion predict {run} INPUT"

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        what = "labels of which any number may hold"
        refuse_other_loss(config, LOSS_OF_LABELS, what, "--task regression for quantities")
        data = cls.prepared(source, config, settings, seed)
        targets = data.preprocessing["targets"]
        found = {"num_samples": len(data["train"]), "num_classes": None, "out_features": targets.num_labels}
        config = adapt(config, **{**sizes(data.preprocessing), **found}, loss=LOSS_OF_LABELS)
        held = np.asarray(data.raw("train", "targets").values, dtype=float).max(axis=0).tolist()
        never = [name for name, holds in zip(targets.labels, held, strict=True) if not holds]
        said = [f"no sample that is learnt from has {', '.join(never[:NAMED])}: it will not be found"] if never else []
        return cls(config, data.preprocessing).holding(data, *said)

    @property
    def label_names(self) -> tuple[str, ...]:
        """What each label is called."""
        names: tuple[str, ...] = self.preprocessing["targets"].labels
        return names

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        outputs, targets = answers(rule.home, self.data.batches(part))
        known = judged(rule, outputs, targets)
        return {"loss": known["loss"], **_measured(targets.numpy(), outputs.sigmoid().numpy())}

    def baseline(self) -> dict[str, float]:
        """Return what giving every sample each label with its share in the training part scores."""
        shares = np.asarray(self.data.raw("train", "targets").values, dtype=float).mean(axis=0)
        truth = np.asarray(self.data.raw("test", "targets").values, dtype=bool)
        return _measured(truth, np.broadcast_to(shares, truth.shape))

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every sample the labels that hold, and the probability of each label."""
        found, samples = asked(question.inputs, self.preprocessing["inputs"], self.settings)
        likely = ask(network, samples, by=lambda block: network(block).sigmoid())
        held = self.preprocessing["targets"].inverse(likely >= 0.5)
        return found.answer(
            [
                {"labels": SIGN.join(names), **dict(zip(self.label_names, row, strict=True))}
                for names, row in zip(held, likely.tolist(), strict=True)
            ]
        )

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        from sklearn.metrics import f1_score

        outputs, targets = answers(rule.home, self.data.batches("test"))
        scores = f1_score(targets.numpy(), outputs.numpy() > 0, average=None, zero_division=0)
        by_label = dict(zip(self.label_names, map(float, np.atleast_1d(scores)), strict=True))
        ordered = dict(sorted(by_label.items(), key=lambda one: -one[1]))
        drawn = {"labels": figures.bars(ordered, "F1 of each label", next(iter(ordered)))}
        preprocessing = self.preprocessing["inputs"]
        if isinstance(preprocessing, ImagePreprocessing):
            drawn |= self._mistakes(targets.numpy(), outputs.numpy() > 0) | filters(preprocessing, rule.home)
        return drawn

    def _mistakes(self, truth: np.ndarray, said: np.ndarray) -> "dict[str, Figure]":
        """Draw pictures with labels that are wrong, of truth values `(samples, labels)`."""
        wrong = truth != said
        places = np.argsort(-wrong.sum(axis=1), kind="stable")[: min(SHOWN, int(wrong.any(axis=1).sum()))]
        if not len(places):
            return {}
        titles = [
            "\n".join(
                f"{'+' if said[place, label] else '−'} {self.label_names[label]}" for label in np.flatnonzero(row)
            )
            for place, row in zip(places.tolist(), wrong[places], strict=True)
        ]
        return {"mistakes": under_titles(self.data, places, titles, "Wrong labels: + said, − missed")}


def _measured(truth: np.ndarray, likely: np.ndarray) -> dict[str, float]:
    """Return the measures of probabilities (samples, labels) that labels hold."""
    from sklearn.metrics import average_precision_score, f1_score

    said = likely >= 0.5
    judged = truth.any(axis=0)  # a label that no sample has is found at no recall
    precision = average_precision_score(truth[:, judged], likely[:, judged], average="macro") if judged.any() else 0.0
    return {
        "f1": float(f1_score(truth, said, average="micro", zero_division=0)),
        "macro_f1": float(f1_score(truth, said, average="macro", zero_division=0)),
        "average_precision": float(precision),
        "exact": float((truth == said).all(axis=1).mean()),
    }


TASK = Labelling
