"""Sequences of tokens as numbers from 1 on, with 0 past the end of a shorter one."""

from torch import Tensor


def lengths_of(tokens: Tensor) -> Tensor:
    """Return the steps of each sequence `(batch,)` of tokens `(batch, steps)`; one where there is nothing to read.

    >>> import torch
    >>> lengths_of(torch.tensor([[5, 7, 2, 0], [0, 0, 0, 0]])).tolist()
    [3, 1]
    """
    return (tokens != 0).sum(1).clamp(min=1)
