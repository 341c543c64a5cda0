"""Roads of chance: where they go, how wide they are, what they look like, their shadows and junctions."""

from dataclasses import dataclass, fields
from typing import Literal, Self

import numpy as np

STEP = 1.0
"""Metres between two points of a road's middle."""
TIGHTEST = 1 / 28
"""Largest curvature of a road, in 1/m."""
PIECES = (12.0, 45.0)
"""Metres over which a road keeps the curvature that it bends towards."""
SMOOTH = 9
"""Points over which the curvature changes from one piece to the next."""
SHADOWS, JUNCTIONS = 0.09, 0.012
"""Of each so many to a metre of road, on average."""
Surface = Literal["bright", "any"]
SHADE = (0.35, 0.75)
"""Share of the light that is left in a shadow."""
GRASS = ((0.16, 0.38), (0.28, 0.48), (0.1, 0.22))
SAND = ((0.42, 0.55), (0.38, 0.48), (0.26, 0.34))
"""Ends of red, green and blue of what is beside a road, from 0 to 1."""
FAR = 1e6
"""Metres along, where what is not there lies."""


@dataclass(frozen=True)
class Roads:
    """Several roads of one length; the first axis of every array is the road.

    >>> roads = Roads.drawn(np.random.default_rng(0), count=3, metres=50)
    >>> roads.middles.shape, roads.headings.shape
    ((3, 51, 2), (3, 51))
    """

    middles: np.ndarray
    """Points of the middle, `STEP` metres apart, x forwards and y to the left (roads, points, 2)."""
    headings: np.ndarray
    """Where the road goes at each point, in radians from x towards y (roads, points)."""
    widths: np.ndarray
    """Metres (roads,)."""
    colours: np.ndarray
    """Red, green and blue from 0 to 1 of verge, road and lines (roads, 3, 3)."""
    lines: np.ndarray
    """Whether there are lines in the middle and at the edges (roads, 2)."""
    shadows: np.ndarray
    """Ellipses: metres along, metres to the left, half length, half width, light left in them (roads, shadows, 5)."""
    junctions: np.ndarray
    """Side roads: metres along, side (1 left, -1 right), angle to the road in radians (roads, junctions, 3)."""

    def __len__(self) -> int:
        return len(self.widths)

    @classmethod
    def drawn(
        cls, random: np.random.Generator, count: int, metres: int, surface: Surface = "bright", gentle: float = 0.0
    ) -> Self:
        """Draw roads.

        Args:
            surface: bright roads between darker verges; or any, so that some are darker than what is beside them.
            gentle: metres at the beginning that go straight on.
        """
        points = round(metres / STEP) + 1
        headings = np.cumsum(_curvatures(random, count, points, gentle) * STEP, axis=1)
        headings = np.concatenate([np.zeros((count, 1)), headings[:, :-1]], axis=1)
        steps = STEP * np.stack([np.cos(headings), np.sin(headings)], axis=-1)
        middles = np.concatenate([np.zeros((count, 1, 2)), np.cumsum(steps, axis=1)[:, :-1]], axis=1)
        widths = random.uniform(4.5, 6.5, count)
        return cls(
            middles,
            headings,
            widths,
            _colours(random, count, surface),
            random.random((count, 2)) < (0.5, 0.4),
            _shadows(random, count, metres, widths),
            _junctions(random, count, metres),
        )

    def take(self, places: np.ndarray) -> "Roads":
        """Return some of the roads, (roads,), in their order."""
        return Roads(*(getattr(self, one.name)[places] for one in fields(self)))


def _curvatures(random: np.random.Generator, count: int, points: int, gentle: float) -> np.ndarray:
    """Return the curvature at each point, 1/m (roads, points): pieces that are straight or bent, smoothly joined."""
    pieces = int(points * STEP / PIECES[0]) + 2
    bends = random.uniform(-TIGHTEST, TIGHTEST, (count, pieces)) * (random.random((count, pieces)) < 0.75)
    ends = np.cumsum(random.uniform(*PIECES, (count, pieces)), axis=1) - random.uniform(0, PIECES[0], (count, 1))
    along = np.arange(points + SMOOTH - 1) * STEP
    number = (along[None, :, None] >= ends[:, None, :]).sum(-1).clip(max=pieces - 1)
    raw = np.where(along < gentle, 0.0, np.take_along_axis(bends, number, axis=1))
    summed = np.cumsum(np.concatenate([np.zeros((count, 1)), raw], axis=1), axis=1)
    return (summed[:, SMOOTH:] - summed[:, :-SMOOTH]) / SMOOTH


def _colours(random: np.random.Generator, count: int, surface: Surface) -> np.ndarray:
    """Return the colours of verge, road and lines, (roads, 3, 3): grass or sand beside concrete, or beside asphalt."""
    grass, sand = (
        low + (high - low) * random.random((count, 3)) for low, high in (np.array(GRASS).T, np.array(SAND).T)
    )
    is_dark = (random.random((count, 1)) < 0.5) & (surface == "any")
    verge = np.where(random.random((count, 1)) < np.where(is_dark, 0.5, 0.2), sand, grass)
    verge = np.where(is_dark & (verge.mean(1, keepdims=True) < 0.32), verge + 0.15, verge)
    road = np.where(is_dark, random.uniform(0.1, 0.18, (count, 1)), random.uniform(0.62, 0.78, (count, 1)))
    paint = np.stack([np.full(count, 0.95), np.full(count, 0.95), random.uniform(0.45, 0.95, count)], axis=1)
    return np.stack([verge, road * np.array([1.0, 0.98, 0.95]), paint], axis=1)


def _shadows(random: np.random.Generator, count: int, metres: int, widths: np.ndarray) -> np.ndarray:
    """Return shadows of trees beside the road, which reach over it, in their order along it."""
    most = max(1, round(2 * SHADOWS * metres))
    along = np.sort(np.where(random.random((count, most)) < 0.5, random.uniform(0, metres, (count, most)), FAR), axis=1)
    side = np.where(random.random((count, most)) < 0.5, -1, 1)
    across = side * (widths[:, None] / 2 + random.uniform(-2.5, 2.0, (count, most)))
    half = random.uniform(0.6, 3.5, (2, count, most))
    return np.stack([along, across, half[0], half[1], random.uniform(*SHADE, (count, most))], axis=-1)


def _junctions(random: np.random.Generator, count: int, metres: int) -> np.ndarray:
    most = max(1, round(2 * JUNCTIONS * metres))
    along = np.sort(np.where(random.random((count, most)) < 0.5, random.uniform(0, metres, (count, most)), FAR), axis=1)
    side = np.where(random.random((count, most)) < 0.5, -1.0, 1.0)
    return np.stack([along, side, random.uniform(np.pi / 3.5, np.pi / 2, (count, most))], axis=-1)
