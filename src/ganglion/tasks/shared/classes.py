"""What tasks that tell classes apart share: a ranking of answers, the commonest class, the confusion of classes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ganglion import figures
from ganglion.data.splits import Part
from ganglion.errors import CheckpointError
from ganglion.nn import probabilities
from ganglion.rules.losses import decisions
from ganglion.tasks.measures.classes import counted, reliability
from ganglion.tasks.shared.prepared import Prepared

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP = 5
"""Classes that are named for each sample at most."""


def class_names(data: Prepared) -> tuple[str, ...]:
    """Return what the classes of the targets are called, numbers where the data does not say."""
    classes = data.preprocessing["targets"].num_classes
    return data.raw("train", "targets").names or tuple(f"class {number}" for number in range(classes))


def known_names(state: Mapping[str, Any], classes: int) -> tuple[str, ...]:
    """Return what the classes are called by the state of a task; raise `CheckpointError` where it is damaged."""
    names = state.get("classes")
    if isinstance(names, list) and len(names) == classes:
        return tuple(map(str, names))
    raise CheckpointError(
        "this run does not say what its classes are called",
        where="state of config.json",
        expected=f"{classes} classes",
        found=f"{names!r:.60}",
        remedy="put the original file back, or train again",
    )


def ranked(outputs: Tensor, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return for each row of outputs `(samples, classes)` its likeliest class and probability, and the next as `top`.

    >>> import torch
    >>> ranked(torch.tensor([[0.0, 2.0]]), ("cat", "dog"))[0]["label"]
    'dog'
    """
    shares, classes = probabilities(outputs).topk(min(TOP, len(labels)))
    rows = [
        [{"label": labels[label], "probability": share} for share, label in zip(*pair, strict=True)]
        for pair in zip(shares.tolist(), classes.tolist(), strict=True)
    ]
    return [{**row[0], "top": row} for row in rows]


def commonest(data: Prepared) -> dict[str, float]:
    """Return what answering with the commonest class of the training part scores on the test part."""
    train, test = (np.asarray(data.raw(part, "targets").values) for part in ("train", "test"))
    return {"accuracy": float(np.mean(test == np.bincount(train).argmax()))}


def confusion(truth: np.ndarray, said: np.ndarray, labels: Sequence[str]) -> "Figure":
    """Draw how often each class `(samples,)` was answered with each; what is of no class is left out."""
    return figures.confusion_matrix(counted(truth, said, len(labels)), labels)


VERDICTS = {
    "confusion_matrix": "What the test samples are (rows) and what the network answers (columns)",
    "classes": "Which classes are found (recall), and whether what is taken for them is so (precision); worst on top",
    "reliability": "Whether answers are right as often as their probabilities say: points below the line promise too "
    "much",
}
"""Captions of what `verdicts` draws."""


def verdicts(outputs: Tensor, targets: Tensor, labels: Sequence[str]) -> "dict[str, Figure]":
    """Draw confusion, recall and precision of each class, and the worth of probabilities.

    Args:
        outputs: logits (samples, classes), or (samples, 1) of two classes.
        targets: classes (samples,).
    """
    counts = counted(targets.numpy(), decisions(outputs).numpy(), len(labels))
    found = reliability(outputs, targets)
    return {
        "confusion_matrix": figures.confusion_matrix(counts, labels),
        "classes": figures.by_class(counts, labels),
        "reliability": figures.reliability(*found, found.error),
    }


def classes_at(data: Prepared, part: Part, most: int) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return the classes (samples,) of the samples that `Prepared.spread` chooses, and their names; None if none."""
    targets = data.nearest(part).fields.get("targets")
    if targets is None or targets.kind != "classes":
        return None, ()
    return np.asarray(targets.values)[data.spread(part, most)], targets.names
