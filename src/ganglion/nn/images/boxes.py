"""Boxes: how far two overlap, how one is moved onto another, and which of many that show the same is kept.

A box is left, top, right, bottom; its right and bottom edges lie outside.
"""

import torch
from torch import Tensor

LARGEST = 4.0
"""Logarithm of how many times wider or higher a box may become at once."""


def overlaps(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the area that two boxes share over the area that both cover, of each with each `(..., boxes, others)`.

    Args:
        boxes: `(..., boxes, 4)`.
        others: `(..., others, 4)`.

    >>> overlaps(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[0.0, 1, 2, 3], [5.0, 5, 6, 6]]))
    tensor([[0.3333, 0.0000]])
    """
    one, other = boxes.unsqueeze(-2), others.unsqueeze(-3)
    upper, lower = torch.maximum(one[..., :2], other[..., :2]), torch.minimum(one[..., 2:], other[..., 2:])
    shared = (lower - upper).clamp(min=0).prod(-1)
    both = areas(one) + areas(other) - shared
    return shared / both.clamp(min=torch.finfo(both.dtype).tiny)


def areas(boxes: Tensor) -> Tensor:
    """Return the areas (...,) of boxes (..., 4); 0 for one that is turned inside out."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def offsets(boxes: Tensor, targets: Tensor) -> Tensor:
    """Return t by which boxes (..., 4) come to lie on targets (..., 4), in the same shape.

    `t_x = (x' - x) / w, t_y = (y' - y) / h, t_w = log(w' / w), t_h = log(h' / h)` of centres and sides.

    Source: Girshick et al., Rich feature hierarchies (2014), appendix C.

    >>> offsets(torch.tensor([0.0, 0, 2, 2]), torch.tensor([1.0, 0, 3, 2]))
    tensor([0.5000, 0.0000, 0.0000, 0.0000])
    """
    centre, sides = _centred(boxes)
    new_centre, new_sides = _centred(targets)
    return torch.cat([(new_centre - centre) / sides, (new_sides / sides).log()], dim=-1)


def moved(boxes: Tensor, by: Tensor) -> Tensor:
    """Return boxes (..., 4) moved by offsets (..., 4), which undoes `offsets`.

    >>> moved(torch.tensor([0.0, 0, 2, 2]), torch.tensor([0.5, 0, 0, 0]))
    tensor([1., 0., 3., 2.])
    """
    centre, sides = _centred(boxes)
    new_centre, new_sides = centre + by[..., :2] * sides, by[..., 2:].clamp(max=LARGEST).exp() * sides
    return torch.cat([new_centre - new_sides / 2, new_centre + new_sides / 2], dim=-1)


def _centred(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Return centres and sides (..., 2) of boxes (..., 4); a side is at least a thousandth."""
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1e-3)
    return (boxes[..., :2] + boxes[..., 2:]) / 2, sides


def kept(boxes: Tensor, scores: Tensor, most: float) -> Tensor:
    """Return the places, best first (kept,), of boxes that overlap none of higher score by more than `most`.

    That is non-maximum suppression.

    Args:
        boxes: `(boxes, 4)`.
        scores: `(boxes,)`.

    >>> boxes = torch.tensor([[0.0, 0, 2, 2], [0.0, 0, 2, 3], [4.0, 4, 6, 6]])
    >>> kept(boxes, torch.tensor([0.5, 0.9, 0.1]), most=0.5)
    tensor([1, 2])
    """
    order = scores.argsort(descending=True, stable=True)
    covers = (overlaps(boxes[order], boxes[order]) > most).cpu().numpy()
    alive, chosen = [True] * len(order), []
    for place in range(len(order)):
        if not alive[place]:
            continue
        chosen.append(place)
        for other in covers[place, place + 1 :].nonzero()[0].tolist():
            alive[place + 1 + other] = False
    return order[torch.tensor(chosen, dtype=torch.int64, device=order.device)]
