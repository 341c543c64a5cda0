"""One long text as parallel streams that are read on from batch to batch."""

from collections.abc import Iterator
from typing import Any, final

import numpy as np
import torch

from ganglion.core import Batch
from ganglion.data.loaders.epochs import EpochLoader
from ganglion.data.loaders.noise import mixed_seed
from ganglion.errors import DataError


@final
class StreamLoader(EpochLoader):
    """Consecutive windows of a sequence, cut into streams of equal length that are read side by side.

    Row s of a batch goes on where row s of the batch before ended, so a network that keeps its state has read all of
    the stream so far. `starts` is 1 where a stream begins anew, at the first batch of an epoch. `targets` are the
    inputs one step later. An epoch begins at a place of its own among the first steps, so that windows end elsewhere
    than in the epoch before; the few steps that do not fill all streams are left out.

    Args:
        numbers: the sequence, as numbers of tokens `(length,)`.
        streams: rows of a batch; fewer where the sequence is too short for them.
        window: steps of a batch.

    Raises `DataError` for a sequence of less than two tokens.

    >>> loader = StreamLoader(np.arange(10), streams=2, window=3, seed=0)
    >>> [batch["inputs"].tolist() for batch in loader]
    [[[0, 1, 2], [4, 5, 6]], [[3], [7]]]
    """

    def __init__(self, numbers: np.ndarray, streams: int, window: int, seed: int) -> None:
        if len(numbers) < 2:
            raise DataError("a sequence needs two tokens at least", found=f"{len(numbers)}")
        streams = max(1, min(streams, (len(numbers) - 1) // window))
        self.window = window
        self.slack = max(0, min(window, (len(numbers) - 1) // streams - window))
        """Places that an epoch can begin at."""
        self.length = (len(numbers) - 1 - max(0, self.slack - 1)) // streams
        """Steps of a stream."""
        super().__init__(streams * -(-self.length // window), streams, seed, shuffle=False)
        self.numbers = torch.from_numpy(numbers.astype(np.uint8 if numbers.max() < 256 else np.int32))

    def __iter__(self) -> Iterator[Batch]:
        epoch, first = self.epoch, self.offset(self.epoch)
        streams, steps = self.batch_size, self.batch_size * self.length
        inputs, targets = (self.numbers[at : at + steps].view(streams, -1) for at in (first, first + 1))
        while self.epoch == epoch:
            at = self.position // streams * self.window
            batch = {
                "inputs": inputs[:, at : at + self.window].long(),  # (streams, window)
                "targets": targets[:, at : at + self.window].long(),
                "starts": torch.full((streams,), float(at == 0)),
                "index": torch.arange(streams),
            }
            self.advance()
            yield batch

    def offset(self, epoch: int) -> int:
        """Return the place in the sequence that an epoch begins at."""
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, epoch))
        return int(torch.randint(max(1, self.slack), (1,), generator=generator))

    def _identity(self) -> dict[str, Any]:
        return {**super()._identity(), "window": self.window, "length": self.length}
