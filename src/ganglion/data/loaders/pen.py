"""Random changes to drawings while training: a little wider or higher, and without some points of their lines."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.loaders.noise import named_stream, uniforms


@dataclass(frozen=True)
class PenChanges:
    """Changes the drawings `inputs` of a batch, each by random numbers of (seed, epoch, index) alone.

    Source: Ha and Eck, A neural representation of sketch drawings (2017).
    """

    stretch: float
    """Width and height each grow or shrink by at most this share."""
    dropped: float
    """Share of the points within lines that are left out; the pen goes straight to the next."""
    longest: int
    """Points of a drawing at most."""

    def __call__(self, batch: Batch, seed: int, epoch: int) -> Batch:
        moves, lengths = batch["inputs"], batch["inputs_lengths"]
        chances = uniforms(seed, epoch, batch["index"], 2 + self.longest, named_stream("pen"))
        factors = 1 + self.stretch * (2 * chances[:, :2] - 1)
        moves = torch.cat([moves[..., :2] * factors[:, None], moves[..., 2:]], 2)
        if self.dropped:
            drops = chances[:, 2 : 2 + moves.shape[1]] < self.dropped
            moves, lengths = without_points(moves, lengths, drops)
        return {**batch, "inputs": moves, "inputs_lengths": lengths}


def without_points(moves: Tensor, lengths: Tensor, drops: Tensor) -> tuple[Tensor, Tensor]:
    """Return moves (batch, points, 3) and their lengths (batch,) without some points; first and last of lines stay.

    Args:
        drops: which points may go, (batch, points).

    >>> line = torch.tensor([[[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [2.0, 3.0, 1.0], [9.0, 9.0, 9.0]]])
    >>> without_points(line, torch.tensor([3]), torch.ones(1, 4, dtype=torch.bool))
    (tensor([[[0., 0., 0.],
             [3., 3., 1.]]]), tensor([2]))
    """
    lifted = moves[..., 2] > 0.5
    begins = torch.cat([torch.ones_like(lifted[:, :1]), lifted[:, :-1]], 1)
    there = torch.arange(moves.shape[1], device=moves.device) < lengths[:, None]
    last = torch.arange(moves.shape[1], device=moves.device) == lengths[:, None] - 1
    kept = (~drops | lifted | begins | last) & there
    place = (kept.cumsum(1) - kept.long()).masked_fill(~there, moves.shape[1] - 1)  # what goes is added to the next
    steps = torch.where(there[..., None], moves, 0)
    joined = torch.zeros_like(moves[..., :2]).scatter_add(1, place[..., None].expand(-1, -1, 2), steps[..., :2])
    pens = torch.zeros_like(moves[..., 2]).scatter_add(1, place, steps[..., 2] * kept)
    found = kept.sum(1)
    return torch.cat([joined, pens[..., None]], 2)[:, : int(found.max())], found
