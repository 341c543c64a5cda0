"""Image to image: a network that makes of a picture another of the same size, such as one without its noise."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Local
from ganglion.data.dataset import Dataset
from ganglion.data.formats.image_folders import sizes_of
from ganglion.data.loaders.derived import Derived, GaussianNoise, MaskingNoise, PoissonNoise, SaltAndPepperNoise
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.rules.losses import LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Images
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.images import MEASURES, l1, psnr, ssim
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.drawing import in_turn
from ganglion.tasks.shared.evaluation import ask, evaluating, judged
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt, sizes
from ganglion.tasks.shared.inputs import raw
from ganglion.tasks.shared.tiles import Tiling, fitting, in_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_PIECE = 128
"""Side of the pieces of larger pictures that are learnt from when no size is asked for."""
SHOWN = 6
"""Test pictures in the figure."""
COLUMNS = 6
"""Pictures in a row of a sheet."""
WHITE = 255


@settings
class Predict:
    """Make a picture of each one that is given, at its own size."""

    inputs: Given
    """Image files or folders of them, NPZ files, or arrays."""


@final
class ImageToImage(Task):
    """Make one image of another, judged by how near it comes to the one that it should be.

    Data are pairs of images, fields `source` and `target`, or images alone: then the source is the image with noise
    of the configuration's kind, drawn afresh for every (seed, epoch, sample) and always the same where
    it is judged. The baseline hands the source back as it is. All pixels are in [0, 1]; noise may leave that range,
    answers may not.
    """

    name = "image_to_image"
    reads = ("image-pairs", "image")
    takes = "images, or pairs of images"
    fields: ClassVar = {"inputs": ("images",), "targets": ("images",)}
    measures = (*MEASURES, LOSS)
    verbs: ClassVar = {"predict": Predict}
    captions: ClassVar = {
        "before_after": "Test images: what the network is given, what it makes of it, and what it should make",
    }
    resize = "none"  # noise and edges are learnt at their own scale
    next_step = "ganglion predict {run} INPUT --out after/"

    @classmethod
    def wanted(cls) -> None:
        return None

    @classmethod
    def chosen(cls, dataset: Dataset) -> Mapping[str, str]:
        pairs = dataset.kind == "image-pairs"
        return {"inputs": "source", "targets": "target"} if pairs else {"targets": "inputs"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        found = ImagePreprocessing.fit(dataset.main.values)
        smallest = min(min(size) for size in sizes_of(dataset.main.values))
        options = {
            **AS_THEY_ARE,
            "image_size": config.image_size or min(smallest, LARGEST_PIECE),
            "channels": found.channels,
        }
        data = cls.prepared(dataset, config, settings, seed, {"inputs": options, "targets": options})
        if "inputs" not in data.chosen:  # they are made of the targets
            data = replace(data, derived={"inputs": _noise(config)})
        images = {"inputs": data.preprocessing["targets"], **data.preprocessing}
        return cls(adapt(config, **sizes(images)), images).holding(data)

    def _judged(self, part: Part) -> tuple[Tensor, Tensor]:
        """Return inputs and targets of a part; the noise is always the same."""
        batch = self.data.whole(part)
        return batch["inputs"], batch["targets"]

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        inputs, targets = self._judged(part)
        outputs = ask(rule.home, inputs)
        return {**compare(outputs.clamp(0, 1), targets), "loss": judged(rule, outputs, targets)["loss"]}

    def baseline(self) -> dict[str, float]:
        """Hand the source back as it is."""
        return compare(*self._judged("test"))

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        inputs, targets = (part[:SHOWN] for part in self._judged("test"))
        states = {"given": inputs, "made of it": ask(rule.home, inputs), "should be": targets}
        pixels = {name: self.preprocessing["targets"].inverse(images) for name, images in states.items()}
        return {"before_after": figures.strips(pixels, "Before and after", columns=3)}

    def sheet(self, home: nn.Module) -> np.ndarray:
        """Return held-out images: a row of what is given, what is made of it, and what it should be."""
        inputs, targets = (part[:COLUMNS] for part in self._judged("validation"))
        rows = [self.preprocessing["targets"].inverse(images) for images in (inputs, ask(home, inputs), targets)]
        return figures.sheet(in_turn(*rows, columns=len(inputs)), columns=len(inputs))

    def predict(self, network: nn.Module, question: Predict) -> Images:
        """Return what the network makes of each picture, under the name of its file."""
        found = raw(question.inputs)
        made = self.transform(network, list(found.samples))
        sizes = [{"height": picture.shape[0], "width": picture.shape[1]} for picture in made]
        return Images(made, found.titles, rows=found.name(sizes))

    def transform(self, network: nn.Module, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return what a network makes of raw images of any size, each `(height, width, channels)` uint8.

        Each goes through alone, in tiles that keep within memory, so that no answer depends on others.
        """
        images_in, images_out, made = self.preprocessing["inputs"], self.preprocessing["targets"], []
        with evaluating(network) as device:
            reach = network.reach if isinstance(network, Local) else 0
            tiling: Tiling = fitting(network, images_in.channels, margin=reach)
            for image in images:
                size = int(image.shape[0]), int(image.shape[1])
                pixels = replace(images_in, image_size=size)([image])[0]
                made.append(images_out.inverse(in_tiles(network, pixels.to(device), tiling)[None])[0])
        return made


def compare(images: Tensor, truth: Tensor) -> dict[str, float]:
    """Return the means over images `(samples, channels, height, width)` of the measures of one beside the other."""
    return {
        measure.name: float(function(images, truth).mean())
        for measure, function in zip(MEASURES, (psnr, ssim, l1), strict=True)
    }


def _noise(config: Any) -> Derived:
    """Return what is done to clean pictures, by a configuration's fields `noise_kind`, `noise`, `lost`, `photons`."""
    match getattr(config, "noise_kind", "gaussian"):
        case "masking":
            return MaskingNoise(of="targets", share=config.lost)
        case "salt-and-pepper":
            return SaltAndPepperNoise(of="targets", share=config.lost)
        case "poisson":
            return PoissonNoise(of="targets", peak=config.photons)
    return GaussianNoise(of="targets", deviation=config.noise / WHITE)


TASK = ImageToImage
