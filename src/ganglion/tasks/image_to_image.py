"""Image to image: a network that makes of a picture another of the same size, such as one without its noise."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import Batch, Blocked, Judge, LearningRule, Local
from ganglion.data.dataset import Dataset
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.formats.images.photographs import Photograph
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.rules.losses import LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Images
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.images import MEASURES, l1, psnr, ssim
from ganglion.tasks.measures.noise import estimated_noise
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import ask, evaluating, judged
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt, sizes
from ganglion.tasks.shared.inputs import photographs
from ganglion.tasks.shared.pictures.drawing import in_turn
from ganglion.tasks.shared.pictures.noisy import WHITE, filtered, noise_of, remark
from ganglion.tasks.shared.pictures.tiles import Tiling, fitting, in_tiles

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
COMPARED = 12
"""Test pictures on which a denoiser is set beside filters."""
COLUMNS = 6
"""Pictures in a row of a sheet."""


@settings
class Predict:
    """Make a picture of each one that is given, at its own size, with its transparency, colour profile and EXIF."""

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
        "before_after": "Test images: what the network is given, what it makes of it, and what it should make; where "
        "noise was added, also what filters make of it that learn nothing and are told how strong it is",
        "methods": "How near test images come to what they were before noise was added",
    }
    resize = "none"  # noise and edges are learnt at their own scale
    next_step = "ganglion predict {run} INPUT --out after/"
    noisy: bool = False
    """Whether what is given are the targets with noise, and not pictures of their own."""

    @classmethod
    def chosen(cls, dataset: Dataset) -> Mapping[str, str]:
        pairs = dataset.kind == "image-pairs"
        return {"inputs": "source", "targets": "target"} if pairs else {"targets": "inputs"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        if dataset.kind != "image-pairs" and not hasattr(config, "noise"):
            raise DataError(
                "this system learns from pairs of pictures",
                where=dataset.source or dataset.name,
                expected="two folders with the same names of files, or pictures with both halves side by side",
                found="pictures alone",
                remedy="give pairs, or choose denoiser, which makes its own",
            )
        found = ImagePreprocessing.fit(dataset.main.values)
        shown = cls.chosen(dataset)["targets"]
        parts = [part[shown].values for part in (dataset.fields, dataset.test_fields) if shown in part]
        given = {size for values in parts for size in sizes_of(values)}
        side = config.image_size or min(LARGEST_PIECE, *map(min, given))
        options = {name: {**AS_THEY_ARE, "image_size": side, "channels": found.channels} for name in cls.fields}
        data = cls.prepared(dataset, config, settings, seed, options)
        if "inputs" not in data.chosen:  # they are made of the targets
            data = replace(data, derived={"inputs": noise_of(config)})
        if data.settings.resize == "none" and given != {(side, side)}:
            data = data.in_pieces(side)
        images = {"inputs": data.preprocessing["targets"], **data.preprocessing}
        task = cls(adapt(config, **sizes(images)), images).holding(data)
        task.noisy = "inputs" not in data.chosen
        return task

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        task.noisy = state.get("noisy") is True
        return task

    def state(self) -> dict[str, Any]:
        return {**super().state(), "noisy": self.noisy}

    def _judged(self, part: Part) -> Iterator[Batch]:
        """Yield inputs and targets of a part, pictures of one size together; their noise is always the same.

        The test part is judged on whole pictures, the validation part, which is looked at again and again, on
        at most `JUDGED` pixels a side in their middle.
        """
        if self.data.pieces is None:
            yield self.data.whole(part)
            return
        most = None if part == "test" else max(JUDGED, *self.data.pieces.sides.values())
        yield from self.data.of_one_size(part, np.arange(len(self.data.nearest(part))), most, JUDGED_TOGETHER)

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
            loss = {"loss": judged(rule, outputs, targets)["loss"]} if isinstance(rule, Judge) else {}
            found.append({**compare(outputs.clamp(0, 1), targets), **loss})
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
        batch = self._shown("test", COMPARED)
        others = filtered(batch, self.config) if self.noisy else {}
        states = {
            "given": batch["inputs"],
            **others,
            "made of it": ask(rule.home, batch["inputs"]).clamp(0, 1),
            "should be": batch["targets"],
        }
        pixels = {name: self.preprocessing["targets"].inverse(part[:SHOWN]) for name, part in states.items()}
        drawn = {"before_after": figures.strips(pixels, "Before and after", columns=SHOWN if others else 3)}
        if others:
            decibels = {name: float(psnr(states[name], states["should be"]).mean()) for name in list(states)[:-1]}
            title = f"Decibels (PSNR), {len(batch['inputs'])} test pictures"
            drawn["methods"] = figures.bars(decibels, title, marked="made of it")
        return drawn

    def sheet(self, home: nn.Module) -> np.ndarray:
        """Return held-out images: a row of what is given, what is made of it, and what it should be."""
        batch = self._shown("validation", COLUMNS)
        made = ask(home, batch["inputs"])
        rows = [self.preprocessing["targets"].inverse(images) for images in (batch["inputs"], made, batch["targets"])]
        return figures.sheet(in_turn(*rows, columns=len(made)), columns=len(made))

    def predict(self, network: nn.Module, question: Predict) -> Images:
        """Return what the network makes of each picture, under the name of its file."""
        found = photographs(question.inputs, self.preprocessing["inputs"].pixels)
        made = [self._of(photograph, network) for photograph in found.samples]
        rows: list[dict[str, Any]] = [{"height": one.shape[0], "width": one.shape[1]} for one in made]
        notes: tuple[str, ...] = ()
        if self.noisy:
            levels = [self._level(photograph) for photograph in found.samples]
            rows = [row | {"noise": level} for row, level in zip(rows, levels, strict=True)]
            notes = remark(dict(zip(found.titles, levels, strict=True)), self.config)
        kept = [photograph.kept() for photograph in found.samples]
        return Images(made, found.titles, rows=found.name(rows), kept=kept, notes=(*found.notes, *notes))

    def _level(self, photograph: Photograph) -> float | None:
        """Return the estimated standard deviation of the noise of a picture, where white is 255."""
        height, width, channels = photograph.pixels.shape
        own = ImagePreprocessing(image_size=(height, width), channels=channels)
        level = estimated_noise(own([photograph.pixels])[0])
        return None if level is None else round(level * WHITE, 1)

    def _of(self, photograph: Photograph, network: nn.Module) -> np.ndarray:
        """Return what a network makes of a picture `(height, width, channels)`, as transparent as it was.

        Without its noise a picture has the colours that it had: a network for grey ones sees each channel alone.
        """
        pixels, channels = photograph.pixels, self.preprocessing["inputs"].channels
        given = np.split(pixels, pixels.shape[2], axis=2) if self.noisy and channels == 1 else [pixels]
        made = np.concatenate(self.transform(network, given), axis=2)
        if self.noisy and pixels.shape[2] == 1 and channels == 3:
            made = made.mean(axis=2, keepdims=True).round().astype(np.uint8)
        return made if photograph.alpha is None else np.concatenate([made, photograph.alpha], axis=2)

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
    margin = network.reach if isinstance(network, Local) else 0
    return fitting(network, channels, margin=margin, multiple=network.block if isinstance(network, Blocked) else 1)


TASK = ImageToImage
