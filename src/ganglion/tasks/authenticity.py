"""Authenticity: whether a picture was made by a network, how sure that is, and where in the picture it shows."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganglion import figures
from ganglion.core import LearningRule, Loader, Located
from ganglion.data.dataset import Dataset
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.loaders.augment import Windows
from ganglion.data.loaders.distortions import Distortions
from ganglion.data.places import evenly
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.figures.images.pixels import enlarge, to_pixels
from ganglion.rules.losses import LOSS
from ganglion.settings import settings
from ganglion.tasks.answers import Images, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.authenticity import (
    AVERAGE_PRECISION,
    BALANCED_ACCURACY,
    BLURRED,
    CALIBRATION_ERROR,
    COMPRESSED,
    DISTORTIONS,
    RESCALED,
    SEEN,
    average_precision,
    balanced_accuracy,
    platt,
    reliability,
)
from ganglion.tasks.questions import Given
from ganglion.tasks.shared.evaluation import answers, ask, judged
from ganglion.tasks.shared.features import Features
from ganglion.tasks.shared.fitting import AS_THEY_ARE, adapt, sizes
from ganglion.tasks.shared.inputs import Pictures, raw
from ganglion.tasks.shared.pictures.left_out import GENERATED, REAL, SOURCE, by_source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_FRAME = 256
"""Side at most of what is kept of pictures for training."""
MOST_TILES = 8
"""Tiles at most in each direction that a large picture is looked at in."""
DISTORTED = 1000
"""Test pictures that are distorted at most."""
SHOWN = 8
"""Pictures of a row of a figure."""
FULL = 4.0
"""Evidence, in units of the calibrated logit, that has the full colour: odds of 55 to 1."""
LARGE = 160
"""Pixels of the shorter side that pictures of evidence have at least."""
SPOKEN = ("real", "made by a network")


Robustness = dict[str, dict[str, np.ndarray]]
"""Average precision by the measure of a distortion, by generator, for each amount (amounts,)."""


@settings
class Predict:
    """Say whether pictures were made by a network, and how sure that is; a picture as `--out` shows where."""

    inputs: Given
    """Image files or folders of them, NPZ files, or arrays. They are looked at in their own size."""


@final
class Authenticity(Task):
    """Real and generated pictures, judged by how well they are told apart, also after JPEG, blur and resizing.

    Pictures are never resized: each is cut. Probabilities are those of a picture of which one knows nothing else, so
    that real and generated are as likely; they are calibrated on the validation part. The baseline is guessing.
    """

    name = "authenticity"
    reads = ("image",)
    takes = "images in classes, one of them real, the others those of generators"
    fields: ClassVar = {"inputs": ("images",), "targets": ("classes",)}
    measures = (
        AVERAGE_PRECISION,
        BALANCED_ACCURACY,
        CALIBRATION_ERROR,
        LOSS,
        SEEN,
        COMPRESSED,
        BLURRED,
        RESCALED,
    )
    captions: ClassVar = {
        "generators": "Average precision on the test pictures of each generator; the one left out, if any, in blue",
        "robustness": "Average precision after JPEG, blur and resizing, for each generator",
        "reliability": "Whether answers are right as often as their probabilities say: points below the line promise "
        "too much",
        "where": "Test pictures and what speaks for a network (orange) and against one (blue) at each place",
        "mistakes": "Test pictures on which the network is surest and wrong",
    }
    verbs: ClassVar = {"predict": Predict, "features": Features}
    next_step = "ganglion predict {run} PICTURE --out where.png"
    resize = "none"
    remembers = ("generators", "held_back", "slope", "offset")

    generators: Sequence[str] = ()
    """Who made the pictures that are not real."""
    slope: float = 1.0
    """What a logit is multiplied with, so that it says a probability; 1 until calibrated."""
    offset: float = 0.0
    """What is added then."""
    _measured: tuple[np.ndarray, Robustness] | None = None
    """Scores of the test part as it is, and what was measured of the network that gave them."""

    @classmethod
    def refusal(cls, dataset: Dataset) -> Any:
        refused = super().refusal(dataset)
        if refused is not None and dataset.kind == "image":
            refused.remedy = "give a folder with real and generated pictures in it, or name runs by --generators"
        return refused

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = cls.open(source, settings)
        found = by_source(dataset, config.real, config.leave_out, cls.settled(settings), seed)
        shortest = min(min(size) for size in sizes_of(dataset.fields["inputs"].values))
        frame = config.image_size or min(shortest, LARGEST_FRAME)
        options = {**AS_THEY_ARE, "image_size": frame, "low": -1.0, "high": 1.0}
        data = cls.prepared(found.dataset, config, found.settings, seed, {"inputs": options})
        fitted = sizes(data.preprocessing) | {"window": min(config.window, frame)}
        task = cls(adapt(config, **fitted), data.preprocessing)
        task.generators, task.held_back = list(found.generators), found.left_out
        return task.holding(data)

    def loader(self, rule: LearningRule, seed: int) -> Loader:
        scale: ImagePreprocessing = self.preprocessing["inputs"]
        changes = Distortions("inputs", self.config.distorted, scale.black, scale.white)
        windows = Windows(self.config.window) if self.config.window < min(scale.size) else None
        self.refuse_weights(rule)
        return replace(self.data, windows=windows).loader(seed, changes if self.config.distorted else None)

    def calibrate(self, rule: LearningRule) -> None:
        if not len(self.data["validation"]):
            return
        scores, targets = self._scores(rule, "validation")
        if len(np.unique(targets)) == 2:
            self.slope, self.offset = platt(scores, targets == GENERATED)

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        outputs, targets = answers(rule.home, self.data.batches(part))
        scores, source = outputs[:, 0].double().numpy(), self._source(part)
        generated, logits = source != REAL, self.slope * outputs[:, 0].double().numpy() + self.offset
        by_generator = self._by_generator(scores, source)
        held_back = [self.held_back] if self.held_back in by_generator else list(by_generator)
        found = {
            "average_precision": float(np.mean([by_generator[name] for name in held_back])),
            "balanced_accuracy": balanced_accuracy(logits, generated),
            "calibration_error": reliability(logits, generated).error,
            "loss": judged(rule, outputs, targets)["loss"],
        }
        if self.held_back in by_generator:
            seen = [value for name, value in by_generator.items() if name != self.held_back]
            found["seen_average_precision"] = float(np.mean(seen))
        if part == "test":
            for measure, curves in self._robustness(rule.home, scores).items():
                found[measure] = float(np.mean([curves[name] for name in held_back]))
        return found

    def baseline(self) -> dict[str, float]:
        """Return what guessing scores."""
        return {"average_precision": 0.5, "balanced_accuracy": 0.5}

    def _source(self, part: Part) -> np.ndarray:
        """Return who made the samples of the nearest part (samples,): 0 is real, others are generators."""
        return np.asarray(self.data.nearest(part).fields[SOURCE].values)

    def _scores(self, rule: LearningRule, part: Part) -> tuple[np.ndarray, np.ndarray]:
        outputs, targets = answers(rule.home, self.data.batches(part))
        return outputs[:, 0].double().numpy(), targets.numpy()

    def _by_generator(self, scores: np.ndarray, source: np.ndarray) -> dict[str, float]:
        """Return the average precision of scores (samples,) for each generator that made some of them."""
        found = {}
        for number, name in enumerate(self.generators, 1):
            chosen = (source == REAL) | (source == number)
            if (source == number).any():
                found[name] = average_precision(scores[chosen], source[chosen] == number)
        return found

    def _robustness(self, network: nn.Module, scores: np.ndarray) -> Robustness:
        """Return the average precision for each generator (amounts,), by the measure of each distortion.

        Args:
            scores: of the test part as it is (samples,): what was measured of a network of the same ones is kept.
        """
        if self._measured is None or not np.array_equal(self._measured[0], scores):
            self._measured = scores, self._distorted(network)
        return self._measured[1]

    def _distorted(self, network: nn.Module) -> Robustness:
        places = self.data.spread("test", DISTORTED)
        scale, source = self.preprocessing["inputs"], self._source("test")[places]
        black, white = scale.ends
        shown = (self.data.some("test", places) - black) / (white - black)
        found: Robustness = {}
        for measure, distort, amounts in DISTORTIONS.values():
            rows = []
            for amount in amounts:
                changed = black + distort(shown, amount) * (white - black)
                rows.append(self._by_generator(ask(network, changed)[:, 0].double().numpy(), source))
            found[measure.name] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        return found

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        scores, targets = self._scores(rule, "test")
        source = self._source("test")
        generated, logits = targets == GENERATED, self.slope * scores + self.offset
        promised, robust = reliability(logits, generated), self._robustness(rule.home, scores)
        undistorted = self._by_generator(scores, source)
        panels = {kind: (amounts, robust[measure.name]) for kind, (measure, _, amounts) in DISTORTIONS.items()}
        return {
            "generators": figures.bars(undistorted, "Average precision by generator", self.held_back),
            "robustness": figures.robustness_curves(undistorted, panels, self.held_back),
            "reliability": figures.reliability(*promised, promised.error),
            "where": self._where(rule.home, source),
            **self._mistakes(logits, source),
        }

    def _where(self, network: nn.Module, source: np.ndarray) -> "Figure":
        """Draw real test pictures and generated ones of all generators in turn, and the evidence in them."""
        known = np.unique(source)
        of_each = [np.flatnonzero(source == number) for number in known]
        places = np.concatenate([one[evenly(len(one), -(-2 * SHOWN // len(known)))] for one in of_each])
        samples = self.data.some("test", places)
        names = ("real", *self.generators)
        pictures = self.preprocessing["inputs"].inverse(samples)
        shown = figures.evidence_over(to_pixels(pictures), self._evidence(network, samples) / FULL)
        pairs = {"picture": to_pixels(pictures), "evidence": shown / 255}
        said = ", ".join(dict.fromkeys(names[number] for number in source[places]))
        return figures.strips(pairs, f"From left to right: {said}", columns=SHOWN)

    def _mistakes(self, logits: np.ndarray, source: np.ndarray) -> "dict[str, Figure]":
        wrong = np.flatnonzero((logits > 0) != (source != REAL))
        wrong = wrong[np.argsort(-np.abs(logits[wrong]), kind="stable")][: 3 * SHOWN]
        if not len(wrong):
            return {}
        names = ("real", *self.generators)
        titles = [f"{names[source[place]]}: {_probability(logits[place]):.2f}" for place in wrong]
        images = self.preprocessing["inputs"].inverse(self.data.some("test", wrong))
        return {"mistakes": figures.image_grid(images, titles, title="What made it, and how probable a network was")}

    def _evidence(self, network: nn.Module, samples: Tensor) -> np.ndarray:
        """Return what speaks for a network at each pixel (samples, height, width); the mean is the calibrated logit."""
        assert isinstance(network, Located)
        maps = self.slope * ask(network, samples, by=network.evidence) + self.offset
        return interpolate(maps, samples.shape[2:], mode="bilinear")[:, 0].numpy()

    def predict(self, network: nn.Module, question: Predict) -> Rows:
        """Return for every picture what it is taken for, how probable that is, and that a network made it."""
        scale: ImagePreprocessing = self.preprocessing["inputs"]
        found = raw(question.inputs, pictures=scale)
        samples = found.samples
        whole = replace(samples, whole=True) if isinstance(samples, Pictures) else samples
        rows, pictures = [], []
        for picture in map(np.asarray, whole):
            logit, evidence = self._looked_at(network, picture)
            likely = _probability(logit)
            said = {"label": SPOKEN[logit > 0], "probability": max(likely, 1 - likely)}
            rows.append({**said, "made_by_a_network": likely})
            pictures.append(_beside(picture, evidence))
        notes = tuple(f"{row['label']}: {row['probability']:.2f}" for row in rows[:1] if len(rows) == 1)
        names = [f"{title}-where" for title in found.titles]
        also = Images(pictures, names, rows, "Picture, and what speaks for a network (orange) or against one (blue)")
        return Rows(found.name(rows), notes=(*found.notes, *notes), also=(also,), beside=found.own)

    def _looked_at(self, network: nn.Module, picture: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the calibrated logit of a picture in its own size, and the evidence at its pixels (height, width).

        A large picture is looked at in tiles of one size, evenly spread over it; the logit is their mean.
        """
        height, width = picture.shape[:2]
        (image,) = replace(self.preprocessing["inputs"], image_size=(height, width), resize="none")([picture])
        total, seen = np.zeros((height, width)), np.zeros((height, width))
        logits = []
        for top in _starts(height):
            for left in _starts(width):
                tile = image[None, :, top : top + LARGEST_FRAME, left : left + LARGEST_FRAME]
                logits.append(self.slope * float(ask(network, tile)) + self.offset)
                there = slice(top, top + tile.shape[2]), slice(left, left + tile.shape[3])
                total[there] += self._evidence(network, tile)[0]
                seen[there] += 1
        return float(np.mean(logits)), total / np.maximum(seen, 1)


def _starts(length: int) -> list[int]:
    """Return where tiles begin that are evenly spread over a side; they cover it unless it is very long.

    >>> _starts(100), _starts(300)
    ([0], [0, 44])
    """
    count = min(MOST_TILES, -(-length // LARGEST_FRAME))
    starts: list[int] = np.linspace(0, max(0, length - LARGEST_FRAME), count).round().astype(int).tolist()
    return starts


def _probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def _beside(picture: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """Return a picture and the evidence (height, width) in it side by side, enlarged where it is small, in bytes."""
    pixels = to_pixels(picture[None])
    shown = figures.evidence_over(pixels, evidence[None] / FULL)
    plain = np.rint(pixels * 255).astype(np.uint8)
    gap = np.full((1, plain.shape[1], 1, 3), 255, np.uint8)
    both = enlarge(np.concatenate([plain, gap, shown], axis=2), -(-LARGE // min(plain.shape[1:3])))
    beside: np.ndarray = both[0]
    return beside


TASK = Authenticity
