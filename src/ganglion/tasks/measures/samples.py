"""How much generated samples resemble real ones, measured without any pretrained network.

What is needed of scipy and scikit-learn is imported where it is used: both take as long as torch, and every run loads
this.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ganglion.core import Measure

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

FRECHET_DISTANCE = Measure(
    name="frechet_distance",
    higher_is_better=False,
    meaning="How far means and covariances of generated samples are from those of real ones; 0 is perfect.",
)
DENSITY = Measure(
    name="density",
    higher_is_better=True,
    meaning="How close generated samples are to real ones; about 1 for real ones among themselves.",
)
COVERAGE = Measure(
    name="coverage",
    higher_is_better=True,
    meaning="Share of the real samples with a generated one nearby.",
)
SLICED_WASSERSTEIN = Measure(
    name="sliced_wasserstein",
    higher_is_better=False,
    meaning="Work of moving generated samples onto real ones along one line, the mean of many lines.",
)
MODES = Measure(
    name="modes",
    higher_is_better=True,
    meaning="Classes of the data that generated samples reach, each with a tenth of its share at least.",
)
QUALITY = Measure(
    name="quality",
    higher_is_better=True,
    meaning="Share of the generated samples that lie within some class of the data.",
)
MEASURES = (FRECHET_DISTANCE, DENSITY, COVERAGE)

COMPONENTS = 32
"""Principal components that samples are compared in: enough to see shapes, few enough for a small reference set."""
LINES = 128
"""Directions that samples are projected on."""
NEIGHBOURS = 5
"""Which nearest neighbour bounds the ball around a real sample; the value recommended by Naeem et al."""


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Return the squared Fréchet distance of the normal distributions fitted to two sets `(samples, features)`.

    d^2 = |m_1 - m_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^{1/2})

    It compares means and covariances and nothing else. Source: Heusel et al. 2017, equation 6, whose features come
    from a network trained on photographs; here the caller chooses them.

    >>> points = np.random.default_rng(0).normal(size=(1000, 3))
    >>> round(frechet_distance(points, points + 2.0), 6)  # equal covariances: the squared distance of the means
    12.0
    """
    difference = first.mean(axis=0) - second.mean(axis=0)
    c_1, c_2 = (np.atleast_2d(np.cov(samples, rowvar=False)) for samples in (first, second))
    values, vectors = np.linalg.eigh(c_1)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    # (C_1 C_2)^{1/2} has the trace of the symmetric (R C_2 R)^{1/2}, R = C_1^{1/2}, whose eigenvalues are real
    overlap = np.sqrt(np.linalg.eigvalsh(root @ c_2 @ root).clip(0)).sum()
    return float(max(0.0, difference @ difference + np.trace(c_1) + np.trace(c_2) - 2 * overlap))


def density_and_coverage(real: np.ndarray, generated: np.ndarray, neighbours: int = NEIGHBOURS) -> tuple[float, float]:
    """Return how densely generated samples lie among real ones, and the share of real ones that they cover.

    Around every real sample lies a ball that reaches to its k-th nearest real neighbour. Density counts the balls that
    an average generated sample lies in, divided by k: near 1 for a perfect generator, near 0 for samples unlike any
    real one. Coverage is the share of balls with a generated sample inside: near 1 - 2^-k for a perfect generator
    that gave as many samples as there are real ones, near 0 for a collapsed one. Source: Naeem et al. 2020, section 3.

    Args:
        real, generated: (samples, features).
        neighbours: k.
    """
    k = min(neighbours, len(real) - 1)
    radii = np.partition(_distances(real), k, axis=1)[:, k, None]  # the 0-th neighbour is the sample itself
    inside = _distances(real, generated) < radii  # (real, generated)
    return float(inside.sum(axis=0).mean() / k), float(inside.any(axis=1).mean())


def kernel_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """Return the unbiased squared distance of the mean embeddings of two sets, by the kernel (x y / d + 1)^3.

    MMD^2 = E k(x, x') + E k(y, y') - 2 E k(x, y), x and x' different samples; it may fall below 0 for equal
    distributions. Source: Bińkowski et al. 2018, Demystifying MMD GANs, section 4; here the caller chooses features.

    Args:
        real, generated: (samples, features).

    >>> round(kernel_distance(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]])), 6)  # 1 + 8 - 2
    7.0
    """

    def kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        values: np.ndarray = (first @ second.T / first.shape[1] + 1) ** 3
        return values

    def among(samples: np.ndarray) -> float:
        values, count = kernel(samples, samples), len(samples)
        return float((values.sum() - np.trace(values)) / (count * (count - 1)))

    return among(real) + among(generated) - 2 * float(kernel(real, generated).mean())


def precision_and_recall(real: np.ndarray, generated: np.ndarray, neighbours: int = 3) -> tuple[float, float]:
    """Return the share of generated samples within reach of a real one, and of real ones within reach of a generated.

    Within reach is nearer than the sample's k-th neighbour of its own kind. Precision says how good samples are, recall
    how much of the data they show. Source: Kynkäänniemi et al. 2019, section 2.

    Args:
        real, generated: (samples, features).
        neighbours: k.
    """
    between = _distances(real, generated)

    def radii(samples: np.ndarray) -> np.ndarray:
        k = min(neighbours, len(samples) - 1)
        return np.partition(_distances(samples), k, axis=1)[:, k]

    precision = (between <= radii(real)[:, None]).any(axis=0).mean()
    return float(precision), float((between <= radii(generated)[None]).any(axis=1).mean())


def sliced_wasserstein(real: np.ndarray, generated: np.ndarray, lines: int = LINES, seed: int = 0) -> float:
    """Return the mean over lines u of the distance W_1 of the projections x u and y u, in the samples' units.

    W_1 is the mean difference of the sorted projections; sets of different sizes are compared by their quantiles.
    Source: Rabin et al. 2011, Wasserstein barycenter and its application to texture mixing, equation 8.

    Args:
        real, generated: (samples, features).
        lines: directions, uniform on the sphere, the same for a seed.

    >>> points = np.random.default_rng(0).normal(size=(500, 1))
    >>> round(sliced_wasserstein(points, points + 2.0), 6)
    2.0
    """
    directions = np.random.default_rng(seed).normal(size=(real.shape[1], lines))
    directions /= np.linalg.norm(directions, axis=0)
    shares = (np.arange(max(len(real), len(generated))) + 0.5) / max(len(real), len(generated))
    sorted_ = (np.quantile(part @ directions, shares, axis=0, method="hazen") for part in (real, generated))
    first, second = sorted_
    return float(np.abs(first - second).mean())


def modes_and_quality(samples: np.ndarray, classes: np.ndarray, generated: np.ndarray) -> tuple[float, float]:
    """Return how many classes generated samples reach, and the share of these samples that lie within one.

    A class is a ball around the mean of its samples. Its radius is three deviations in two dimensions, and in others
    what holds the same share of a round normal distribution. A sample belongs to the class with the nearest mean. A
    class counts as reached when at least a tenth of its share of the generated samples lies within its ball: one
    stray sample is no mode. Source: Srivastava et al. 2017, VEEGAN, section 4.1, where one sample is enough.

    Args:
        samples: real ones (samples, features).
        classes: their numbers (samples,).
        generated: (samples, features).
    """
    numbers, counts = np.unique(classes, return_counts=True)
    means = np.stack([samples[classes == number].mean(axis=0) for number in numbers])
    deviations = np.array([np.sqrt(samples[classes == number].var(axis=0).mean()) for number in numbers])
    from scipy.stats import chi2

    distances = _distances(generated, means)
    nearest = distances.argmin(axis=1)
    reach = np.sqrt(chi2.ppf(chi2.cdf(9.0, 2), samples.shape[1]))
    inside = distances.min(axis=1) <= reach * deviations[nearest]
    found = np.bincount(nearest[inside], minlength=len(numbers))
    return float((found >= np.maximum(1, 0.1 * counts / counts.sum() * len(generated))).sum()), float(inside.mean())


@dataclass(frozen=True)
class SampleQuality:
    """Compares samples in the principal components of a training set."""

    components: "PCA"

    @classmethod
    def fit(cls, samples: np.ndarray) -> "SampleQuality":
        """Find the components of samples, (samples, ...), whose axes after the first are flattened."""
        from sklearn.decomposition import PCA

        flat = samples.reshape(len(samples), -1)
        return cls(PCA(min(COMPONENTS, *flat.shape), random_state=0).fit(flat))

    def compare(self, real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
        """Return Fréchet distance, density and coverage of generated samples against real ones, (samples, ...)."""
        real, generated = (self.components.transform(part.reshape(len(part), -1)) for part in (real, generated))
        density, coverage = density_and_coverage(real, generated[: len(real)])
        return {"frechet_distance": frechet_distance(real, generated), "density": density, "coverage": coverage}


def _distances(samples: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Return the distance of each of samples (samples, features) from each of others, or from each of themselves."""
    from sklearn.metrics import pairwise_distances

    found: np.ndarray = pairwise_distances(samples, others)
    return found
