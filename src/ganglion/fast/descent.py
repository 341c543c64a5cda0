"""Passes over all tensors of a network in one compiled call: the norm of a gradient, clipping, Adam's update."""

import math
from collections.abc import Sequence
from operator import attrgetter, is_
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from ganglion.fast import applies

SHARE = 2**16
"""Numbers that are worth a thread."""


def norm_of(gradients: Sequence[Tensor]) -> Tensor:
    """Return the Euclidean norm, a scalar, of gradients of any shapes together.

    >>> norm_of([torch.tensor([3.0]), torch.tensor([[4.0]])])
    tensor(5.)
    """
    table = _table_of(gradients)
    return torch.nn.utils.get_total_norm(gradients) if table is None else torch.tensor(_norm(table, 0, 1))


def total_of(gradients: Sequence[Tensor]) -> Tensor:
    """Return the sum of everything, a scalar, which is finite only where all of it is; cheaper than any norm.

    Infinities of both signs make NaN. What overflows the sum would overflow the norm.

    >>> total_of([torch.tensor([3.0]), torch.tensor([[4.0]])])
    tensor(7.)
    """
    table = _table_of(gradients)
    if table is None:
        return torch.stack([gradient.sum() for gradient in gradients] or [torch.zeros(())]).sum()
    from ganglion.fast import descent_kernels

    return torch.tensor(descent_kernels.total(*_team(), table, 0, 1, False), dtype=torch.float32)


def _table_of(gradients: Sequence[Tensor]) -> np.ndarray | None:
    """Return address and size of every tensor, (tensors, 2); None where kernels cannot take them."""
    if not applies.to_sums(gradients):
        return None
    return np.array([(gradient.data_ptr(), gradient.numel()) for gradient in gradients], np.int64)


def _norm(table: np.ndarray, address: int, size: int) -> float:
    """Return the Euclidean norm of all tensors of a table; infinite where a square overflows."""
    from ganglion.fast import descent_kernels

    return math.sqrt(descent_kernels.total(*_team(), table, address, size, True))


def _team() -> tuple[tuple[int, ...], int, int]:
    """Return the team of threads, how many of it may be used, and the numbers that are worth one."""
    from ganglion.fast.parallel import team

    found = team()
    return (found, torch.get_num_threads(), SHARE) if found else ((0, 0, 0), 1, SHARE)


def shorten(gradients: Sequence[Tensor], length: float, norm: Tensor) -> None:
    """Scale gradients of this norm down, in place, so that it is at most `length`; as torch's `clip_grads_with_norm_`.

    >>> gradient = torch.tensor([3.0, 4.0])
    >>> shorten([gradient], 1.0, torch.tensor(5.0))
    >>> gradient
    tensor([0.6000, 0.8000])
    """
    if norm.is_cpu:
        factor = length / (norm.item() + 1e-6)
        if not factor >= 1:
            torch._foreach_mul_(list(gradients), factor)
    elif gradients:
        torch._foreach_mul_(list(gradients), (length / (norm + 1e-6)).clamp(max=1.0))


def adam_step(optimizer: Optimizer) -> bool:
    """Make one update of Adam or AdamW; return False, with nothing done, where this suits it not.

    The first update is always torch's, which makes the moments.
    """
    return _norm_and_update(optimizer, math.inf) is not None


def clipped_adam_step(optimizer: Optimizer, length: float | None, loss: Tensor | None) -> float | None:
    """Clip the gradient, make one update of Adam, and return the norm that the gradient had before, all in one pass.

    None, with nothing done, where this suits not, or where norm or loss are not finite.

    Args:
        length: that the gradient is shortened to, in place; None shortens nothing.
        loss: a scalar that has to be finite besides the gradient.
    """
    own_step = getattr(type(optimizer).step, "steps_at_once", False) and "step" not in vars(optimizer)
    if not own_step or (loss is not None and not (loss.is_cpu and math.isfinite(loss.item()))):
        return None
    return _norm_and_update(optimizer, math.inf if length is None else length, finite=True)


def _norm_and_update(optimizer: Optimizer, length: float, finite: bool = False) -> float | None:
    """Update, where the norm has to be `finite` clipped to `length`, and return the norm, or 0 where nobody asked."""
    if not applies.to_adam(optimizer):
        return None
    parts = [[weight for weight in group["params"] if weight.grad is not None] for group in optimizer.param_groups]
    weights = [weight for part in parts for weight in part]
    table = _table(optimizer, weights)
    if table is None:
        return None
    from ganglion.fast import descent_kernels

    norm = _norm(table, 1, 5) if finite else 0.0
    if not math.isfinite(norm):
        return None
    begin = 0
    for group, part in zip(optimizer.param_groups, parts, strict=True):
        rates = float(group["lr"]), *map(float, group["betas"]), group["eps"], float(group["weight_decay"])
        decoupled, end = bool(group.get("decoupled_weight_decay", False)), begin + len(part)
        descent_kernels.adam(*_team(), table[begin:end], length / (norm + 1e-6), *rates, decoupled)
        begin = end
    return norm


def _table(optimizer: Optimizer, weights: list[Tensor]) -> np.ndarray | None:
    """Return a row of addresses and the size for each weight, (weights, 6); None where kernels cannot take them."""
    states = [*map(optimizer.state.get, weights)]
    if not weights or not all(states):
        return None
    moments = [state[name] for state in states for name in _MOMENTS]  # type: ignore[index]
    gradients = [weight.grad for weight in weights]
    return _TABLES.setdefault(optimizer, _Table()).of(weights, gradients, moments)  # type: ignore[arg-type]


class _Table:
    """Where the tensors of an update lie, as the kernels take it, for as long as they lie there."""

    def __init__(self) -> None:
        self._moments: list[Tensor] = []
        self._layout: list[Any] = []
        self._table: np.ndarray | None = None

    def of(self, weights: list[Tensor], gradients: list[Tensor], moments: list[Tensor]) -> np.ndarray | None:
        """Return a row of addresses and the size for each weight, (weights, 6); None where kernels cannot take them.

        Of the moments, which are the optimizer's own, it is enough that they are the same and lie where they lay.

        Args:
            moments: both and the count of steps, of one weight after the other.
        """
        tensors = [*weights, *gradients]
        if not _KNOWN.issuperset(map(type, tensors)) or any(map(_SPARSE, gradients)):
            return None
        layout = [*applies.layout_of(tensors), *map(Tensor.data_ptr, moments)]
        same = len(moments) == len(self._moments) and all(map(is_, moments, self._moments))
        if not same or layout != self._layout:
            rows = [*zip(weights, gradients, moments[::3], moments[1::3], moments[2::3], strict=True)]
            self._moments, self._layout, self._table = moments, layout, _addresses(rows)
        return self._table


def _addresses(rows: Sequence[tuple[Tensor, ...]]) -> np.ndarray | None:
    """Return addresses of weight, gradient, moments and steps, and the size, of every weight, (weights, 6)."""
    if not all(applies.lie_alike(*row[:4]) and applies.is_float32(row[4]) for row in rows):
        return None
    return np.array([(*map(Tensor.data_ptr, row), row[0].numel()) for row in rows], np.int64)


_TABLES: WeakKeyDictionary[Optimizer, _Table] = WeakKeyDictionary()
_KNOWN, _SPARSE = {torch.nn.Parameter, Tensor}, attrgetter("is_sparse")
_MOMENTS = "exp_avg", "exp_avg_sq", "step"
