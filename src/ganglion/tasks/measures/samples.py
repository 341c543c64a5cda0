"""How much generated samples resemble real ones, measured without any pretrained network."""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances

from ganglion.core import Measure

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
MEASURES = (FRECHET_DISTANCE, DENSITY, COVERAGE)

COMPONENTS = 32
"""Principal components that samples are compared in: enough to see shapes, few enough for a small reference set."""
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
    radii = np.partition(pairwise_distances(real), k, axis=1)[:, k, None]  # the 0-th neighbour is the sample itself
    inside = pairwise_distances(real, generated) < radii  # (real, generated)
    return float(inside.sum(axis=0).mean() / k), float(inside.any(axis=1).mean())


@dataclass(frozen=True)
class SampleQuality:
    """Compares samples in the principal components of a training set."""

    components: PCA

    @classmethod
    def fit(cls, samples: np.ndarray) -> "SampleQuality":
        """Find the components of samples, (samples, ...), whose axes after the first are flattened."""
        flat = samples.reshape(len(samples), -1)
        return cls(PCA(min(COMPONENTS, *flat.shape), random_state=0).fit(flat))

    def compare(self, real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
        """Return Fréchet distance, density and coverage of generated samples against real ones, (samples, ...)."""
        real, generated = (self.components.transform(part.reshape(len(part), -1)) for part in (real, generated))
        density, coverage = density_and_coverage(real, generated[: len(real)])
        return {"frechet_distance": frechet_distance(real, generated), "density": density, "coverage": coverage}
