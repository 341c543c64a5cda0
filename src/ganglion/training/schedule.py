"""How long a run is, and learning rates as functions of the iteration: nothing to save, nothing to restore wrongly."""

import math
from collections.abc import Iterable

from torch.optim import Optimizer

from ganglion.errors import UsageError
from ganglion.training.settings import TrainerSettings


def total_steps(settings: TrainerSettings, batches_per_epoch: int | None) -> int | None:
    """Return the iterations of the whole run, in which an epoch is a pass over the loader; None for one of minutes."""
    if settings.minutes is not None:
        return None
    if settings.steps is not None:
        return settings.steps
    if batches_per_epoch is None:
        raise UsageError("this loader has no epochs", remedy="say how long to train with steps or minutes")
    return (settings.epochs or 1) * batches_per_epoch


def learning_rate_factor(settings: TrainerSettings, iteration: int, total: int | None, held: int = 0) -> float:
    """Return what the learning rate is multiplied by for the update that follows `iteration` updates.

    The warm-up rises linearly and reaches one at its last step; the schedule runs over what is left of `total`. While
    that is not known yet, and for the first `held` iterations, a schedule that needs it stays at its start.

    >>> half = TrainerSettings(steps=10, schedule="linear")
    >>> [learning_rate_factor(half, iteration, 10) for iteration in (0, 5, 9)]
    [1.0, 0.5, 0.1]
    """
    warmup = settings.warmup_steps
    if iteration < warmup:
        return (iteration + 1) / warmup
    floor, begin = settings.schedule_floor, max(warmup, held)
    progress = share_done(iteration, total, begin)
    match settings.schedule:
        case "constant":
            return 1.0
        case "linear":
            return round(1.0 - (1.0 - floor) * progress, 12)
        case "cosine":
            return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * progress))
        case "exponential":
            return max(floor, 1e-4) ** progress
        case "step":
            return 10.0 ** -((iteration - warmup) // settings.schedule_every)
        case "inverse-sqrt":
            return math.sqrt(max(1, warmup) / max(1, warmup, iteration + 1))


def share_done(iteration: int, total: int | None, begin: int = 0) -> float:
    """Return the share of iterations `begin` to `total` that is done after `iteration` of them; 0 without a total.

    >>> [share_done(iteration, 10, begin=2) for iteration in (0, 2, 6, 10)]
    [0.0, 0.0, 0.5, 1.0]
    """
    return 0.0 if total is None else min(1.0, max(0, iteration - begin) / max(1, total - begin))


def scale_learning_rates(optimizers: Iterable[Optimizer], factor: float) -> None:
    """Set every learning rate to `factor` times the one it began with."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


def keep_schedule(
    optimizers: Iterable[Optimizer],
    settings: TrainerSettings,
    iteration: int,
    total: int | None,
    halvings: int,
    held: int = 0,
) -> None:
    """Set the learning rates for the update that follows `iteration` updates, halved so many times."""
    if settings.schedule != "constant" or settings.warmup_steps or halvings:
        scale_learning_rates(optimizers, learning_rate_factor(settings, iteration, total, held) / 2**halvings)
