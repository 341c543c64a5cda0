"""Domains: networks that turn pictures of one kind into another and back, learnt from two sets without pairs."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, final

import numpy as np
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Measure
from ganglion.data.dataset import Dataset
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import UsageError
from ganglion.settings import settings
from ganglion.tasks.answers import Images
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.images import l1
from ganglion.tasks.measures.samples import FRECHET_DISTANCE, SampleQuality
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import ask
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt, sizes
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.pictures.drawing import in_turn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST = 64
"""Side of the pictures when none is asked for, at most."""
JUDGED = 500
"""Pictures of each kind that are judged, at most."""
SHOWN = 8
Direction = Literal["there", "back"]
WAYS: tuple[tuple[str, str, str], ...] = (("there", "inputs", "targets"), ("back", "targets", "inputs"))
"""Each network, what it is given and what it should make."""
CYCLE_ERROR = Measure(
    name="cycle_error",
    higher_is_better=False,
    meaning="Mean absolute difference of a pixel, from 0 to 1, after the way there and back.",
)
TRUTH_ERROR = Measure(
    name="l1",
    higher_is_better=False,
    meaning="Mean absolute difference of a pixel from the truth, where the data has pairs, which training never uses.",
)


@settings
class Predict:
    """Turn each picture into one of the other kind, at the size that was learnt."""

    inputs: Given
    """Image files or folders of them, NPZ files, or arrays."""
    direction: Direction = "there"
    """There is from the first set to the second, back from the second to the first."""


@final
class Domains(Task):
    """Turn pictures of one set into pictures like those of another, judged in both directions.

    `frechet_distance` compares what is made with real pictures of its set, in the principal components of their pixels:
    the mean of both ways. `cycle_error` says how much is lost there and back. Where the data has pairs, `l1` is the
    distance from the truth. The baseline hands pictures over as they are.
    """

    name = "domains"
    reads = ("image-domains", "image-pairs")
    takes = "two sets of pictures"
    fields: ClassVar = {"inputs": ("images",), "targets": ("images",)}
    measures = (FRECHET_DISTANCE, CYCLE_ERROR, TRUTH_ERROR)
    verbs: ClassVar = {"predict": Predict}
    captions: ClassVar = {
        "there": "Pictures of the first kind, what is made of them, and what that leads back to",
        "back": "Pictures of the second kind, what is made of them, and what that leads back to",
    }
    next_step = "ganglion predict {run} INPUT --direction there --out made/"
    quality: dict[str, SampleQuality]
    """Principal components of the pictures of each set; only a prepared task has them."""

    @classmethod
    def chosen(cls, dataset: Dataset) -> dict[str, str]:
        return {"inputs": "source", "targets": "target"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        both = [dataset.fields[name].values for name in ("source", "target")]
        channels = max(ImagePreprocessing.fit(values).channels for values in both)
        smallest = min(min(size) for values in both for size in sizes_of(values))
        options = {**AS_THEY_ARE, "image_size": config.image_size or min(smallest, LARGEST), "channels": channels}
        data = cls.prepared(dataset, config, settings, seed, dict.fromkeys(cls.fields, options))
        task = cls(adapt(config, **sizes(data.preprocessing)), data.preprocessing).holding(data)
        task.quality = {name: SampleQuality.fit(task._some("train", name).numpy()) for name in cls.fields}
        return task

    def _some(self, part: Part, name: str, most: int = JUDGED) -> Tensor:
        """Return at most so many prepared pictures of a set, the first of a part."""
        pictures: Tensor = self.data.some(part, np.arange(min(most, len(self.data.raw(part, name)))), name)
        return pictures

    def _compare(self, part: Part, made: dict[str, Tensor], again: dict[str, Tensor]) -> dict[str, float]:
        """Return the measures of what was made of both sets, and made back again."""
        real = {name: self._some(part, name) for name in self.fields}
        distances = [
            self.quality[wanted].compare(real[wanted].numpy(), made[way].numpy())["frechet_distance"]
            for way, _, wanted in WAYS
        ]
        found = {"frechet_distance": float(np.mean(distances))}
        found["cycle_error"] = float(np.mean([float(l1(again[way], real[given]).mean()) for way, given, _ in WAYS]))
        if self.data.dataset.is_paired:
            errors = [float(l1(made[way], real[wanted]).mean()) for way, _, wanted in WAYS]
            found["l1"] = float(np.mean(errors))
        return found

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        made, again = {}, {}
        for way, given, _ in WAYS:
            made[way], again[way] = there_and_back(rule.home, way, self._some(part, given))
        return self._compare(part, made, again)

    def baseline(self) -> dict[str, float]:
        """Hand pictures over as they are."""
        given = {way: self._some("test", name) for way, name, _ in WAYS}
        return self._compare("test", given, given)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        drawn = {}
        for way, given, _ in WAYS:
            pictures = self._some("test", given, SHOWN)
            made, again = there_and_back(rule.home, way, pictures)
            states = {"given": pictures, "made of it": made, "back again": again}
            pixels = {name: self.preprocessing["inputs"].inverse(one) for name, one in states.items()}
            drawn[way] = figures.strips(pixels, f"The way {way}", columns=4)
        return drawn

    def sheet(self, home: nn.Module) -> np.ndarray:
        """Return held-out pictures of both kinds, and below each what is made of it."""
        rows = []
        for way, given, _ in WAYS:
            pictures = self._some("validation", given, SHOWN)
            rows += [pictures, there_and_back(home, way, pictures)[0]]
        count = min(map(len, rows))
        pixels = [self.preprocessing["inputs"].inverse(one[:count]) for one in rows]
        return figures.sheet(in_turn(*pixels, columns=count), columns=count)

    def predict(self, network: nn.Module, question: Predict) -> Images:
        """Return what the network of a direction makes of each picture, under the name of its file."""
        given = "inputs" if question.direction == "there" else "targets"
        found, pictures = asked(question.inputs, self.preprocessing[given], self.settings)
        if question.direction not in dict(network.named_children()):
            raise UsageError(
                "this file has the network of the other direction only",
                where="direction",
                found=question.direction,
                remedy=f"export that one: ganglion export RUN onnx --role {question.direction}",
            )
        made = ask(network.get_submodule(question.direction), pictures).clamp(0, 1)
        return Images(self.preprocessing[given].inverse(made), found.titles, title="Made")


def there_and_back(home: nn.Module, way: str, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return what a network makes of pictures (samples, channels, height, width), and the other one of that."""
    first, second = home.get_submodule(way), home.get_submodule("back" if way == "there" else "there")
    made = ask(first, pictures).clamp(0, 1)
    return made, ask(second, made).clamp(0, 1)


TASK = Domains
