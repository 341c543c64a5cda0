"""Classification: say which of several classes a sample is."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import CentredUnits, Dreamer, Hardened, LearningRule, Mixing
from ganglion.data.preprocessing import ImagePreprocessing, TabularPreprocessing
from ganglion.errors import UsageError
from ganglion.nn import probabilities
from ganglion.nn.attacks import adversarial_examples
from ganglion.rules.losses import ACCURACY, LOSS, decisions
from ganglion.settings import at_least, settings
from ganglion.tasks.answers import Images, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.classes import CALIBRATION, TOP_5, measured
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.classes import VERDICTS, commonest, ranked, verdicts
from ganglion.tasks.shared.evaluation import answers, ask, judged
from ganglion.tasks.shared.features import Features
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.pictures.drawing import as_pictures, numbered
from ganglion.tasks.shared.pictures.dreams import MOST_COLUMNS, classes_asked_for, dreams_of
from ganglion.tasks.shared.pictures.figures import FILTERS, SHOWN, filters, under_titles
from ganglion.tasks.shared.pictures.searching import Search

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS, DREAMT = 10, 10
"""Pictures that are made up of each class, and classes."""


@settings
class Predict:
    """Say which class samples are of; the preprocessing comes from the run."""

    inputs: Given
    """Image files or folders of them, CSV or NPZ files, or arrays."""
    mirrored: bool = False
    """Ask about each image and about its mirror image, and answer with the mean of both."""


@settings
class Generate:
    """Draw inputs of a class, by a network that learnt to: a deep belief network in its form generative."""

    count: Annotated[int, at_least(1)] = 64
    """Inputs to draw."""
    seed: int = 0
    """Decides what is drawn: input i is a function of the seed and i, however many are drawn."""
    class_: str | None = None
    """Class of what is drawn, by its name; all in turn if not given."""


@final
class Classification(Task):
    """Labelled images or rows, judged by the share of right answers."""

    name = "classification"
    reads = ("image", "tabular")
    takes = "images or rows of a table, with classes"
    fields: ClassVar = {"inputs": ("images", "rows"), "targets": ("classes",)}
    measures = (ACCURACY, LOSS, CALIBRATION, TOP_5)
    captions: ClassVar = {
        **VERDICTS,
        "decision_regions": "What the network answers over two inputs, and the samples",
        "misclassified": "Test samples that the network gets wrong",
        **FILTERS,
        "dreams": "What the network makes up of each class, a row for each",
    }
    verbs: ClassVar = {"predict": Predict, "features": Features, "search": Search, "generate": Generate}
    joined = frozenset({"predict"})
    augment = "shift"
    next_step = "ganglion predict {run} INPUT"

    @property
    def questions(self) -> Mapping[str, type]:
        dreams = getattr(self.config, "dreams", False)
        return {verb: question for verb, question in self.verbs.items() if dreams or verb != "generate"}

    @property
    def label_names(self) -> tuple[str, ...]:
        """What class 0, 1, ... is called."""
        labels: tuple[str, ...] = self.preprocessing["targets"].labels
        return labels

    def harden(self, rule: LearningRule, epsilon: float, steps: int) -> None:
        preprocessing = self.preprocessing["inputs"]
        if not isinstance(rule, Hardened) or not isinstance(preprocessing, ImagePreprocessing):
            super().harden(rule, epsilon, steps)
            return
        black, white = preprocessing.ends

        def adversary(loss: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
            low, high = black.to(inputs), white.to(inputs)
            return adversarial_examples(loss, inputs, epsilon, steps=steps, black=low, white=high)

        rule.adversary = adversary

    def mix(self, rule: LearningRule, mixup: float) -> None:
        if not isinstance(rule, Mixing):
            super().mix(rule, mixup)
        else:
            rule.mixup = mixup

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        outputs, targets = answers(rule.home, self.data.batches(part))
        return judged(rule, outputs, targets) | measured(outputs, targets)

    def baseline(self) -> dict[str, float]:
        """Return what answering with the commonest class of the training part scores."""
        return commonest(self.data)

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every sample its likeliest class and probability, and those of the next in order."""
        found, samples = asked(question.inputs, self.preprocessing["inputs"], self.settings)
        outputs = ask(network, samples)
        if question.mirrored:
            if not isinstance(self.preprocessing["inputs"], ImagePreprocessing):
                raise UsageError("only images have a mirror image", where="mirrored", remedy="leave it out")
            turned = ask(network, samples.flip(-1))
            outputs = ((probabilities(outputs) + probabilities(turned)) / 2).log()
        return found.answer(ranked(outputs, self.label_names))

    def generate(self, network: nn.Module, question: Generate) -> Images | Rows:
        """Return what the network makes up of one class or of all in turn: pictures, or rows of a table."""
        assert isinstance(network, Dreamer)
        classes = classes_asked_for(question.class_, question.count, self.label_names)
        names = numbered(question.count, question.seed)
        drawn = dreams_of(network, classes, question.seed, next(network.parameters()).device)
        labels = [self.label_names[number] for number in classes.tolist()]
        preprocessing = self.preprocessing["inputs"]
        if not isinstance(preprocessing, ImagePreprocessing):
            rows = zip(names, labels, preprocessing.inverse(drawn), strict=True)
            return Rows([{"sample": name, "label": label, **row} for name, label, row in rows])
        columns = len(self.label_names) if question.class_ is None and len(self.label_names) <= MOST_COLUMNS else None
        title = "Dreams" if question.class_ is None else f"Dreams of {question.class_}"
        return Images(as_pictures(drawn, preprocessing), names, title=title, columns=columns, groups=labels)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        outputs, targets = answers(rule.home, self.data.batches("test"))
        said, truth = decisions(outputs).cpu().numpy(), targets.cpu().numpy()
        drawn = verdicts(outputs, targets, self.label_names)
        preprocessing = self.preprocessing["inputs"]
        if isinstance(preprocessing, ImagePreprocessing):
            drawn |= self._misclassified(truth, said) | filters(preprocessing, rule.home)
            drawn |= self._dreams(preprocessing, rule.home)
        elif len(preprocessing.means) in (2, 3) and not preprocessing.categories:
            drawn["decision_regions"] = self._decision_regions(preprocessing, rule.home)
        return drawn

    def _dreams(self, preprocessing: ImagePreprocessing, network: nn.Module) -> "dict[str, Figure]":
        """Draw what a network makes up of each class, if it can."""
        if not (isinstance(network, Dreamer) and network.generative):
            return {}
        classes = torch.arange(len(self.label_names))[:DREAMT].repeat_interleave(COLUMNS)
        images = as_pictures(dreams_of(network, classes, 0, next(network.parameters()).device), preprocessing)
        titles = [
            self.label_names[number] if not place % COLUMNS else "" for place, number in enumerate(classes.tolist())
        ]
        return {"dreams": figures.image_grid(images, titles, columns=COLUMNS, title="Dreams of each class")}

    def _misclassified(self, truth: np.ndarray, said: np.ndarray) -> "dict[str, Figure]":
        wrong = np.flatnonzero(truth != said)[:SHOWN]
        if not len(wrong):
            return {}
        titles = [f"{self.label_names[truth[place]]} → {self.label_names[said[place]]}" for place in wrong]
        return {"misclassified": under_titles(self.data, wrong, titles, "Misclassified: truth → answer")}

    def _decision_regions(self, preprocessing: TabularPreprocessing, network: nn.Module) -> "Figure":
        """Draw the answers over the two inputs that the first layer weighs most; what is missing stands at the mean."""
        units = network if isinstance(network, CentredUnits) else None
        first = next(layer for layer in network.modules() if isinstance(layer, nn.Linear)).weight.detach()
        heaviest = (
            (first if units is None else units.centres.detach()).norm(dim=0).topk(2).indices.sort().values.tolist()
        )
        fields = self.data.dataset.fields
        inputs = np.asarray(fields["inputs"].values, dtype=np.float32)
        figure = figures.decision_regions(
            lambda points: decisions(ask(network, preprocessing(points))).numpy(),
            np.where(np.isnan(inputs), preprocessing.means, inputs),
            np.asarray(fields["targets"].values),
            self.label_names,
            preprocessing.columns,
            (heaviest[0], heaviest[1]),
        )
        if units is not None:
            means, deviations = (np.asarray(one)[heaviest] for one in (preprocessing.means, preprocessing.deviations))
            centres, widths = (one.detach().cpu().numpy() for one in (units.centres, units.widths))
            radii = np.abs(widths)[:, None] * deviations
            figures.add_circles(figure.axes[0], centres[:, heaviest] * deviations + means, radii)
        return figure


TASK = Classification
