"""Passes over all tensors of a small network in one compiled call: the norm of a gradient, clipping, Adam's update."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from ganglion.nn.fast.dispatch import installed
from ganglion.nn.fast.perceptron import are_singles

MOST_NUMBERS = 2**18
"""Numbers beyond which an update is a matter of memory, which several threads read faster."""


def norm_of(gradients: Sequence[Tensor]) -> Tensor:
    """Return the Euclidean norm of all gradients together.

    >>> norm_of([torch.tensor([3.0]), torch.tensor([[4.0]])])
    tensor(5.)
    """
    table = _small(gradients)
    if table is None:
        return torch.nn.utils.get_total_norm(gradients)
    from ganglion.nn.fast import descent_kernels

    return torch.tensor(float(descent_kernels.norm(table)))


def total_of(gradients: Sequence[Tensor]) -> Tensor:
    """Return the sum of everything, which is finite only where all of it is; cheaper than any norm.

    Infinities of both signs make NaN. What overflows the sum would overflow the norm.

    >>> total_of([torch.tensor([3.0]), torch.tensor([[4.0]])])
    tensor(7.)
    """
    table = _small(gradients)
    if table is None:
        return torch.stack([gradient.sum() for gradient in gradients] or [torch.zeros(())]).sum()
    from ganglion.nn.fast import descent_kernels

    return torch.tensor(float(descent_kernels.total(table)))


def _small(gradients: Sequence[Tensor]) -> np.ndarray | None:
    """Return the gradient of a small network as kernels take it, address and size of every tensor; None of others."""
    if not gradients or not installed() or not all(_lie_alike(gradient) for gradient in gradients):
        return None
    table = np.array([(gradient.data_ptr(), gradient.numel()) for gradient in gradients], np.int64)
    return table if table[:, 1].sum() <= MOST_NUMBERS else None


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
    """Make one update of Adam or AdamW on a small network; return False, with nothing done, where this suits it not.

    The first update is always torch's, which makes the moments.
    """
    if not installed() or getattr(optimizer, "found_inf", None) is not None:
        return False
    parts = [_part(group, optimizer.state) for group in optimizer.param_groups]
    if any(part is None for part in parts) or sum(row[-1] for part in parts for row in part or ()) > MOST_NUMBERS:
        return False
    _update(optimizer.param_groups, parts)
    return True


def _part(group: dict[str, Any], states: dict[Tensor, Any]) -> list[tuple[int, ...]] | None:
    """Return a group as the kernel takes it: addresses of all that an update reads and writes, and sizes."""
    if group["amsgrad"] or group["maximize"] or group["capturable"] or group["differentiable"]:
        return None
    rows: list[tuple[int, ...]] = []
    for weight in group["params"]:
        gradient, state = weight.grad, states.get(weight)
        if gradient is None:
            continue
        if not state:
            return None
        moments = state["exp_avg"], state["exp_avg_sq"], state["step"]
        if not _lie_alike(weight, gradient, *moments[:2]) or moments[2].dtype is not torch.float32:
            return None
        rows.append((
            weight.data_ptr(), gradient.data_ptr(), moments[0].data_ptr(), moments[1].data_ptr(), moments[2].data_ptr(),
            weight.numel(),
        ))  # fmt: skip
    return rows


def _lie_alike(*tensors: Tensor) -> bool:
    """Return whether these are plain numbers without gaps, in the same order in memory."""
    layout = torch.contiguous_format if tensors[0].is_contiguous() else torch.channels_last
    return all(are_singles(tensor) and _is_dense(tensor, layout) for tensor in tensors)


def _is_dense(tensor: Tensor, layout: torch.memory_format) -> bool:
    whole = layout is torch.contiguous_format or tensor.dim() == 4  # torch knows channels last of images alone
    return whole and tensor.is_contiguous(memory_format=layout)


def _update(groups: list[dict[str, Any]], parts: list[list[tuple[int, ...]] | None]) -> None:
    from ganglion.nn.fast import descent_kernels

    for group, rows in zip(groups, parts, strict=True):
        if rows:
            rates = float(group["lr"]), *map(float, group["betas"]), group["eps"], float(group["weight_decay"])
            decoupled = bool(group.get("decoupled_weight_decay", False))
            descent_kernels.adam(np.array(rows, np.int64), *rates, decoupled)
