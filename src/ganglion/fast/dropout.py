"""Dropout that draws four decisions from every random number."""

import torch
from torch import Tensor
from torch.nn import functional

from ganglion.fast.applies import to_dropout

STEPS = 2**16
"""Decisions are made by numbers of sixteen bits, so shares are multiples of one part in so many."""


def dropout(inputs: Tensor, share: float, training: bool = True) -> Tensor:
    """Zero a share of the inputs by chance and scale the others so that their mean stays, while training.

    torch draws in main memory one number after the other for each input, which takes longer than a dense layer.

    >>> _ = torch.manual_seed(0)
    >>> dropped = dropout(torch.ones(1000, 1000), 0.4)
    >>> round(float((dropped == 0).float().mean()), 2), round(float(dropped.max()), 2)
    (0.4, 1.67)
    """
    bound = round(share * STEPS)
    if not training or not 0 < bound < STEPS or not to_dropout(inputs):
        return functional.dropout(inputs, share, training)
    words = torch.empty(-(-inputs.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    numbers = words.view(torch.int16)[: inputs.numel()].view(inputs.shape)
    kept = (numbers >= bound - STEPS // 2).to(inputs.dtype)
    return inputs * kept.mul_(STEPS / (STEPS - bound))
