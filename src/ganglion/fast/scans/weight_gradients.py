"""Gradients of what is the same at every step of a scan: the recurrent weight, and the mask of recurrent dropout."""

from torch import Tensor

from ganglion.fast.matrix_library import product


def recurrent_weight_gradient(
    slopes: Tensor, hidden: Tensor, hiddens: Tensor, mask: Tensor | None, in_tiles: bool
) -> Tensor:
    """Return dL/dU = sum over steps and samples of dL/d(U m h_{t-1}) (m h_{t-1})^T, as one product over all steps.

    Args:
        slopes: dL/d(U m h_{t-1}), (time, batch, gates * hidden).
        hidden: h before the first step, (batch, hidden).
        hiddens: h of every step, (time, batch, hidden).
        mask: m, (batch, hidden).
        in_tiles: multiply in sixteen bits.
    """
    before = hiddens[:-1]
    if mask is not None:
        hidden, before = hidden * mask, before * mask
    if in_tiles:
        slopes, hidden, before = slopes.bfloat16(), hidden.bfloat16(), before.bfloat16()
    slope = product(slopes[1:].flatten(0, 1).t(), before.flatten(0, 1).t())
    return slope.addmm_(slopes[0].t(), hidden)


def mask_gradient(slopes: Tensor, recurrent_weight: Tensor, hidden: Tensor, hiddens: Tensor) -> Tensor:
    """Return dL/dm, the sum over steps of U^T dL/d(U m h_{t-1}) h_{t-1}, (batch, hidden); arguments as above."""
    slope = slopes @ recurrent_weight.float()  # (time, batch, hidden)
    return slope[0] * hidden + (slope[1:] * hiddens[:-1]).sum(0)
