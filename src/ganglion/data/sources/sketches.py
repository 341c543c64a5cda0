"""Drawings as a hand would make them: houses, faces, fish and flowers, each of its own proportions, none quite even."""

from collections.abc import Callable

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.strokes import Lines, moves_of, simplified

SIZE = 256.0
"""Side of the paper."""
TOLERANCE = 4.0
"""What a line may be off its points, as in Quick, Draw!"""
WOBBLE, TREMBLE = 0.012, 0.002
"""How far a hand strays slowly, and how far from point to point, in parts of a drawing of side 2."""
STEP = 0.03
"""Distance of the points of a line before it is simplified."""
TURNED, STRETCHED = 0.08, 0.12
"""By how much drawings stand askew, and are wider or higher, at most."""

Random = np.random.Generator
Draw = Callable[[Random], Lines]


def sketches(random: Random, count: int | None) -> Dataset:
    """Drawings of some thirty points each, in equal numbers of four kinds."""
    names = tuple(KINDS)
    kinds = random.permutation(np.arange(count or 2400) % len(names))
    moves = [
        moves_of([_by_hand(line, random) for line in _turned(KINDS[names[kind]](random), random)]) for kind in kinds
    ]
    fields = {
        "inputs": Field(kind="strokes", values=moves),
        "targets": Field(kind="classes", values=kinds.astype(np.int64), names=names),
    }
    return Dataset(name="", fields=fields)


def house(random: Random) -> Lines:
    """Walls in one line, a roof that juts out, a door, and mostly a window and a chimney."""
    width, wall, roof = random.uniform(0.55, 0.85), random.uniform(0.5, 0.8), random.uniform(0.4, 0.7)
    jut, door = random.uniform(0.0, 0.2), random.uniform(0.12, 0.2)
    lines = [
        _path((-width, 0), (-width, 2 * wall), (width, 2 * wall), (width, 0)),
        _path((-width - jut, 0), (0, -2 * roof), (width + jut, 0), (-width - jut, 0)),
    ]
    middle = random.uniform(-0.45, 0.1) * width
    lines.append(
        _path(
            (middle - door, 2 * wall),
            (middle - door, 0.9 * wall),
            (middle + door, 0.9 * wall),
            (middle + door, 2 * wall),
        )
    )
    if random.random() < 0.8:
        lines.append(_box(0.55 * width, 0.75 * wall, 0.18 * width + 0.04))
    if random.random() < 0.5:
        lines.append(
            _path(
                (0.45 * width, -1.3 * roof),
                (0.45 * width, -2 * roof),
                (0.7 * width, -2 * roof),
                (0.7 * width, -0.8 * roof),
            )
        )
    return lines


def face(random: Random) -> Lines:
    """A head, two eyes, mostly a nose, and a mouth that smiles more often than not."""
    wide, high = random.uniform(0.75, 1.0), random.uniform(0.85, 1.0)
    lines = [_loop(0, 0, wide, high, random.uniform(-2.2, -1.0))]
    apart, eye = random.uniform(0.3, 0.42) * wide, random.uniform(0.08, 0.15)
    level = random.uniform(-0.35, -0.15)
    lines += [_loop(side * apart, level, eye, eye, -1.57) for side in (-1, 1)]
    if random.random() < 0.7:
        lines.append(_path((0, level + 0.1), (-0.12, 0.2), (0.06, 0.22)))
    smile = random.choice([0.25, 0.25, 0.15, -0.2]) * random.uniform(0.7, 1.2)
    mouth, low = random.uniform(0.3, 0.5), random.uniform(0.42, 0.55) - min(smile, 0)
    across = np.linspace(-mouth, mouth, 9)
    lines.append(np.column_stack([across, low + smile * (1 - (across / mouth) ** 2) - 0.1]))
    return lines


def fish(random: Random) -> Lines:
    """A body and tail in one line, an eye, and mostly a gill; it swims to the left."""
    long, high = random.uniform(0.65, 0.85), random.uniform(0.35, 0.6)
    tail, fin = random.uniform(0.3, 0.5), random.uniform(0.25, 0.45)
    angles = np.linspace(0.25, 2 * np.pi - 0.25, 40)
    body = np.column_stack([long * np.cos(angles), -high * np.sin(angles)])
    end = float(body[0, 0])
    fork = _path((*body[-1],), (end + tail, fin), (end + 0.6 * tail, 0), (end + tail, -fin), (*body[0],))
    lines = [np.concatenate([body, fork])]
    size = random.uniform(0.06, 0.11)
    lines.append(_loop(-0.6 * long, -0.25 * high, size, size, -1.57))
    if random.random() < 0.7:
        bow = np.linspace(-0.9, 0.9, 8)
        lines.append(np.column_stack([-0.35 * long + 0.18 * np.cos(bow), 0.6 * high * np.sin(bow)]))
    return lines


def flower(random: Random) -> Lines:
    """A middle, a ring of petals in one line, a stem and mostly a leaf."""
    petals, middle = int(random.integers(5, 7)), random.uniform(0.16, 0.24)
    reach, depth = random.uniform(0.5, 0.65), random.uniform(0.4, 0.6)
    angles = np.linspace(0, 2 * np.pi, 24 * petals + 1)
    ring = middle + (reach - middle) * np.abs(np.sin(petals * angles / 2)) ** depth
    start = random.uniform(0, 2 * np.pi)
    top = np.array([0.0, -0.45])
    lines = [_loop(0, -0.45, middle, middle, -1.57)]
    lines.append(top + ring[:, None] * np.column_stack([np.cos(angles + start), np.sin(angles + start)]))
    bend, long = random.uniform(-0.15, 0.15), random.uniform(0.9, 1.2)
    t = np.linspace(0, 1, 12)
    stem = top + np.column_stack([bend * np.sin(np.pi * t), reach * 0.95 + long * t])
    lines.append(stem)
    if random.random() < 0.75:
        side = random.choice([-1, 1])
        turn = np.linspace(0, 2 * np.pi, 16)
        leaf = np.column_stack([side * 0.22 * (1 - np.cos(turn)), -0.1 * np.sin(turn) - 0.1 * (1 - np.cos(turn))])
        lines.append(stem[7] + leaf)
    return lines


KINDS: dict[str, Draw] = {"face": face, "fish": fish, "flower": flower, "house": house}


def _path(*corners: tuple[float, ...]) -> np.ndarray:
    return np.array(corners, dtype=np.float64)


def _box(x: float, y: float, half: float) -> np.ndarray:
    return _path(
        (x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half), (x - half, y - half)
    )


def _loop(x: float, y: float, across: float, down: float, start: float) -> np.ndarray:
    """Return points around an ellipse, clockwise from an angle."""
    angles = start + np.linspace(0, 2 * np.pi, 32)
    return np.column_stack([x + across * np.cos(angles), y + down * np.sin(angles)])


def _turned(lines: Lines, random: Random) -> Lines:
    """Return a drawing a little askew, wider or higher."""
    angle, (across, down) = random.uniform(-TURNED, TURNED), random.uniform(1 - STRETCHED, 1 + STRETCHED, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return [line * (across, down) @ turn.T for line in lines]


def _by_hand(line: np.ndarray, random: Random) -> np.ndarray:
    """Return a line as a hand follows it, on paper of side `SIZE`, by as few points as it takes."""
    lengths = np.concatenate([[0.0], np.hypot(*np.diff(line, axis=0).T).cumsum()])
    places = np.unique(np.concatenate([lengths, np.arange(0, lengths[-1], STEP)]))
    points = np.column_stack([np.interp(places, lengths, line[:, axis]) for axis in (0, 1)])
    waves, phase = random.uniform(1, 4, (3, 2)), random.uniform(0, 2 * np.pi, (3, 2))
    slow = np.sin(places[:, None, None] * waves + phase).sum(axis=1)  # (points, 2)
    points = points + WOBBLE * slow + random.normal(0, TREMBLE, points.shape)
    return simplified((points + 1) * SIZE / 2, TOLERANCE)
