"""Fréchet distance, density and coverage against closed forms, scipy and the definition written out."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.stats import wasserstein_distance

from ganglion.tasks.measures.samples import (
    density_and_coverage,
    frechet_distance,
    kernel_distance,
    modes_and_quality,
    precision_and_recall,
    sliced_wasserstein,
)

RANDOM = np.random.default_rng(0)


def correlated(count: int, features: int, shift: float = 0.0) -> np.ndarray:
    return RANDOM.normal(size=(count, features)) @ RANDOM.normal(size=(features, features)) + shift


def test_frechet_distance_is_the_formula_with_a_matrix_square_root() -> None:
    first, second = correlated(200, 6), correlated(300, 6, shift=1.5)
    c_1, c_2 = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    difference = first.mean(axis=0) - second.mean(axis=0)
    expected = difference @ difference + np.trace(c_1 + c_2 - 2 * sqrtm(c_1 @ c_2).real)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-8)


def test_frechet_distance_in_one_dimension_is_that_of_mean_and_deviation() -> None:
    first, second = RANDOM.normal(1, 2, (500, 1)), RANDOM.normal(4, 5, (400, 1))
    expected = (first.mean() - second.mean()) ** 2 + (first.std(ddof=1) - second.std(ddof=1)) ** 2
    assert frechet_distance(first, second) == pytest.approx(expected)


def test_frechet_distance_of_a_set_to_itself_is_nothing_even_when_its_covariance_is_singular() -> None:
    flat = np.repeat(RANDOM.normal(size=(50, 1)), 4, axis=1)
    assert frechet_distance(flat, flat) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(np.zeros((5, 4)), np.zeros((5, 4))) == 0


def test_density_and_coverage_are_their_definitions() -> None:
    real, generated, k = RANDOM.normal(size=(40, 3)), RANDOM.normal(0.5, 1, (30, 3)), 4
    inside = np.zeros((40, 30), dtype=bool)
    for i in range(40):
        radius = sorted(np.linalg.norm(real[i] - other) for j, other in enumerate(real) if j != i)[k - 1]
        inside[i] = [np.linalg.norm(real[i] - sample) < radius for sample in generated]
    density, coverage = density_and_coverage(real, generated, neighbours=k)
    assert density == pytest.approx(inside.sum() / (k * 30))
    assert coverage == pytest.approx(inside.any(axis=1).mean())


def test_equal_distributions_are_covered_as_the_theory_says() -> None:
    """Naeem et al. 2020: density 1 and, with as many samples of each, a coverage of about 1 - 2^-k."""
    density, coverage = np.mean(
        [density_and_coverage(RANDOM.normal(size=(300, 5)), RANDOM.normal(size=(300, 5)), 3) for _ in range(20)], axis=0
    )
    assert density == pytest.approx(1, abs=0.05)
    assert coverage == pytest.approx(1 - 2**-3, abs=0.02)


def test_copies_of_one_sample_cover_nothing() -> None:
    real = RANDOM.normal(size=(100, 5))
    density, coverage = density_and_coverage(real, np.repeat(real[:1], 100, axis=0))
    assert coverage < 0.2 < density


def test_sliced_wasserstein_is_that_of_scipy_on_each_line() -> None:
    first, second = correlated(200, 3), correlated(200, 3, shift=0.7)
    directions = np.random.default_rng(4).normal(size=(3, 10))
    directions /= np.linalg.norm(directions, axis=0)
    expected = np.mean([wasserstein_distance(first @ line, second @ line) for line in directions.T])
    assert sliced_wasserstein(first, second, lines=10, seed=4) == pytest.approx(expected)


def test_sliced_wasserstein_of_sets_of_different_sizes_is_near_that_of_equal_ones() -> None:
    first, second = RANDOM.normal(size=(1500, 2)), RANDOM.normal(1, 1, (1000, 2))
    assert sliced_wasserstein(first, second) == pytest.approx(sliced_wasserstein(first[:1000], second), rel=0.1)


@pytest.mark.parametrize("features", [1, 2, 5])
def test_modes_and_quality_of_draws_from_the_same_clouds(features: int) -> None:
    centres, modes = 10.0 * np.arange(6)[:, None], np.arange(6000) % 6
    samples = centres[modes] + RANDOM.normal(size=(6000, features))
    drawn = centres[modes[:3000]] + RANDOM.normal(size=(3000, features))
    reached, quality = modes_and_quality(samples, modes, drawn)
    assert reached == 6 and quality == pytest.approx(0.989, abs=0.01)  # what three deviations hold in two dimensions
    stray = np.concatenate([drawn[modes[:3000] < 4], drawn[modes[:3000] == 4][:1]])
    assert modes_and_quality(samples, modes, stray)[0] == 4
    assert modes_and_quality(samples, modes, drawn + 5)[1] < 0.05


def test_kernel_distance_is_its_definition_and_nothing_for_equal_distributions() -> None:
    first, second = RANDOM.normal(size=(20, 3)), RANDOM.normal(1, 1, (30, 3))

    def mean(a: np.ndarray, b: np.ndarray, same: bool) -> float:
        values = [(x @ y / 3 + 1) ** 3 for i, x in enumerate(a) for j, y in enumerate(b) if not (same and i == j)]
        return float(np.mean(values))

    expected = mean(first, first, True) + mean(second, second, True) - 2 * mean(first, second, False)
    assert kernel_distance(first, second) == pytest.approx(expected)
    equal = [kernel_distance(RANDOM.normal(size=(300, 4)), RANDOM.normal(size=(300, 4))) for _ in range(40)]
    assert abs(np.mean(equal)) < 3 * np.std(equal) / np.sqrt(40)  # unbiased


def test_precision_and_recall_are_their_definitions() -> None:
    real, generated, k = RANDOM.normal(size=(25, 2)), RANDOM.normal(0.8, 0.5, (35, 2)), 3

    def within(points: np.ndarray, others: np.ndarray) -> float:
        def reach(i: int) -> float:
            return float(sorted(np.linalg.norm(others[i] - one) for one in others)[k])

        hits = [any(np.linalg.norm(p - o) <= reach(i) for i, o in enumerate(others)) for p in points]
        return float(np.mean(hits))

    assert precision_and_recall(real, generated, k) == pytest.approx((within(generated, real), within(real, generated)))


def test_one_sample_again_and_again_is_precise_and_recalls_little() -> None:
    real = RANDOM.normal(size=(100, 4))
    precision, recall = precision_and_recall(real, np.repeat(real[:1], 100, axis=0))
    assert precision == 1 and recall < 0.05
