"""Image to image: a network that makes of a picture another of the same size, such as one without its noise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import Batch, Judge, LearningRule, Loader, Local
from ganglion.data.dataset import Dataset
from ganglion.data.loaders.augment import Augment
from ganglion.data.loaders.columns import Kinds
from ganglion.data.loaders.derived import Derived, GaussianNoise, derive
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.splits import split
from ganglion.rules.losses import LOSS
from ganglion.settings import from_dict, settings, to_dict
from ganglion.tasks.answers import Images
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.images import MEASURES, l1, psnr, ssim
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import ask, evaluating
from ganglion.tasks.shared.inputs import asked
from ganglion.tasks.shared.parts import nearest
from ganglion.tasks.shared.preparing import adapt
from ganglion.tasks.shared.tiles import Tiling, fitting, in_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_PIECE = 128
"""Side of the pieces of larger pictures that are learnt from when no size is asked for."""
SHOWN = 6
"""Test pictures in the figure."""
WHITE = 255
KINDS: Kinds = {"inputs": "images", "targets": "images"}
"""Fields that augmentation moves together."""


@settings
class Predict:
    """Make a picture of each one that is given, at its own size."""

    inputs: Given
    """Image files or folders of them, NPZ files, or arrays."""


@final
class ImageToImage(Task):
    """Make one image of another, judged by how near it comes to the one that it should be.

    Data are pairs of images, fields `source` and `target`, or images alone: then the source is the image with noise
    of the configuration's deviation `noise`, drawn afresh for every (seed, epoch, sample) and always the same where
    it is judged. The baseline hands the source back as it is. All pixels are in [0, 1]; noise may leave that range,
    answers may not.
    """

    name = "image_to_image"
    reads = ("image-pairs", "image")
    takes = "images, or pairs of images"
    measures = (*MEASURES, LOSS)
    verbs: ClassVar = {"predict": Predict}
    captions: ClassVar = {
        "before_after": "Test images: what the network is given, what it makes of it, and what it should make",
    }
    next_step = "ganglion predict {run} INPUT --out after/"
    tensors: dict[Part, Batch]
    """`targets` of each part, their `index` and, of pairs, `inputs`; like the two below, only in a prepared task."""
    settings: DataSettings
    seed: int

    def __init__(self, config: Any, preprocessing: ImagePreprocessing) -> None:
        self.config, self.preprocessing = config, preprocessing

    @classmethod
    def wanted(cls) -> None:
        return None

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        samples = split(dataset, settings, seed)
        found = ImagePreprocessing.fit(dataset.inputs, resize="crop")
        side = config.image_size or min(*found.size, LARGEST_PIECE)
        task = cls(adapt(config, in_channels=found.channels, image_size=side), replace(found, image_size=side))
        target = "target" if dataset.kind == "image-pairs" else "inputs"
        task.tensors = {}
        for part in ("train", "validation", "test"):
            own = nearest(samples, part)
            batch = {"targets": task.preprocessing(own.fields[target].values), "index": torch.from_numpy(own.index)}
            if target == "target":
                batch["inputs"] = task.preprocessing(own.fields["source"].values)
            task.tensors[part] = batch
        task.settings, task.seed = settings, seed
        task.notes, task.fingerprint = dataset.notes, dataset.fingerprint
        task.has_validation = len(samples["validation"]) > 0
        if found.size != (side, side):
            task.notes = (*task.notes, f"images are cut and resized to {side} x {side} to learn from")
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        return cls(config, from_dict(ImagePreprocessing, state["preprocessing"], where="preprocessing"))

    def state(self) -> dict[str, Any]:
        return {"preprocessing": to_dict(self.preprocessing)}

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        augment = None if self.settings.augment == "none" else Augment(self.settings.augment, KINDS)
        batch_size, derived = self.settings.batch_size, self._derived("train")
        return InMemoryLoader(self.tensors["train"], batch_size, seed, augment, derived=derived, kinds=KINDS)

    def _derived(self, part: Part) -> dict[str, Derived]:
        """Return how inputs are made of targets, where they are not given."""
        if "inputs" in self.tensors[part]:
            return {}
        return {"inputs": GaussianNoise(of="targets", deviation=self.config.noise / WHITE)}

    def _judged(self, part: Part) -> tuple[Tensor, Tensor]:
        """Return inputs and targets of a part; noise is that of an epoch which training never comes to."""
        batch = derive(self.tensors[part], self._derived(part), self.seed, epoch=-1)
        return batch["inputs"], batch["targets"]

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        inputs, targets = self._judged(part)
        outputs = ask(rule.home, inputs)
        assert isinstance(rule, Judge)
        loss = float(rule.judge(outputs, targets)["loss"])
        return {**compare(outputs.clamp(0, 1), targets), "loss": loss}

    def baseline(self) -> dict[str, float]:
        """Hand the source back as it is."""
        return compare(*self._judged("test"))

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        inputs, targets = (part[:SHOWN] for part in self._judged("test"))
        states = {"given": inputs, "made of it": ask(rule.home, inputs), "should be": targets}
        pixels = {name: self.preprocessing.inverse(images) for name, images in states.items()}
        return {"before_after": figures.strips(pixels, "Before and after", columns=3)}

    def example(self) -> Tensor:
        return self._judged("train")[0][:2]

    def predict(self, network: nn.Module, question: Predict) -> Images:
        """Return what the network makes of each picture, under the name of its file."""
        found = asked(question.inputs, self.preprocessing)
        made = self.transform(network, list(found.samples))
        names = [_name(name) for name in found.names]
        if len(set(names)) < len(names):
            names = [f"{number:04}-{name}" for number, name in enumerate(names, 1)]
        sizes = [{"height": picture.shape[0], "width": picture.shape[1]} for picture in made]
        return Images(made, names, rows=found.name(sizes))

    def transform(self, network: nn.Module, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return what a network makes of raw images of any size, each `(height, width, channels)` uint8.

        Each goes through alone, in tiles that keep within memory, so that no answer depends on others.
        """
        made = []
        with evaluating(network) as device:
            reach = network.reach if isinstance(network, Local) else 0
            tiling: Tiling = fitting(network, self.preprocessing.channels, margin=reach)
            for image in images:
                size = int(image.shape[0]), int(image.shape[1])
                pixels = replace(self.preprocessing, image_size=size)([image])[0]
                made.append(self.preprocessing.inverse(in_tiles(network, pixels.to(device), tiling)[None])[0])
        return made


def compare(images: Tensor, truth: Tensor) -> dict[str, float]:
    """Return the means over images `(samples, channels, height, width)` of the measures of one beside the other."""
    return {
        measure.name: float(function(images, truth).mean())
        for measure, function in zip(MEASURES, (psnr, ssim, l1), strict=True)
    }


def _name(asked: Mapping[str, Any]) -> str:
    """Return what to call the answer for a file, a row of a file, or an array."""
    stem = Path(asked.get("input", "picture")).stem
    return f"{stem}-{asked['row']}" if "row" in asked else stem


TASK = ImageToImage
