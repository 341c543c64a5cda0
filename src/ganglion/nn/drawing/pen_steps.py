"""Moves of a pen as the steps that a network reads and is judged by: where to, and down, lifted or finished."""

import torch
from torch import Tensor

from ganglion.nn.recurrent.sequences import padding


def steps_of(moves: Tensor, lengths: Tensor) -> Tensor:
    """Return moves (batch, points, 3) as S (batch, points + 1, 5): the pen down, lifted or, from the end on, finished.

    >>> steps_of(torch.tensor([[[3.0, 4.0, 1.0], [0.0, 0.0, 0.0]]]), torch.tensor([1])).tolist()
    [[[3.0, 4.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0, 1.0]]]
    """
    padded = torch.cat([moves, torch.zeros_like(moves[:, :1])], 1)
    finished = padding(lengths, padded.shape[1]).T
    lifted = padded[..., 2] > 0.5
    pen = torch.stack([~lifted & ~finished, lifted & ~finished, finished], 2)
    return torch.cat([padded[..., :2].masked_fill(finished[..., None], 0), pen.to(moves.dtype)], 2)


def points_of(moves: Tensor) -> Tensor:
    """Return how many points each drawing has (batch,), of moves (batch, points, 3) that are filled up with nothing.

    >>> points_of(torch.tensor([[[3.0, 4.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]])).tolist()
    [2]
    """
    places = torch.arange(1, moves.shape[1] + 1, device=moves.device)
    return (places * (moves != 0).any(dim=2)).amax(dim=1)
