"""A data set as it was read: raw arrays, names and where they came from, before any preprocessing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

Kind = Literal["image", "tabular", "series", "text", "documents", "tagged"]


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Raw samples of one kind.

    `inputs`: images `(samples, height, width, channels)` uint8, rows `(samples, columns)` float32, a series
    `(time, columns)` float32; for `text` a list of one long text, for `documents` a list of texts, for `tagged` a list
    of sentences, each as pairs of a word and its tag. Images too many for memory are an `ImageFiles` sequence instead.
    `targets`: class numbers `(samples,)` int64, or values `(samples,)` or `(samples, outputs)` float32, or None.
    """

    name: str
    kind: Kind
    inputs: np.ndarray | Sequence
    targets: np.ndarray | None = None
    test_inputs: np.ndarray | Sequence | None = None
    """The test part that the set was published with, never touched by a split."""
    test_targets: np.ndarray | None = None
    label_names: tuple[str, ...] = ()
    """What class 0, 1, ... are called; empty for regression."""
    column_names: tuple[str, ...] = ()
    target_names: tuple[str, ...] = ()
    source: str = ""
    """Name or path to read it again from."""
    fingerprint: str = ""
    """SHA-256 of the contents, so that a resumed run notices that its data changed."""
    notes: tuple[str, ...] = field(default=())
    """What was inferred while reading, for the user: the target column, the delimiter, files left out."""

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def is_classification(self) -> bool:
        return self.targets is not None and self.targets.dtype.kind == "i"

    def with_note(self, note: str) -> "Dataset":
        return replace(self, notes=(*self.notes, note))
