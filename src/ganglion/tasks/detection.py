"""Detection: find the objects in pictures, and say of each what it is and where."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, cast, final

import numpy as np
import torch
from torch import Tensor, nn

from ganglion import figures
from ganglion.core import Finder, LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.fields import Boxes, FieldKind
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.preprocessing.boxes import BoxPreprocessing
from ganglion.data.proposals import proposed
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.figures.images.boxes import INVENTED, MISSED, RIGHT, Marked, of_class, with_boxes
from ganglion.nn.images.boxes import kept, moved
from ganglion.rules.detection import DEVIATIONS
from ganglion.settings import SHARE, settings
from ganglion.tasks.answers import Binary, Images, Rows
from ganglion.tasks.base import Part, Task
from ganglion.tasks.measures.detections import (
    MAP,
    MAP_50,
    MAP_ALL,
    MAP_VOC,
    RATE,
    Found,
    curve,
    free_response,
    matched,
    measured,
    proposal_recall,
)
from ganglion.tasks.questions import FileName, Given
from ganglion.tasks.shared.classes import class_names, known_names
from ganglion.tasks.shared.evaluation import evaluating
from ganglion.tasks.shared.fitting import adapt, sizes
from ganglion.tasks.shared.inputs import far_from_training, own_size, raw
from ganglion.tasks.shared.pictures.boxes import (
    as_coco,
    described,
    given_proposals,
    never_shown,
    refuse_without_proposals,
    with_proposals,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_SIDE = 320
"""Longer side that pictures are brought to, unless the user says otherwise."""
SURE = 0.5
"""Probability from which on a box is drawn in the figures."""
HALF = 0.5
"""Overlap with an object from which on a box shows it."""
LOWEST = 0.02
"""Probability from which on a box counts as found at all."""
SAME = 0.3
"""Overlap from which on two boxes of a class show the same."""
MOST = 100
"""Boxes that are found in a picture at most."""
COLUMNS = 4
"""Pictures in a sheet."""
SHOWN = 12
"""Test pictures in the figure."""
FEW = 0.9
"""Share of the objects of a class that proposals should cover."""


@settings
class Predict:
    """Find the objects in pictures: a row for each, or pictures with boxes where the answer is written to a folder."""

    inputs: Given
    """Image files or folders of them, NPZ files, or arrays."""
    least: Annotated[float, SHARE] = 0.5
    """Probability from which on an object is told of."""
    proposals: FileName | None = None
    """File of boxes in which objects of these pictures may be: a table, JSON, NPZ or selective search's MATLAB file."""
    coco: bool = False
    """Answer with one file of COCO's JSON, which other programs read, and `--data` as well beside its pictures."""


@final
class Detection(Task):
    """Pictures with boxes, judged by average precision.

    Boxes that may show an object are proposed for each picture when the data is read, and for a picture that is asked
    about; what no proposal covers is not found, so the share that they cover is told before training.
    """

    name = "detection"
    reads = ("image-boxes",)
    takes = "pictures with boxes around objects"
    fields: ClassVar = {"inputs": ("images",), "targets": ("boxes",), "proposals": ("boxes",)}
    measures = (MAP_50, MAP, MAP_VOC, MAP_ALL, RATE)
    verbs: ClassVar = {"predict": Predict}
    captions: ClassVar = {
        "found": "Test pictures: green boxes are right, blue ones show no object of that class, red ones were missed",
        "free_response": "How many objects are found, and how many false alarms that costs in a picture",
        "precision_recall": "How many boxes are right, and how many objects found, from the surest box on",
    }
    resize = "letterbox"
    next_step = "ganglion predict {run} PICTURE --out found/"

    @classmethod
    def chosen(cls, dataset: Dataset) -> Mapping[str, str]:
        made = {"proposals": "proposals"} if "proposals" in dataset.fields else {}
        return {"inputs": "inputs", "targets": "boxes", **made}

    @classmethod
    def prepared_for(cls, config: Any) -> Mapping[str, tuple[FieldKind, ...]]:
        names = ("inputs", "targets", "proposals") if hasattr(config, "proposals") else ("inputs", "targets")
        return {name: cls.fields[name] for name in names}

    @classmethod
    def prepare(cls, source: str | Dataset, config: Any, settings: DataSettings, seed: int) -> Self:
        dataset = with_proposals(cls.open(source, settings), config)
        found = ImagePreprocessing.fit(dataset.main.values)
        channels = found.channels if hasattr(config, "in_channels") else 1
        options = {"image_size": _frame(sizes_of(dataset.main.values), config), "channels": channels}
        data = cls.prepared(dataset, config, settings, seed, {"inputs": options})
        classes = data.preprocessing["targets"].num_classes
        side = max(data.preprocessing["inputs"].size)
        config = adapt(config, **{**sizes(data.preprocessing), "num_classes": classes, "image_size": side})
        names = class_names(data)
        if classes > 1 and not hasattr(config, "num_classes"):
            raise DataError(
                "this system looks for one kind of object",
                where=dataset.source or dataset.name,
                expected="boxes of one class",
                found=", ".join(names),
                remedy="train a system for several classes, such as fast-rcnn",
            )
        task = cls(config, data.preprocessing)
        task.label_names = names
        held = data.nearest("train").fields
        shown = side / int(np.max(sizes_of(dataset.main.values)))
        refuse_without_proposals(held, dataset.source or dataset.name)
        notes = [described(held["boxes"].values, shown), *never_shown(held, names)]  # type: ignore[arg-type]
        if "proposals" not in data.preprocessing:
            return task.holding(data, *notes)
        recalls = proposal_recall(held["proposals"].values, held["boxes"].values, classes)  # type: ignore[arg-type]
        told = ", ".join(f"{recall:.1%} of {name}" for recall, name in zip(recalls, names, strict=True))
        notes.append(f"proposals cover {told} by a half or more; no others can be found")
        if np.nanmin(recalls, initial=1.0) < FEW:
            notes.append("more proposals, or those of both methods, cover more: --proposals both --most-proposals 3000")
        return task.holding(data, *notes)

    @classmethod
    def restore(cls, state: dict[str, Any], config: Any) -> Self:
        task = super().restore(state, config)
        task.label_names = known_names(state, task.preprocessing["targets"].num_classes)
        return task

    label_names: tuple[str, ...] = ()
    """What the classes are called."""

    def state(self) -> dict[str, Any]:
        return {**super().state(), "classes": list(self.label_names)}

    def evaluate(self, rule: LearningRule, part: Part = "validation") -> dict[str, float]:
        found, truth = zip(*self._answers(rule.home, part), strict=True)
        return measured(found, truth, len(self.label_names))

    def baseline(self) -> dict[str, float]:
        """Take every proposal for an object of the commonest class, the first proposed being the surest.

        Where nothing is proposed, an object is expected in the middle of every picture.
        """
        train, test = (self.data.nearest(part).fields for part in ("train", "test"))
        classes = np.concatenate([one.classes for one in train["boxes"].values])
        commonest = int(np.bincount(classes, minlength=1).argmax())
        found = [
            Found(one.corners, np.full(len(one.corners), commonest), -np.arange(len(one.corners), dtype=float))
            for one in (test["proposals"].values if "proposals" in test else map(_middle, test["boxes"].values))
        ]
        return measured(found, list(test["boxes"].values), len(self.label_names))

    def figures(self, rule: LearningRule) -> "dict[str, Figure]":
        found, truth = zip(*self._answers(rule.home, "test"), strict=True)
        images = self.data.raw("test")
        drawn = [
            self._judged(np.asarray(images[place]), found[place], truth[place])
            for place in range(min(SHOWN, len(truth)))
        ]
        curves, responses = {}, {}
        for number, name in enumerate(self.label_names):
            _, precision, recall, objects = curve(found, truth, number, HALF)
            if objects:
                curves[f"{name} ({objects})"] = recall, precision
                responses[f"{name} ({objects})"] = free_response(found, truth, number, HALF)
        return {
            "found": figures.image_grid(_of_one_size(drawn), columns=4, title="What is found at a probability of 0.5"),
            "free_response": figures.free_response(
                responses, "Objects found and false alarms, at an overlap of one half"
            ),
            "precision_recall": figures.precision_recall(curves, "Precision and recall at an overlap of one half"),
        }

    def sheet(self, home: nn.Module) -> np.ndarray:
        """Return held-out pictures with what is found in them."""
        images = self.data.raw("validation")
        answers = list(islice(self._answers(home, "validation"), COLUMNS))
        drawn = [self._judged(np.asarray(images[place]), *pair, words=False) for place, pair in enumerate(answers)]
        return figures.sheet(_of_one_size(drawn), len(drawn))

    def predict(self, network: nn.Module, question: Predict) -> Rows | Binary:
        """Return a row for every object: its picture, what it is, how sure that is, and its box in pixels."""
        images = self.preprocessing["inputs"]
        found = raw(question.inputs, pictures=images)
        rows: list[dict[str, Any]] = []
        drawn: list[np.ndarray] = []
        known: list[dict[str, Any]] = []
        files: list[tuple[str, tuple[int, int]]] = []
        of: list[int] = []
        blank = 0
        owns = [own_size(name, one.shape[:2]) for name, one in zip(found.names, found.samples, strict=True)]
        given, said = given_proposals(found.names, owns, question.proposals, self.config)
        for place, (name, title, picture) in enumerate(zip(found.names, found.titles, found.samples, strict=True)):
            own = owns[place]
            boxes = self._proposed(picture, given[place] if given else None)
            blank += boxes is not None and not len(boxes.corners)
            answer = self._in_picture(network, picture, question.least, boxes)
            objects = self._told(answer, np.divide(own, picture.shape[:2]))
            of += [len(drawn)] * len(objects)
            rows += [{**name, **one} for one in objects]
            counts = np.bincount(answer.classes, minlength=len(self.label_names)).tolist()
            known.append({**name, "objects": len(objects), **dict(zip(self.label_names, counts, strict=True))})
            marks = [
                Marked(corners, of_class(number), f"{self.label_names[number]} {score:.2f}")
                for corners, number, score in zip(answer.corners, answer.classes.tolist(), answer.scores, strict=True)
            ]
            shown = replace(ImagePreprocessing.fit([picture]), pixels=images.pixels)
            drawn.append(with_boxes(shown.inverse(shown([picture]))[0], marks))
            files.append((Path(name["input"]).name if "input" in name else title, own))
        notes = (*found.notes, *said, *far_from_training(images(found.samples), images))
        if blank:
            notes = (*notes, f"no box is proposed in {blank} of {len(drawn)} pictures: nothing can be found there")
        elif not rows:
            notes = (*notes, f"no object is found with a probability of {question.least:g} or more; --least lowers it")
        pictures = Images(drawn, found.titles, rows=known)
        if question.coco:
            return Binary(as_coco(files, rows, of, self.label_names), ".json", notes=notes, also=(pictures,))
        return Rows(rows, totals={"pictures": len(drawn), "objects": len(rows)}, notes=notes, also=(pictures,))

    def _proposed(self, picture: np.ndarray, given: Boxes | None) -> Boxes | None:
        """Return the boxes proposed in a raw picture (height, width, channels), where the network needs some.

        Args:
            given: those of a file; made of the picture where there are none.
        """
        if "proposals" not in self.preprocessing or given is not None:
            return given
        boxes: Boxes = proposed([picture], self.config.proposals, self.config.most_proposals).values[0]
        return boxes

    def _in_picture(self, network: nn.Module, picture: np.ndarray, least: float, boxes: Boxes | None) -> Found:
        """Return what is found in a raw picture (height, width, channels) with so much probability or more.

        Args:
            boxes: proposals, for a network that needs some.
        """
        column = None if boxes is None else self.preprocessing["proposals"]([boxes])[0]
        size = int(picture.shape[0]), int(picture.shape[1])
        answer = self._found(network, self.preprocessing["inputs"]([picture])[0], column, size)
        sure = answer.scores >= least
        return Found(answer.corners[sure], answer.classes[sure], answer.scores[sure])

    def _told(self, answer: Found, larger: np.ndarray) -> list[dict[str, Any]]:
        """Return what is told of each object in a picture whose file is so many times higher and wider."""
        return [
            {
                "label": self.label_names[number],
                "probability": round(float(score), 4),
                **_edges(corners * np.tile(larger[::-1], 2)),
            }
            for corners, number, score in zip(answer.corners, answer.classes, answer.scores, strict=True)
        ]

    def _answers(self, network: nn.Module, part: Part) -> Iterator[tuple[Found, Boxes]]:
        """Yield what is found in every picture of a part and what is there, in pixels of the picture."""
        truth = iter(self.data.raw(part, "targets").values)
        for batch in self.data.batches(part):
            proposed = batch.get("proposals", [None] * len(batch["inputs"]))
            for image, proposals in zip(batch["inputs"], proposed, strict=True):
                there: Boxes = next(truth)
                yield self._found(network, image, proposals, there.image_size), there

    def _found(self, network: nn.Module, image: Tensor, proposals: Tensor | None, size: tuple[int, int]) -> Found:
        """Return the boxes found in a prepared picture (channels, height, width) of a size, the surest first.

        Args:
            proposals: `(boxes, 5)`, those of a class below 0 being none; not there for a network that needs none.
        """
        rows = _among(network, image, proposals) if proposals is not None else _found_by(network, image)
        framed: BoxPreprocessing = self.preprocessing["targets"]
        corners = framed.inverse(rows[:, :5], size).corners
        return Found(corners, rows[:, 4].long().numpy(), rows[:, 5].numpy())

    def _judged(self, image: np.ndarray, found: Found, truth: Boxes, *, words: bool = True) -> np.ndarray:
        """Return a picture with the boxes that are right, those that are not, and the objects that were missed."""
        marks: list[Marked] = []
        sure = found.scores >= SURE
        for number, name in enumerate(self.label_names):
            own = found.corners[sure & (found.classes == number)]
            there = truth.corners[truth.classes == number]
            taken = matched(own, there, HALF)
            said = name if words else ""
            marks += [Marked(box, MISSED, said) for place, box in enumerate(there) if place not in taken]
            marks += [Marked(box, RIGHT if hit >= 0 else INVENTED, said) for box, hit in zip(own, taken, strict=True)]
        return with_boxes(image, marks, widest=240)


def _found_by(network: nn.Module, image: Tensor) -> Tensor:
    """Return what a network finds by itself (objects, 6) in a prepared picture (channels, height, width)."""
    with evaluating(network) as device:
        (rows,) = cast(Finder, network).find(image[None].to(device))
    rows = rows.float().cpu()
    return rows[rows[:, 5] > LOWEST][:MOST]


def _among(network: nn.Module, image: Tensor, proposals: Tensor) -> Tensor:
    """Return which of the boxes proposed (boxes, 5) show what (objects, 6), in a prepared picture, the surest first."""
    boxes = proposals[proposals[:, 4] >= 0][:, :4]
    if not len(boxes):
        return torch.zeros(0, 6)
    with evaluating(network) as device:
        answer = network(image[None].to(device), boxes[None].to(device))[0].float().cpu()
    shares, moves = answer[..., 0].softmax(1), answer[..., 1:]
    chosen: list[Tensor] = []
    for number in range(1, shares.shape[1]):
        places = torch.nonzero(shares[:, number] > LOWEST).flatten()
        if not len(places):
            continue
        there = moved(boxes[places].cpu(), moves[places, number] * torch.tensor(DEVIATIONS))
        best = kept(there, shares[places, number], SAME)
        scores = shares[places, number][best, None]
        chosen.append(torch.cat([there[best], torch.full_like(scores, number - 1), scores], dim=1))
    rows = torch.cat(chosen) if chosen else torch.zeros(0, 6)
    return rows[rows[:, 5].argsort(descending=True, stable=True)][:MOST]


def _edges(corners: np.ndarray) -> dict[str, float]:
    """Return the edges of a box (4,) by their names."""
    return dict(zip(("left", "top", "right", "bottom"), np.round(corners.astype(float), 1).tolist(), strict=True))


def _of_one_size(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Return pictures on white paper of the largest height and width (pictures, height, width, 3)."""
    height, width = np.max([picture.shape[:2] for picture in pictures], axis=0)
    paper = np.full((len(pictures), height, width, 3), 255, np.uint8)
    for page, picture in zip(paper, pictures, strict=True):
        page[: picture.shape[0], : picture.shape[1]] = picture
    return paper


def _middle(truth: Boxes) -> Boxes:
    """Return a box of a third of its shorter side in the middle of a picture."""
    height, width = truth.image_size
    middle, half = np.array([width, height, width, height]) / 2, min(height, width) / 6
    corners = (middle + half * np.array([-1, -1, 1, 1])).astype(np.float32)[None]
    return Boxes(corners, np.zeros(1, np.int64), truth.image_size)


def _frame(found: Sequence[tuple[int, int]], config: Any) -> tuple[int, int]:
    """Return height and width that pictures are brought to: the largest picture, made as large as is asked for."""
    height, width = np.max(found, axis=0).tolist()
    scale = (config.image_size or min(max(height, width), LARGEST_SIDE)) / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


TASK = Detection
