"""A pool of samples that a generator made earlier, some of which a discriminator is shown instead of the newest."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from ganglion.core import Batch

PREFIX = "pool."
COUNTER = "pooled"


@final
@dataclass(frozen=True)
class Pool:
    """Keeps the discriminator from forgetting what the generator no longer does.

    Until it is full, what is generated is stored and shown. From then on every sample is, with the chance one half,
    shown as it is, or takes the place of one of the pool, which is shown instead. Samples travel with their conditions.
    Its state lies in the tensors and counters of a rule.

    Source: Shrivastava et al. 2017, section 2.3; Zhu et al. 2017, CycleGAN, section 4.
    """

    size: int
    name: str = ""
    """Tells it apart in a rule of several games."""

    @property
    def counter(self) -> str:
        """The counter of samples that are stored."""
        return COUNTER + self.name

    @property
    def _prefix(self) -> str:
        return f"pool.{self.name}." if self.name else PREFIX

    @torch.no_grad()
    def exchange(self, fresh: Batch, tensors: dict[str, Tensor], counters: dict[str, int]) -> Batch:
        """Return what is shown in the place of fresh samples, (batch, *shape of a sample), and their conditions."""
        if not tensors.keys() & {self._prefix + name for name in fresh}:
            empty = {name: value.new_zeros(self.size, *value.shape[1:]) for name, value in fresh.items()}
            tensors |= {self._prefix + name: value for name, value in empty.items()}
        stored = {name: tensors[self._prefix + name] for name in fresh}
        count, filled = len(next(iter(fresh.values()))), counters[self.counter]
        if filled < self.size:
            counters[self.counter] = min(self.size, filled + count)
            for name, value in fresh.items():
                stored[name][filled : filled + count] = value[: self.size - filled]
            return fresh
        return _swapped(fresh, stored, min(count, self.size))


def _swapped(fresh: Batch, stored: Batch, count: int) -> Batch:
    """Exchange about half of the first `count` samples for stored ones, no two for the same."""
    some, size = next(iter(fresh.values())), len(next(iter(stored.values())))
    places = torch.randperm(size, device=some.device)[:count]
    swaps = torch.rand(count, device=some.device) < 0.5
    shown: Batch = {}
    for name, value in fresh.items():
        chosen = swaps.view(-1, *[1] * (value.dim() - 1))
        old, new = stored[name][places], value[:count]
        stored[name][places] = torch.where(chosen, new, old)
        shown[name] = torch.cat([torch.where(chosen, old, new), value[count:]])
    return shown
