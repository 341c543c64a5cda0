"""Sequences of different lengths in batches of about equal ones, so that little is padded."""

from collections.abc import Iterator, Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.loaders.epochs import EpochLoader
from ganglion.data.loaders.noise import mixed_seed
from ganglion.errors import DataError

POOL = 20
"""Batches that are sorted by length among themselves: more pad less, fewer mix better."""
UNJUDGED = -100
"""Target of a step past the end of its sequence."""


@final
class BucketLoader(EpochLoader):
    """Batches of padded sequences, in an order that is a function of (seed, epoch).

    Args:
        sequences: numbers of tokens, each `(tokens,)` and from 1 on: 0 pads.
        targets: a class for each sequence `(sequences,)`, or for each of its tokens; what pads those is `UNJUDGED`.
        index: places of the sequences in the whole set; 0, 1, ... when not given.

    >>> sequences, classes = [np.array([1, 2, 3]), np.array([4])], np.array([0, 1])
    >>> next(iter(BucketLoader(sequences, classes, batch_size=2, seed=0, shuffle=False)))["inputs"].tolist()
    [[1, 2, 3], [4, 0, 0]]
    """

    def __init__(
        self,
        sequences: Sequence[np.ndarray],
        targets: np.ndarray | Sequence[np.ndarray],
        batch_size: int | str,
        seed: int,
        shuffle: bool = True,
        index: np.ndarray | None = None,
    ) -> None:
        super().__init__(len(sequences), batch_size, seed, shuffle)  # type: ignore[arg-type]
        self.lengths = torch.tensor([len(sequence) for sequence in sequences])
        if not self.lengths.all():
            raise DataError("a sequence is empty", found="no token", expected="at least one token in each")
        self._starts = self.lengths.cumsum(0) - self.lengths
        self._tokens = torch.from_numpy(np.concatenate(sequences))
        self._targets = _joined(targets)
        self._by_token = not isinstance(targets, np.ndarray)
        self._index = torch.arange(self.size) if index is None else torch.from_numpy(index)

    def order(self, epoch: int) -> Tensor:
        """Return the places of the sequences: shuffled, sorted by length in pools, and the batches shuffled again."""
        order = super().order(epoch)
        if not self.shuffle:
            return order
        pools = order.split(POOL * self.batch_size)
        order = torch.cat([pool[self.lengths[pool].argsort(stable=True)] for pool in pools])
        full = self.size // self.batch_size * self.batch_size
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, epoch, 1))
        batches = order[:full].view(-1, self.batch_size)
        batches = batches[torch.randperm(len(batches), generator=generator)]
        return torch.cat([batches.flatten(), order[full:]])

    def __iter__(self) -> Iterator[Batch]:
        epoch, order = self.epoch, self.order(self.epoch)
        while self.epoch == epoch:
            batch = self._gather(order[self.position : self.position + self.batch_size])
            self.advance()
            yield batch

    def _gather(self, places: Tensor) -> Batch:
        lengths = self.lengths[places]
        steps = torch.arange(int(lengths.max()))
        past_end = steps >= lengths[:, None]  # (batch, time)
        source = (self._starts[places, None] + steps).masked_fill(past_end, 0)
        targets = self._targets[source].masked_fill(past_end, UNJUDGED) if self._by_token else self._targets[places]
        return {
            "inputs": self._tokens[source].masked_fill(past_end, 0),
            "targets": targets,
            "index": self._index[places],
        }


def _joined(targets: np.ndarray | Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(targets if isinstance(targets, np.ndarray) else np.concatenate(targets))
