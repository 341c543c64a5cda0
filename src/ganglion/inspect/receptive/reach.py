"""What the positions along one axis see of one axis of the input."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

Sources = Callable[[int], Iterable[int]]
"""From a position to the positions before an operation that it is computed from."""


@dataclass(frozen=True)
class Reach:
    """Position q P + r sees the inputs from first[r] + q J to last[r] + q J, for r below the period P.

    Nothing is cut off at the borders: a window that hangs over them sees inputs below 0, as published tables count it.
    A layer above a doubled map has a period of 2 and a jump of that of the smaller map, two by two the same. Positions
    that see the same have a jump of 0. One that sees nothing has `first` above `last`.

    >>> Reach.input().through(*window(kernel=3, stride=2)).through(*window(kernel=3)).at(0)
    (0, 6)
    """

    first: tuple[float, ...]
    last: tuple[float, ...]
    jump: int

    @classmethod
    def input(cls) -> "Reach":
        """Return the reach of the input itself: each position sees itself."""
        return cls((0,), (0,), 1)

    @property
    def period(self) -> int:
        return len(self.first)

    @property
    def step(self) -> Fraction:
        """How far apart neighbours see, in positions of the input."""
        return Fraction(self.jump, self.period)

    def at(self, position: int) -> tuple[float, float]:
        """Return the first and the last input that a position sees."""
        turns, place = divmod(position, self.period)
        return self.first[place] + turns * self.jump, self.last[place] + turns * self.jump

    def widest(self, size: int) -> int:
        """Return the largest number of inputs from the first to the last that one of `size` positions sees."""
        seen = (self.at(place) for place in range(min(self.period, size)))
        return int(max(0, *(last - first + 1 for first, last in seen), 0))

    def hull(self, size: int) -> "Reach":
        """Return what `size` positions see together, as what each of them would see."""
        seen = [self.at(position) for position in range(size)] or [(math.inf, -math.inf)]
        return Reach((min(first for first, _ in seen),), (max(last for _, last in seen),), 0)

    def through(self, sources: Sources, every: int, advance: int) -> "Reach":
        """Return the reach after an operation whose position o + `every` has the sources of o, moved by `advance`."""
        turns = self.period // math.gcd(advance, self.period) if advance else 1
        seen = [[self.at(source) for source in sources(position)] for position in range(every * turns)]
        return Reach(
            tuple(min((first for first, _ in one), default=math.inf) for one in seen),
            tuple(max((last for _, last in one), default=-math.inf) for one in seen),
            advance * turns // self.period * self.jump,
        )

    def joined(self, other: "Reach", size: int) -> "Reach":
        """Return what `size` positions see that are computed from both."""
        if self.step != other.step and 0 in (self.step, other.step):
            return self.hull(size)._beside(other.hull(size), 1)
        # Those that drift apart, as beside a map resized by an odd factor, are listed one by one.
        return self._beside(other, math.lcm(self.period, other.period) if self.step == other.step else max(size, 1))

    def _beside(self, other: "Reach", period: int) -> "Reach":
        both = [(self.at(place), other.at(place)) for place in range(period)]
        return Reach(
            tuple(min(one[0], two[0]) for one, two in both),
            tuple(max(one[1], two[1]) for one, two in both),
            round(self.step * period),
        )


Steps = tuple[Sources, int, int]
"""The arguments of `Reach.through`."""


def window(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Steps:
    """Windows of a convolution or pooling."""
    return (
        lambda o: range(o * stride - padding, o * stride - padding + dilation * (kernel - 1) + 1, dilation),
        1,
        stride,
    )


def spread(kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Steps:
    """A transposed convolution: each position collects from those whose kernel covers it."""

    def sources(o: int) -> list[int]:
        from_first = [o + padding - dilation * k for k in range(kernel)]
        return [place // stride for place in from_first if place % stride == 0]

    return sources, stride, 1


def adaptive(before: int, after: int) -> Steps:
    """Windows that divide `before` positions among `after`."""
    common = math.gcd(before, after)
    return lambda o: range(o * before // after, -(-(o + 1) * before // after)), after // common, before // common


def interpolated(before: int, after: int, kind: str, corners: bool, factor: float | None = None) -> Steps:
    """Resizing: to the nearest, or by a kernel around the place that a position had before.

    Args:
        kind: `nearest`, `nearest_exact`, `linear`, `cubic` or `smoothed`, which is linear and averages when shrinking.
        corners: whether the outermost positions lie on each other, and not the borders.
        factor: how many times larger it gets, where that was asked for and `after` is only rounded to it.
    """
    if corners and after > 1:
        scale, offset = Fraction(before - 1, after - 1), Fraction(0)
    else:
        scale = 1 / Fraction(factor).limit_denominator(1000) if factor else Fraction(before, after)
        offset = (scale - 1) / 2

    def sources(o: int) -> Iterable[int]:
        if kind == "nearest":
            return [math.floor(o * scale)]
        centre = o * scale + offset
        if kind == "nearest_exact":
            return [math.floor(centre + Fraction(1, 2))]
        reach = max(scale, Fraction(1)) if kind == "smoothed" else Fraction(2 if kind == "cubic" else 1)
        return range(math.floor(centre - reach) + 1, math.ceil(centre + reach))

    return sources, scale.denominator, scale.numerator


def shifted(by: int, step: int = 1) -> Steps:
    """A part that begins `by` positions later and takes every `step`-th; negative where a border was added."""
    return lambda o: [o * step + by], 1, step


def repeated(times: int) -> Steps:
    """Every position that many times in a row."""
    return lambda o: [o // times], times, 1


def turned(size: int) -> Steps:
    """All of `size` positions, the last one first."""
    return lambda o: [size - 1 - o], 1, -1
