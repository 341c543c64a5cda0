"""The parts of a data set as a network takes them: preprocessed once, handed out in batches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.formats.image_folders import ImageFiles
from ganglion.data.loaders.augment import Augment
from ganglion.data.loaders.epochs import EpochLoader
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.loaders.streaming import StreamingLoader
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.data.settings import DataSettings
from ganglion.data.splits import Samples
from ganglion.errors import DataError
from ganglion.tasks.base import Part
from ganglion.tasks.shared.evaluation import EVALUATION_BATCH
from ganglion.tasks.shared.preparing import Preprocessing


@dataclass(frozen=True)
class Parts:
    """Training, validation and test part, their preprocessing, and how targets become tensors where there are any.

    Raises `DataError` if anything but images should be augmented.
    """

    samples: dict[str, Samples]
    preprocessing: Preprocessing
    settings: DataSettings
    encode: Callable[[np.ndarray | None], Tensor] | None = None
    _tensors: dict[Part, Batch] = field(default_factory=dict)
    """Parts in memory that were preprocessed already."""

    def __post_init__(self) -> None:
        if self.settings.augment != "none" and not isinstance(self.preprocessing, ImagePreprocessing):
            raise DataError("only images can be augmented", found="rows of numbers", remedy="leave augment at none")

    def __getitem__(self, name: Part) -> Samples:
        return self.samples[name]

    def nearest(self, name: Part) -> Samples:
        """Return a part; where nothing was held back for it, the one that comes nearest."""
        return nearest(self.samples, name)

    def loader(self, seed: int) -> EpochLoader:
        """Return the shuffled, augmented batches of the training part."""
        augment = None if self.settings.augment == "none" else Augment(self.settings.augment)
        return self._batches("train", self.settings.batch_size, seed, augment, shuffle=True)

    def batches(self, name: Part) -> EpochLoader:
        """Return all batches of a part in order, unchanged."""
        return self._batches(name, EVALUATION_BATCH, seed=0, augment=None, shuffle=False)

    def example(self) -> Tensor:
        """Return a small batch of inputs."""
        return self.preprocessing(take(self.nearest("train").inputs, range(2)))

    def _batches(
        self, name: Part, batch_size: int | Literal["all"], seed: int, augment: Augment | None, shuffle: bool
    ) -> EpochLoader:
        samples = self.nearest(name)
        if isinstance(samples.inputs, ImageFiles):
            workers, patience = self.settings.workers, self.settings.worker_timeout
            beside = self._beside(samples)
            return StreamingLoader(
                samples.inputs, self.preprocessing, beside, batch_size, seed, augment, workers, shuffle, patience
            )
        if name not in self._tensors:
            self._tensors[name] = {"inputs": self.preprocessing(samples.inputs), **self._beside(samples)}
        return InMemoryLoader(self._tensors[name], batch_size, seed, augment, shuffle)

    def _beside(self, samples: Samples) -> Batch:
        """Return what a batch has beside its inputs."""
        targets = {} if self.encode is None else {"targets": self.encode(samples.targets)}
        return {**targets, "index": torch.from_numpy(samples.index)}


def nearest(samples: Mapping[str, Samples], name: Part) -> Samples:
    """Return a part; where nothing was held back for it, the one before."""
    order: tuple[Part, ...] = ("train", "validation", "test")
    return next(samples[other] for other in reversed(order[: order.index(name) + 1]) if len(samples[other]))


def take(inputs: Any, places: Sequence[int] | np.ndarray) -> Any:
    """Return some of the raw samples."""
    chosen = [inputs[int(place)] for place in places if place < len(inputs)]
    return np.stack(chosen) if isinstance(inputs, np.ndarray) and chosen else chosen
