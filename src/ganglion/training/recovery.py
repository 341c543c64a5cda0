"""What can go wrong in a step: numbers that are not finite, and memory that runs out."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ganglion.core import Batch, LearningRule
from ganglion.errors import NonFiniteError, ResourceError

MOST_SKIPS = 20
"""Batches in a row that may be passed over before it is no longer the data that is at fault."""
MOST_ROLL_BACKS = 5


def first_non_finite(state: Any, path: str = "") -> str:
    """Return where in nested dicts the first tensor with NaN or Inf is, nothing when there is none.

    >>> first_non_finite({"weight": torch.ones(2), "bias": torch.tensor([0.0, float("nan")])})
    'bias'
    """
    if isinstance(state, Tensor):
        return "" if not state.is_floating_point() or bool(torch.isfinite(state).all()) else path
    items = state.items() if isinstance(state, dict) else ()
    found = (first_non_finite(value, f"{path}.{key}" if path else str(key)) for key, value in items)
    return next((place for place in found if place), "")


def check_finite(state: dict[str, Any], step: int) -> None:
    """Raise `NonFiniteError` rather than let weights that are no numbers be saved over good ones."""
    if place := first_non_finite(state):
        raise NonFiniteError(
            f"the weights after step {step} are not finite; no checkpoint was made of them",
            where=place,
            remedy="lower the learning rate or set clip_norm, then `ganglion resume` from the checkpoint before",
        )


@contextmanager
def undone_if_not_finite(rule: LearningRule, batch: Batch) -> Iterator[None]:
    """Leave a rule as it was if the batch, the loss or the gradient is not finite.

    That is running statistics, chains and counters; weights need no undoing, as such a gradient is never applied.
    """
    if name := first_non_finite(batch):
        raise NonFiniteError(
            "the batch has values that are not finite", where=name, remedy="`ganglion data check` finds them"
        )
    buffers = [buffer for network in rule.networks.values() for buffer in network.buffers()]
    kept = [buffer.clone() for buffer in buffers]
    counters, tensors = dict(rule.counters), {name: tensor.clone() for name, tensor in rule.tensors.items()}
    try:
        yield
    except NonFiniteError:
        for buffer, value in zip(buffers, kept, strict=True):
            buffer.copy_(value)
        rule.counters.update(counters)
        rule.tensors.update(tensors)
        raise


def located(error: NonFiniteError, step: int, batch: Batch) -> NonFiniteError:
    """Return the error with the step and the first samples of the batch in it."""
    samples = batch["index"][:8].tolist() if "index" in batch else []
    names = f"batch of samples {samples} ..." if samples else ""
    return NonFiniteError(
        f"{error.what} at step {step}; the update was not applied",
        where="; ".join(part for part in (error.where, names) if part),
        found=error.found,
        remedy=error.remedy,
    )


@contextmanager
def memory_watched(doing: str, batch: Batch | None = None) -> Iterator[None]:
    """Say how much memory was in use, and what needs less, when it runs out."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_shortage(error):
            raise
        size = f"batch of {len(next(iter(batch.values())))} samples, " if batch else ""
        detail = str(error).partition("\n")[0]
        raise ResourceError(
            f"memory ran out {doing}",
            found=f"{size}at most {_peak() / 2**20:,.0f} MiB in use; {detail or 'no more to be had'}",
            remedy="a smaller batch_size, or accumulate, which makes the same update from smaller pieces; "
            "then `ganglion resume` or start again",
        ) from error


def _is_shortage(error: Exception) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error)


def _peak() -> int:
    """Return the most bytes that were in use at once, on the GPU where there is one."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
