"""Batches gathered from tensors in memory."""

from collections.abc import Iterator, Mapping
from typing import Literal, final

import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.loaders.columns import IMAGES, Column, Columns, Kinds, gather
from ganglion.data.loaders.derived import Derived
from ganglion.data.loaders.epochs import Augmentation, EpochLoader
from ganglion.data.loaders.noise import mixed_seed
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.errors import DataError

POOL = 20
"""Batches that are sorted by length among themselves: more pad less, fewer mix better."""


@final
class InMemoryLoader(EpochLoader):
    """Batches of any fields, each gathered in one call per batch; fields of differing lengths are padded.

    Args:
        tensors: fields by name on one device with the samples along the first axis. Where there is no `index`,
            batches get the places `0, 1, ...` under that name.
        batch_size: samples per batch, or `all`.
        augment: changes a batch after it was gathered.
        unpaired: names of fields whose values do not belong to the samples of the others. Each has its own length and
            its own order, and its places stand beside it as `NAME_index`. Where no field is paired, an epoch is as
            long as the longest.
        derived: fields that are made of others, by name.
        kinds: which fields are images, masks and boxes.
        by_length: name of a field of differing lengths whose about equal ones are put together when samples are
            shuffled, so that little is padded.

    >>> loader = InMemoryLoader({"inputs": torch.arange(5.0)}, batch_size=2, seed=0)
    >>> [len(batch["inputs"]) for batch in loader], loader.epoch
    ([2, 2, 1], 1)
    """

    def __init__(
        self,
        tensors: Columns,
        batch_size: int | Literal["all"],
        seed: int,
        augment: Augmentation | None = None,
        shuffle: bool = True,
        *,
        unpaired: tuple[str, ...] = (),
        derived: Mapping[str, Derived] | None = None,
        kinds: Kinds = IMAGES,
        by_length: str | None = None,
    ) -> None:
        sizes = {name: len(tensor) for name, tensor in tensors.items() if name not in unpaired}
        if len(set(sizes.values())) > 1:
            raise DataError(
                "the tensors of a loader differ in their number of samples",
                found=str(sizes),
                expected="one row of each for every sample",
            )
        size = max(sizes.values()) if sizes else max(len(tensor) for tensor in tensors.values())
        super().__init__(size, batch_size, seed, shuffle, augment, derived, kinds)
        first = next(iter(tensors.values()))
        device = (first.values if isinstance(first, Ragged) else first).device
        paired = {name: tensor for name, tensor in tensors.items() if name not in unpaired}
        self.tensors: dict[str, Column] = {"index": torch.arange(size, device=device), **paired}
        self.unpaired: dict[str, Column] = {name: tensors[name] for name in unpaired}
        self.lengths: Tensor | None = None if by_length is None else _lengths(tensors[by_length])

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch
        order = self.order(epoch)
        while self.epoch == epoch:
            places = order[self.position : self.position + self.batch_size]
            batch = self.finished(self._gather(places, epoch), epoch)
            self.advance()
            yield batch

    def order(self, epoch: int) -> Tensor:
        """Return the places of the samples, (samples,), in the order in which `epoch` visits them.

        By length they are sorted in pools of some batches, and the batches are shuffled again.
        """
        order = super().order(epoch)
        if self.lengths is None or not self.shuffle:
            return order
        pools = order.split(POOL * self.batch_size)
        order = torch.cat([pool[self.lengths[pool].argsort(stable=True)] for pool in pools])
        full = self.size // self.batch_size * self.batch_size
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, epoch, 1))
        batches = order[:full].view(-1, self.batch_size)
        batches = batches[torch.randperm(len(batches), generator=generator)]
        return torch.cat([batches.flatten(), order[full:]])

    @property
    def nbytes(self) -> int:
        """Memory that the tensors take."""
        return sum(tensor.nbytes for tensor in (*self.tensors.values(), *self.unpaired.values()))

    def to(self, device: torch.device) -> None:
        """Move the tensors, so that batches are gathered and augmented there; the samples and their order stay."""
        self.tensors = {name: tensor.to(device) for name, tensor in self.tensors.items()}
        self.unpaired = {name: tensor.to(device) for name, tensor in self.unpaired.items()}

    def _gather(self, places: Tensor, epoch: int) -> Batch:
        index = self.tensors["index"]
        assert isinstance(index, Tensor)
        device = index.device
        whole = {name: column for name, column in self.tensors.items() if isinstance(column, Tensor)}
        if len(places) == self.size and len(whole) == len(self.tensors) and not self.unpaired:
            return whole  # The order inside the one batch of an epoch says nothing: spare the copy.
        batch = gather(self.tensors, places.to(device))
        for name, column in self.unpaired.items():
            own = self.unpaired_places(name, len(column), epoch, self.position, len(places)).to(device)
            batch |= {**gather({name: column}, own), f"{name}_index": own}
        return batch


def _lengths(column: Column) -> Tensor:
    assert isinstance(column, Ragged)
    if not column.lengths.all():
        raise DataError("a sequence is empty", found="no token", expected="at least one token in each")
    return column.lengths
