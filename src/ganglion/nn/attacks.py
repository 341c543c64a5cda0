"""Adversarial examples: inputs changed by too little to be seen, and by as much as misleads a network most."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Norm = Literal["inf", "2"]
"""How a change is measured: by its largest element, or by the root of the sum of its squares."""
STRIDE = 2.5
"""Steps of projected gradient descent together are that many times as long as the change may be."""


def adversarial_examples(
    loss: Callable[[Tensor], Tensor],
    inputs: Tensor,
    epsilon: float,
    *,
    norm: Norm = "inf",
    steps: int = 1,
    black: Tensor | float = 0.0,
    white: Tensor | float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return inputs changed by at most epsilon so that the loss grows.

    With one step the fast gradient method: x' = x + epsilon sign(g) for the norm "inf", x + epsilon g / ||g|| for "2",
    with g = d L / d x. With several, projected gradient descent: from a random start within the bound, steps of
    2.5 epsilon / steps along the same direction, each followed by the way back into the bound. Inputs stay between
    `black` and `white`.

    Args:
        loss: from inputs `(batch, ...)` to the loss of each of them, `(batch,)`.
        inputs: (batch, ...).
        epsilon: largest change, in shares of the way from `black` to `white`.
        black: what black is, of a shape that goes with `inputs`.
        white: what white is likewise.
        generator: of the random start; torch's own when not given.

    Sources: Goodfellow, Shlens, Szegedy, Explaining and harnessing adversarial examples (2015); Madry, Makelov,
    Schmidt, Tsipras, Vladu, Towards deep learning models resistant to adversarial attacks (2018).

    >>> weights = torch.tensor([1.0, -2.0])
    >>> adversarial_examples(lambda x: x @ weights, torch.full((1, 2), 0.5), 0.1)
    tensor([[0.6000, 0.4000]])
    """
    shares = (inputs - black) / (white - black)
    change = torch.zeros_like(shares)
    if steps > 1:
        drawn = torch.rand(shares.shape, generator=generator, dtype=shares.dtype).to(shares.device)
        change = _within((2 * drawn - 1) * epsilon, epsilon, norm)
    stride = epsilon if steps == 1 else STRIDE * epsilon / steps
    for _ in range(steps):
        moved = (shares + change).clamp(0, 1).requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(loss(black + (white - black) * moved).sum(), moved)
        direction = slope.sign() if norm == "inf" else slope / _length(slope).clamp(min=1e-12)
        change = _within(moved.detach() + stride * direction - shares, epsilon, norm)
    return black + (white - black) * (shares + change).clamp(0, 1)


def _length(change: Tensor) -> Tensor:
    """Return the Euclidean length of each change, `(batch, 1, ...)`."""
    return change.flatten(1).norm(dim=1).reshape(-1, *[1] * (change.dim() - 1))


def _within(change: Tensor, epsilon: float, norm: Norm) -> Tensor:
    """Return the nearest change that is not larger than epsilon."""
    if norm == "inf":
        return change.clamp(-epsilon, epsilon)
    return change * (epsilon / _length(change).clamp(min=1e-12)).clamp(max=1)
