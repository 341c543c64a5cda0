"""How well odd samples are told from normal ones: ranks, a threshold that keeps its promise, the usual method."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter, uniform_filter1d
from torch import Tensor

from ganglion.core import Measure
from ganglion.data.loaders.noise import mixed_seed

AUROC = Measure(
    name="auroc",
    higher_is_better=True,
    meaning="Chance that an odd sample has a larger error than a normal one; 0.5 is guessing.",
)
NORMAL_ERROR = Measure(
    name="normal_error",
    higher_is_better=False,
    meaning="Mean error of normal samples, by which the best weights are chosen: no odd sample decides anything.",
)
FOREST_AUROC = Measure(
    name="isolation_forest_auroc",
    higher_is_better=True,
    meaning="The same chance for an isolation forest, which asks how few random cuts set a sample apart.",
)
FALSE_ALARMS = Measure(
    name="false_alarm_rate",
    higher_is_better=False,
    meaning="Share of the normal samples that are marked as odd; what was asked for is --false-alarms.",
)
DETECTED = Measure(
    name="detection_rate",
    higher_is_better=True,
    meaning="Share of the odd samples that are marked, at the threshold of the false alarms that were asked for.",
)
FOREIGN = 1 / 3
"""Share of a sample, and of each side of a picture, that is taken from another one where nothing odd is known."""
AROUND = 3
"""Side of the squares of pixels whose errors are taken together."""
SMOOTHED = 4
"""Part of a window that the errors of steps are smoothed over: one in so many."""
TREES = 200
FITTED = 10_000
"""Normal samples that the forest grows on at most, and values of each that it looks at."""


def auroc(normal: np.ndarray, odd: np.ndarray) -> float:
    """Return the area under the ROC curve of errors (samples,) of either kind: ties count one half.

    >>> auroc(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.875
    """
    from sklearn.metrics import roc_auc_score

    truth = np.concatenate([np.zeros(len(normal)), np.ones(len(odd))])
    return float(roc_auc_score(truth, np.concatenate([normal, odd])))


def means(errors: Any) -> np.ndarray:
    """Return the mean error of each sample (samples,) of errors (samples, ...)."""
    values = errors.numpy() if isinstance(errors, Tensor) else errors
    found: np.ndarray = values.reshape(len(values), -1).mean(axis=1, dtype=np.float64)
    return found


def errors_of_pixels(pictures: Tensor, rebuilt: Tensor) -> np.ndarray:
    """Return mean squared errors over the 3 x 3 pixels around each, (samples, height, width).

    Args:
        pictures, rebuilt: (samples, channels, height, width).
    """
    errors = (rebuilt - pictures).square().mean(dim=1).numpy()
    around: np.ndarray = uniform_filter(errors, (0, AROUND, AROUND), mode="nearest")
    return around


def least_held_out(false_alarms: float) -> int:
    """Return how many normal samples must be held out for such a share of false alarms to be promised.

    >>> least_held_out(0.05), least_held_out(0.01)
    (19, 99)
    """
    return math.ceil(1 / false_alarms - 1e-9) - 1


def threshold(held_out: np.ndarray, false_alarms: float) -> float:
    """Return the error above which a sample is marked, so that a further normal one is so at most with that chance.

    With n errors held out it is the k-th largest of them, k = floor(a (n + 1)), and the largest where that is none.

    >>> errors = np.arange(1.0, 20.0)
    >>> threshold(errors, 0.05), threshold(errors, 0.1)
    (19.0, 18.0)
    """
    largest = np.sort(held_out)[::-1]
    rank = max(1, math.floor(false_alarms * (len(largest) + 1) + 1e-9))
    return float(largest[min(rank, len(largest)) - 1])


def shares_as_odd(held_out: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return for each error (samples,) the share of normal samples whose error is as large, itself counted in.

    >>> shares_as_odd(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.5, 9.0])).tolist()
    [1.0, 0.5, 0.25]
    """
    below = np.searchsorted(np.sort(held_out), errors, side="left")
    shares: np.ndarray = (1 + len(held_out) - below) / (1 + len(held_out))
    return shares


def with_foreign_parts(samples: Tensor, seed: int = 0) -> Tensor:
    """Return samples (samples, ...) of which a part each is that of another: odd ones where none are known.

    Of rows (samples, features) it is some of their values, of series (samples, steps, channels) a stretch from another
    time, of pictures (samples, channels, height, width) a rectangle from another place.
    """
    made = samples.clone()
    sides = samples.shape[1:2] if samples.ndim == 3 else samples.shape[-2:] if samples.ndim == 4 else ()
    extents = [max(1, round(side * FOREIGN)) for side in sides]
    for place in range(len(samples)):
        random = np.random.default_rng(mixed_seed(seed, place))
        other = samples[(place + 1 + int(random.integers(max(1, len(samples) - 1)))) % len(samples)]
        if not sides:
            values = samples.shape[1]
            chosen = random.permutation(values)[: max(1, round(values * FOREIGN))]
            made[place, chosen] = other[chosen]
            continue
        there, here = ([int(random.integers(s - e + 1)) for s, e in zip(sides, extents, strict=True)] for _ in "ab")
        taken, put = (tuple(slice(a, a + e) for a, e in zip(begin, extents, strict=True)) for begin in (there, here))
        ahead = (slice(None),) if samples.ndim == 4 else ()
        made[(place, *ahead, *put)] = other[(*ahead, *taken)]
    return made


class Forest:
    """An isolation forest grown on normal samples (samples, ...), of which it sees all values."""

    def __init__(self, normal: Tensor, seed: int = 0) -> None:
        from sklearn.ensemble import IsolationForest

        self.forest = IsolationForest(n_estimators=TREES, random_state=seed).fit(_rows(normal[:FITTED]))

    def errors(self, samples: Tensor) -> np.ndarray:
        """Return how odd samples (samples, ...) are, (samples,), the oddest highest."""
        return -np.asarray(self.forest.score_samples(_rows(samples)))


def _rows(samples: Tensor) -> np.ndarray:
    rows: np.ndarray = samples.flatten(1).numpy()
    return rows[:, :: math.ceil(rows.shape[1] / FITTED)]


def errors_of_steps(errors: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return the error of each step (steps,), the window that it was found in, and the step's place there.

    Errors are smoothed over a quarter of a window. A step is then only as odd as the kindest window that contains it
    says: what is odd elsewhere in a window spoils what is rebuilt of all its steps.

    Args:
        errors: (windows, window); window i begins at step i.

    >>> errors_of_steps(np.array([[1.0, 2.0], [4.0, 8.0]]))[0].tolist()
    [1.0, 2.0, 8.0]
    """
    windows, window = errors.shape
    smoothed = uniform_filter1d(errors, max(1, window // SMOOTHED), axis=1, mode="nearest")
    by_place = np.full((window, windows + window - 1), np.inf)
    for place in range(window):
        by_place[place, place : place + windows] = smoothed[:, place]
    places = by_place.argmin(axis=0)
    found = np.arange(windows + window - 1) - places, places
    return smoothed[found], found


def stretches(marked: Sequence[bool] | np.ndarray) -> list[tuple[int, int]]:
    """Return first and last place of each run of marks.

    >>> stretches([False, True, True, False, True])
    [(1, 2), (4, 4)]
    """
    padded = np.concatenate([[False], np.asarray(marked, dtype=bool), [False]]).astype(int)
    edges = np.flatnonzero(np.diff(padded))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]
