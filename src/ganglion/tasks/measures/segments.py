"""How well pixels are told apart: by counts of pixels, and by whether objects come out whole and apart."""

import numpy as np

from ganglion.core import Measure
from ganglion.data.preprocessing.pixel_weights import connected

IOU = Measure(
    name="iou",
    higher_is_better=True,
    meaning="Intersection over union of what is and what is said, as a mean over classes; 1 is perfect.",
)
DICE = Measure(
    name="dice",
    higher_is_better=True,
    meaning="Twice the intersection over the sum of what is and what is said, as a mean over classes; 1 is perfect.",
)
PIXEL_ERROR = Measure(
    name="pixel_error", higher_is_better=False, meaning="Share of the pixels whose class is wrong, from 0 to 1."
)
V_RAND = Measure(
    name="v_rand",
    higher_is_better=True,
    meaning="Rand score within true objects, as a mean over pictures: objects merged or split lower it; 1 is perfect.",
)


def iou(counts: np.ndarray) -> np.ndarray:
    """Return n_cc / (n_c. + n_.c - n_cc) of each class (classes,); NaN for one that neither is nor is said.

    Args:
        counts: n, as `counted` gives them, (classes, classes).

    >>> iou(np.array([[1, 1], [0, 1]])).tolist()
    [0.5, 0.5]
    """
    right = np.diag(counts)
    with np.errstate(invalid="ignore"):
        return right / (counts.sum(0) + counts.sum(1) - right)


def dice(counts: np.ndarray) -> np.ndarray:
    """Return 2 n_cc / (n_c. + n_.c) of each class (classes,); NaN for one that neither is nor is said.

    Args:
        counts: n, as `counted` gives them, (classes, classes).

    >>> dice(np.array([[2, 1], [0, 1]])).round(3).tolist()
    [0.8, 0.667]
    """
    with np.errstate(invalid="ignore"):
        return 2 * np.diag(counts) / (counts.sum(0) + counts.sum(1))


def pixel_error(counts: np.ndarray) -> float:
    """Return the share of judged pixels whose class is wrong, of counts (classes, classes).

    >>> pixel_error(np.array([[1, 1], [0, 2]]))
    0.25
    """
    return float(1 - np.trace(counts) / max(1, counts.sum()))


def rand_score(truth: np.ndarray, said: np.ndarray) -> float:
    """Return the foreground-restricted Rand score of two ways of dividing pixels into objects.

    `V = sum_ij p_ij^2 / (a sum_j t_j^2 + (1 - a) sum_i s_i^2)` with a = 1/2: p_ij is the share of the pixels of true
    objects that lie in object i of what is said and in true object j, s_i and t_j are its sums. One minus it is the
    adapted Rand error, but for pairs of a pixel with itself. NaN where there is no true object.

    Args:
        truth: numbers of objects `(height, width)`, 0 for none, where nothing is judged.
        said: likewise; 0 is one object more.

    Source: Arganda-Carreras et al., Crowdsourcing the creation of image segmentation algorithms (2015).

    >>> rand_score(np.array([[1, 1, 0, 2, 2]]), np.array([[1, 1, 1, 1, 1]]))
    0.6666666666666666
    """
    inside = truth > 0
    if not inside.any():
        return float("nan")
    pairs = truth[inside].astype(np.int64) * (int(said.max()) + 1) + said[inside]
    _, together = np.unique(pairs, return_counts=True)
    sums = [np.bincount(one[inside]).astype(float) for one in (truth, said)]
    return float(2 * np.square(together.astype(float)).sum() / sum(np.square(one).sum() for one in sums))


def best_threshold(truths: list[np.ndarray], shares: list[np.ndarray], thresholds: np.ndarray) -> float:
    """Return the threshold for which objects come out best, by the mean foreground-restricted Rand score.

    Args:
        truths: masks of two classes, each (height, width).
        shares: probabilities of class 1, likewise.
        thresholds: from which on a pixel is taken to be of an object, (thresholds,).
    """
    objects = [connected(truth) for truth in truths]
    scores = [
        np.nanmean([rand_score(truth, connected(share > level)) for truth, share in zip(objects, shares, strict=True)])
        for level in thresholds.tolist()
    ]
    return float(thresholds[int(np.argmax(scores))])
