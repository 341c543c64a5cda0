"""How much each training sample counts in the loss: by a column of the data, and by its class."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

import numpy as np
from torch import Tensor

from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing import ClassPreprocessing, WeightPreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.splits import Samples
from ganglion.errors import ConfigurationError, DataError
from ganglion.settings import unknown_name

BALANCED = "balanced"
NONE = "none"


def weigh(
    dataset: Dataset, training: Samples, preprocessing: Mapping[str, Any], settings: DataSettings
) -> tuple[Tensor | None, tuple[str, ...]]:
    """Return how much each training sample counts in the loss `(samples,)`, 1 on average, and that in words.

    None where all count alike. Raises `DataError` where there is nothing to weigh by.
    """
    if settings.weights is None and set(settings.class_weight) <= {NONE}:
        return None, ()
    weights, notes = np.ones(len(training)), []
    if settings.weights is not None:
        weights = _given(dataset, training, settings.weights)
        span = f"from {weights.min():g} to {weights.max():g}"
        notes.append(f"samples count in the loss as {settings.weights!r} says, {span}; measures count all alike")
    if not set(settings.class_weight) <= {NONE}:
        of_class = _of_classes(dataset, training, preprocessing.get("targets"), settings.class_weight)
        weights = weights * of_class[training.targets]
        names = preprocessing["targets"].labels
        said = ", ".join(f"{name} {weight:.3g}" for name, weight in zip(names, of_class.tolist(), strict=True))
        notes.append(f"classes count in the loss as {said}; measures count all samples alike")
    return WeightPreprocessing.fit(weights)(weights), tuple(notes)


def _given(dataset: Dataset, training: Samples, called: str) -> np.ndarray:
    if "weights" not in training.fields:
        raise DataError(
            "the samples of this data cannot be weighted",
            where=dataset.source or dataset.name,
            expected="a table, labelled texts in one, or arrays",
            found=f"{dataset.kind} data",
            remedy=f"leave --weights {quote(called)} out",
        )
    return np.asarray(training.fields["weights"].values, dtype=np.float64)


def _of_classes(dataset: Dataset, training: Samples, targets: Any, asked: Sequence[str]) -> np.ndarray:
    """Return the weight of each class `(classes,)`.

    Balanced ones are n / (k n_c): of n samples in k classes those of class c, n_c of them, count as n / k in sum.
    """
    if not isinstance(targets, ClassPreprocessing) or training.targets is None:
        raise DataError(
            "only classes can be weighted",
            where=dataset.source or dataset.name,
            expected="one class for each sample",
            found="no classes" if targets is None else "other targets",
            remedy="leave --class-weight out",
        )
    if tuple(asked) == (BALANCED,):
        counts = np.bincount(training.targets, minlength=targets.num_classes)
        return len(training) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    weights = np.ones(targets.num_classes)
    for text in asked:
        name, weight = _read(text)
        if name not in targets.labels:
            raise unknown_name("class", name, list(targets.labels), where="class_weight")
        weights[targets.labels.index(name)] = weight
    return weights


def _read(text: str) -> tuple[str, float]:
    name, _, weight = text.rpartition("=")
    try:
        number = float(weight)
    except ValueError:
        number = -1.0
    if not name or not 0 <= number < float("inf"):
        raise ConfigurationError(
            "this is no weight of a class",
            where="class_weight",
            expected=f"{BALANCED}, {NONE}, or NAME=WEIGHT with a weight from 0 on",
            found=text,
        )
    return name, number
