"""All steps of a GRU in one call, in both published forms: the equations as they are written, and the same compiled."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ganglion.fast.applies import to_scans
from ganglion.fast.autocast import without_autocast
from ganglion.fast.matrix_library import product
from ganglion.fast.scans.arrays import array, fits_tiles, packed, single
from ganglion.fast.scans.shapes import check_shapes
from ganglion.fast.scans.weight_gradients import mask_gradient, recurrent_weight_gradient
from ganglion.fast.threads import in_slices


def gru_scan(
    projected: Tensor,
    recurrent_weight: Tensor,
    recurrent_bias: Tensor | None,
    hidden: Tensor,
    reset_after: bool = True,
    mask: Tensor | None = None,
) -> tuple[Tensor]:
    r"""Return the hidden states of every step, (time, batch, hidden), as the only one of a tuple.

    r, u = sigmoid(x_t + U (m * h_{t-1})),  h_t = (1 - u) * n + u * h_{t-1}
    n = tanh(x_t + r * (U (m * h_{t-1}) + a))     reset after the product, or
    n = tanh(x_t + U (r * m * h_{t-1}))           reset before it

    Args:
        projected: x_t, what inputs and biases add to r, u, n at each step, (time, batch, 3 * hidden).
        recurrent_weight: U, (3 * hidden, hidden).
        recurrent_bias: a, (hidden); None is zero, as it must be where the reset comes before.
        hidden: h before the first step, (batch, hidden).
        reset_after: which of the two forms.
        mask: m, the same at every step, (batch, hidden); None is ones.

    Differentiable once on the compiled path, any number of times on the other.

    >>> gru_scan(torch.zeros(3, 1, 3), torch.zeros(3, 1), None, torch.ones(1, 1))[0].flatten()
    tensor([0.5000, 0.2500, 0.1250])
    """
    check_shapes(
        "a GRU", 3, projected, hidden, recurrent_weight=(recurrent_weight, "gates hidden"),
        recurrent_bias=(recurrent_bias, "hidden"), mask=(mask, "batch hidden"),
    )  # fmt: skip
    arguments = (projected, recurrent_weight, recurrent_bias, hidden, mask)
    if not to_scans(*arguments):
        return gru_reference(projected, recurrent_weight, recurrent_bias, hidden, reset_after, mask)
    if reset_after:
        hiddens = _ScanAfter.apply(*single(*arguments), fits_tiles(projected))
    else:
        hiddens = _ScanBefore.apply(*single(projected, recurrent_weight, hidden, mask), fits_tiles(projected))
    return (hiddens.to(projected.dtype),)


def gru_reference(
    projected: Tensor,
    recurrent_weight: Tensor,
    recurrent_bias: Tensor | None,
    hidden: Tensor,
    reset_after: bool = True,
    mask: Tensor | None = None,
) -> tuple[Tensor]:
    """Do what `gru_scan` does, with the same shapes, step by step in operations of torch."""
    width = hidden.shape[-1]
    gate_weight, candidate_weight = recurrent_weight.split([2 * width, width])
    hiddens = []
    for from_input in projected:
        from_gates, from_candidate = from_input.split([2 * width, width], dim=-1)
        read = hidden if mask is None else hidden * mask
        r, u = (from_gates + functional.linear(read, gate_weight)).sigmoid().chunk(2, dim=-1)
        if reset_after:
            n = (from_candidate + r * functional.linear(read, candidate_weight, recurrent_bias)).tanh()
        else:
            n = (from_candidate + functional.linear(r * read, candidate_weight)).tanh()
        hidden = (1 - u) * n + u * hidden
        hiddens.append(hidden)
    return (torch.stack(hiddens),)


class _ScanAfter(torch.autograd.Function):
    """The compiled scan with the reset after the product, and its gradient, in single precision."""

    @staticmethod
    @without_autocast
    def forward(
        ctx: Any,
        projected: Tensor,
        recurrent_weight: Tensor,
        recurrent_bias: Tensor | None,
        hidden: Tensor,
        mask: Tensor | None,
        in_tiles: bool,
    ) -> Tensor:
        from ganglion.fast.scans import gru_kernels

        time, batch, width = len(projected), *hidden.shape
        gates = torch.empty(time if any(ctx.needs_input_grad) else 1, batch, 4, width)
        hiddens = torch.empty(time, batch, width)
        bias = torch.zeros(width) if recurrent_bias is None else recurrent_bias
        fixed = [array(projected), packed(recurrent_weight.t(), in_tiles), array(bias), array(mask, (0, width))]
        states = [array(tensor) for tensor in (hidden, gates, hiddens)]
        in_slices(lambda first, last, _: gru_kernels.forward_after(first, last, *fixed, *states), batch)
        ctx.in_tiles = in_tiles
        ctx.save_for_backward(recurrent_weight, hidden, mask, gates, hiddens)
        return hiddens

    @staticmethod
    @without_autocast
    @once_differentiable
    def backward(ctx: Any, hidden_slopes: Tensor) -> tuple[Tensor | None, ...]:
        from ganglion.fast.scans import gru_kernels

        recurrent_weight, hidden, mask, gates, hiddens = ctx.saved_tensors
        time, batch, width = hiddens.shape
        slopes, product_slopes = (torch.empty(time, batch, 3, width) for _ in range(2))
        hidden_slope = torch.zeros(batch, width)
        given = [array(hidden_slopes), packed(recurrent_weight, ctx.in_tiles), array(mask, (0, width))]
        states = [array(tensor) for tensor in (hidden, gates, hiddens, slopes, product_slopes, hidden_slope)]
        in_slices(lambda first, last, _: gru_kernels.backward_after(first, last, *given, *states), batch)
        slopes, product_slopes = slopes.flatten(2), product_slopes.flatten(2)
        _, needs_weight, needs_bias, _, needs_mask, _ = ctx.needs_input_grad
        return (
            slopes,
            recurrent_weight_gradient(product_slopes, hidden, hiddens, mask, ctx.in_tiles) if needs_weight else None,
            product_slopes[..., 2 * width :].sum((0, 1)) if needs_bias else None,
            hidden_slope,
            mask_gradient(product_slopes, recurrent_weight, hidden, hiddens) if needs_mask else None,
            None,
        )


class _ScanBefore(torch.autograd.Function):
    """The compiled scan with the reset before the product, and its gradient, in single precision."""

    @staticmethod
    @without_autocast
    def forward(
        ctx: Any, projected: Tensor, recurrent_weight: Tensor, hidden: Tensor, mask: Tensor | None, in_tiles: bool
    ) -> Tensor:
        from ganglion.fast.scans import gru_kernels

        time, batch, width = len(projected), *hidden.shape
        gates = torch.empty(time if any(ctx.needs_input_grad) else 1, batch, 3, width)
        hiddens = torch.empty(time, batch, width)
        weights = [packed(part.t(), in_tiles) for part in recurrent_weight.split([2 * width, width])]
        fixed = [array(projected), *weights, array(mask, (0, width))]
        states = [array(tensor) for tensor in (hidden, gates, hiddens)]
        in_slices(lambda first, last, _: gru_kernels.forward_before(first, last, *fixed, *states), batch)
        ctx.in_tiles = in_tiles
        ctx.save_for_backward(recurrent_weight, hidden, mask, gates, hiddens)
        return hiddens

    @staticmethod
    @without_autocast
    @once_differentiable
    def backward(ctx: Any, hidden_slopes: Tensor) -> tuple[Tensor | None, ...]:
        from ganglion.fast.scans import gru_kernels

        recurrent_weight, hidden, mask, gates, hiddens = ctx.saved_tensors
        width = hidden.shape[1]
        slopes, hidden_slope = torch.empty_like(gates), torch.zeros(hidden.shape)
        gate_weight, candidate_weight = recurrent_weight.split([2 * width, width])
        weights = [packed(part, ctx.in_tiles) for part in (gate_weight, candidate_weight)]
        given = [array(hidden_slopes), *weights, array(mask, (0, width))]
        states = [array(tensor) for tensor in (hidden, gates, hiddens, slopes, hidden_slope)]
        in_slices(lambda first, last, _: gru_kernels.backward_before(first, last, *given, *states), len(hidden))
        reset, slopes = gates[:, :, 0], slopes.flatten(2)
        gate_slopes, candidate_slopes = slopes.split([2 * width, width], dim=2)
        before = torch.cat([hidden[None], hiddens[:-1]])
        weight_slope = mask_slope_ = None
        if ctx.needs_input_grad[1]:
            read = before if mask is None else before * mask
            weight_slope = torch.cat([_outer(gate_slopes, read), _outer(candidate_slopes, reset * read)])
        if ctx.needs_input_grad[3]:
            mask_slope_ = ((gate_slopes @ gate_weight + candidate_slopes @ candidate_weight * reset) * before).sum(0)
        return slopes, weight_slope, hidden_slope, mask_slope_, None


def _outer(slopes: Tensor, inputs: Tensor) -> Tensor:
    """Return the sum of slope times input over steps and samples, as one product."""
    return product(slopes.flatten(0, 1).t(), inputs.flatten(0, 1).t())
