"""Samples of different lengths as one tensor, padded only when they are put into a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

import torch
from torch import Tensor


@final
@dataclass(frozen=True)
class Ragged:
    """The steps of all samples, one sample after the other: tokens, amplitudes, frames, boxes.

    >>> ragged = Ragged.of([torch.tensor([1, 2, 3]), torch.tensor([4])])
    >>> padded, lengths = ragged.padded(torch.tensor([1, 0]))
    >>> padded.tolist(), lengths.tolist()
    ([[4, 0, 0], [1, 2, 3]], [1, 3])
    """

    values: Tensor
    """All steps `(steps, ...)`."""
    lengths: Tensor
    """Steps of each sample `(samples,)` int64."""
    padding: float = 0
    """What stands past the end of a sample in a batch."""

    @classmethod
    def of(cls, samples: Sequence[Tensor], padding: float = 0) -> Self:
        """Join samples `(steps, ...)`, which differ in their number of steps alone."""
        lengths = torch.tensor([len(sample) for sample in samples], dtype=torch.int64)
        return cls(torch.cat(list(samples)) if len(samples) else torch.empty(0), lengths, padding)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, place: int) -> Tensor:
        """Return one sample `(steps, ...)`."""
        start = int(self.lengths[:place].sum())
        return self.values[start : start + int(self.lengths[place])]

    def samples(self) -> tuple[Tensor, ...]:
        """Return every sample `(steps, ...)`."""
        return self.values.split(self.lengths.tolist())

    @property
    def nbytes(self) -> int:
        return self.values.nbytes + self.lengths.nbytes

    def to(self, device: torch.device) -> "Ragged":
        return Ragged(self.values.to(device), self.lengths.to(device), self.padding)

    def padded(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return the samples at some places as `(samples, longest, ...)`, and their lengths `(samples,)`."""
        lengths = self.lengths[places]
        starts = (self.lengths.cumsum(0) - self.lengths)[places]
        steps = torch.arange(int(lengths.max()) if len(lengths) else 0, device=places.device)
        past_end = steps >= lengths[:, None]  # (samples, longest)
        if not len(self.values):
            return self.values.new_full((*past_end.shape, *self.values.shape[1:]), self.padding), lengths
        gathered = self.values[(starts[:, None] + steps).masked_fill(past_end, 0)]
        past_end = past_end.reshape(*past_end.shape, *(1,) * (gathered.dim() - 2))
        return gathered.masked_fill(past_end, self.padding), lengths
