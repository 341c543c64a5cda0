"""Features: codes that another method shall use, judged by what a linear probe makes of them."""

from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
from torch import nn

from ganglion import figures
from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.probes import (
    COMPONENTS_PROBE,
    FEW_LABELS,
    FEW_LABELS_PROBE,
    FEW_LABELS_RAW_PROBE,
    PROBE,
    PROBED,
    RAW_PROBE,
    components,
    few_of_each,
    probe,
    thinned,
)
from ganglion.tasks.reconstruction import RECONSTRUCTION_ERROR
from ganglion.tasks.shared.classes import class_names
from ganglion.tasks.shared.codes import encoded, rebuilt
from ganglion.tasks.shared.features import Features as Question
from ganglion.tasks.shared.fitting import Options, as_drawn
from ganglion.tasks.shared.pictures.searching import Search

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = 10
"""Pictures drawn beside their reconstructions."""
MAPPED = 2000
"""Samples on the map at most."""


@final
class Features(Task):
    """Codes are judged by logistic regression on them, learnt from the training part, with all labels and with few.

    On the test part the same on the raw values and on as many principal components stand beside the score; the
    baseline answers with the commonest class. The network itself never sees a label.
    """

    name = "features"
    reads = ("image", "tabular")
    takes = "images or rows of a table, with classes that the codes are judged by"
    fields: ClassVar = {"inputs": ("images", "rows"), "targets": ("classes",)}
    measures = (PROBE, RECONSTRUCTION_ERROR, RAW_PROBE, COMPONENTS_PROBE, FEW_LABELS_PROBE, FEW_LABELS_RAW_PROBE)
    captions: ClassVar = {
        "probes": "Accuracy of a linear probe on the codes, on raw values and on principal components",
        "code_map": "The test samples by the two directions in which their codes vary most; no class was seen",
        "reconstructions": "Test samples, what is left of them after the code, and the difference",
    }
    verbs: ClassVar = {"features": Question, "search": Search}
    next_step = "ganglion features {run} INPUT --out codes.csv"

    @classmethod
    def options(cls, dataset: Dataset, config: Any) -> Options:
        return {"inputs": as_drawn(dataset, config)}

    def _part(self, network: nn.Module, part: Part) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return codes, raw values (samples, ...) and classes of some samples of a part."""
        places = self.data.spread(part, PROBED)
        samples = self.data.some(part, places)
        classes = np.asarray(self.data.raw(part, "targets").values)[places]
        return encoded(network, samples).numpy(), thinned(samples.numpy()), classes

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        known, asked = (self._part(rule.home, one) for one in ("train", part))
        samples = self.data.some(part, self.data.spread(part, PROBED))
        error = float((rebuilt(rule.home, samples) - samples).square().mean())
        measures = {"probe_accuracy": probe(known[0], known[2], asked[0], asked[2]), "reconstruction_error": error}
        return measures | (self._beside(known, asked) if part == "test" else {})

    def _beside(self, known: tuple[np.ndarray, ...], asked: tuple[np.ndarray, ...]) -> dict[str, float]:
        """Return the accuracies that stand beside the score, of samples to learn from and to be asked."""
        (codes, raw, classes), (asked_codes, asked_raw, truth) = known, asked
        linear = components(raw, codes.shape[1], asked_raw)
        few = few_of_each(classes, FEW_LABELS)
        return {
            "raw_probe_accuracy": probe(raw, classes, asked_raw, truth),
            "components_probe_accuracy": probe(linear[0], classes, linear[1], truth),
            "few_labels_probe_accuracy": probe(codes[few], classes[few], asked_codes, truth),
            "few_labels_raw_probe_accuracy": probe(raw[few], classes[few], asked_raw, truth),
        }

    def baseline(self) -> dict[str, float]:
        """Answer with the commonest class of the training part."""
        train, test = (np.asarray(self.data.raw(part, "targets").values) for part in ("train", "test"))
        return {"probe_accuracy": float(np.mean(test == np.bincount(train).argmax()))}

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        known, asked = (self._part(rule.home, part) for part in ("train", "test"))
        beside = self._beside(known, asked)
        count = f"{FEW_LABELS} labels each"
        scores = {
            "codes": probe(known[0], known[2], asked[0], asked[2]),
            "raw values": beside["raw_probe_accuracy"],
            "principal components": beside["components_probe_accuracy"],
            f"codes, {count}": beside["few_labels_probe_accuracy"],
            f"raw, {count}": beside["few_labels_raw_probe_accuracy"],
        }
        names = class_names(self.data)
        plane = components(asked[0], 2, asked[0])[0][:MAPPED]
        drawn = {
            "probes": figures.bars(scores, "Accuracy of a linear probe", "codes"),
            "code_map": figures.code_map(plane, asked[2][:MAPPED], names),
        }
        scale = self.preprocessing["inputs"]
        if isinstance(scale, ImagePreprocessing):
            shown = self.data.some("test", self.data.spread("test", SHOWN))
            restored = scale.inverse(rebuilt(rule.home, shown).clamp(0, 1))
            drawn["reconstructions"] = figures.reconstructions(scale.inverse(shown), restored)
        return drawn


TASK = Features
