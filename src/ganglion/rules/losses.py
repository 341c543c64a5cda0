"""Losses and measures of supervised learning: pure functions of a network's outputs and the targets.

Outputs are logits, never probabilities, so that no logarithm meets a zero. Targets are class numbers `(batch,)` or
values of the outputs' shape. One logit means a decision between two classes.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ganglion.core import Measure
from ganglion.errors import ShapeError
from ganglion.settings import Bound, strictly_between, unknown_name

LOSS = Measure(name="loss", higher_is_better=False, meaning="What training lowers, as a mean over samples.")
ACCURACY = Measure(name="accuracy", higher_is_better=True, meaning="Share of the answers that are right, from 0 to 1.")

Loss = Callable[[Tensor, Tensor], Tensor]
"""A mean over samples of outputs and targets, as a scalar."""

Quantiles = Annotated[
    tuple[Annotated[float, strictly_between(0, 1)], ...],
    Bound("rising numbers with 0.5 among them", lambda levels: not levels or sorted({*levels, 0.5}) == list(levels)),
]
"""Shares of the truth that are to lie below what is forecast, the median among them; none for the mean."""

LossName = Literal["cross-entropy", "binary-cross-entropy", "squared-error", "half-squared-error", "perceptron"]


def cross_entropy(outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Return the mean of -log softmax(z)_t.

    Args:
        outputs: logits `(batch, classes)`.
        targets: class numbers `(batch,)`, or probabilities `(batch, classes)`; or truth values `(batch, labels)`, any
            number of which may hold, so that each is a decision of its own: see `binary_cross_entropy`.
        label_smoothing: share of the target's probability that is spread evenly over all classes.

    >>> import torch
    >>> cross_entropy(torch.tensor([[2.0, 1.0, 0.1]]), torch.tensor([0])).item()  # doctest: +ELLIPSIS
    0.41702...
    """
    if targets.dtype == torch.bool and targets.ndim == 2:
        return binary_cross_entropy(outputs, targets, label_smoothing)
    return F.cross_entropy(outputs, targets, label_smoothing=label_smoothing)


def binary_cross_entropy(outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Return the mean of -t log s(z) - (1 - t) log(1 - s(z)) with the logistic function s.

    Class numbers given for several outputs are compared one against the rest. With `label_smoothing` e the targets
    become t (1 - e) + e / 2.

    Args:
        outputs: logits (batch, outputs).
        targets: of the same shape, or (batch,).
        label_smoothing: e.

    >>> import torch
    >>> binary_cross_entropy(torch.tensor([[0.0]]), torch.tensor([1])).item()  # doctest: +ELLIPSIS
    0.69314...
    """
    values = as_outputs(targets, outputs)
    return F.binary_cross_entropy_with_logits(outputs, values * (1 - label_smoothing) + label_smoothing / 2)


def frame_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over films and frames of sum over pixels of -t log s(z) - (1 - t) log(1 - s(z)), in nats.

    Args:
        outputs: logits z (films, frames, channels, height, width).
        targets: t of the same shape, black being 0 and white 1.

    >>> import torch
    >>> round(frame_cross_entropy(torch.zeros(1, 3, 1, 2, 2), torch.ones(1, 3, 1, 2, 2)).item(), 4)  # 4 log 2
    2.7726
    """
    return F.binary_cross_entropy_with_logits(outputs, targets, reduction="sum") / (len(targets) * targets.shape[1])


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of (z - t)^2 over samples and outputs; class numbers become 0 and 1.

    >>> import torch
    >>> squared_error(torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 1.0]])).item()
    2.5
    """
    return F.mse_loss(outputs, as_outputs(targets, outputs))


def half_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over samples of 1/2 sum_k (z_k - t_k)^2, whose derivative is plainly z - t.

    >>> import torch
    >>> half_squared_error(torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 1.0]])).item()
    2.5
    """
    return F.mse_loss(outputs, as_outputs(targets, outputs), reduction="sum") / (2 * len(outputs))


def quantile_loss(outputs: Tensor, targets: Tensor, quantiles: Sequence[float]) -> Tensor:
    """Return the mean of max(q (t - z_q), (q - 1) (t - z_q)) over all quantiles q.

    It is lowest where a share q of the targets lies below z_q.

    Args:
        outputs: z, `(..., quantiles)`.
        targets: t, one for all quantiles; any shape of as many values as there are forecasts.

    Source: Koenker and Bassett, Regression quantiles (1978).

    >>> import torch
    >>> round(quantile_loss(torch.tensor([[1.0, 1.0]]), torch.tensor([3.0]), [0.5, 0.9]).item(), 6)
    1.4
    """
    levels = outputs.new_tensor(quantiles)
    off = targets.reshape(outputs.shape[:-1])[..., None] - outputs
    return torch.maximum(levels * off, (levels - 1) * off).mean()


def perceptron_criterion(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of (d - t) z, where d is the decision z > 0 taken as a constant.

    Only mistakes count, and descending it by rate r is the rule of 1958: w <- w + r (t - d) x.

    Source: Rosenblatt, The perceptron (1958).

    >>> import torch
    >>> perceptron_criterion(torch.tensor([[0.5], [-2.0]]), torch.tensor([0, 0])).item()
    0.25
    """
    decisions = (outputs > 0).to(outputs.dtype)
    return ((decisions - as_outputs(targets, outputs)) * outputs).mean()


def weighted(loss: Loss, outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return 1/n sum_i w_i L(z_i, t_i): the mean of a loss over samples, each of which counts as much as its weight.

    Args:
        loss: L, a mean over samples, so that the loss of one sample is that of a batch of one.
        outputs: z, `(batch, outputs)`.
        targets: t, `(batch,)`, or of the outputs' shape.
        weights: w, `(batch,)`, 1 on average over the training part.

    >>> import torch
    >>> outputs, targets = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [1.0]])
    >>> weighted(squared_error, outputs, targets, torch.tensor([2.0, 0.5])).item()
    2.0
    """
    of_each = torch.vmap(lambda output, target: loss(output[None], target[None]))(outputs, targets)
    return (weights * of_each).mean()


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the share of samples whose class is right; of several labels a sample, the share of these that are.

    >>> import torch
    >>> accuracy(torch.tensor([[0.2], [-0.1]]), torch.tensor([1, 1])).item()
    0.5
    """
    if targets.dtype == torch.bool and targets.ndim == 2:
        return ((outputs > 0) == targets).float().mean()
    return (decisions(outputs) == targets).float().mean()


def decisions(outputs: Tensor) -> Tensor:
    """Return the class that outputs `(batch, classes)`, or single logits `(batch, 1)`, speak for.

    >>> import torch
    >>> decisions(torch.tensor([[0.1, 0.7, 0.2]])), decisions(torch.tensor([[-3.0]]))
    (tensor([1]), tensor([0]))
    """
    return (outputs.squeeze(-1) > 0).long() if outputs.shape[-1] == 1 else outputs.argmax(dim=-1)


def as_outputs(targets: Tensor, outputs: Tensor) -> Tensor:
    """Return targets in the shape and type of `outputs`: class numbers become one logit's 0 and 1, or one-hot rows."""
    if not targets.is_floating_point() and targets.ndim == outputs.ndim - 1 and outputs.shape[-1] > 1:
        return F.one_hot(targets, outputs.shape[-1]).to(outputs.dtype)
    if targets.numel() != outputs.numel():
        raise ShapeError(
            "targets do not fit the network's outputs",
            expected=str(tuple(outputs.shape)),
            found=str(tuple(targets.shape)),
        )
    return targets.reshape(outputs.shape).to(outputs.dtype)


LOSSES: dict[str, Loss] = {
    "cross-entropy": cross_entropy,
    "binary-cross-entropy": binary_cross_entropy,
    "squared-error": squared_error,
    "half-squared-error": half_squared_error,
    "perceptron": perceptron_criterion,
}


def find_loss(loss: str | Loss) -> Loss:
    """Return a loss by its name; one that is given as a function is taken as it is.

    >>> find_loss("cross-entropy") is cross_entropy
    True

    Raises:
        ConfigurationError: no loss has this name.
    """
    if not isinstance(loss, str):
        return loss
    if loss not in LOSSES:
        raise unknown_name("loss", loss, list(LOSSES))
    return LOSSES[loss]
