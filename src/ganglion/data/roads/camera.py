"""What a camera on a car sees of a road: every pixel looks at one place of flat ground."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ganglion.data.roads.roads import STEP, Roads

HEIGHT, WIDTH = 30, 32
"""Pixels of the retina."""
ABOVE = 2.2
"""Metres of the camera above the ground."""
DOWN = (3.2, 28.0)
"""Degrees below the horizon at which the camera looks in its first and in its last row."""
ACROSS = 30.0
"""Degrees to either side at which it looks in its first and in its last column."""
BEHIND, AHEAD = 8, 48
"""Points of the road behind and ahead of the car that a view is drawn of."""
LINE = 0.16
"""Metres of the width of a line."""
DASH = (3.0, 6.0)
"""Metres of a dash of the line in the middle, and from one to the next."""
BESIDE = 0.25
"""Metres of the lines at the edges from the edge."""
GREY = np.array([0.299, 0.587, 0.114])
"""Shares of red, green and blue in brightness (ITU-R BT.601)."""
NOISE = 0.02
"""Standard deviation of the noise of a pixel, where 1 is white."""


@dataclass(frozen=True)
class Poses:
    """Where cars are, one on each road: places in metres, and which way they head."""

    places: np.ndarray
    """x and y of the cars (roads, 2)."""
    headings: np.ndarray
    """In radians from x towards y (roads,)."""

    @classmethod
    def beside(cls, roads: Roads, point: int | np.ndarray, offsets: np.ndarray, angles: np.ndarray) -> "Poses":
        """Return poses at points of roads, metres and radians to the left of the road (roads,) each."""
        every = np.arange(len(roads))
        point = np.broadcast_to(point, len(roads))
        headings = roads.headings[every, point]
        left = np.stack([-np.sin(headings), np.cos(headings)], axis=-1)
        return cls(roads.middles[every, point] + offsets[:, None] * left, headings + angles)


@dataclass(frozen=True)
class Stretch:
    """The road around each car, as the car sees it: x metres ahead of it, y to its left."""

    points: np.ndarray
    """Of the middle of the road (roads, points, 2)."""
    along: np.ndarray
    """Metres of each point from the beginning of the road (roads, points)."""
    headings: np.ndarray
    """Where the road goes at each point, in radians to the left of the car (roads, points)."""

    @cached_property
    def nearest(self) -> np.ndarray:
        """The number of the point beside each car (roads,)."""
        return np.square(self.points).sum(-1).argmin(axis=1)

    @property
    def offsets(self) -> np.ndarray:
        """Metres of each car to the left of the middle (roads,)."""
        every = np.arange(len(self.points))
        (x, y), heading = self.points[every, self.nearest].T, self.headings[every, self.nearest]
        return np.asarray(np.sin(heading) * x - np.cos(heading) * y)

    @property
    def positions(self) -> np.ndarray:
        """Metres along the road at which each car is (roads,)."""
        return np.asarray(self.along[np.arange(len(self.points)), self.nearest])

    def aims(self, distance: float) -> np.ndarray:
        """Return the direction of the middle of the road so many metres away, in radians to the left (roads,)."""
        every = np.arange(len(self.points))
        away = np.linalg.norm(self.points, axis=-1)
        away[np.arange(self.points.shape[1]) <= self.nearest[:, None]] = 0.0
        first = (away >= distance).argmax(axis=1)
        before, after = self.points[every, first - 1], self.points[every, first]
        near, far = away[every, first - 1], away[every, first]
        share = np.clip((distance - near) / np.maximum(far - near, 1e-9), 0.0, 1.0)
        x, y = (before + share[:, None] * (after - before)).T
        return np.arctan2(y, x)


def stretch(roads: Roads, poses: Poses, known: np.ndarray) -> Stretch:
    """Return the road around cars that are within a few metres of some points of their roads, `known` (roads,)."""
    last = roads.middles.shape[1] - 1
    numbers = (known[:, None] + np.arange(-BEHIND, AHEAD)).clip(0, last)
    every = np.arange(len(roads))[:, None]
    away = roads.middles[every, numbers] - poses.places[:, None]
    cosine, sine = np.cos(poses.headings)[:, None], np.sin(poses.headings)[:, None]
    points = np.stack([
        cosine * away[..., 0] + sine * away[..., 1], cosine * away[..., 1] - sine * away[..., 0]
    ], axis=-1)  # fmt: skip
    return Stretch(points, numbers * STEP, roads.headings[every, numbers] - poses.headings[:, None])


def views(
    roads: Roads,
    seen: Stretch,
    random: np.random.Generator | None,
    *,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    finer: int = 2,
    colour: bool = False,
) -> np.ndarray:
    """Return what the cameras see, bytes (roads, height, width, 1), or 3 in colour.

    Args:
        seen: the road around each car.
        random: for the noise of the pixels; without one there is none.
        finer: how many places in each direction a pixel is the mean of.
    """
    height, width = size
    down = np.radians(np.linspace(*DOWN, 2 * height * finer + 1)[1::2])
    forwards = ABOVE / np.tan(down)  # (rows,) metres ahead
    aside = np.tan(np.radians(ACROSS)) * np.linspace(1, -1, 2 * width * finer + 1)[1::2]  # (columns,) to the left
    left = (ABOVE / np.sin(down))[:, None] * aside  # (rows, columns)
    along, across = _on_road(seen, forwards, left)
    palettes = (roads.colours if colour else roads.colours @ GREY[:, None]).astype(np.float32)
    pixels = _painted(roads, seen, along, across, palettes)
    _shade(roads.shadows, seen, along, across, pixels)
    pixels = pixels.reshape(len(roads), height, finer, width, finer, -1).mean(axis=(2, 4))
    if random is not None:
        pixels += NOISE * random.standard_normal((*pixels.shape[:3], 1), np.float32)
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)


def _on_road(seen: Stretch, forwards: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where places are, metres along the road and to the left of its middle (roads, rows, columns) both.

    A place is measured from the point of the middle that lies as far ahead of the car.
    """
    roads, rows = len(seen.points), len(forwards)
    middle, heading, along = (np.empty((roads, rows), np.float32) for _ in range(3))
    for number, (points, way, metres) in enumerate(zip(seen.points, seen.headings, seen.along, strict=True)):
        x = np.maximum.accumulate(points[:, 0])
        middle[number] = np.interp(forwards, x, points[:, 1])
        heading[number] = np.interp(forwards, x, way)
        along[number] = np.interp(forwards, x, metres)
    aside = left[None].astype(np.float32) - middle[..., None]
    cosine, sine = np.cos(heading).clip(0.15), np.sin(heading)
    return along[..., None] + aside * sine[..., None], aside * cosine[..., None]


def _painted(roads: Roads, seen: Stretch, along: np.ndarray, across: np.ndarray, palettes: np.ndarray) -> np.ndarray:
    """Return what is at every place, (roads, rows, columns, channels), without shadows."""
    half = (roads.widths / 2).astype(np.float32)[:, None, None]
    away = np.abs(across)
    material = (away < half).astype(np.uint8)
    for road, (near, side, angle) in _in_view(roads.junctions, seen):
        beyond = across[road] * side
        apart = np.abs((along[road] - near) * np.sin(angle) - beyond * np.cos(angle))
        material[road] |= (apart < half[road] * 0.9) & (beyond > 0)
    for road in np.flatnonzero(roads.lines[:, 0]).tolist():
        middle = np.nonzero(away[road] < LINE / 2)
        material[road][middle] = np.where(along[road][middle] % DASH[1] < DASH[0], 2, 1)
    for road in np.flatnonzero(roads.lines[:, 1]).tolist():
        material[road][np.abs(away[road] - half[road] + BESIDE) < LINE / 2] = 2
    numbers = material + np.arange(0, 3 * len(roads), 3)[:, None, None]
    return np.asarray(palettes.reshape(3 * len(roads), -1).take(numbers, axis=0))


def _shade(shadows: np.ndarray, seen: Stretch, along: np.ndarray, across: np.ndarray, pixels: np.ndarray) -> None:
    """Darken places (roads, rows, columns, channels) that lie in shadows; of several, the darkest counts."""
    nearest, farthest = along.min(axis=2), along.max(axis=2)
    darkest_last = sorted(_in_view(shadows, seen), key=lambda one: -one[1][4])
    light = np.ones(pixels.shape[:3], np.float32)
    for road, (near, left, length, width, share) in darkest_last:
        rows = np.flatnonzero((nearest[road] < near + length) & (farthest[road] > near - length))
        if not len(rows):
            continue
        part = slice(rows[0], rows[-1] + 1)
        x, y = (along[road, part] - near) / length, (across[road, part] - left) / width
        light[road, part][x * x + y * y < 1] = share
    pixels *= light[..., None]


def _in_view(things: np.ndarray, seen: Stretch) -> list[tuple[int, np.ndarray]]:
    """Return the numbers of roads and the properties of the things beside them (roads, things, properties) in view."""
    ahead = things[..., 0] - seen.positions[:, None]
    roads, numbers = np.nonzero((ahead > -BEHIND) & (ahead < AHEAD))
    return [*zip(roads.tolist(), things[roads, numbers].astype(np.float32), strict=True)]
