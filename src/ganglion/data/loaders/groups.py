"""Batches of samples that stay on disk in groups: shuffled among groups, and within a buffer of some groups."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal, final

import numpy as np
import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.in_groups import INDEX, Chosen
from ganglion.data.loaders.derived import Derived
from ganglion.data.loaders.epochs import Augmentation, EpochLoader
from ganglion.data.loaders.noise import mixed_seed, named_stream
from ganglion.data.preprocessing.table import Preprocessing

BUFFER = 1 << 17
"""Samples that are mixed with each other, at least, unless there are fewer."""


@final
class GroupLoader(EpochLoader):
    """Batches of samples that are read group by group; an epoch is as long as all of them.

    The groups come in a random order, a function of (seed, epoch). As many as hold `buffer` samples are read together
    and their samples shuffled, by (seed, epoch, number of the buffer). So a place in an epoch says which groups to
    read, and going on from there reads nothing that came before.

    Args:
        chosen: the samples, on disk.
        fields: which field of the samples each field of a batch is made of, and how it is prepared.
        buffer: samples that are mixed with each other, at least.
    """

    def __init__(
        self,
        chosen: Chosen,
        fields: Mapping[str, tuple[str, Preprocessing]],
        batch_size: int | Literal["all"],
        seed: int,
        augment: Augmentation | None = None,
        shuffle: bool = True,
        *,
        derived: Mapping[str, Derived] | None = None,
        buffer: int = BUFFER,
    ) -> None:
        super().__init__(len(chosen), batch_size, seed, shuffle, augment, derived)
        self.chosen, self.fields, self.buffer = chosen, dict(fields), buffer

    def __iter__(self) -> Iterator[Batch]:
        epoch = self.epoch
        buffers = self.buffers(epoch)
        starts = np.cumsum([0, *(int(self.chosen.counts[groups].sum()) for groups in buffers)])
        number = int(np.searchsorted(starts, self.position, side="right")) - 1
        before = self.position - int(starts[number])
        rest: Batch = {}
        with ThreadPoolExecutor(1) as ahead:  # one buffer is read while the other is learnt from
            coming = self._read(ahead, epoch, buffers, number)
            while self.epoch == epoch:
                wanted = min(self.batch_size, self.size - self.position)
                while len(rest.get(INDEX, ())) < wanted:
                    read = coming.result()
                    number += 1
                    coming = self._read(ahead, epoch, buffers, number)
                    more = {name: values[before:] for name, values in read.items()}
                    rest, before = _joined(rest, more), 0
                batch = {name: values[:wanted] for name, values in rest.items()}
                rest = {name: values[wanted:] for name, values in rest.items()}
                batch = self.finished(batch, epoch)
                self.advance()
                yield batch

    def buffers(self, epoch: int) -> list[np.ndarray]:
        """Return the groups of each buffer of an epoch in order; those without a chosen sample are left out."""
        return buffers(self.chosen.counts, self.seed if self.shuffle else None, epoch, self.buffer)

    def _read(self, ahead: ThreadPoolExecutor, epoch: int, buffers: list[np.ndarray], number: int) -> "Future[Batch]":
        if number >= len(buffers):
            empty: Future[Batch] = Future()
            empty.set_result({})
            return empty
        return ahead.submit(self._buffer, epoch, buffers[number], number)

    def _buffer(self, epoch: int, groups: np.ndarray, number: int) -> Batch:
        """Return all samples of some groups, prepared and shuffled."""
        size = int(self.chosen.counts[groups].sum())
        order = within_buffer(size, self.seed, epoch, number) if self.shuffle else torch.arange(size)
        places = torch.empty_like(order)
        places[order] = torch.arange(size)  # where each sample goes
        buffer: Batch = {}
        start = 0
        stored = list(dict.fromkeys(source for source, _ in self.fields.values()))
        for group in groups.tolist():
            for chunk in self.chosen.chunks(group, stored):
                here = places[start : start + len(chunk[INDEX])]
                start += len(here)
                for name, values in self._prepared(chunk).items():
                    if name not in buffer:
                        buffer[name] = values.new_empty((size, *values.shape[1:]))
                    buffer[name][here] = values
        return buffer

    def _prepared(self, chunk: Mapping[str, Any]) -> dict[str, Tensor]:
        prepared = {name: preprocessing(chunk[source]) for name, (source, preprocessing) in self.fields.items()}
        return {INDEX: torch.from_numpy(np.ascontiguousarray(chunk[INDEX])), **prepared}  # type: ignore[dict-item]

    def _identity(self) -> dict[str, Any]:
        return {**super()._identity(), "buffer": self.buffer}


def buffers(counts: np.ndarray, seed: int | None, epoch: int, least: int) -> list[np.ndarray]:
    """Return the groups of each buffer of an epoch in order; those without a sample are left out.

    A buffer ends with the group by which it holds enough.

    Args:
        counts: samples of each group `(groups,)`.
        seed: of their order; the groups as they are without one.
        least: samples of a buffer, at least.

    >>> [groups.tolist() for groups in buffers(np.array([3, 0, 2, 4]), None, 0, least=4)]
    [[0, 2], [3]]
    """
    order = np.arange(len(counts))
    if seed is not None:
        generator = torch.Generator().manual_seed(mixed_seed(seed, epoch, named_stream("groups")))
        order = torch.randperm(len(counts), generator=generator).numpy()
    order = order[counts[order] > 0]
    full = np.cumsum(counts[order])
    found, first, begun = [], 0, 0
    while first < len(order):
        last = int(np.searchsorted(full, begun + least)) + 1
        found.append(order[first:last])
        first, begun = last, int(full[min(last, len(order)) - 1])
    return found


def within_buffer(size: int, seed: int, epoch: int, number: int) -> Tensor:
    """Return the order of the samples of a buffer of an epoch `(size,)`."""
    generator = torch.Generator().manual_seed(mixed_seed(seed, epoch, named_stream("buffer"), number))
    return torch.randperm(size, generator=generator)


def order_in_buffers(groups: np.ndarray, seed: int, epoch: int, least: int) -> Tensor:
    """Return an order of samples, (samples,), in which those of a group come together but for a buffer.

    Args:
        groups: the number of the group of each sample `(samples,)`.
    """
    counts = np.bincount(groups)
    by_group = np.argsort(groups, kind="stable")
    starts = np.cumsum(counts) - counts
    parts = []
    for number, together in enumerate(buffers(counts, seed, epoch, least)):
        places = np.concatenate([by_group[starts[group] : starts[group] + counts[group]] for group in together])
        parts.append(torch.from_numpy(places)[within_buffer(len(places), seed, epoch, number)])
    return torch.cat(parts)


def _joined(first: Batch, second: Batch) -> Batch:
    if not len(first.get(INDEX, ())):
        return second
    return {name: torch.cat([values, second[name]]) for name, values in first.items()}
