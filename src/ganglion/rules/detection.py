"""Learning what is in each proposed box and where exactly it is: a quarter of a sample of boxes show something."""

from dataclasses import dataclass
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.core import Batch, LearningRule
from ganglion.core.team import counted_by
from ganglion.nn.images.boxes import offsets, overlaps
from ganglion.rules.descend import Descent, descend

DEVIATIONS = (0.1, 0.1, 0.2, 0.2)
"""What offsets are divided by, so that they vary by about one."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which of the proposed boxes of an image are learnt from.

    A box shows an object where it overlaps it by `positive` at least. Of the others those count as background first
    which overlap some object by `hard` at least, since they are the hard ones.
    """

    boxes: int = 64
    """Boxes of an image."""
    share: float = 0.25
    """Those that show an object among them, at most."""
    positive: float = 0.5
    """Overlap from which on a box shows an object."""
    hard: float = 0.1
    """Overlap from which on a box that shows none is a hard one."""


class Sample(NamedTuple):
    """The boxes of a batch that are learnt from; S of each image."""

    boxes: Tensor
    """(batch, S, 4)."""
    classes: Tensor
    """0 for background, then the classes of the data from 1 on (batch, S)."""
    offsets: Tensor
    """How each would come to lie on its object (batch, S, 4), in units of `DEVIATIONS`."""
    counts: Tensor
    """1 for those that count, 0 for those that only fill up (batch, S)."""


@final
class Detection(LearningRule):
    """Descend, for a sample of boxes, -log p_u + [u > 0] sum_i smooth(t_i - v_i), as a mean over the sample.

    `smooth(x) = x^2 / 2` where |x| < 1, else |x| - 1/2; u is the class of a box, v the offsets to its object.

    Args:
        network: from `batch["inputs"]`, images, and boxes (batch, boxes, 4) to a logit and four offsets for each class
            (batch, boxes, classes + 1, 5). It learns from a sample of `batch["proposals"]`, (batch, boxes, 5), and of
            the objects themselves, `batch["targets"]`, (batch, objects, 5): left, top, right, bottom, class,
            which is below 0 where there is no box.
        descent: how the gradient becomes an update.
        sampling: which boxes are learnt from.

    Source: Girshick, Fast R-CNN (2015), sections 2.3.
    """

    def __init__(self, network: nn.Module, descent: Descent, sampling: Sampling | None = None) -> None:
        self.networks = {"network": network}
        self.optimizers = {"network": descent.make_optimizer(network)}
        self.counters = {}
        self.tensors = {}
        self.descent, self.sampling = descent, sampling or Sampling()

    def step(self, batch: Batch) -> dict[str, Tensor]:
        boxes = torch.cat([batch["proposals"], batch["targets"]], dim=1)
        chance = torch.rand(boxes.shape[:2], device=boxes.device)
        batch = {**batch, "boxes": boxes, "chance": chance}
        return descend(self.optimizers["network"], batch, self.objective, self.descent)

    @counted_by(lambda rule, batch: sampled_of(batch, rule.sampling).counts.sum(1))
    def objective(self, batch: Batch) -> dict[str, Tensor]:
        """Return the loss of a batch whose `batch["boxes"]` are sampled by `batch["chance"]`, a number each."""
        sample = sampled_of(batch, self.sampling)
        answer = self.home(batch["inputs"], sample.boxes)
        return detection_loss(answer[..., 0], answer[..., 1:], sample)


def sampled_of(batch: Batch, sampling: Sampling) -> Sample:
    """Return which boxes of a batch, with a random number for each, are learnt from."""
    return sampled(batch["boxes"], batch["targets"], batch["chance"], sampling)


def sampled(boxes: Tensor, objects: Tensor, chance: Tensor, sampling: Sampling) -> Sample:
    """Return which boxes (batch, boxes, 5) are learnt from, beside the objects of their images (batch, objects, 5).

    Args:
        chance: random numbers from 0 to 1 by which boxes are chosen `(batch, boxes)`.
    """
    there, known = objects[..., 4] >= 0, boxes[..., 4] >= 0
    shared = overlaps(boxes[..., :4], objects[..., :4]).masked_fill(~there.unsqueeze(1), 0.0)
    if objects.shape[1]:
        most, nearest = shared.max(dim=2)  # (batch, boxes)
    else:
        most, nearest = torch.zeros_like(chance), torch.zeros_like(chance, dtype=torch.int64)
    shows = known & (most >= sampling.positive)
    wanted = min(round(sampling.boxes * sampling.share), boxes.shape[1])
    # Keys below 0 are never wanted; hard ones come before easy ones.
    first, showing = torch.where(shows, chance, -1.0).topk(wanted, dim=1)
    keys = torch.where(known & ~shows, chance + (most >= sampling.hard), -1.0)
    second, background = keys.topk(min(sampling.boxes, boxes.shape[1]), dim=1)
    left = sampling.boxes - (first >= 0).sum(1, keepdim=True)
    counts = [first >= 0, (second >= 0) & (torch.arange(second.shape[1], device=chance.device) < left)]
    places = torch.cat([showing, background], dim=1)  # (batch, S)
    chosen = boxes[..., :4].gather(1, places.unsqueeze(2).expand(-1, -1, 4))
    chosen = torch.where(torch.cat(counts, dim=1).unsqueeze(2), chosen, chosen.new_tensor([0.0, 0.0, 1.0, 1.0]))
    if not objects.shape[1]:
        nothing = torch.zeros_like(places)
        return Sample(chosen, nothing, torch.zeros_like(chosen), torch.cat(counts, dim=1).to(chosen.dtype))
    own = objects.gather(1, nearest.gather(1, places).unsqueeze(2).expand(-1, -1, 5))  # (batch, S, 5)
    shown = shows.gather(1, places)
    classes = torch.where(shown, own[..., 4].long() + 1, 0)
    by = offsets(chosen, own[..., :4]) / chosen.new_tensor(DEVIATIONS)
    by = torch.where(shown.unsqueeze(2), by, torch.zeros_like(by))
    return Sample(chosen, classes, by, torch.cat(counts, dim=1).to(chosen.dtype))


def detection_loss(logits: Tensor, moves: Tensor, sample: Sample) -> dict[str, Tensor]:
    """Return `loss`, the sum of `class_loss` and `box_loss`, as means over the boxes of a sample that count.

    Args:
        logits: `(batch, S, classes + 1)`, background first.
        moves: offsets for each class `(batch, S, classes + 1, 4)`, in units of `DEVIATIONS`.
    """
    number = sample.counts.sum().clamp(min=1)
    of_each = F.cross_entropy(logits.flatten(0, 1), sample.classes.flatten(), reduction="none")
    place = sample.classes[..., None, None].expand(-1, -1, 1, 4)
    own = moves.gather(2, place)[:, :, 0]  # (batch, S, 4)
    shows = (sample.classes > 0) * sample.counts
    off = F.smooth_l1_loss(own, sample.offsets, reduction="none").sum(2)
    class_loss, box_loss = (of_each * sample.counts.flatten()).sum() / number, (off * shows).sum() / number
    return {"loss": class_loss + box_loss, "class_loss": class_loss, "box_loss": box_loss}
