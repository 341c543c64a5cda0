"""Driving: a car keeps its pace and turns to where it is steered, until it leaves the road or has driven enough."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ganglion.data.roads.camera import AHEAD, Poses, Stretch, stretch, views
from ganglion.data.roads.roads import STEP, Roads, Surface

AIM = 12.0
"""Metres away is the point of the road that a car is steered to."""
PACE = 1.0
"""Metres from one picture to the next, ten of which a second are 36 km/h."""
PICTURES_A_SECOND = 10
TURN = 1 / 7
"""Curvature of the tightest circle that a car can drive, in 1/m."""
GENTLE = 20.0
"""Metres of a road that go straight on, where a drive begins."""

IN_COLOUR = (240, 256)
"""Height and width of a picture for people."""

Look = Callable[[], np.ndarray]
"""Returns what the cameras see, bytes (cars, 30, 32, 1)."""
Steer = Callable[[Look, Stretch], np.ndarray]
"""From what cameras see and from the road around the cars to directions, in degrees to the right, of a point `AIM`
metres away (cars,). A network only looks."""


@dataclass(frozen=True)
class Drive:
    """What cars did, one on each road; the first axis is time, and a car that left its road stays where it did."""

    poses: list[Poses]
    offsets: np.ndarray
    """Metres to the left of the middle (steps, cars)."""
    points: np.ndarray
    """The number of the point of its road beside each car (steps, cars)."""
    directions: np.ndarray
    """Where each was steered, in degrees to the right (steps, cars)."""
    wanted: np.ndarray
    """Where a good driver would have steered there (steps, cars)."""
    metres: np.ndarray
    """That each drove before it left its road (cars,)."""
    left: np.ndarray
    """Whether it did, (cars,)."""


def wanted(seen: Stretch) -> np.ndarray:
    """Return where somebody steers who sees where the road is: to its middle `AIM` metres away, in degrees (cars,)."""
    return -np.degrees(seen.aims(AIM))


def by_sight_of_the_road(look: Look, seen: Stretch) -> np.ndarray:
    """Steer as `wanted`, (cars,), without a look at the pictures."""
    return wanted(seen)


def roads_to_drive(seed: int, count: int, metres: int, surface: Surface = "bright") -> Roads:
    """Return roads that nobody has learnt from, and that go on for long enough to see ahead at their end."""
    random = np.random.default_rng((seed, count, metres))
    return Roads.drawn(random, count, metres + int(GENTLE) + AHEAD, surface, GENTLE)


def drive(roads: Roads, steer: Steer, metres: int, seed: int = 0, push: float = 0.0) -> Drive:
    """Drive along each of some roads at once, by what is seen at each metre.

    A direction of b degrees to the right is the circle through the point that lies there: its curvature is
    2 sin b / `AIM` (pure pursuit).

    Args:
        push: radians, the deviation of a gust that turns every car now and then, one metre in forty.
    """
    grain, wind = (np.random.default_rng((seed, number)) for number in (1, 2))
    known = np.full(len(roads), 2)
    poses = Poses.beside(roads, known, np.zeros(len(roads)), np.zeros(len(roads)))
    passed, offsets, points, directions, right = [poses], [], [], [], []
    driven, gone = np.zeros(len(roads)), np.zeros(len(roads), bool)
    for _ in range(round(metres / PACE)):
        seen = stretch(roads, poses, known)
        offsets.append(seen.offsets)
        gone |= np.abs(offsets[-1]) > roads.widths / 2
        if gone.all():
            break
        steered = np.asarray(steer(partial(views, roads, seen, grain), seen), float)
        directions.append(steered)
        right.append(wanted(seen))
        known = np.rint(seen.positions / STEP).astype(int)
        points.append(known)
        gusts = push * wind.normal(0, 1, len(roads)) * (wind.random(len(roads)) < 1 / 40)
        poses = _moved(poses, steered, gusts, gone)
        passed.append(poses)
        driven += np.where(gone, 0.0, PACE)
    steps = len(directions)
    return Drive(
        passed, np.array(offsets[:steps]), np.array(points), np.array(directions), np.array(right), driven, gone
    )


def seen_in_colour(roads: Roads, poses: Poses, points: np.ndarray) -> np.ndarray:
    """Return what a person in the first of some cars would see, bytes (240, 256, 3)."""
    seen = stretch(roads, poses, points)
    return views(roads, seen, None, size=IN_COLOUR, finer=1, colour=True)[0]


def _moved(poses: Poses, directions: np.ndarray, gusts: np.ndarray, gone: np.ndarray) -> Poses:
    """Return where cars are a step later, along circles; those that are gone stay."""
    curvatures = (2 * np.sin(-np.radians(directions)) / AIM).clip(-TURN, TURN)
    turned = curvatures * PACE
    middle = poses.headings + turned / 2
    step = PACE * np.stack([np.cos(middle), np.sin(middle)], axis=-1)
    return Poses(
        np.where(gone[:, None], poses.places, poses.places + step),
        np.where(gone, poses.headings, poses.headings + turned + gusts),
    )
