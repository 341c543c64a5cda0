"""What is learnt from proposed boxes: which are sampled, what they should say, and the loss of both."""

import pytest
import torch
from torch import Tensor, nn

from ganglion.nn.images.boxes import offsets
from ganglion.rules.descend import Descent
from ganglion.rules.detection import DEVIATIONS, Detection, Sample, Sampling, detection_loss, sampled

NONE = [-1.0] * 5


def batch() -> tuple[Tensor, Tensor]:
    """One image with two objects: boxes on them, beside them, far from them, and places that hold no box."""
    objects = torch.tensor([[[0.0, 0, 10, 10, 2], [20.0, 20, 30, 40, 0], NONE]])
    on = [[0.0, 0, 10, 8, 0], [1.0, 1, 11, 11, 0], [20.0, 20, 30, 39, 0]]
    beside = [[0.0, 0, 10, 30, 0], [5.0, 0, 25, 10, 0]]
    far = [[50.0, 50, 60, 60, 0]] * 6
    return torch.tensor([[*on, *beside, *far, NONE, NONE]]), objects


def test_a_quarter_shows_something_and_hard_ones_come_first() -> None:
    boxes, objects = batch()
    sampling = Sampling(boxes=8, share=0.25)
    for seed in range(20):
        chance = torch.rand(boxes.shape[:2], generator=torch.Generator().manual_seed(seed))
        sample = sampled(boxes, objects, chance, sampling)
        counted = sample.counts[0] > 0
        assert int(counted.sum()) == 8
        classes = sample.classes[0][counted]
        assert int((classes > 0).sum()) == 2 and set(classes[classes > 0].tolist()) <= {1, 3}
        background = sample.boxes[0][counted][classes == 0].tolist()
        assert [0.0, 0.0, 10.0, 30.0] in background and [5.0, 0.0, 25.0, 10.0] in background
        for box, number, by in zip(*(part[0] for part in sample[:3]), strict=True):
            there = objects[0, {1: 1, 3: 0}.get(int(number), 2), :4]
            expected = offsets(box, there) / torch.tensor(DEVIATIONS) if number else torch.zeros(4)
            torch.testing.assert_close(by, expected)


def test_what_is_too_few_is_filled_up_and_does_not_count() -> None:
    boxes, objects = batch()
    chance = torch.rand(boxes.shape[:2])
    sample = sampled(boxes[:, 3:], objects, chance[:, 3:], Sampling(boxes=8))
    assert float(sample.counts.sum()) == 8 and not sample.classes[sample.counts > 0].any()
    few = sampled(boxes[:, :2], objects, chance[:, :2], Sampling(boxes=64))
    assert int(few.counts.sum()) == 2 and few.classes[few.counts > 0].tolist() == [3, 3]
    nothing = sampled(boxes, objects[:, :0], chance, Sampling(boxes=8))
    assert int(nothing.counts.sum()) == 8 and not nothing.classes.any()
    empty = sampled(boxes[:, -2:], objects, chance[:, -2:], Sampling(boxes=8))
    assert not empty.counts.any()


def test_the_loss_is_the_published_one_box_by_box() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, moves = torch.randn(2, 5, 4, generator=generator), torch.randn(2, 5, 4, 4, generator=generator)
    classes = torch.tensor([[0, 3, 1, 0, 2], [1, 0, 0, 2, 0]])
    targets, counts = torch.randn(2, 5, 4, generator=generator) * 2, torch.ones(2, 5)
    counts[1, 3:] = 0
    found = detection_loss(logits, moves, Sample(torch.zeros(2, 5, 4), classes, targets, counts))
    said, off = 0.0, 0.0
    for image in range(2):
        for box in range(5):
            if not counts[image, box]:
                continue
            number = int(classes[image, box])
            said -= float(logits[image, box].log_softmax(0)[number])
            for one, other in zip(moves[image, box, number].tolist(), targets[image, box].tolist(), strict=True):
                distance = abs(one - other)
                off += (distance**2 / 2 if distance < 1 else distance - 0.5) if number else 0
    assert float(found["class_loss"]) == pytest.approx(said / 8, rel=1e-5)
    assert float(found["box_loss"]) == pytest.approx(off / 8, rel=1e-5)
    assert float(found["loss"]) == pytest.approx((said + off) / 8, rel=1e-5)


class Looks(nn.Module):
    """A network that sees how bright the middle of each box is."""

    def __init__(self) -> None:
        super().__init__()
        self.classes, self.offsets = nn.Linear(5, 3), nn.Linear(5, 12)

    def forward(self, images: Tensor, boxes: Tensor) -> Tensor:
        middle = ((boxes[..., :2] + boxes[..., 2:]) / 2).long().clamp(0, images.shape[2] - 1)
        places = middle[..., 1] * images.shape[3] + middle[..., 0]
        bright = images.flatten(1).gather(1, places)
        seen = torch.cat([bright[..., None], boxes / 20], dim=2)
        return torch.cat([self.classes(seen).unsqueeze(3), self.offsets(seen).unflatten(2, (-1, 4))], dim=3)


def test_it_learns_what_bright_boxes_are() -> None:
    torch.manual_seed(0)
    images = torch.zeros(1, 1, 40, 40)
    images[0, 0, :15, :15], images[0, 0, 20:40, 18:32] = 1.0, -1.0
    boxes, objects = batch()
    objects[0, 0, 4] = 1
    rule = Detection(Looks(), Descent(learning_rate=0.05), Sampling(boxes=8))
    inputs = {"inputs": images, "proposals": boxes, "targets": objects}
    losses = [float(rule.step(inputs)["loss"]) for _ in range(150)]
    assert sum(losses[-10:]) < 0.3 * sum(losses[:10])
    logits = rule.home(images, boxes[..., :4])[..., 0]
    assert logits[0, [0, 2, 5]].argmax(1).tolist() == [2, 1, 0]
