"""Histogram equalisation: the rank of each pixel of a window among those that are counted."""

import numpy as np
import torch
from torch import Tensor

from ganglion.fast import applies


def ranks(windows: Tensor, inside: Tensor, shades: int) -> Tensor:
    """Return `2 (darker + equal / 2) / all - 1` of the pixels of windows (windows, pixels), in the same shape.

    Args:
        inside: places of the pixels that are counted.
        shades: steps between the darkest and the brightest of these that are told apart.

    >>> ranks(torch.tensor([[1.0, 2.0, 4.0, 9.0]]), torch.tensor([0, 1, 2]), shades=256)
    tensor([[-0.6667,  0.0000,  0.6667,  0.6667]])
    """
    if applies.to_equalising(windows):
        from ganglion.fast import equalising_kernels

        found = torch.empty_like(windows)
        equalising_kernels.ranks(windows.numpy(), inside.numpy(), np.empty(shades, np.int32), found.numpy())
        return found
    chosen = windows[:, inside]
    low, high = chosen.amin(1, keepdim=True), chosen.amax(1, keepdim=True)
    factor = shades / (high - low).clamp(min=torch.finfo(windows.dtype).eps)
    places = ((windows - low) * factor).clamp(0, shades - 1).long()
    counts = windows.new_zeros(windows.shape[0], shades)  # `len` would fix the batch of an exported network
    counts.scatter_add_(1, places[:, inside], torch.ones_like(chosen))
    share = 2 * ((counts.cumsum(1) - counts / 2) / chosen.shape[1]) - 1
    return share.gather(1, places)
