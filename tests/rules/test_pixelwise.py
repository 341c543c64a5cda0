"""The loss of pixels: against torch pixel by pixel, with weights, pixels of no class and answers smaller than masks."""

import pytest
import torch
from torch import nn

from ganglion.errors import ShapeError
from ganglion.rules.descend import Descent
from ganglion.rules.pixelwise import Pixelwise, weighted_cross_entropy
from ganglion.rules.recurrent.sequences import UNJUDGED


@pytest.fixture
def answer() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits (2, 3, 4, 6), masks (2, 8, 10) that reach two pixels further, and weights of these."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 6, generator=generator)
    targets = torch.randint(0, 3, (2, 8, 10), generator=generator)
    targets[:, 3, 3:5] = UNJUDGED
    return logits, targets, torch.rand(2, 8, 10, generator=generator)


def by_hand(logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor) -> float:
    total, judged = 0.0, 0
    for sample in range(2):
        for row in range(4):
            for column in range(6):
                target = int(targets[sample, row + 2, column + 2])
                if target != UNJUDGED:
                    probability = logits[sample, :, row, column].softmax(0)[target]
                    total -= float(weights[sample, row + 2, column + 2] * probability.log())
                    judged += 1
    return total / judged


def test_every_pixel_counts_as_its_weight_says(answer: tuple[torch.Tensor, ...]) -> None:
    logits, targets, weights = answer
    assert float(weighted_cross_entropy(logits, targets, weights)) == pytest.approx(by_hand(logits, targets, weights))
    alike = float(weighted_cross_entropy(logits, targets))
    assert alike == pytest.approx(by_hand(logits, targets, torch.ones_like(weights)))
    middle = targets[:, 2:6, 2:8]
    assert alike == pytest.approx(float(nn.functional.cross_entropy(logits, middle, ignore_index=UNJUDGED)))


def test_pictures_without_a_judged_pixel_cost_nothing() -> None:
    logits = torch.randn(1, 2, 3, 3, requires_grad=True)
    loss = weighted_cross_entropy(logits, torch.full((1, 3, 3), UNJUDGED))
    loss.backward()
    assert loss.item() == 0 and logits.grad is not None and not logits.grad.any()


def test_answers_beyond_the_mask_are_refused() -> None:
    with pytest.raises(ShapeError, match="beyond the mask"):
        weighted_cross_entropy(torch.zeros(1, 2, 5, 5), torch.zeros(1, 4, 5, dtype=torch.int64))


def test_heavy_pixels_are_learnt_first() -> None:
    """One black pixel in a hundred is white in the mask: without weights black is answered, with them white."""
    images, targets = torch.zeros(1, 1, 10, 10), torch.zeros(1, 10, 10, dtype=torch.int64)
    targets[0, 5, 5] = 1
    said = []
    for weight in (1.0, 300.0):
        torch.manual_seed(0)
        rule = Pixelwise(nn.Conv2d(1, 2, 1), Descent(learning_rate=0.1))
        batch = {"inputs": images, "targets": targets, "pixel_weights": 1 + (weight - 1) * targets.float()}
        for _ in range(80):
            rule.step(batch)
        said.append(int(rule.home(images).argmax(1)[0, 0, 0]))
    assert said == [0, 1]
