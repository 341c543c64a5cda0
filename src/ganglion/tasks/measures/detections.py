"""How well objects are found: average precision as COCO and as Pascal VOC count it, and the recall of proposals.

A found box is right where it overlaps an object of its class by enough that no surer box has taken. Precision is the
share of right ones among the boxes down to a score, recall the share of objects that they find.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ganglion.core import Measure
from ganglion.data.fields import Boxes
from ganglion.nn.images.boxes import overlaps

MAP_50 = Measure(
    name="map_50",
    higher_is_better=True,
    meaning="Average precision at an overlap of one half, as COCO counts it, as a mean over classes; 1 is perfect.",
)
MAP = Measure(
    name="map_50_95",
    higher_is_better=True,
    meaning="The same as a mean over overlaps of 0.50, 0.55, ... 0.95, which asks for exact boxes.",
)
MAP_VOC = Measure(
    name="map_voc",
    higher_is_better=True,
    meaning="Average precision at an overlap of one half at eleven recalls, as Pascal VOC counted it until 2009.",
)
MAP_ALL = Measure(
    name="map_voc_all",
    higher_is_better=True,
    meaning="Average precision at an overlap of one half over all recalls, as Pascal VOC has counted it since 2010.",
)
RATE = Measure(
    name="detection_rate",
    higher_is_better=True,
    meaning="Share of the objects that are found at one false alarm a picture, at an overlap of one half, as a mean "
    "over classes.",
)
LEVELS = np.linspace(0.5, 0.95, 10)
"""Overlaps of COCO."""
MOST = 100
"""Boxes of a class in a picture that COCO counts, the surest."""

Interpolation = Literal["coco", "all-point", "11-point"]


@dataclass(frozen=True)
class Found:
    """Boxes that were found in one picture."""

    corners: np.ndarray
    """Left, top, right, bottom `(boxes, 4)`."""
    classes: np.ndarray
    """Class numbers `(boxes,)`."""
    scores: np.ndarray
    """How sure each is `(boxes,)`."""


def overlap(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return shared over covered area of each of boxes (boxes, 4) with each of others (others, 4).

    >>> overlap(np.array([[0, 0, 2, 2]]), np.array([[0, 1, 2, 3], [5, 5, 6, 6]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    return overlaps(*(torch.as_tensor(one, dtype=torch.float64) for one in (boxes, others))).numpy()


def matched(corners: np.ndarray, objects: np.ndarray, level: float, *, once: bool = False) -> np.ndarray:
    """Return which object each box takes, -1 for none `(boxes,)`; surer boxes choose first.

    Args:
        corners: boxes of one class in one picture, the surest first `(boxes, 4)`.
        objects: those of that class there `(objects, 4)`.
        level: overlap that is enough.
        once: a box whose best object is taken takes none, as Pascal VOC counts; else it takes the best that is free.
    """
    taken = np.full(len(corners), -1)
    if not len(objects) or not len(corners):
        return taken
    shared, free = overlap(corners, objects), np.ones(len(objects), dtype=bool)
    for place, row in enumerate(shared):
        allowed = row if once else np.where(free, row, -1.0)
        # COCO prefers the last of equal overlaps.
        best = int(np.argmax(allowed)) if once else len(allowed) - 1 - int(np.argmax(allowed[::-1]))
        if allowed[best] >= min(level, 1 - 1e-10) and free[best]:
            taken[place], free[best] = best, False
    return taken


def curve(
    found: Sequence[Found], truth: Sequence[Boxes], number: int, level: float, *, once: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return scores, precision and recall (boxes,) of a class, the surest box first, and how many objects there are.

    Args:
        found: of each picture.
        truth: likewise.
        number: of the class.
        level: overlap that is enough.
        once: see `matched`.
    """
    scores, right, objects = [np.zeros(0)], [np.zeros(0, dtype=bool)], 0
    for one, there in zip(found, truth, strict=True):
        own = np.flatnonzero(one.classes == number)
        own = own[np.argsort(-one.scores[own], kind="mergesort")][: None if once else MOST]
        here = there.corners[there.classes == number]
        objects += len(here)
        scores.append(one.scores[own])
        right.append(matched(one.corners[own], here, level, once=once) >= 0)
    together, hits = np.concatenate(scores), np.concatenate(right)
    order = np.argsort(-together, kind="mergesort")
    hit = np.cumsum(hits[order])
    return together[order], hit / np.arange(1, len(hit) + 1), hit / max(1, objects), objects


def free_response(
    found: Sequence[Found], truth: Sequence[Boxes], number: int, level: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Return false alarms a picture and the share of the objects that are found (scores,), the surest boxes first.

    There is a point for each score from which on boxes count, whatever the order of those that are equally sure.

    Args:
        found: of each picture.
        truth: likewise.
        number: of the class.
        level: overlap that is enough.
    """
    scores, precision, recall, _ = curve(found, truth, number, level)
    boxes = np.arange(1, len(scores) + 1)
    last = np.append(scores[1:] != scores[:-1], True)[: len(scores)]
    return ((1 - precision) * boxes / max(1, len(truth)))[last], recall[last]


def detection_rates(found: Sequence[Found], truth: Sequence[Boxes], classes: int, alarms: float = 1.0) -> np.ndarray:
    """Return the share of the objects of each class (classes,) found at so many false alarms a picture.

    NaN for a class that is in no picture.
    """
    rates = np.full(classes, np.nan)
    for number in range(classes):
        if any((one.classes == number).any() for one in truth):
            false, share = free_response(found, truth, number)
            rates[number] = share[false <= alarms + 1e-9].max(initial=0.0)
    return rates


def average_precision(precision: np.ndarray, recall: np.ndarray, interpolation: Interpolation) -> float:
    """Return the mean precision over recalls, where precision at a recall is the best from there on.

    Args:
        precision: `(boxes,)`, the surest box first.
        recall: likewise.
        interpolation: at 101 recalls from 0 to 1, as `coco`; over `all-point`s where it changes, as Pascal VOC from
            2010 on; at 0, 0.1, ... 1, as Pascal VOC before (`11-point`).

    >>> precision, recall = np.array([1, 0.5, 2 / 3]), np.array([0.5, 0.5, 1])
    >>> [round(average_precision(precision, recall, way), 4) for way in ("coco", "all-point", "11-point")]
    [0.835, 0.8333, 0.8485]
    """
    best = np.maximum.accumulate(precision[::-1])[::-1]
    if interpolation == "all-point":
        steps = np.diff(np.concatenate([[0.0], recall]))
        return float((steps * best).sum())
    points = np.linspace(0, 1, 101 if interpolation == "coco" else 11)
    places = np.searchsorted(recall, points - (0 if interpolation == "coco" else 1e-12), side="left")
    return float(np.concatenate([best, [0.0]])[np.minimum(places, len(best))].mean())


def precisions(
    found: Sequence[Found],
    truth: Sequence[Boxes],
    classes: int,
    level: float = 0.5,
    interpolation: Interpolation = "coco",
) -> np.ndarray:
    """Return the average precision of each class (classes,); NaN for one that is in no picture."""
    values = np.full(classes, np.nan)
    for number in range(classes):
        _, precision, recall, objects = curve(found, truth, number, level, once=interpolation != "coco")
        if objects:
            values[number] = average_precision(precision, recall, interpolation)
    return values


def measured(found: Sequence[Found], truth: Sequence[Boxes], classes: int) -> dict[str, float]:
    """Return the measures of boxes found in pictures beside those that are there; none where there is no object."""
    if not any(len(one.classes) for one in truth):
        return {}
    levels = np.stack([precisions(found, truth, classes, level) for level in LEVELS.tolist()])
    eleven = precisions(found, truth, classes, interpolation="11-point")
    everywhere = precisions(found, truth, classes, interpolation="all-point")
    return {
        MAP_50.name: float(np.nanmean(levels[0])),
        MAP.name: float(np.nanmean(levels)),
        MAP_VOC.name: float(np.nanmean(eleven)),
        MAP_ALL.name: float(np.nanmean(everywhere)),
        RATE.name: float(np.nanmean(detection_rates(found, truth, classes))),
    }


def proposal_recall(proposals: Sequence[Boxes], truth: Sequence[Boxes], classes: int, level: float = 0.5) -> np.ndarray:
    """Return the share of the objects of each class (classes,) that some proposal overlaps by enough; NaN for none."""
    found, there = np.zeros(classes), np.zeros(classes)
    for proposed, one in zip(proposals, truth, strict=True):
        if not len(one.classes):
            continue
        best = overlap(one.corners, proposed.corners).max(axis=1, initial=0)
        found += np.bincount(one.classes[best >= level], minlength=classes)
        there += np.bincount(one.classes, minlength=classes)
    with np.errstate(invalid="ignore"):
        return found / there
