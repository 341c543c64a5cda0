"""Boxes: overlaps by counting pixels, offsets there and back, and suppression step by step."""

import numpy as np
import pytest
import torch

from ganglion.nn.images.boxes import kept, moved, offsets, overlaps
from ganglion.tasks.measures.detections import overlap


def whole(generator: torch.Generator, count: int) -> torch.Tensor:
    points = torch.randint(0, 20, (count, 2, 2), generator=generator)
    return torch.cat([points.amin(1), points.amax(1) + 1], dim=1).float()


def test_overlaps_count_pixels() -> None:
    boxes = whole(torch.Generator().manual_seed(0), 30)
    pages = np.zeros((30, 22, 22), dtype=bool)
    for page, (left, top, right, bottom) in zip(pages, boxes.int().tolist(), strict=True):
        page[top:bottom, left:right] = True
    flat = pages.reshape(30, -1)
    shared = (flat[:, None] & flat[None]).sum(-1) / (flat[:, None] | flat[None]).sum(-1)
    np.testing.assert_allclose(overlaps(boxes, boxes).numpy(), shared, rtol=1e-6)
    np.testing.assert_allclose(overlap(boxes.numpy(), boxes.numpy()), shared, rtol=1e-12)


def test_offsets_bring_boxes_where_they_should_be() -> None:
    generator = torch.Generator().manual_seed(1)
    boxes, targets = whole(generator, 50), whole(generator, 50)
    torch.testing.assert_close(moved(boxes, offsets(boxes, targets)), targets, atol=1e-4, rtol=1e-4)
    assert torch.equal(offsets(boxes, boxes), torch.zeros(50, 4))


@pytest.mark.parametrize("most", [0.0, 0.3, 0.7])
def test_suppression_keeps_the_surest_and_what_is_apart_from_it(most: float) -> None:
    generator = torch.Generator().manual_seed(2)
    boxes, scores = whole(generator, 60), torch.rand(60, generator=generator)
    left, expected = set(range(60)), []
    while left:
        best = max(left, key=lambda place: float(scores[place]))
        expected.append(best)
        left = {place for place in left - {best} if float(overlaps(boxes[[best]], boxes[[place]])) <= most}
    assert kept(boxes, scores, most).tolist() == expected
    assert kept(boxes[:0], scores[:0], most).tolist() == []
