"""What the trainer can be told; no torch here, so that the command line can show it at once."""

from dataclasses import dataclass
from typing import Literal

from ganglion.errors import ConfigurationError

MOST_THREADS = 1024
"""More would only be refused by the system, in the middle of something and without a word."""
POSITIVE = (
    "epochs", "steps", "threads", "schedule_every", "evaluate_every", "report_every", "checkpoint_every", "patience",
)  # fmt: skip

Precision = Literal["fp32", "bf16", "auto"]


@dataclass(frozen=True, kw_only=True)
class TrainerSettings:
    """How long and how to train, whatever the learning rule."""

    epochs: int | None = None
    """Passes over the training part; the system's own number when neither epochs nor steps is given."""
    steps: int | None = None
    """Iterations to train for, instead of epochs."""
    seed: int = 0
    """Decides initial weights, order of the data, splits and noise."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    threads: int | None = None
    """CPU threads; bits are only reproduced at the same number."""
    precision: Precision = "fp32"
    """Number format of the forward pass; weights and updates stay fp32. auto is bf16 where the processor has units for
    it and the system is known to score as well with it."""
    deterministic: bool = True
    """Use only algorithms that give the same bits every time."""
    schedule: Literal["constant", "linear", "cosine", "exponential", "step", "inverse-sqrt"] = "constant"
    """How the learning rate falls over the run."""
    schedule_floor: float = 0.0
    """Share of the learning rate left at the end of linear, cosine and exponential schedules."""
    schedule_every: int = 1000
    """Steps between two divisions by ten of the step schedule."""
    warmup_steps: int = 0
    """Iterations over which the learning rate rises from zero."""
    ema_decay: float | None = None
    """Also keep an exponential moving average of the weights with this decay, and judge and save that."""
    evaluate_every: int | None = None
    """Iterations between evaluations on the validation part; once an epoch when not given."""
    report_every: int | None = None
    """Iterations between lines of the metric log; once an epoch when not given."""
    checkpoint_every: int | None = None
    """Iterations between checkpoints; once an epoch when not given."""
    keep: int = 2
    """Newest checkpoints kept beside the best one; at least two."""
    monitor: str | None = None
    """Metric that decides which weights are best; the task's own when not given."""
    patience: int | None = None
    """Evaluations without improvement after which training stops early."""
    non_finite: Literal["stop", "skip", "roll-back"] = "stop"
    """When a loss or gradient is not finite: stop; pass over the batch; or go back to the newest checkpoint, pass over
    the batch and halve the learning rate."""

    def __post_init__(self) -> None:
        for name in POSITIVE:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} must be at least 1", found=str(value))
        if self.threads is not None and self.threads > MOST_THREADS:
            raise ConfigurationError(f"threads must be at most {MOST_THREADS}", found=str(self.threads))
        if self.warmup_steps < 0:
            raise ConfigurationError("warmup_steps must not be negative", found=str(self.warmup_steps))
        if self.epochs is not None and self.steps is not None:
            raise ConfigurationError(
                "give epochs or steps, not both", found=f"epochs {self.epochs}, steps {self.steps}"
            )
        if self.keep < 2:
            raise ConfigurationError(
                "keep must be at least 2, so that a damaged checkpoint has a predecessor", found=str(self.keep)
            )
        if not 0 <= self.schedule_floor <= 1:
            raise ConfigurationError("schedule_floor must lie between 0 and 1", found=str(self.schedule_floor))
        if self.ema_decay is not None and not 0 < self.ema_decay < 1:
            raise ConfigurationError("ema_decay must lie between 0 and 1", found=str(self.ema_decay))
