"""Proposals: what differs from its surroundings is covered, wherever and however large it is."""

import numpy as np
import pytest

from ganglion.data.fields import Boxes
from ganglion.data.proposals import METHODS, blobs, proposed
from ganglion.data.sources.generators import generate
from ganglion.tasks.measures.detections import overlap, proposal_recall


@pytest.mark.parametrize("method", METHODS)
def test_drawn_shapes_are_covered(method: str) -> None:
    if method != "blobs":
        pytest.importorskip("skimage")
    data = generate("shapes", count=12)
    truth = data.fields["boxes"].values
    found = proposed(data.inputs, method, 300)  # type: ignore[arg-type]
    assert found.kind == "boxes" and len(found) == 12
    recall = proposal_recall(found.values, truth, 3)  # type: ignore[arg-type]
    assert np.nanmin(recall) >= 0.9
    assert all(len(one.corners) <= 300 and one.image_size == (64, 64) for one in found.values)


@pytest.mark.parametrize("radius", [5, 9, 16, 30])
@pytest.mark.parametrize("bright", [0.2, 0.8])
def test_a_disc_is_among_the_clearest_blobs(radius: int, bright: float) -> None:
    down, across = np.mgrid[0:96, 0:128]
    image = np.where((down - 40) ** 2 + (across - 70) ** 2 <= radius**2, bright, 0.5).astype(np.float32)[..., None]
    disc = np.array([[70 - radius, 40 - radius, 71 + radius, 41 + radius]])
    assert overlap(disc, blobs(image)[:60]).max() > 0.7


def test_large_pictures_are_looked_at_smaller_and_answered_at_their_size() -> None:
    image = np.zeros((900, 1000, 1), np.uint8)
    image[300:420, 500:640] = 255
    (found,) = proposed([image], "blobs", 50).values
    assert isinstance(found, Boxes) and found.image_size == (900, 1000)
    assert overlap(np.array([[500, 300, 640, 420]]), found.corners).max() > 0.6
    assert (found.corners[:, :2] + 1 <= found.corners[:, 2:]).all()


def test_a_blank_picture_has_none() -> None:
    (found,) = proposed([np.zeros((20, 20, 3), np.uint8)], "blobs", 50).values
    assert len(found.corners) == 0
