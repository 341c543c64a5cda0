"""Bands: their margins against a second computation, and their promise kept on exchangeable noise."""

import numpy as np
import pytest
import torch

from ganglion.tasks.measures.bands import bands, least_count, margins, promised, widened

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def by_numpy(levels: np.ndarray, truth: np.ndarray, low: int, high: int, share: float) -> float:
    """The (1 - alpha)(1 + 1/n) quantile of the scores, value by value and by numpy's definition of a quantile."""
    known = [row for row in range(len(truth)) if np.isfinite(truth[row])]
    scores = [max(levels[row, low] - truth[row], truth[row] - levels[row, high]) for row in known]
    return float(np.quantile(scores, share * (1 + 1 / len(scores)), method="inverted_cdf"))


@pytest.mark.parametrize("count", [19, 20, 57, 200])
def test_margins_are_those_of_the_formula(count: int) -> None:
    random = np.random.default_rng(count)
    levels = np.sort(random.normal(size=(count, 3, 2, 5)), axis=-1)
    truth = random.normal(size=(count, 3, 2))
    found = margins(levels, truth, QUANTILES)
    assert found.shape == (3, 2, 2)
    for step in range(3):
        for column in range(2):
            for number, (low, high) in enumerate([(0, 4), (1, 3)]):
                share = (0.9, 0.5)[number]
                expected = by_numpy(levels[:, step, column], truth[:, step, column], low, high, share)
                assert found[step, column, number] == expected


def test_what_nobody_knows_is_left_out_and_too_little_promises_nothing() -> None:
    random = np.random.default_rng(0)
    levels, truth = np.sort(random.normal(size=(30, 5)), axis=-1), random.normal(size=30)
    truth[[3, 7]] = np.nan
    known = np.isfinite(truth)
    np.testing.assert_array_equal(margins(levels, truth, QUANTILES), margins(levels[known], truth[known], QUANTILES))
    short = margins(levels[:8], random.normal(size=8), QUANTILES)
    assert short[0] == 0 != short[1]
    assert [least_count(promised(QUANTILES, band)) for band in bands(QUANTILES)] == [9, 1]


@pytest.mark.parametrize("width", [0.1, 4.0])
@pytest.mark.parametrize("count", [9, 40])
def test_promises_are_kept_on_exchangeable_noise(count: int, width: float) -> None:
    """Whatever the band was, too narrow or too wide: of values like the held-out ones 80 percent lie in it."""
    random, trials = np.random.default_rng(0), 20_000
    quantiles, noise = (0.1, 0.5, 0.9), random.exponential(size=(count + 1, trials))
    levels = np.broadcast_to([1 - width, 1.0, 1 + width], (count, trials, 3))
    wide = margins(levels, noise[:-1], quantiles)[:, 0]
    held = np.mean(np.maximum(1 - width - noise[-1], noise[-1] - 1 - width) <= wide)
    expected = np.ceil((count + 1) * 0.8) / (count + 1)
    assert abs(held - expected) < 4 * np.sqrt(expected * (1 - expected) / trials)


def test_widened_bands_hold_the_median_and_each_other() -> None:
    levels = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 3.5, 3.0, 2.0, 5.0]])
    out = widened(levels, torch.tensor([0.5, -0.5]), QUANTILES)
    assert out.tolist() == [[0.5, 2.5, 3.0, 3.5, 5.5], [0.5, 3.0, 3.0, 3.0, 5.5]]
    shrunk = widened(levels[:1], torch.tensor([-9.0, 0.0]), QUANTILES)
    assert shrunk.tolist() == [[2.0, 2.0, 3.0, 4.0, 4.0]]
    assert (levels[0] == torch.arange(1.0, 6.0)).all()


def test_a_median_at_the_edge_has_no_band() -> None:
    levels = torch.randn(4, 2)
    assert bands((0.1, 0.5)) == [] and torch.equal(widened(levels, torch.zeros(0), (0.1, 0.5)), levels)
