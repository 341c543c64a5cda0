"""Image to image: a network that makes of a picture another of the same size, such as one without its noise."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import Batch, LearningRule, Local
from ganglion.data.dataset import Dataset
from ganglion.data.formats.image_folders import sizes_of
from ganglion.data.loaders.derived import Derived, GaussianNoise, MaskingNoise, PoissonNoise, SaltAndPepperNoise
from ganglion.data.loaders.pieces import Pieces
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.preprocessing.placement import Size
from ganglion.data.settings import DataSettings
from ganglion.rules.losses import LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Images
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.images import MEASURES, l1, psnr, ssim
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.drawing import in_turn
from ganglion.tasks.shared.evaluation import ask, evaluating, judged
from ganglion.tasks.shared.fitting import AS_THEY_ARE, RESIZED, adapt, sizes
from ganglion.tasks.shared.inputs import raw
from ganglion.tasks.shared.tiles import Tiling, fitting, in_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_PIECE = 128
"""Side of the pieces of larger pictures that are learnt from when no size is asked for."""
JUDGED = 256
"""Side of the middle of larger pictures that is judged while training."""
JUDGED_TOGETHER = 1 << 22
"""Pixels of pictures that are judged at a time."""
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
    of the configuration's kind, drawn afresh for every (seed, epoch, sample) and always the same where it is judged.
    Larger pictures are learnt from in pieces at random places, at their own scale; the test part is judged on whole
    pictures, in the tiles in which they are answered. The baseline hands the source back as it is. All pixels are in
    [0, 1]; noise may leave that range, answers may not.
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
        shown = cls.chosen(dataset)["targets"]
        parts = [part[shown].values for part in (dataset.fields, dataset.test_fields) if shown in part]
        given = {size for values in parts for size in sizes_of(values)}
        side = config.image_size or min(LARGEST_PIECE, *map(min, given))
        options = {name: {**AS_THEY_ARE, "image_size": side, "channels": found.channels} for name in cls.fields}
        data = cls.prepared(dataset, config, settings, seed, options)
        if "inputs" not in data.chosen:  # they are made of the targets
            data = replace(data, derived={"inputs": _noise(config)})
        notes = []
        if data.settings.resize == "none" and given != {(side, side)}:
            kept = tuple(note for note in data.notes if RESIZED["none"] not in note)
            data = replace(data, pieces=Pieces(dict.fromkeys(data.chosen, side)), notes=kept)
            notes = [f"learns from pieces of {side} x {side} pixels at random places (--image-size)"]
        images = {"inputs": data.preprocessing["targets"], **data.preprocessing}
        return cls(adapt(config, **sizes(images)), images).holding(data, *notes)

    def _judged(self, part: Part) -> Iterator[Batch]:
        """Yield inputs and targets of a part, pictures of one size together; their noise is always the same.

        The test part is judged on whole pictures, the validation part, which is looked at again and again, on
        at most `JUDGED` pixels a side in their middle.
        """
        if self.data.pieces is None:
            yield self.data.whole(part)
            return
        most = None if part == "test" else max(JUDGED, *self.data.pieces.sides.values())
        by_size: dict[Size, list[int]] = {}
        for place, (height, width) in enumerate(sizes_of(self.data.raw(part, "targets").values)):
            by_size.setdefault((min(height, most or height), min(width, most or width)), []).append(place)
        for size, alike in by_size.items():
            together = max(1, JUDGED_TOGETHER // (size[0] * size[1]))
            for start in range(0, len(alike), together):
                some = np.array(alike[start : start + together])
                yield self.data.in_full(part, some, dict.fromkeys(self.data.chosen, size))

    def _shown(self, part: Part, count: int) -> Batch:
        """Return the first samples of a part: pictures, or pieces from the middle of each."""
        if self.data.pieces is None:
            return {name: values[:count] for name, values in self.data.whole(part).items()}
        places = np.arange(min(count, len(self.data.nearest(part))))
        return self.data.in_full(part, places, {name: (side, side) for name, side in self.data.pieces.sides.items()})

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        found: list[dict[str, float]] = []
        counts: list[int] = []
        for batch in self._judged(part):
            outputs, targets = self._made(rule.home, batch["inputs"]), batch["targets"]
            found.append({**compare(outputs.clamp(0, 1), targets), "loss": judged(rule, outputs, targets)["loss"]})
            counts.append(len(targets))
        return _mean(found, counts)

    def _made(self, network: nn.Module, inputs: Tensor) -> Tensor:
        """Return what a network makes of pictures (batch, channels, height, width), large ones in tiles."""
        if self.data.pieces is None:
            return ask(network, inputs)
        with evaluating(network) as device:
            tiling = _tiling(network, inputs.shape[1])
            if max(inputs.shape[2:]) > tiling.side:
                return torch.stack([in_tiles(network, image.to(device), tiling).float().cpu() for image in inputs])
        return ask(network, inputs)

    def baseline(self) -> dict[str, float]:
        """Hand the source back as it is."""
        batches = list(self._judged("test"))
        return _mean([compare(b["inputs"], b["targets"]) for b in batches], [len(b["targets"]) for b in batches])

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        batch = self._shown("test", SHOWN)
        states = {
            "given": batch["inputs"],
            "made of it": ask(rule.home, batch["inputs"]),
            "should be": batch["targets"],
        }
        pixels = {name: self.preprocessing["targets"].inverse(images) for name, images in states.items()}
        return {"before_after": figures.strips(pixels, "Before and after", columns=3)}

    def sheet(self, home: nn.Module) -> np.ndarray:
        """Return held-out images: a row of what is given, what is made of it, and what it should be."""
        batch = self._shown("validation", COLUMNS)
        made = ask(home, batch["inputs"])
        rows = [self.preprocessing["targets"].inverse(images) for images in (batch["inputs"], made, batch["targets"])]
        return figures.sheet(in_turn(*rows, columns=len(made)), columns=len(made))

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
            tiling = _tiling(network, images_in.channels)
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


def _mean(found: Sequence[Mapping[str, float]], counts: Sequence[int]) -> dict[str, float]:
    """Return the means over all pictures of means over some of them."""
    return {name: float(np.average([one[name] for one in found], weights=counts)) for name in found[0]}


def _tiling(network: nn.Module, channels: int) -> Tiling:
    """Return the tiles in which a network is shown large pictures."""
    return fitting(network, channels, margin=network.reach if isinstance(network, Local) else 0)


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
