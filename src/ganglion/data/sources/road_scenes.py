"""Road scenes: what a camera on a car sees, and where a driver steers who is there."""

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.roads.camera import AHEAD, BEHIND, Poses, stretch, views
from ganglion.data.roads.driving import wanted
from ganglion.data.roads.roads import Roads, Surface

ASIDE, ASKEW = 0.4, 7.0
"""Deviations of where a car is, as a share of half the road's width, and of its angle to the road, in degrees."""
STEADY = (0.04, 1.0)
"""The same of somebody who drives well."""
TESTED = 5
"""Every so many scenes are for testing."""
TOGETHER = 25
"""Scenes that are drawn at once, so few that they stay in the processor's cache."""


def road_scenes(random: np.random.Generator, count: int | None) -> Dataset:
    """Pictures of 30 x 32 pixels, grey, each of a road of its own, and the direction to steer, in degrees to the right.

    Many are recovery views: seen from beside the middle of the road or askew to it, with the direction that leads
    back. Bright roads differ in width, lines and light; some have shadows across them, some have side roads.
    """
    return _scenes(random, count, (ASIDE, ASKEW), "bright")


def mixed_road_scenes(random: np.random.Generator, count: int | None) -> Dataset:
    """The same of roads half of which are darker than what is beside them."""
    return _scenes(random, count, (ASIDE, ASKEW), "any")


def driven_road_scenes(random: np.random.Generator, count: int | None) -> Dataset:
    """Bright roads as somebody sees them who keeps to the middle: next to no view shows how to get back."""
    return _scenes(random, count, STEADY, "bright")


SURFACES: dict[str, Surface] = {"road-scenes": "bright", "mixed-road-scenes": "any", "driven-road-scenes": "bright"}
"""What the roads of each set look like."""


def _scenes(random: np.random.Generator, count: int | None, spread: tuple[float, float], surface: Surface) -> Dataset:
    made = [_some(random, min(TOGETHER, left), spread, surface) for left in range(count or 6000, 0, -TOGETHER)]
    pictures, directions = (np.concatenate(part) for part in zip(*made, strict=True))
    directions = directions.astype(np.float32)[:, None]
    tested = np.arange(len(pictures)) % TESTED == TESTED - 1
    return Dataset.of(
        name="",
        kind="image",
        inputs=pictures[~tested],
        targets=directions[~tested],
        test_inputs=pictures[tested],
        test_targets=directions[tested],
        target_names=("direction",),
    )


def _some(
    random: np.random.Generator, count: int, spread: tuple[float, float], surface: Surface
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures, bytes (count, 30, 32, 1), and directions (count,)."""
    aside, askew = spread
    roads = Roads.drawn(random, count, BEHIND + AHEAD + 8, surface)
    offsets = aside * roads.widths / 2 * random.normal(0, 1, count).clip(-1.8, 1.8)
    poses = Poses.beside(roads, BEHIND, offsets, np.radians(random.normal(0, askew, count)))
    seen = stretch(roads, poses, np.full(count, BEHIND))
    return views(roads, seen, random), wanted(seen)
