"""Samples that stay on disk in groups, each of which is read by itself: for data that is larger than the memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from ganglion.data.mixed_rows import MixedRows
from ganglion.errors import DataError

MOST_BYTES = 1 << 29
"""Bytes that are read at once at most, where somebody asks for all samples."""
INDEX = "index"
"""What places are asked for by, beside the fields."""
Chunk = Mapping[str, Any]
"""Some samples of a group in order: raw values by the names of fields."""


class Source(Protocol):
    """Where samples are read from, group by group."""

    @property
    def counts(self) -> np.ndarray:
        """Samples of each group `(groups,)`."""

    @property
    def source(self) -> str:
        """What it was read from, for messages."""

    def chunks(self, group: int, names: Sequence[str]) -> Iterator[Chunk]:
        """Yield all samples of a group in order, some at a time."""


@dataclass(frozen=True)
class Chosen:
    """Those samples of a source that belong to a part of the data; all where nothing is said."""

    source: Source
    bits: tuple[np.ndarray, ...] | None = None
    """For each group which of its samples belong, eight to a byte."""

    @cached_property
    def counts(self) -> np.ndarray:
        """Chosen samples of each group `(groups,)`."""
        if self.bits is None:
            return self.source.counts
        return np.array([int(np.unpackbits(bits).sum()) for bits in self.bits], dtype=np.int64)

    @cached_property
    def firsts(self) -> np.ndarray:
        """Place of the first sample of each group in the whole set `(groups,)`."""
        return np.cumsum(self.source.counts) - self.source.counts

    def __len__(self) -> int:
        return int(self.counts.sum())

    def chunks(self, group: int, names: Sequence[str]) -> Iterator[Chunk]:
        """Yield the chosen samples of a group in order, some at a time; `index` is their places in the whole set."""
        total = int(self.source.counts[group])
        kept = None if self.bits is None else np.unpackbits(self.bits[group], count=total).astype(bool)
        stored, start = [name for name in names if name != INDEX], 0
        for chunk in self.source.chunks(group, stored) if stored else [{INDEX: np.arange(total)}]:
            rows = len(next(iter(chunk.values())))
            own = np.arange(rows) if kept is None else np.flatnonzero(kept[start : start + rows])
            values = dict(chunk) if len(own) == rows else {name: one[own] for name, one in chunk.items()}
            yield {**values, INDEX: self.firsts[group] + start + own}
            start += rows


@dataclass(frozen=True)
class InGroups(Sequence):
    """One field of chosen samples. It is read when it is asked for; nobody can ask for more than fits in memory.

    >>> class Two:
    ...     source, counts = "two groups", np.array([2, 3])
    ...     def chunks(self, group, names):
    ...         yield {name: np.arange(2) if group == 0 else np.arange(2, 5) for name in names}
    >>> values = InGroups(Chosen(Two()), "inputs")
    >>> len(values), values[3], values.take(np.array([4, 0])).tolist()
    (5, np.int64(3), [4, 0])
    """

    chosen: Chosen
    name: str
    measured: Any = None
    """What preprocessing is fitted to, once it was measured over all chosen samples."""

    def __len__(self) -> int:
        return len(self.chosen)

    def with_measures(self, measured: Any) -> "InGroups":
        return replace(self, measured=measured)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, int | np.integer):
            return self.take(np.array([place]) % len(self))[0]
        if not isinstance(place, slice):
            places = np.arange(len(self))[place]
        elif place.indices(len(self)) == (0, len(self), 1) and len(self):  # all, for which no places are needed
            self._refuse_much(len(self))
            return joined(list(self._chunks()))
        else:
            places = np.arange(*place.indices(len(self)))
        self._refuse_much(len(places))
        return self.take(places)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        values = np.asarray(self[:])
        return values if dtype is None else values.astype(dtype)

    def __iter__(self) -> Iterator[Any]:
        for values in self._chunks():
            yield from values

    def _chunks(self) -> Iterator[Any]:
        for group in range(len(self.chosen.counts)):
            yield from (chunk[self.name] for chunk in self.chosen.chunks(group, [self.name]))

    def take(self, places: np.ndarray) -> Any:
        """Return the values at some places `(samples,)`, read from the groups that they lie in."""
        ends = np.cumsum(self.chosen.counts)
        order = np.argsort(places, kind="stable")
        wanted = places[order]
        groups = np.searchsorted(ends, wanted, side="right")
        parts = []
        for group in np.unique(groups).tolist():
            own = wanted[groups == group] - (ends[group] - self.chosen.counts[group])
            start = 0
            for chunk in self.chosen.chunks(group, [self.name]):
                values = chunk[self.name]
                here = own[(own >= start) & (own < start + len(values))] - start
                start += len(values)
                if len(here):
                    parts.append(values[here])
                if start > own[-1]:
                    break
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        return joined(parts)[back] if parts else next(iter(self.chosen.chunks(0, [self.name])))[self.name][:0]

    def _refuse_much(self, count: int) -> None:
        one = self.take(np.arange(1)) if len(self) else np.empty(0)
        width = len(one.columns) * 8 if isinstance(one, MixedRows) else one.nbytes
        if count * width > MOST_BYTES:
            raise DataError(
                "this asks for all samples at once, and they are read a few at a time since they are many",
                where=self.chosen.source.source,
                expected=f"at most {MOST_BYTES >> 20} MiB of {self.name}",
                found=f"{count * width >> 20} MiB",
                remedy="choose another system, fewer samples, or --stream no if the memory suffices",
            )


def joined(parts: Sequence[Any]) -> Any:
    """Return the values of all parts one after the other: arrays, or rows of numbers and texts."""
    if isinstance(parts[0], MixedRows):
        return MixedRows([np.concatenate(columns) for columns in zip(*(part.columns for part in parts), strict=True)])
    return np.concatenate(parts)


def source_of(values: Any) -> Source | None:
    """Return where values that stay on disk in groups are read from; None for others."""
    return values.chosen.source if isinstance(values, InGroups) else None
