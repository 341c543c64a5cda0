"""Measures of segmentation against scikit-learn, scikit-image and counting pair by pair."""

from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, jaccard_score

from ganglion.data.preprocessing.pixel_weights import connected
from ganglion.tasks.measures.classes import counted
from ganglion.tasks.measures.segments import best_threshold, dice, iou, pixel_error, rand_score


@pytest.fixture
def masks() -> tuple[np.ndarray, np.ndarray]:
    """Truth and answer (3, 9, 9) of four classes, of which the last is nowhere."""
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, (3, 9, 9))
    return truth, np.where(random.random(truth.shape) < 0.7, truth, random.integers(0, 3, truth.shape))


def test_counts_are_those_of_scikit_learn(masks: tuple[np.ndarray, np.ndarray]) -> None:
    truth, said = masks
    counts = counted(truth, said, 4)
    np.testing.assert_array_equal(counts, confusion_matrix(truth.ravel(), said.ravel(), labels=range(4)))
    of_three = [0, 1, 2]
    flat = truth.ravel(), said.ravel()
    np.testing.assert_allclose(iou(counts)[:3], jaccard_score(*flat, labels=of_three, average=None))
    np.testing.assert_allclose(dice(counts)[:3], f1_score(*flat, labels=of_three, average=None))
    assert np.isnan(iou(counts)[3]) and np.isnan(dice(counts)[3])
    assert pixel_error(counts) == pytest.approx(1 - accuracy_score(*flat))


def test_pixels_of_no_class_are_not_judged(masks: tuple[np.ndarray, np.ndarray]) -> None:
    truth, said = masks
    unjudged = np.where(truth == 2, -100, truth)
    np.testing.assert_array_equal(counted(unjudged, said, 3)[:2], counted(truth, said, 3)[:2])
    assert counted(unjudged, said, 3)[2].sum() == 0


def by_pairs(truth: np.ndarray, said: np.ndarray) -> float:
    """The Rand F-score by looking at every two pixels of true objects, and at each pixel with itself."""
    inside = np.flatnonzero(truth.ravel() > 0)
    truth, said = truth.ravel()[inside], said.ravel()[inside]
    same_truth = same_said = both = len(inside)
    for one, other in combinations(range(len(inside)), 2):
        same_truth += 2 * (truth[one] == truth[other])
        same_said += 2 * (said[one] == said[other])
        both += 2 * (truth[one] == truth[other] and said[one] == said[other])
    return 2 * both / (same_truth + same_said)


@pytest.mark.parametrize("seed", range(4))
def test_the_rand_score_counts_pairs(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth, said = connected(random.random((8, 8)) < 0.7), connected(random.random((8, 8)) < 0.7)
    assert rand_score(truth, said) == pytest.approx(by_pairs(truth, said))
    assert rand_score(truth, truth) == 1


@pytest.mark.parametrize("seed", range(4))
def test_the_rand_score_is_that_of_scikit_image_with_each_pixel_beside_itself(seed: int) -> None:
    """The published equation squares shares; scikit-image counts pairs of different pixels only."""
    metrics = pytest.importorskip("skimage.metrics")
    random = np.random.default_rng(seed)
    truth, said = connected(random.random((40, 40)) < 0.6), connected(random.random((40, 40)) < 0.6)
    error, _, _ = metrics.adapted_rand_error(truth, said, ignore_labels=(0,))
    inside = truth > 0
    sums = sum(int(np.square(np.unique(one[inside], return_counts=True)[1]).sum()) for one in (truth, said))
    different = (1 - error) * (sums / 2 - inside.sum())
    assert rand_score(truth, said) == pytest.approx((different + inside.sum()) / (sums / 2))


def test_no_true_object_has_no_score() -> None:
    assert np.isnan(rand_score(np.zeros((3, 3), int), np.ones((3, 3), int)))


def test_a_gap_between_cells_decides_the_threshold() -> None:
    """Two cells with a gap of probability 0.6 between them: they come apart from 0.6 on, and are lost from 0.9 on."""
    truth = np.array([[1, 1, 1, 0, 1, 1, 1]])
    share = np.array([[0.9, 0.9, 0.9, 0.6, 0.9, 0.9, 0.9]])
    assert best_threshold([truth], [share], np.array([0.3, 0.5, 0.7, 0.95])) == 0.7
