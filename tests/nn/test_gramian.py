"""Angular fields against their definition, moment by moment."""

import math

import pytest
import torch

from ganglion.nn import GramianFields


def by_definition(series: list[float], size: int) -> tuple[list[list[float]], list[list[float]]]:
    """Return summation and difference field of one series, by loops over arccos, cos and sin."""
    piece = len(series) // size
    means = [sum(series[i * piece : (i + 1) * piece]) / piece for i in range(size)]
    low, high = min(means), max(means)
    angles = [math.acos(min(1.0, max(-1.0, (2 * m - high - low) / (high - low)))) for m in means]
    summation = [[math.cos(a + b) for b in angles] for a in angles]
    difference = [[math.sin(a - b) for b in angles] for a in angles]
    return summation, difference


@pytest.mark.parametrize(("steps", "size"), [(8, 8), (24, 8), (20, 5)])
def test_fields_are_cosines_and_sines_of_angles(steps: int, size: int) -> None:
    torch.manual_seed(0)
    series = torch.randn(3, steps, 2, dtype=torch.float64) * 7 + 100
    fields = GramianFields(size)(series)
    assert fields.shape == (3, 4, size, size)
    for sample in range(3):
        for channel in range(2):
            summation, difference = by_definition(series[sample, :, channel].tolist(), size)
            torch.testing.assert_close(fields[sample, channel], torch.tensor(summation, dtype=torch.float64))
            torch.testing.assert_close(fields[sample, 2 + channel], torch.tensor(difference, dtype=torch.float64))


def test_the_diagonal_holds_the_series_and_scale_does_not_matter() -> None:
    series = torch.randn(2, 12, 1, dtype=torch.float64)
    layer = GramianFields(12)
    fields = layer(series)
    scaled = 2 * (series - series.amin(1, True)) / (series.amax(1, True) - series.amin(1, True)) - 1
    torch.testing.assert_close(fields[:, 0].diagonal(dim1=1, dim2=2), 2 * scaled[..., 0] ** 2 - 1)
    torch.testing.assert_close(fields[:, 1], -fields[:, 1].mT)
    torch.testing.assert_close(fields, layer(5 * series - 3))


def test_a_series_that_does_not_change_has_fields_of_numbers() -> None:
    fields = GramianFields(4)(torch.full((1, 8, 1), 3.0))
    torch.testing.assert_close(fields[0, 0], torch.full((4, 4), -1.0))
    torch.testing.assert_close(fields[0, 1], torch.zeros(4, 4))
