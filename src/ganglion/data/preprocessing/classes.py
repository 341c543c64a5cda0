"""Classes as numbers, and back as names."""

from collections.abc import Sequence
from typing import Annotated, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.fields import UNJUDGED
from ganglion.data.preprocessing.films import spread
from ganglion.errors import DataError
from ganglion.settings import at_least, settings


@final
@settings
class ClassPreprocessing:
    """The class of every sample as its number `(samples,)` int64.

    >>> pets = ClassPreprocessing.fit(np.array([0, 1, 1]), ("cat", "dog"))
    >>> pets(np.array([1, 0])).tolist(), pets.inverse(torch.tensor([1]))
    ([1, 0], ['dog'])
    """

    num_classes: Annotated[int, at_least(1)]
    """Classes that there are."""
    names: tuple[str, ...] = ()
    """What each is called; its number where none are given."""

    @classmethod
    def fit(cls, classes: np.ndarray, names: Sequence[str] = ()) -> Self:
        """Keep the names, and count the classes `(samples,)` where there are none."""
        return cls(num_classes=len(names) or 1 + int(np.max(classes, initial=0)), names=tuple(names))

    def __call__(self, raw: np.ndarray) -> Tensor:
        """Return class numbers `(samples,)` int64. Raises `DataError` for one that there is not."""
        numbers = np.asarray(raw).astype(np.int64)
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < self.num_classes):
            raise DataError(
                "this class is unknown",
                expected=f"numbers from 0 to {self.num_classes - 1}",
                found=f"{numbers.min()} to {numbers.max()}",
            )
        return torch.from_numpy(numbers)

    @property
    def labels(self) -> tuple[str, ...]:
        """What class 0, 1, ... is called."""
        return self.names or tuple(map(str, range(self.num_classes)))

    def inverse(self, numbers: Tensor) -> list[str]:
        """Return the names of class numbers `(samples,)`."""
        return [self.labels[number] for number in numbers.tolist()]


@final
@settings
class LabelPreprocessing:
    """Which of several labels every sample has, `(samples, labels)` of truth values.

    >>> kinds = LabelPreprocessing.fit(np.array([[0, 1], [1, 1]]), ("comedy", "drama"))
    >>> kinds(np.array([[1, 0]])).tolist(), kinds.inverse(torch.tensor([[True, True], [False, False]]))
    ([[True, False]], [('comedy', 'drama'), ()])
    """

    num_labels: Annotated[int, at_least(2)]
    """Labels that there are."""
    names: tuple[str, ...] = ()
    """What each is called; its number where none are given."""

    @classmethod
    def fit(cls, labels: np.ndarray, names: Sequence[str] = ()) -> Self:
        """Keep the names, and count the labels `(samples, labels)`."""
        return cls(num_labels=np.asarray(labels).shape[1], names=tuple(names))

    def __call__(self, raw: np.ndarray) -> Tensor:
        """Return truth values `(samples, labels)`. Raises `DataError` for another number of labels."""
        held = np.asarray(raw)
        if held.ndim != 2 or held.shape[1] != self.num_labels:
            raise DataError("these are other labels", expected=f"{self.num_labels} of them", found=str(held.shape))
        return torch.from_numpy(held.astype(bool))

    @property
    def labels(self) -> tuple[str, ...]:
        """What each label is called."""
        return self.names or tuple(f"label {number + 1}" for number in range(self.num_labels))

    def inverse(self, held: Tensor) -> list[tuple[str, ...]]:
        """Return the names of those that hold, of truth values `(samples, labels)`."""
        return [tuple(name for name, holds in zip(self.labels, row, strict=True) if holds) for row in held.tolist()]


@final
@settings
class StepClassPreprocessing:
    """The class at every step of a sample as its number, `UNJUDGED` where a step is of no class.

    >>> ways = StepClassPreprocessing.fit([np.array([0, 0, 1, 1])], ("left", "right"), num_steps=2)
    >>> ways([np.array([0, 0, 1, 1])]).tolist()
    [[0, 1]]
    """

    num_classes: Annotated[int, at_least(1)]
    """Classes that there are."""
    names: tuple[str, ...] = ()
    """What each is called; its number where none are given."""
    num_steps: Annotated[int, at_least(0)] = 0
    """Steps that are taken of each sample, evenly spread over it; 0 for all, of samples that are equally long."""

    @classmethod
    def fit(cls, classes: Sequence[np.ndarray], names: Sequence[str] = (), *, num_steps: int = 0) -> Self:
        """Keep the names, and count the classes, (steps,) for each sample, where there are none."""
        most = max((int(np.max(one, initial=0)) for one in classes), default=0)
        return cls(num_classes=len(names) or 1 + most, names=tuple(names), num_steps=num_steps)

    def __call__(self, raw: Sequence[np.ndarray]) -> Tensor:
        """Return class numbers `(samples, steps)` int64. Raises `DataError` for one that there is not."""
        taken = [np.asarray(one)[spread(len(one), self.num_steps)] for one in raw]
        numbers = np.stack(taken).astype(np.int64) if taken else np.empty((0, self.num_steps), np.int64)
        known = numbers[numbers != UNJUDGED]
        ClassPreprocessing(num_classes=self.num_classes)(known)  # raises for one that there is not
        return torch.from_numpy(numbers)

    @property
    def labels(self) -> tuple[str, ...]:
        """What class 0, 1, ... is called."""
        return self.names or tuple(map(str, range(self.num_classes)))
