"""What codes are worth: how well the simplest of classifiers tells classes apart by them, beside plainer features.

What is needed of scikit-learn is imported where it is used: it takes half as long as torch, and every run loads this.
"""

import math
import warnings

import numpy as np

from ganglion.core import Measure
from ganglion.data.places import evenly

PROBED = 2000
"""Samples that a probe learns from at most."""
MOST_VALUES = 2048
"""Values of a raw sample that a probe looks at, evenly chosen from more."""
FOLDS = 3
FEWEST = 5
"""Samples of a class without which it is not divided into folds."""
STEPS = 200

PROBE = Measure(
    name="probe_accuracy",
    higher_is_better=True,
    meaning="Accuracy of logistic regression on the codes, learnt from the training part.",
)
RAW_PROBE = Measure(
    name="raw_probe_accuracy",
    higher_is_better=True,
    meaning="The same on the values themselves.",
)
COMPONENTS_PROBE = Measure(
    name="components_probe_accuracy",
    higher_is_better=True,
    meaning="The same on as many principal components as the code has numbers.",
)
FEW_LABELS_PROBE = Measure(
    name="few_labels_probe_accuracy",
    higher_is_better=True,
    meaning="Accuracy of logistic regression on the codes, learnt from ten samples of each class.",
)
FEW_LABELS_RAW_PROBE = Measure(
    name="few_labels_raw_probe_accuracy",
    higher_is_better=True,
    meaning="The same on the values themselves.",
)
FEW_LABELS = 10


def few_of_each(classes: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the first so many samples of each class (samples,).

    >>> few_of_each(np.array([0, 0, 1, 0, 1, 1]), 2).tolist()
    [0, 1, 2, 4]
    """
    return np.sort(np.concatenate([np.flatnonzero(classes == one)[:count] for one in np.unique(classes)]))


def probe(features: np.ndarray, classes: np.ndarray, asked: np.ndarray, truth: np.ndarray) -> float:
    """Return the accuracy of logistic regression on standardised features.

    Args:
        features: (samples, values) to learn from; `classes` (samples,) are numbers.
        asked: (others, values) to be judged on; `truth` (others,).

    >>> features = np.array([[0.0], [1.0], [10.0], [11.0]])
    >>> probe(features, np.array([0, 0, 1, 1]), np.array([[2.0], [9.0]]), np.array([0, 1]))
    1.0
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=STEPS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one that has not quite converged is a probe, too
        return float(model.fit(features, classes).score(asked, truth))


def components(values: np.ndarray, count: int, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first principal components of values (samples, values), and of others (others, values), by these."""
    from sklearn.decomposition import PCA

    model = PCA(min(count, *values.shape), random_state=0).fit(values)
    return model.transform(values), model.transform(asked)


def thinned(values: np.ndarray) -> np.ndarray:
    """Return samples (samples, ...) as rows of not too many values."""
    rows = values.reshape(len(values), -1)
    return rows[:, :: math.ceil(rows.shape[1] / MOST_VALUES)]


def probed(codes: np.ndarray, raw: np.ndarray, classes: np.ndarray) -> dict[str, float]:
    """Return mean accuracies over three folds on codes (samples, features), raw values and principal components.

    Nothing where fewer than two classes have five samples each.

    Args:
        raw: (samples, ...).
        classes: numbers (samples,).
    """
    from sklearn.model_selection import StratifiedKFold

    counts = np.bincount(classes)
    kept = np.flatnonzero(counts[classes] >= FEWEST)
    if len(np.unique(classes[kept])) < 2:
        return {}
    kept = kept[evenly(len(kept), PROBED)]
    codes, raw, classes = codes[kept], thinned(raw[kept]), classes[kept]
    if np.bincount(classes)[np.unique(classes)].min() < FOLDS:  # rare among many
        return {}
    scores: dict[str, list[float]] = {PROBE.name: [], RAW_PROBE.name: [], COMPONENTS_PROBE.name: []}
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(codes, classes):
        linear = components(raw[train], codes.shape[1], raw[test])
        pairs = (codes[train], codes[test]), (raw[train], raw[test]), linear
        for name, (known, asked) in zip(scores, pairs, strict=True):
            scores[name].append(probe(known, classes[train], asked, classes[test]))
    return {name: float(np.mean(each)) for name, each in scores.items()}
