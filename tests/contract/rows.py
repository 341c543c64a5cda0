"""What the contract suite needs to know of a system: one row, which stands beside the system's own test."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from ganglion.core import LearningRule, Loader
from ganglion.data.dataset import Dataset
from ganglion.models import System
from ganglion.settings import to_dict

Count = tuple[dict[str, Any], str | None, int]
"""Fields of `Config`, a role or None for all networks together, and the trainable parameters that they have."""


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
    counts: tuple[Count, ...] = ()
    """Numbers of parameters that the literature gives, or that follow by hand."""
    frozen: tuple[str, ...] = ()
    """Parameters that receive no gradient, as role.name."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of `ganglion.train` that make a run of a few seconds on `data`, beside the fields of `TINY`."""
    data: str | Dataset = "digits"
    """Bundled or generated data for that run, or some of it."""
    exempt: dict[str, str] = field(default_factory=dict)
    """Promises that this system cannot keep, by the name of their test without `test_`, and why."""


def row_of(system: System) -> Row:
    """Return the row beside the test of a system; without one the system fails."""
    family, name = system.module.split(".")
    row: Row = import_module(f"tests.models.{family}.test_{name}").ROW
    return row


SIZES = (
    *("in_features", "out_features", "known_features", "image_height", "image_width", "in_channels"),
    *("num_classes", "vocabulary_size", "target_vocabulary_size", "num_actions", "num_samples", "sentence_ends"),
    *("longest", "largest_direction"),
)
"""Sizes that follow from the data, and are refused where they do not."""


def tiny_fields(system: System) -> dict[str, Any]:
    """Return the fields of `TINY` that do not follow from the data, as options of `ganglion.train`."""
    tiny = to_dict(system.load().TINY)
    return {name: value for name, value in tiny.items() if value is not None and name not in SIZES}
