"""Sequences of different lengths in batches of about equal ones, so that little is padded."""

from collections.abc import Iterator, Mapping, Sequence
from typing import final

import numpy as np
import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.fields import UNJUDGED
from ganglion.data.loaders.columns import Columns, gather
from ganglion.data.loaders.derived import Derived
from ganglion.data.loaders.epochs import EpochLoader
from ganglion.data.loaders.noise import mixed_seed
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.errors import DataError

__all__ = ["UNJUDGED", "BucketLoader"]

POOL = 20
"""Batches that are sorted by length among themselves: more pad less, fewer mix better."""


@final
class BucketLoader(EpochLoader):
    """Batches of padded sequences, in an order that is a function of (seed, epoch).

    Args:
        sequences: numbers of tokens, each `(tokens,)` and from 1 on: 0 pads.
        targets: a class for each sequence `(sequences,)`, or for each of its tokens; what pads those is `UNJUDGED`.
        index: places of the sequences in the whole set; 0, 1, ... when not given.
        beside: further fields of the same samples, by name.
        derived: fields that are made of others, by name.

    >>> sequences, classes = [np.array([1, 2, 3]), np.array([4])], np.array([0, 1])
    >>> next(iter(BucketLoader(sequences, classes, batch_size=2, seed=0, shuffle=False)))["inputs"].tolist()
    [[1, 2, 3], [4, 0, 0]]
    """

    def __init__(
        self,
        sequences: Sequence[np.ndarray] | Ragged,
        targets: np.ndarray | Sequence[np.ndarray] | Ragged,
        batch_size: int | str,
        seed: int,
        shuffle: bool = True,
        index: np.ndarray | None = None,
        beside: Columns | None = None,
        derived: Mapping[str, Derived] | None = None,
    ) -> None:
        super().__init__(len(sequences), batch_size, seed, shuffle, derived=derived)  # type: ignore[arg-type]
        inputs = _ragged(sequences)
        self.lengths = inputs.lengths
        if not self.lengths.all():
            raise DataError("a sequence is empty", found="no token", expected="at least one token in each")
        answers = torch.from_numpy(targets) if isinstance(targets, np.ndarray) else _ragged(targets, UNJUDGED)
        places = torch.arange(self.size) if index is None else torch.from_numpy(index)
        self.columns: Columns = {"inputs": inputs, "targets": answers, "index": places, **(beside or {})}

    def order(self, epoch: int) -> Tensor:
        """Return the places of the sequences, (sequences,): shuffled, sorted by length in pools, the batches mixed."""
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
            batch = self.finished(gather(self.columns, order[self.position : self.position + self.batch_size]), epoch)
            self.advance()
            yield batch


def _ragged(samples: Sequence[np.ndarray] | Ragged, padding: float = 0) -> Ragged:
    return samples if isinstance(samples, Ragged) else Ragged.of([torch.from_numpy(one) for one in samples], padding)
