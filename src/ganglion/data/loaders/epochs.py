"""Loaders whose order is a function of (seed, epoch) and whose state is (epoch, position)."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ganglion.core import Batch, Phase
from ganglion.data.loaders.columns import IMAGES, Kinds, at_size
from ganglion.data.loaders.derived import Derived, derive
from ganglion.data.loaders.noise import mixed_seed, named_stream
from ganglion.errors import CheckpointError, ConfigurationError, DataError

Augmentation = Callable[[Batch, int, int], Batch]
"""Changes a whole batch, given the seed and the epoch."""


@dataclass(frozen=True)
class InTurn:
    """Changes a batch in several ways, one after the other."""

    changes: tuple[Augmentation, ...]

    def __call__(self, batch: Batch, seed: int, epoch: int) -> Batch:
        for change in self.changes:
            batch = change(batch, seed, epoch)
        return batch


class EpochLoader(ABC):
    """The place in a finite set that is passed through in a new order every epoch; the last batch may be short.

    Args:
        size: samples of an epoch.
        batch_size: samples per batch, or `all`.
        augment: changes a batch after it was gathered.
        derived: fields that are made of others after that.
        kinds: which fields are images, masks and boxes, for phases that ask for images of another size.
    """

    def __init__(
        self,
        size: int,
        batch_size: int | Literal["all"],
        seed: int,
        shuffle: bool,
        augment: Augmentation | None = None,
        derived: Mapping[str, Derived] | None = None,
        kinds: Kinds = IMAGES,
    ) -> None:
        if size == 0:
            raise DataError("there are no samples to load", expected="at least one", found="0")
        if batch_size != "all" and batch_size < 1:
            raise ConfigurationError("batch_size must be at least 1, or 'all'", found=str(batch_size))
        self.size, self.seed, self.shuffle = size, seed, shuffle
        self.batch_size = size if batch_size == "all" else min(batch_size, size)
        self.batches_per_epoch: int | None = -(-size // self.batch_size)
        self.epoch = 0
        self.position = 0
        self.augment, self.derived, self.kinds = augment, dict(derived or {}), kinds
        self.image_size: int | None = None
        """Side of the images while a phase asks for another one than theirs."""
        self._unpaired_orders: dict[tuple[str, int], Tensor] = {}

    @abstractmethod
    def __iter__(self) -> Iterator[Batch]:
        """Yield what is left of the current epoch."""

    def order(self, epoch: int) -> Tensor:
        """Return the places of the samples, (samples,), in the order in which `epoch` visits them."""
        if not self.shuffle:
            return torch.arange(self.size)
        return torch.randperm(self.size, generator=torch.Generator().manual_seed(mixed_seed(self.seed, epoch)))

    def unpaired_places(self, name: str, length: int, epoch: int, first: int, count: int) -> Tensor:
        """Return which values of a field without pairs stand beside `count` samples of an epoch from `first` on.

        Such a field goes through epochs of its own, each in an order that is a function of (seed, its epoch, name):
        after all its values were seen it begins anew, wherever the other fields are.
        """
        steps = epoch * self.size + first + torch.arange(count)
        epochs, positions = steps // length, steps % length
        orders = {number: self._unpaired_order(name, length, number) for number in epochs.unique().tolist()}
        return torch.stack([orders[int(number)][place] for number, place in zip(epochs, positions, strict=True)])

    def _unpaired_order(self, name: str, length: int, epoch: int) -> Tensor:
        if not self.shuffle:
            return torch.arange(length)
        if (name, epoch) not in self._unpaired_orders:
            generator = torch.Generator().manual_seed(mixed_seed(self.seed, epoch, named_stream(name)))
            self._unpaired_orders = {key: order for key, order in self._unpaired_orders.items() if key[1] >= epoch - 1}
            self._unpaired_orders[name, epoch] = torch.randperm(length, generator=generator)
        return self._unpaired_orders[name, epoch]

    def advance(self) -> None:
        """Move past the batch that is about to be handed out."""
        self.position += self.batch_size
        if self.position >= self.size:
            self.epoch, self.position = self.epoch + 1, 0

    def finished(self, batch: Batch, epoch: int) -> Batch:
        """Return a gathered batch augmented, at the size that the phase asks for, and with its derived fields."""
        if self.augment is not None:
            batch = self.augment(batch, self.seed, epoch)
        if self.image_size is not None:
            batch = at_size(batch, self.kinds, self.image_size)
        return derive(batch, self.derived, self.seed, epoch) if self.derived else batch

    def begin(self, phase: Phase) -> None:
        """Hand out images of the side that a phase names as `image_size`, from the next batch on; else of their own."""
        self.image_size = phase.sizes.get("image_size")

    def state_dict(self) -> dict[str, Any]:
        sizes = {} if self.image_size is None else {"image_size": self.image_size}
        return {"epoch": self.epoch, "position": self.position, **sizes, **self._identity()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the place of a saved loader, which must have had the same samples in the same batches."""
        for name, value in self._identity().items():
            if state.get(name) != value:
                raise CheckpointError(
                    f"the place in the data was saved with another {name.replace('_', ' ')}",
                    expected=str(value),
                    found=str(state.get(name)),
                    remedy="resume with the data and the options of the run, or start a new run",
                )
        self.epoch, self.position = int(state["epoch"]), int(state["position"])
        self.image_size = state.get("image_size")

    def _identity(self) -> dict[str, Any]:
        return {"size": self.size, "batch_size": self.batch_size, "seed": self.seed, "shuffle": self.shuffle}
