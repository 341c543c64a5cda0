"""Average precision: equal to pycocotools' on the same boxes, and to Pascal VOC's recipe followed step by step."""

import numpy as np
import pytest

from ganglion.data.fields import Boxes
from ganglion.tasks.measures.detections import (
    MAP,
    MAP_50,
    MAP_ALL,
    MAP_VOC,
    Found,
    average_precision,
    curve,
    detection_rates,
    free_response,
    matched,
    measured,
    precisions,
    proposal_recall,
)

COCO = {
    0: (0.11745039791294391, (0.37504774506417043, 0.45302531388992384, 0.28292460393580343), 0.028366242357096224),
    1: (0.10694432878470439, (0.37248502383130827, 0.3248097076914166, 0.32950580865779056), 0.039865101746289856),
    2: (0.1297644982624869, (0.25686106816661725, 0.5837735712808511, 0.2891089108910892), 0.0764503165188514),
}
"""What pycocotools 2.0.11 finds for `pictures(seed)`: over all overlaps, of each class at 0.5, and at 0.75."""


def pictures(seed: int) -> tuple[list[Found], list[Boxes]]:
    """Objects of three classes in 25 pictures, and boxes near them, doubled, lost, of other classes, and of nothing."""
    random = np.random.default_rng(seed)
    found, truth = [], []
    for _ in range(25):
        count = int(random.integers(0, 7))
        corner, sides = random.uniform(0, 80, (count, 2)), random.uniform(5, 40, (count, 2))
        there = np.concatenate([corner, corner + sides], axis=1).round(2)
        classes = random.integers(0, 3, count)
        boxes, said = [], []
        for box, number in zip(there, classes, strict=True):
            for _ in range(int(random.integers(0, 4))):
                boxes.append(box + random.normal(0, 3, 4))
                said.append(number if random.random() < 0.85 else random.integers(0, 3))
        for _ in range(int(random.integers(0, 4))):
            corner = random.uniform(0, 80, 2)
            boxes.append(np.concatenate([corner, corner + random.uniform(5, 40, 2)]))
            said.append(random.integers(0, 3))
        corners = np.array(boxes).reshape(-1, 4).round(2)
        whole = (corners[:, :2] < corners[:, 2:]).all(axis=1)
        scores = random.random(len(corners)).round(2)
        found.append(Found(corners[whole], np.array(said, dtype=int)[whole], scores[whole]))
        truth.append(Boxes(there, classes.astype(int), (130, 130)))
    return found, truth


@pytest.mark.parametrize("seed", COCO)
def test_precision_is_that_of_pycocotools(seed: int) -> None:
    found, truth = pictures(seed)
    everywhere, by_class, exact = COCO[seed]
    scores = measured(found, truth, 3)
    assert scores[MAP.name] == pytest.approx(everywhere, abs=1e-6)
    assert scores[MAP_50.name] == pytest.approx(np.mean(by_class), abs=1e-6)
    np.testing.assert_allclose(precisions(found, truth, 3), by_class, atol=1e-6)
    assert np.mean(precisions(found, truth, 3, 0.75)) == pytest.approx(exact, abs=1e-6)


def step_by_step(found: list[Found], truth: list[Boxes], number: int) -> tuple[float, float]:
    """Pascal VOC at an overlap of one half, by all points and by eleven: a box whose object is taken is wrong."""
    ranked = sorted(
        (-score, place, box)
        for place, one in enumerate(found)
        for box, said, score in zip(one.corners.tolist(), one.classes, one.scores, strict=True)
        if said == number
    )
    objects = [[box for box, said in zip(one.corners, one.classes, strict=True) if said == number] for one in truth]
    taken = [[False] * len(own) for own in objects]
    right = []
    for _, place, (left, top, width, height) in ranked:
        shares = []
        for a, b, c, d in objects[place]:
            shared = max(0, min(width, c) - max(left, a)) * max(0, min(height, d) - max(top, b))
            both = (width - left) * (height - top) + (c - a) * (d - b) - shared
            shares.append(shared / both)
        best = int(np.argmax(shares)) if shares else -1
        hit = best >= 0 and shares[best] >= 0.5 and not taken[place][best]
        if hit:
            taken[place][best] = True
        right.append(hit)
    total = sum(map(len, objects))
    points = [(sum(right[: n + 1]) / (n + 1), sum(right[: n + 1]) / total) for n in range(len(right))]
    eleven = [max((p for p, r in points if r >= level / 10 - 1e-12), default=0) for level in range(11)]
    area, before = 0.0, 0.0
    for _, recall in points:
        area += (recall - before) * max(p for p, r in points if r >= recall)
        before = recall
    return area, float(np.mean(eleven))


@pytest.mark.parametrize("seed", COCO)
def test_precision_is_that_of_pascal_voc(seed: int) -> None:
    found, truth = pictures(seed)
    # Scores of two decimals tie: which of equals comes first is nobody's rule.
    found = [Found(one.corners, one.classes, one.scores + 1e-4 * place) for place, one in enumerate(found)]
    found = [Found(one.corners, one.classes, one.scores + 1e-6 * np.arange(len(one.scores))) for one in found]
    expected = np.array([step_by_step(found, truth, number) for number in range(3)])
    np.testing.assert_allclose(precisions(found, truth, 3, interpolation="all-point"), expected[:, 0])
    np.testing.assert_allclose(precisions(found, truth, 3, interpolation="11-point"), expected[:, 1])
    together = measured(found, truth, 3)
    assert (together[MAP_ALL.name], together[MAP_VOC.name]) == pytest.approx(tuple(expected.mean(axis=0)))


def test_what_is_perfect_and_what_is_nothing() -> None:
    _, truth = pictures(0)
    perfect = [Found(one.corners, one.classes, np.ones(len(one.classes))) for one in truth]
    assert all(value == pytest.approx(1) for value in measured(perfect, truth, 3).values())
    nothing = [Found(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))] * len(truth)
    assert set(measured(nothing, truth, 3).values()) == {0.0}
    empty = [Boxes(np.zeros((0, 4)), np.zeros(0, int), (130, 130))] * len(truth)
    assert measured(perfect, empty, 3) == {}
    assert np.isnan(precisions(perfect, truth, 4)[3])
    assert average_precision(np.zeros(0), np.zeros(0), "coco") == 0
    assert len(curve(nothing, truth, 0, 0.5)[0]) == 0


def test_a_taken_object_leaves_the_next_best_to_coco_and_nothing_to_voc() -> None:
    objects = np.array([[0, 0, 10, 10], [0, 3, 10, 13]])
    boxes = np.array([[0, 0, 10, 10], [0, 1, 10, 11]])
    assert matched(boxes, objects, 0.5).tolist() == [0, 1]
    assert matched(boxes, objects, 0.5, once=True).tolist() == [0, -1]


def test_recall_of_proposals_by_class() -> None:
    truth = [Boxes(np.array([[0, 0, 10, 10], [20, 20, 30, 30]]), np.array([0, 1]), (40, 40))]
    proposals = [Boxes(np.array([[0, 0, 10, 8]]), np.array([0]), (40, 40))]
    found = proposal_recall(proposals, truth, 3)
    assert found[:2].tolist() == [1, 0] and np.isnan(found[2])


def test_false_alarms_are_counted_by_picture_at_every_score() -> None:
    """Two pictures, two objects; of five boxes two are right, two are equally sure."""
    size = (20, 20)
    one, two = np.array([[0.0, 0, 8, 8]]), np.array([[10.0, 10, 18, 18]])
    truth = [Boxes(one, np.zeros(1, int), size), Boxes(two, np.zeros(1, int), size)]
    found = [
        Found(np.concatenate([two, one]), np.zeros(2, int), np.array([0.9, 0.8])),
        Found(np.concatenate([one, two, one + 4]), np.zeros(3, int), np.array([0.7, 0.7, 0.1])),
    ]
    alarms, share = free_response(found, truth, 0)
    np.testing.assert_allclose(alarms, [0.5, 0.5, 1.0, 1.5])
    np.testing.assert_allclose(share, [0, 0.5, 1.0, 1.0])
    assert detection_rates(found, truth, 2, alarms=0.9)[0] == 0.5
    assert detection_rates(found, truth, 1)[0] == 1.0
    assert np.isnan(detection_rates(found, truth, 2)[1])


def test_nothing_found_is_no_detection() -> None:
    truth = [Boxes(np.array([[0.0, 0, 8, 8]]), np.zeros(1, int), (20, 20))]
    nothing = [Found(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))]
    assert detection_rates(nothing, truth, 1)[0] == 0.0
