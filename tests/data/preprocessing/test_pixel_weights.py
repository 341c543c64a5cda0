"""Weights between touching cells, against distances to every pixel of every cell."""

import numpy as np
import pytest
import torch

from ganglion.data.fields import UNJUDGED
from ganglion.data.preprocessing.masks import MaskPreprocessing
from ganglion.data.preprocessing.pixel_weights import PixelWeights, connected


def by_hand(mask: np.ndarray, by_class: tuple[float, ...], most: float, deviation: float) -> np.ndarray:
    objects, weights = connected(mask), np.empty(mask.shape)
    for place in np.ndindex(mask.shape):
        weights[place] = by_class[mask[place]]
        if mask[place]:
            continue
        distances = sorted(
            min(float(np.hypot(*np.subtract(place, pixel))) for pixel in np.argwhere(objects == number))
            for number in range(1, objects.max() + 1)
        )
        if len(distances) > 1:
            weights[place] += most * np.exp(-(sum(distances[:2]) ** 2) / (2 * deviation**2))
    return weights


def prepared(classes: int, size: tuple[int, int], **options: float) -> PixelWeights:
    masks = MaskPreprocessing(image_size=size, num_classes=classes)
    weights = tuple(1.0 + number for number in range(classes))
    return PixelWeights(
        masks=masks, class_weights=weights, **{"border_weight": 10.0, "border_distance": 2.0, **options}
    )


@pytest.mark.parametrize("seed", range(3))
def test_weights_are_the_equation(seed: int) -> None:
    mask = (np.random.default_rng(seed).random((14, 17)) < 0.25).astype(np.uint8)
    mask[3:6, 3:7] = 2
    expected = by_hand(mask, (1.0, 2.0, 3.0), 10.0, 2.0)
    found = prepared(3, mask.shape)(mask[None])[0]
    np.testing.assert_allclose(found.numpy(), expected, atol=10 * np.exp(-8))
    assert found.dtype == torch.float32


def test_one_cell_touches_nothing_and_what_is_not_judged_breaks_nothing() -> None:
    mask = np.zeros((8, 8), np.int16)
    mask[2:4, 2:4], mask[7] = 1, UNJUDGED
    assert prepared(2, (8, 8))(mask[None])[0].unique().tolist() == [1, 2]
    assert prepared(2, (8, 8))(np.zeros((0, 8, 8), np.uint8)).shape == (0, 8, 8)


def test_weights_follow_the_size_of_the_masks() -> None:
    mask = np.zeros((2, 12, 12), np.uint8)
    mask[:, :, :5], mask[:, :, 7:] = 1, 1
    assert prepared(2, (6, 6), border_weight=0.0)(mask).shape == (2, 6, 6)
    assert float(prepared(2, (6, 6))(list(mask))[0, 0, 3]) == pytest.approx(2.0)
    assert float(prepared(2, (12, 12))(mask)[0, 0, 5]) == pytest.approx(1 + 10 * np.exp(-9 / 8), rel=1e-5)


def test_objects_touch_at_sides_not_at_corners() -> None:
    assert connected(np.array([[1, 0], [0, 1]])).tolist() == [[1, 0], [0, 2]]
