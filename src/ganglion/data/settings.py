"""How data is read, split and batched; no torch here, so that the command line can show it at once."""

from dataclasses import dataclass
from typing import Literal

from ganglion.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """How the data is read, split and batched, whatever the task."""

    batch_size: int | Literal["all"] = 64
    """Samples per update: 1 is stochastic, `all` is the whole training part at once."""
    validation: float = 0.1
    """Share of the samples held back to choose the best weights; for series the share of time before the test part."""
    test: float = 0.2
    """Share held back for the final score, where the data brings no test part of its own."""
    limit: int | None = None
    """Use at most this many training samples."""
    target: str | None = None
    """Column to predict; the last, or one called target, label, class, y and the like, when not given."""
    columns: tuple[str, ...] = ()
    """Columns to use; all numeric ones when not given."""
    augment: Literal["none", "shift", "flip", "shift-flip"] = "none"
    """Random changes to training images, a function of (seed, epoch, sample)."""
    workers: int = 0
    """Processes that decode images of a folder too large for memory."""
    worker_timeout: float = 300.0
    """Seconds to wait for a batch from these processes before training stops."""
    stream: Literal["auto", "yes", "no"] = "auto"
    """Read a folder of images batch by batch instead of holding it in memory."""
    download: bool = False
    """Fetch a named set from its mirrors if it is not on this machine."""
    season: int | None = None
    """Steps in one season of a series, for the seasonal-naive baseline; estimated when not given."""
    allow_problems: bool = False
    """Train even though the data check found something that makes the result doubtful."""

    def __post_init__(self) -> None:
        if self.batch_size != "all" and self.batch_size < 1:
            raise ConfigurationError("batch_size must be at least 1, or 'all'", found=str(self.batch_size))
        for name, least in (("limit", 1), ("season", 1), ("workers", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigurationError(f"{name} must be at least {least}", found=str(value))
        if not self.worker_timeout > 0:
            raise ConfigurationError("worker_timeout must be above zero", found=str(self.worker_timeout))
        if not (0 <= self.validation < 1 and 0 <= self.test < 1 and self.validation + self.test < 1):
            raise ConfigurationError(
                "validation and test shares must leave something to train on",
                found=f"validation {self.validation}, test {self.test}",
            )
