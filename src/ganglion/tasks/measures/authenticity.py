"""How well generated pictures are told from real ones: precision over recall, calibration, what distortion costs."""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.optimize import minimize
from torch import Tensor

from ganglion.core import Measure
from ganglion.data.loaders.distortions import blurred, compressed, rescaled
from ganglion.tasks.measures.classes import BINS, Reliability

AVERAGE_PRECISION = Measure(
    name="average_precision",
    higher_is_better=True,
    meaning="Mean over generators of the area under precision over recall, real pictures counting as much as generated "
    "ones: 1 is perfect, 0.5 is guessing. In a test of a generator that was left out, of that one.",
)
SEEN = Measure(
    name="seen_average_precision",
    higher_is_better=True,
    meaning="The same of the generators that were learnt from, where one was left out.",
)
BALANCED_ACCURACY = Measure(
    name="balanced_accuracy",
    higher_is_better=True,
    meaning="Mean of the share of real pictures and the share of generated ones that are taken for what they are.",
)
CALIBRATION_ERROR = Measure(
    name="calibration_error",
    higher_is_better=False,
    meaning="How far probabilities are from the share of pictures that are generated, where half of them are.",
)
COMPRESSED = Measure(
    name="jpeg_average_precision",
    higher_is_better=True,
    meaning="Average precision after JPEG, mean over the qualities of the robustness figure.",
)
BLURRED = Measure(
    name="blur_average_precision",
    higher_is_better=True,
    meaning="Average precision after a blur, mean over the deviations of the robustness figure.",
)
RESCALED = Measure(
    name="resize_average_precision",
    higher_is_better=True,
    meaning="Average precision after resizing, mean over the factors of the robustness figure.",
)
DISTORTIONS: Mapping[str, tuple[Measure, Callable[[Tensor, float], Tensor], tuple[float, ...]]] = {
    "JPEG quality": (COMPRESSED, lambda images, quality: compressed(images, int(quality)), (95, 80, 65, 50, 30)),
    "blur, deviation in pixels": (BLURRED, blurred, (0.5, 1.0, 2.0, 3.0)),
    "resized by": (RESCALED, rescaled, (2.0, 1.5, 0.75, 0.5)),
}
"""What happens to pictures on their way, how, and by how much, what changes least first."""
CERTAIN = 1e-9


def average_precision(scores: np.ndarray, generated: np.ndarray) -> float:
    """Return sum_k (R_k - R_k-1) P_k over thresholds, real samples counting in sum as much as generated ones.

    Args:
        scores: the surer generated, the larger (samples,).
        generated: whether each is (samples,).

    >>> average_precision(np.array([0.9, 0.8, 0.1, 0.2]), np.array([True, True, False, False]))
    1.0
    >>> average_precision(np.zeros(5), np.array([True, False, False, False, False]))
    0.5
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(generated, scores, sample_weight=even_weights(generated)))


def even_weights(generated: np.ndarray) -> np.ndarray:
    """Return how much each sample counts (samples,), so that real ones count in sum as much as generated ones."""
    count = np.bincount(generated.astype(int), minlength=2)
    return 0.5 / np.maximum(count, 1)[generated.astype(int)]


def balanced_accuracy(scores: np.ndarray, generated: np.ndarray) -> float:
    """Return the mean of the shares of real and of generated samples (samples,) that lie on their side of zero."""
    return float(np.sum(even_weights(generated) * ((scores > 0) == generated)))


def platt(scores: np.ndarray, generated: np.ndarray) -> tuple[float, float]:
    """Return a > 0 and c for which s(a z + c) is the probability of being generated, half of all samples being so.

    They lower the cross-entropy of scores z against targets that are not quite certain: (n + 1) / (n + 2) for the n
    generated ones, and 1 / (m + 2) for the m real ones.

    Source: Platt, Probabilistic outputs for support vector machines (1999), section 2.2.

    Args:
        scores: z (samples,).
        generated: whether each is (samples,).
    """
    count = int(generated.sum())
    targets = np.where(generated, (count + 1) / (count + 2), 1 / (len(generated) - count + 2))
    weights = even_weights(generated)

    def cost(numbers: np.ndarray) -> float:
        logits = np.exp(numbers[0]) * scores + numbers[1]
        return float(np.sum(weights * (np.logaddexp(0, logits) - targets * logits)))

    slope, offset = minimize(cost, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10}).x
    return _rounded(np.exp(slope)), _rounded(offset)


def _rounded(number: float) -> float:
    """Return four digits of a number: scores differ in their last bits between processors, and these should not."""
    return float(f"{number:.4g}")


def reliability(logits: np.ndarray, generated: np.ndarray) -> Reliability:
    """Compare the probability of each answer with how often such answers are right, were half of them generated.

    Args:
        logits: calibrated (samples,).
        generated: whether each is (samples,).

    >>> sure = reliability(np.array([9.0, 9.0, -9.0, -9.0]), np.array([True, True, False, False]))
    >>> sure.accuracy.tolist(), round(sure.error, 3)
    ([1.0], 0.0)
    """
    likely = 1 / (1 + np.exp(-np.abs(logits)))
    right = (logits > 0) == generated
    weights = even_weights(generated)
    interval = np.minimum((likely * BINS).astype(int), BINS - 1)
    sums = [np.bincount(interval, weights * values, BINS) for values in (likely, right, np.ones(len(right)))]
    filled = sums[2] > CERTAIN
    return Reliability(sums[0][filled] / sums[2][filled], sums[1][filled] / sums[2][filled], sums[2][filled])
