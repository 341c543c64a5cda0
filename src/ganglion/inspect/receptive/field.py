"""What the elements of a tensor see of the input, axis by axis."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from ganglion.inspect.receptive.reach import Reach, Steps, repeated


@dataclass(frozen=True)
class Part:
    """A factor of an axis of a tensor: that many positions, along which elements see different places or not."""

    size: int
    axis: int | None = None
    """The axis of the input along which they see; None where all see the same."""
    reach: Reach = field(default_factory=Reach.input)

    def split(self, outer: int) -> "tuple[Part, Part]":
        """Return two factors in place of this one; those of a block see what the block sees together."""
        inner = self.size // outer
        if self.axis is None:
            return Part(outer), Part(inner)
        blocks: Steps = (lambda o: range(o * inner, (o + 1) * inner), 1, inner)
        return Part(outer, self.axis, self.reach.through(*blocks)), Part(inner)

    def repeated(self, times: int) -> "Part":
        """Return the factor with every position that many times in a row."""
        return self if times == 1 else Part(self.size * times, self.axis, self.reach.through(*repeated(times)))


Parts = tuple[Part, ...]


def size_of(parts: Parts) -> int:
    """Return how many positions the axis has that these are the factors of."""
    return math.prod(part.size for part in parts)


@dataclass(frozen=True)
class Field:
    """What the elements of a tensor see.

    `axes` holds the factors of each axis of the tensor, the outermost first: one as a rule, several where a view has
    merged axes. `whole` says what every element sees besides, by axis of the input.
    """

    axes: tuple[Parts, ...]
    whole: dict[int, Reach] = field(default_factory=dict)

    @classmethod
    def input(cls, shape: Sequence[int], followed: Iterable[int]) -> "Field":
        """Return the field of an input; the axes that are followed are numbered from 0."""
        numbers = {axis: number for number, axis in enumerate(followed)}
        return cls(tuple((Part(size, numbers.get(axis)),) for axis, size in enumerate(shape)))

    def along(self, axis: int) -> tuple[Reach, int] | None:
        """Return what elements see along an axis of the input, and of how many positions; None where nothing."""
        everywhere = self.whole.get(axis)
        found = [(parts, place) for parts in self.axes for place, part in enumerate(parts) if part.axis == axis]
        if not found:
            return None if everywhere is None else (everywhere, 1)
        ((parts, place),) = found
        part, inner = parts[place], parts[place + 1 :]
        if all(one.axis is None for one in inner):  # neighbours that see the same, as where maps were made larger
            part = part.repeated(size_of(inner))
        return (part.reach if everywhere is None else part.reach.joined(everywhere, part.size)), part.size

    def without(self, axis: int) -> "Field":
        """Return the field with one axis of the tensor summed up and left at one position."""
        return self._with(axis, (), self.axes[axis])

    def blurred(self, axis: int) -> "Field":
        """Return the field where all positions of an axis of the tensor see what they see together."""
        return self._with(axis, (Part(size_of(self.axes[axis])),), self.axes[axis])

    def everywhere(self, shape: Sequence[int]) -> "Field":
        """Return the field of a tensor of that shape, each of whose elements sees all that there is."""
        return Field(tuple((Part(size),) for size in shape), self._seen_by_all(chain(*self.axes)))

    def moved(self, axis: int, steps: Steps, size: int) -> "Field":
        """Return the field after an operation along an axis of the tensor, which leaves `size` positions."""
        settled = self.settled(axis)
        (part,) = settled.axes[axis]
        after = Part(size) if part.axis is None else Part(size, part.axis, part.reach.through(*steps))
        return settled._with(axis, (after,))

    def at(self, axis: int, position: int) -> "Field":
        """Return the field of one position of an axis, which is gone."""
        settled = self.settled(axis)
        (part,) = settled.axes[axis]
        first, last = part.reach.at(position % part.size)
        gone = () if part.axis is None else (Part(1, part.axis, Reach((first,), (last,), 0)),)
        found = settled._with(axis, (), gone)
        return replace(found, axes=(*found.axes[:axis], *found.axes[axis + 1 :]))

    def settled(self, axis: int) -> "Field":
        """Return the field with an axis of the tensor as one factor."""
        parts = self.axes[axis]
        if len(parts) == 1:
            return self
        followed = [place for place, part in enumerate(parts) if part.axis is not None]
        if len(followed) == 1 and size_of(parts[: followed[0]]) == 1:
            (place,) = followed
            return self._with(axis, (parts[place].repeated(size_of(parts[place + 1 :])),))
        return self.blurred(axis)

    def viewed(self, shape: Sequence[int]) -> "Field":
        """Return the field of the same elements, in order, as a tensor of another shape."""
        single = [part for part in chain(*self.axes) if part.size == 1]
        left = deque(part for part in chain(*self.axes) if part.size != 1)
        axes = []
        for size in shape:
            parts: list[Part] = []
            while size > 1 and left:
                part = left.popleft()
                if size % part.size == 0:
                    parts.append(part)
                    size //= part.size
                elif part.size % size == 0:
                    outer, inner = part.split(size)
                    parts.append(outer)
                    left.appendleft(inner)
                    size = 1
                else:  # cuts across
                    return self.everywhere(shape)
            axes.append(tuple(parts))
        return Field(tuple(axes), self._seen_by_all(single))

    def permuted(self, order: Sequence[int]) -> "Field":
        return replace(self, axes=tuple(self.axes[axis] for axis in order))

    def _with(self, axis: int, parts: Parts, gone: Iterable[Part] = ()) -> "Field":
        axes = (*self.axes[:axis], parts, *self.axes[axis + 1 :])
        return Field(axes, self._seen_by_all(gone))

    def _seen_by_all(self, gone: Iterable[Part]) -> dict[int, Reach]:
        """Return `whole`, with what factors see that are no longer told apart."""
        whole = dict(self.whole)
        for part in gone:
            if part.axis is not None:
                hull = part.reach.hull(part.size)
                whole[part.axis] = whole[part.axis].joined(hull, 1) if part.axis in whole else hull
        return whole


def union(fields: Sequence[Field], shape: Sequence[int]) -> Field:
    """Return the field of elements that are computed each from those at its place, as arrays are broadcast."""
    aligned = [_broadcast(one, shape) for one in fields]
    joined = aligned[0]
    for other in aligned[1:]:
        joined = _joined(joined, other)
    return joined


def _broadcast(one: Field, shape: Sequence[int]) -> Field:
    for axis, size in enumerate(reversed(shape), start=1):
        if axis <= len(one.axes) and size != 1 and size_of(one.axes[-axis]) == 1:
            one = one.without(len(one.axes) - axis)
    missing = len(shape) - len(one.axes)
    axes = (*[()] * missing, *one.axes)
    return replace(one, axes=tuple(parts or (Part(size),) for parts, size in zip(axes, shape, strict=True)))


def _joined(one: Field, other: Field) -> Field:
    for axis in range(len(one.axes)):
        if not _are_alike(one.axes[axis], other.axes[axis]):
            one, other = one.settled(axis), other.settled(axis)
        if not _are_alike(one.axes[axis], other.axes[axis]):
            one, other = one.blurred(axis), other.blurred(axis)
    axes = tuple(
        tuple(_part(*pair) for pair in zip(*both, strict=True)) for both in zip(one.axes, other.axes, strict=True)
    )
    whole = dict(one.whole)
    for axis, reach in other.whole.items():
        whole[axis] = whole[axis].joined(reach, 1) if axis in whole else reach
    return _told_apart_once(Field(axes, whole))


def _are_alike(one: Parts, other: Parts) -> bool:
    """Return whether factors are as many, as large and see along the same axes, as far as they see differently."""
    return len(one) == len(other) and all(
        a.size == b.size and (a.axis == b.axis or None in (a.axis, b.axis)) for a, b in zip(one, other, strict=True)
    )


def _part(one: Part, other: Part) -> Part:
    if one.axis is None or other.axis is None:
        return other if one.axis is None else one
    return replace(one, reach=one.reach.joined(other.reach, one.size))


def _told_apart_once(found: Field) -> Field:
    """Return the field where no two axes of the tensor see along the same axis of the input, as in products."""
    places: dict[int, list[int]] = {}
    for place, parts in enumerate(found.axes):
        for part in parts:
            if part.axis is not None:
                places.setdefault(part.axis, []).append(place)
    for several in places.values():
        if len(several) > 1:
            for place in set(several):
                found = found.blurred(place)
    return found
