"""How good answers with classes are beside the share that is right: among the first five, and as probabilities."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from ganglion.core import Measure
from ganglion.nn import probabilities

TOP = 5
BINS = 15
"""Intervals of confidence in which answers are compared with what they promise."""
TOP_5 = Measure(
    name="top_5_accuracy",
    higher_is_better=True,
    meaning="Share of the samples whose class is among the five likeliest answers, from 0 to 1.",
)
CALIBRATION = Measure(
    name="calibration_error",
    higher_is_better=False,
    meaning="How far the probabilities of the answers are from the share of them that is right, from 0 to 1.",
)


class Reliability(NamedTuple):
    """What answers promise and what they hold, by their confidence; empty intervals are left out."""

    confidence: np.ndarray
    """Mean probability of the answers of each interval (intervals,)."""
    accuracy: np.ndarray
    """Share of them that is right (intervals,)."""
    answers: np.ndarray
    """How many there are (intervals,)."""

    @property
    def error(self) -> float:
        """Expected calibration error: sum_b n_b / n |accuracy_b - confidence_b|."""
        return float(np.sum(self.answers * np.abs(self.accuracy - self.confidence)) / self.answers.sum())


def counted(truth: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """Return n_ts, how often each class was answered with each, (classes, classes).

    Args:
        truth: class numbers of any shape; what is of no class, below 0 or too large, is not judged.
        said: likewise, of the same shape.

    >>> counted(np.array([0, 0, 1, -100]), np.array([0, 1, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    judged = (truth >= 0) & (truth < classes)
    return np.bincount(truth[judged] * classes + said[judged], minlength=classes**2).reshape(classes, classes)


def reliability(outputs: Tensor, targets: Tensor) -> Reliability:
    """Compare the probability of each answer with how often such answers are right, in 15 intervals of equal width.

    Args:
        outputs: logits (samples, classes), or one logit for each sample, (samples, 1), of the second of two classes.
        targets: classes (samples,).

    Source: Guo, Pleiss, Sun, Weinberger, On calibration of modern neural networks (2017), equation 3.

    >>> import torch
    >>> sure = reliability(torch.tensor([[9.0, -9.0], [9.0, -9.0]]), torch.tensor([0, 1]))
    >>> sure.accuracy.tolist(), round(sure.error, 3)
    ([0.5], 0.5)
    """
    shares = probabilities(outputs.double()).numpy()
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == targets.numpy()
    interval = np.minimum((confidence * BINS).astype(int), BINS - 1)
    count = np.bincount(interval, minlength=BINS)
    filled = count > 0
    sums = (np.bincount(interval, weights=values, minlength=BINS)[filled] for values in (confidence, right))
    means = [total / count[filled] for total in sums]
    return Reliability(means[0], means[1], count[filled])


def measured(outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Return the calibration error, and of more than five classes the share of samples right within five answers.

    Args:
        outputs: logits (samples, classes), or (samples, 1) of two classes.
        targets: classes (samples,).
    """
    found = {CALIBRATION.name: reliability(outputs, targets).error}
    if outputs.shape[1] > TOP:
        among = (outputs.topk(TOP, dim=1).indices == targets[:, None]).any(dim=1)
        found[TOP_5.name] = float(among.double().mean())
    return found
