"""Segmentation: say of every pixel of a picture what it belongs to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import LearningRule, Segmenter
from ganglion.data.dataset import Dataset
from ganglion.data.fields import UNJUDGED
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.loaders.augment import Windows
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.preprocessing.pixel_weights import PixelWeights, connected
from ganglion.data.settings import DataSettings
from ganglion.errors import CheckpointError, DataError, UsageError
from ganglion.figures.images.overlays import mistakes, overlay
from ganglion.rules.losses import LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Images, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.classes import counted
from ganglion.tasks.measures.segments import (
    DICE,
    IOU,
    PIXEL_ERROR,
    V_RAND,
    best_threshold,
    dice,
    iou,
    pixel_error,
    rand_score,
)
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.classes import class_names, known_names
from ganglion.tasks.shared.evaluation import evaluating, judged
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.inputs import far_from_training, raw
from ganglion.tasks.shared.pictures.drawing import in_turn
from ganglion.tasks.shared.pictures.tiles import fitting, in_tiles
from ganglion.tasks.shared.prepared import Prepared

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_ANSWER = 256
"""Pixels of answer along a side of the windows that are learnt from, unless the user says otherwise."""
MEMORY = 1 << 30
"""Bytes that a tile of a picture may take in the network."""
SHOWN = 4
"""Test pictures in the figure."""
COLUMNS = 6
"""Pictures in a row of a sheet."""
THRESHOLDS = np.linspace(0.05, 0.95, 19).round(2)
"""From which probability on a pixel may be taken to be of an object."""
WHITE = 255


@settings
class Predict:
    """Say of every pixel what it belongs to: a mask of each picture, and the picture with the mask over it."""

    inputs: Given
    """Image files or folders of them, NPZ files, or arrays."""
    overlays: bool = True
    """Give the picture with the mask over it beside each mask."""


@final
class Segmentation(Task):
    """Pictures and masks, judged by how well what is said of the pixels covers what is so.

    Class 0 is what surrounds objects, such as the background, or the membranes between cells; an object is what is of
    another class and connected. Pixels of no class are neither learnt from nor judged. The network learns from
    windows at random places, and pictures are judged and answered whole, in overlapping tiles. With two classes a
    pixel is of class 1 where that is likelier; for objects as wholes another threshold may be better, since a gap of
    a few pixels in a border merges two of them, so the one for which `v_rand` is best is found on the validation part.
    """

    name = "segmentation"
    reads = ("image-masks",)
    takes = "pictures with a mask for each"
    fields: ClassVar = {"inputs": ("images",), "targets": ("masks",)}
    measures = (IOU, DICE, PIXEL_ERROR, V_RAND, LOSS)
    verbs: ClassVar = {"predict": Predict}
    captions: ClassVar = {
        "overlays": "Test pictures: what is there, what the network says, and where it is wrong: red was missed, blue "
        "is not there, pink is of another class",
        "confusion_matrix": "What the pixels of the test part are (rows) and what the network answers (columns)",
    }
    resize = "none"  # pictures keep their scale; borders of smaller ones are of no class
    next_step = "ganglion predict {run} PICTURE --out masks/"
    threshold: float = 0.5
    """Probability of class 1 from which on a pixel is taken to be of an object, where there are two classes."""

    @classmethod
    def chosen(cls, dataset: Dataset) -> Mapping[str, str]:
        return {"inputs": "inputs", "targets": "masks"}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        found = ImagePreprocessing.fit(dataset.main.values)
        largest = np.max(sizes_of(dataset.main.values), axis=0).tolist()
        options = {"image_size": (largest[0], largest[1]), "channels": found.channels}
        data = cls.prepared(dataset, config, settings, seed, {"inputs": options})
        counts = _pixels_by_class(data, "train")
        _refuse_unknown_classes(data, counts)
        side = config.image_size or config.side_for(min(*largest, LARGEST_ANSWER))
        config = adapt(config, **{**sizes(data.preprocessing), "num_classes": len(counts), "image_size": side})
        data = replace(_weighted(data, config, counts), windows=Windows(side, config.margin))
        fields = {name: data.preprocessing[name] for name in cls.fields}
        shares = ", ".join(
            f"{name} {share:.1%}" for name, share in zip(class_names(data), counts / max(1, counts.sum()), strict=True)
        )
        return cls(config, fields).holding(data, f"pixels to learn from: {shares}")._named(class_names(data))

    def _named(self, names: tuple[str, ...]) -> Self:
        self.label_names = names
        return self

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        threshold = state.get("threshold")
        if not (isinstance(threshold, float) and 0 <= threshold <= 1):
            raise CheckpointError(
                "this run does not say from which probability on a pixel is of an object",
                where="state of config.json",
                expected="a threshold from 0 to 1",
                found=f"{threshold!r:.20}",
                remedy="put the original file back, or train again",
            )
        task.threshold = threshold
        return task._named(known_names(state, task.preprocessing["targets"].num_classes))

    def state(self) -> dict[str, Any]:
        return {**super().state(), "classes": list(self.label_names), "threshold": self.threshold}

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        classes = len(self.label_names)
        counts, scores, losses = np.zeros((classes, classes), np.int64), [], []
        for logits, truth in self._answers(rule.home, part):
            counts += counted(truth, _said(logits), classes)
            scores.append(rand_score(connected(truth), self._objects(logits)))
            losses.append(judged(rule, logits[None], torch.from_numpy(truth)[None])["loss"])
        return {**measured(counts, scores), "loss": float(np.mean(losses))}

    def baseline(self) -> dict[str, float]:
        """Say of every pixel that it is of the commonest class of the training part."""
        counts = _pixels_by_class(self.data, "train")
        said, classes = int(np.argmax(counts)), len(counts)
        table, scores = np.zeros((classes, classes), np.int64), []
        for truth in self.data.some("test", np.arange(len(self.data.nearest("test"))), "targets").numpy():
            table += counted(truth, np.full_like(truth, said), classes)
            scores.append(rand_score(connected(truth), np.full_like(truth, int(said > 0))))
        return measured(table, scores)

    def calibrate(self, rule: LearningRule) -> None:
        """Find the threshold for which objects come out best."""
        if len(self.label_names) != 2:
            return
        pairs = [(logits.softmax(0)[1].numpy(), truth) for logits, truth in self._answers(rule.home, "validation")]
        if any((truth > 0).any() for _, truth in pairs):
            self.threshold = best_threshold([truth for _, truth in pairs], [share for share, _ in pairs], THRESHOLDS)

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        classes = len(self.label_names)
        counts = np.zeros((classes, classes), np.int64)
        rows: list[tuple[np.ndarray, ...]] = []
        places = np.arange(len(self.data.nearest("test")))
        for place, (logits, truth) in zip(places, self._answers(rule.home, "test"), strict=True):
            said = _said(logits)
            counts += counted(truth, said, classes)
            if len(rows) < SHOWN:
                rows.append(self._drawn(self.data.some("test", places[place : place + 1])[0], truth, said))
        names = ("picture", "what is there", "what is said", "mistakes")
        pictures = {name: np.stack(part) for name, part in zip(names, zip(*rows, strict=True), strict=True)}
        return {
            "overlays": figures.strips(pictures, "Pixels told apart", columns=SHOWN),
            "confusion_matrix": figures.confusion_matrix(counts, self.label_names),
        }

    def sheet(self, home: nn.Module) -> np.ndarray:
        """Return held-out pictures: a row of them, of what is there, and of what is said."""
        places = np.arange(min(COLUMNS, len(self.data.nearest("validation"))))
        images, masks = (self.data.some("validation", places, name) for name in self.fields)
        answer = self._answering(home)
        drawn = [
            self._drawn(image, truth.numpy(), _said(answer(image)))[:3]
            for image, truth in zip(images, masks, strict=True)
        ]
        return figures.sheet(in_turn(*map(np.stack, zip(*drawn, strict=True)), columns=len(places)), len(places))

    def predict(self, network: nn.Module, question: Predict) -> Images:
        """Return the mask of each picture, at its own size, and the picture with the mask over it."""
        preprocessing = self.preprocessing["inputs"]
        found, answer = raw(question.inputs, pictures=preprocessing, whole=True), self._answering(network)
        pixels: list[np.ndarray] = []
        names: list[str] = []
        rows: list[dict[str, Any]] = []
        for title, picture in zip(found.titles, found.samples, strict=True):
            size = int(picture.shape[0]), int(picture.shape[1])
            own = replace(preprocessing, image_size=size, resize="stretch")
            logits = answer((image := own([picture]))[0])
            said = _said(logits)
            pixels.append(self.grey(said)[..., None])
            names.append(f"{title}-mask")
            if question.overlays:
                pixels.append(overlay(own.inverse(image)[0], said))
                names.append(f"{title}-overlay")
            rows.append(self._described(said, self._objects(logits)))
        known = found.name(rows)
        notes = (*found.notes, *far_from_training(preprocessing(found.samples), preprocessing))
        several = 1 + question.overlays
        beside = [row for row in known for _ in range(several)]
        return Images(pixels, names, rows=beside, columns=several, notes=notes, also=(Rows(known),))

    def grey(self, mask: np.ndarray) -> np.ndarray:
        """Return a mask (height, width) as bytes: black and white for two classes, class numbers for more."""
        return (mask * (WHITE if len(self.label_names) == 2 else 1)).astype(np.uint8)

    def _described(self, said: np.ndarray, objects: np.ndarray) -> dict[str, Any]:
        """Return size, share of every class, and number and size of the objects of an answer (height, width)."""
        count = int(objects.max())
        shares = {
            f"share of {name}": round(float(np.mean(said == number)), 4)
            for number, name in enumerate(self.label_names)
            if number
        }
        sizes = np.bincount(objects[objects > 0], minlength=count + 1)[1:]
        size = {"mean_object_pixels": round(float(sizes.mean()), 1)} if count else {}
        return {"height": said.shape[0], "width": said.shape[1], **shares, "objects": count, **size}

    def _drawn(self, image: Tensor, truth: np.ndarray, said: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return a picture as the network sees it, with what is there, with what is said, and with the mistakes."""
        picture = self.preprocessing["inputs"].inverse(image[None])[0]
        return (
            overlay(picture, np.zeros_like(said)),
            overlay(picture, truth),
            overlay(picture, said),
            mistakes(picture, truth, said),
        )

    def _answers(self, network: nn.Module, part: Part) -> Iterator[tuple[Tensor, np.ndarray]]:
        """Yield logits (classes, height, width) and mask (height, width) of every picture of a part."""
        answer = self._answering(network)
        for batch in self.data.batches(part):
            for image, truth in zip(batch["inputs"], batch["targets"], strict=True):
                yield answer(image), truth.cpu().numpy()

    def _answering(self, network: nn.Module) -> Callable[[Tensor], Tensor]:
        """Return what gives the logits (classes, height, width) of a prepared picture, through a network in tiles."""
        if not isinstance(network, Segmenter):
            raise UsageError(
                "this network says nothing of pixels", expected="a Segmenter", found=type(network).__name__
            )
        everywhere = _Everywhere(network)
        with evaluating(network):
            channels = self.preprocessing["inputs"].channels
            tiling = fitting(everywhere, channels, memory=MEMORY, margin=network.reach)

        def answer(image: Tensor) -> Tensor:
            with evaluating(everywhere) as device:
                return in_tiles(everywhere, image.to(device), tiling).float().cpu()

        return answer

    def _objects(self, logits: Tensor) -> np.ndarray:
        """Return the number of the object that every pixel belongs to (height, width), 0 for none."""
        said = (logits.softmax(0)[1] > self.threshold).numpy() if len(logits) == 2 else _said(logits)
        return connected(said.astype(np.int64))


class _Everywhere(nn.Module):
    """A network that answers for every pixel of an image of any size."""

    def __init__(self, network: Segmenter) -> None:
        super().__init__()
        self.network, self.answer = network, network.at_every_pixel

    def forward(self, images: Tensor) -> Tensor:
        return self.answer(images)


def measured(counts: np.ndarray, scores: Sequence[float]) -> dict[str, float]:
    """Return the measures of counts of pixels (classes, classes), and of the Rand scores of pictures with objects."""
    known = [score for score in scores if not np.isnan(score)]
    return {
        IOU.name: float(np.nanmean(iou(counts))),
        DICE.name: float(np.nanmean(dice(counts))),
        PIXEL_ERROR.name: pixel_error(counts),
        **({V_RAND.name: float(np.mean(known))} if known else {}),
    }


def _said(logits: Tensor) -> np.ndarray:
    """Return the likeliest class of every pixel (height, width)."""
    return logits.argmax(0).numpy()


def _weighted(data: Prepared, config: Any, counts: np.ndarray) -> Prepared:
    """Return the data with the weights of pixels beside the masks, where the configuration asks for any."""
    if not config.balanced and not config.border_weight:
        return data
    weights = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1)) if counts.sum() else np.ones(1)
    if not config.balanced:
        weights = np.ones(len(counts))
    pixel_weights = PixelWeights(
        masks=data.preprocessing["targets"],
        class_weights=tuple(weights.tolist()),
        border_weight=config.border_weight,
        border_distance=config.border_distance,
    )
    preprocessing = {**data.preprocessing, "pixel_weights": pixel_weights}
    return replace(data, chosen={**data.chosen, "pixel_weights": "masks"}, preprocessing=preprocessing)


def _pixels_by_class(data: Prepared, part: Part) -> np.ndarray:
    """Return how many pixels of a part are of each class (classes,)."""
    counts = np.zeros(data.preprocessing["targets"].num_classes, np.int64)
    for mask in data[part].fields[data.chosen["targets"]].values:
        counts += np.bincount(mask[mask != UNJUDGED].astype(np.int64), minlength=len(counts))
    return counts


def _refuse_unknown_classes(data: Prepared, counts: np.ndarray) -> None:
    """Raise where no pixel can be learnt from, or a class is only in parts that the network does not learn from."""
    where = data.dataset.source or data.dataset.name
    if not counts.any():
        raise DataError(
            "no pixel of the training part has a class", where=where, expected="masks of classes", found="none"
        )
    if np.count_nonzero(counts) < 2:
        raise DataError(
            "all pixels that are learnt from are of one class",
            where=where,
            expected="two classes or more in the training masks, such as objects and what surrounds them",
            found=class_names(data)[int(counts.argmax())],
            remedy="mark the objects in the masks, or give pictures in which there are some",
        )
    for part in ("validation", "test"):
        strange = np.flatnonzero((counts == 0) & (_pixels_by_class(data, part) > 0))
        if len(strange):
            raise DataError(
                f"the {part} part has classes that no training mask has",
                where=where,
                found=", ".join(class_names(data)[number] for number in strange),
                remedy="give training pictures of these classes, a higher limit, or another seed",
            )


TASK = Segmentation
