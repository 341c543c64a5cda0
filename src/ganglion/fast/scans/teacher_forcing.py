"""All steps of Jordan's network under teacher forcing: the true output of the step before is fed back."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ganglion.fast import applies
from ganglion.fast.autocast import without_autocast

Weights = Sequence[Tensor]
"""U, W, b, V, c: (hidden, in_features), (hidden, out_features), (hidden), (out_features, hidden), (out_features)."""


def teacher_forced_scores(inputs: Tensor, previous: Tensor, first: Tensor, weights: Weights) -> Tensor:
    r"""Return the scores a_t of all steps, (time, batch, out_features), where all outputs y are known beforehand.

    h_t = tanh(U x_t + W y_{t-1} + b),  a_t = V h_t + c

    As y_{t-1} is no result, [U W b] [x_t; y_{t-1}; 1] is one product over all steps, and so is its gradient.

    Args:
        inputs: x_t, (time, batch, in_features).
        previous: y of all steps but the last, as classes (time - 1, batch) or vectors (time - 1, batch, out_features).
        first: y before the first step, (batch, out_features).
        weights: U, W, b, V, c.

    >>> ones = torch.ones(3, 1, 1)
    >>> weights = (torch.ones(1, 1), torch.ones(1, 1), torch.zeros(1), torch.ones(1, 1), torch.ones(1))
    >>> teacher_forced_scores(ones, ones[1:], 0 * ones[0], weights).flatten()
    tensor([1.7616, 1.9640, 1.9640])
    """
    vectors = previous if previous.is_floating_point() else None
    if not applies.to_teacher_forcing(inputs, vectors, first, *weights, out_features=first.shape[1]):
        return reference_scores(inputs, previous, first, weights)
    scores: Tensor = _TeacherForced.apply(inputs, previous, first, *weights)  # (time * batch, out_features)
    return scores.view(*inputs.shape[:2], -1)  # Within the operation it would be a view, which nobody may change.


def reference_scores(inputs: Tensor, previous: Tensor, first: Tensor, weights: Weights) -> Tensor:
    """Do what `teacher_forced_scores` does, with the same shapes, as the equations are written."""
    input_weight, feedback_weight, bias, output_weight, output_bias = weights
    if previous.is_floating_point():
        later = functional.linear(previous, feedback_weight)
    else:
        later = functional.embedding(previous, feedback_weight.t())  # W times a one-hot vector is a column of W.
    fed_back = torch.cat((functional.linear(first, feedback_weight)[None], later))
    states = (functional.linear(inputs, input_weight, bias) + fed_back).tanh()
    return functional.linear(states, output_weight, output_bias)


class _TeacherForced(torch.autograd.Function):
    """Everything that is read written out beside each other, so that no sum is made one by one."""

    @staticmethod
    @without_autocast
    def forward(ctx: Any, inputs: Tensor, previous: Tensor, first: Tensor, *weights: Tensor) -> Tensor:
        input_weight, feedback_weight, bias, output_weight, output_bias = weights
        read = _read(inputs, previous, first)
        states = torch.mm(read.t(), torch.cat((input_weight.t(), feedback_weight.t(), bias[None]))).tanh_()
        ctx.save_for_backward(inputs, previous, first, *weights)
        ctx.read, ctx.states = read, states
        return torch.mm(states, output_weight.t()).add_(output_bias)

    @staticmethod
    @without_autocast
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor | None, ...]:
        inputs, previous, first, *weights = ctx.saved_tensors
        if torch.is_grad_enabled():  # The gradient will be differentiated again.
            return _differentiable(slopes, inputs, previous, first, weights)
        input_weight, feedback_weight, _, output_weight, _ = weights
        (_, batch, width), wide = inputs.shape, first.shape[1]
        sums = torch.mm(slopes, output_weight)
        torch.ops.aten.tanh_backward(sums, ctx.states, grad_input=sums)  # dL/d(U x + W y + b), (time * batch, hidden)
        of_input, of_feedback, of_bias = torch.mm(ctx.read, sums).split([width, wide, 1])
        needs_inputs, needs_previous, needs_first, *_ = ctx.needs_input_grad
        return (
            (sums @ input_weight).view_as(inputs) if needs_inputs else None,
            (sums[batch:] @ feedback_weight).view_as(previous) if needs_previous else None,
            sums[:batch] @ feedback_weight if needs_first else None,
            of_input.t(),
            of_feedback.t(),
            of_bias[0],
            slopes.t() @ ctx.states,
            slopes.sum(0),
        )


def _read(inputs: Tensor, previous: Tensor, first: Tensor) -> Tensor:
    """Return [x_t; y_{t-1}; 1] of all steps, (in_features + out_features + 1, time * batch)."""
    (time, batch, width), wide = inputs.shape, first.shape[1]
    read = inputs.new_empty(width + wide + 1, time, batch)
    read[:width] = inputs.movedim(2, 0)
    fed_back = read[width:-1]
    fed_back[:, 0] = first.t()
    if previous.is_floating_point():
        fed_back[:, 1:] = previous.movedim(2, 0)
    else:
        fed_back[:, 1:].zero_().scatter_(0, previous[None], 1)
    read[-1] = 1
    return read.flatten(1)


def _differentiable(
    slopes: Tensor, inputs: Tensor, previous: Tensor, first: Tensor, weights: Weights
) -> tuple[Tensor | None, ...]:
    scores = reference_scores(inputs, previous, first, weights).flatten(0, 1)
    given = [inputs, previous, first, *weights]
    wanted = [tensor for tensor in given if tensor.requires_grad]
    found = dict(zip(map(id, wanted), torch.autograd.grad(scores, wanted, slopes, create_graph=True), strict=True))
    return tuple(found.get(id(tensor)) for tensor in given)
