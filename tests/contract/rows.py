"""What the contract suite needs to know of every system: one row each. A system without a row fails the suite."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ganglion.core import LearningRule, Loader


@dataclass(frozen=True, kw_only=True)
class Row:
    """How one system is put to the test."""

    loader: Callable[[], Loader]
    """A fresh loader of a toy problem that fits `TINY`."""
    steps: int
    """Iterations of `TINY` on that loader after which it must have learnt; seconds on a CPU."""
    measure: Callable[[LearningRule], float]
    """Judges a rule; higher is better."""
    threshold: float
    """What the measure must exceed after training, and must not exceed before."""
    published: tuple[dict[str, Any], int] | None = None
    """Fields of `Config` and the number of trainable parameters that the literature gives for them."""
    frozen: tuple[str, ...] = ()
    """Parameters that receive no gradient, as role.name."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of `ganglion.train` that make a run of a few seconds on `data`, beside the fields of `TINY`."""
    data: str = "digits"
    """Bundled or generated data for that run."""


ROWS: dict[str, Row] = {}
