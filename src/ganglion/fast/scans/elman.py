"""All steps of Elman's network in one call: the equation as it is written, and the same compiled."""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ganglion.fast.applies import to_scans
from ganglion.fast.autocast import without_autocast
from ganglion.fast.scans.arrays import (
    array,
    fits_tiles,
    halves,
    packed,
    single,
    singles,
)
from ganglion.fast.scans.shapes import check_shapes
from ganglion.fast.scans.weight_gradients import mask_gradient, recurrent_weight_gradient
from ganglion.fast.threads import in_slices

Nonlinearity = Literal["tanh", "relu"]


def elman_scan(
    projected: Tensor,
    recurrent_weight: Tensor,
    hidden: Tensor,
    nonlinearity: Nonlinearity = "tanh",
    mask: Tensor | None = None,
) -> tuple[Tensor]:
    r"""Return the hidden states of every step, (time, batch, hidden), as the only one of a tuple.

    h_t = f(x_t + U (m * h_{t-1}))

    Args:
        projected: x_t, what inputs and bias add at each step, (time, batch, hidden).
        recurrent_weight: U, (hidden, hidden).
        hidden: h before the first step, (batch, hidden).
        nonlinearity: f.
        mask: m, the same at every step, (batch, hidden); None is ones.

    Differentiable once on the compiled path, any number of times on the other.

    >>> elman_scan(torch.ones(3, 1, 1), torch.ones(1, 1), torch.zeros(1, 1), "relu")[0].flatten()
    tensor([1., 2., 3.])
    """
    weight = (recurrent_weight, "gates hidden")
    check_shapes("an Elman network", 1, projected, hidden, recurrent_weight=weight, mask=(mask, "batch hidden"))
    if not to_scans(projected, recurrent_weight, hidden, mask):
        return elman_reference(projected, recurrent_weight, hidden, nonlinearity, mask)
    in_tiles = fits_tiles(projected)
    given = (projected, recurrent_weight) if in_tiles else single(projected, recurrent_weight)
    hiddens = _Scan.apply(*given, *single(hidden, mask), nonlinearity == "relu", in_tiles)
    return (hiddens.to(projected.dtype),)


def elman_reference(
    projected: Tensor,
    recurrent_weight: Tensor,
    hidden: Tensor,
    nonlinearity: Nonlinearity = "tanh",
    mask: Tensor | None = None,
) -> tuple[Tensor]:
    """Do what `elman_scan` does, with the same shapes, step by step in operations of torch."""
    hiddens = []
    for from_input in projected:
        read = hidden if mask is None else hidden * mask
        total = from_input + functional.linear(read, recurrent_weight)
        hidden = total.tanh() if nonlinearity == "tanh" else total.relu()
        hiddens.append(hidden)
    return (torch.stack(hiddens),)


class _Scan(torch.autograd.Function):
    """The compiled scan and its gradient, in single precision, or with inputs and their gradient of sixteen bits."""

    @staticmethod
    @without_autocast
    def forward(
        ctx: Any,
        projected: Tensor,
        recurrent_weight: Tensor,
        hidden: Tensor,
        mask: Tensor | None,
        rectified: bool,
        in_tiles: bool,
    ) -> Tensor:
        from ganglion.fast.scans import elman_kernels

        hiddens = torch.empty(projected.shape)
        fixed = [
            singles(projected),
            halves(projected),
            packed(recurrent_weight.t(), in_tiles),
            array(mask, (0, hidden.shape[1])),
        ]
        states = [array(hidden), array(hiddens)]
        in_slices(lambda first, last, _: elman_kernels.forward(first, last, rectified, *fixed, *states), len(hidden))
        shown = hiddens.to(projected.dtype)
        ctx.rectified, ctx.in_tiles = rectified, in_tiles
        ctx.save_for_backward(recurrent_weight, hidden, mask, hiddens, shown)
        return shown

    @staticmethod
    @without_autocast
    @once_differentiable
    def backward(ctx: Any, hidden_slopes: Tensor) -> tuple[Tensor | None, ...]:
        from ganglion.fast.scans import elman_kernels

        recurrent_weight, hidden, mask, hiddens, shown = ctx.saved_tensors
        slopes, hidden_slope = torch.empty_like(hiddens), torch.zeros(hidden.shape)
        short = torch.empty_like(shown) if ctx.in_tiles else slopes
        given = [
            array(hidden_slopes.float()),
            packed(recurrent_weight, ctx.in_tiles),
            array(mask, (0, hidden.shape[1])),
        ]
        states = [array(hiddens), array(slopes), halves(short), array(hidden_slope)]
        in_slices(
            lambda first, last, _: elman_kernels.backward(first, last, ctx.rectified, *given, *states), len(hidden)
        )
        return (
            short,
            recurrent_weight_gradient(short, hidden, shown, mask, ctx.in_tiles) if ctx.needs_input_grad[1] else None,
            hidden_slope,
            mask_gradient(slopes, recurrent_weight, hidden, hiddens) if ctx.needs_input_grad[3] else None,
            None,
            None,
        )
