"""Drawn shapes on patterned ground, with a box around each: discs, squares and triangles of any size and colour."""

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Boxes, Field

SIDE = 64
CLASSES = ("disc", "square", "triangle")
RADII = (6.0, 13.0)
"""Of the circle around a shape, in pixels."""
TURNED = 0.25
"""By how much shapes stand askew, at most."""
MOST_COVERED = 0.15
"""Share of a shape that later ones may hide."""


def shapes(random: np.random.Generator, count: int | None) -> Dataset:
    """Pictures of 64 x 64 pixels, colour, of one to four shapes each, with their boxes."""
    drawn = [_picture(random) for _ in range(count or 120)]
    images, boxes = zip(*drawn, strict=True)
    fields = {
        "inputs": Field(kind="images", values=np.stack(images)),
        "boxes": Field(kind="boxes", values=list(boxes), names=CLASSES),
    }
    return Dataset(name="", fields=fields)


def _picture(random: np.random.Generator) -> tuple[np.ndarray, Boxes]:
    """Return a picture, bytes (64, 64, 3), and its boxes."""
    down, across = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    ground = random.uniform(0.25, 0.75, 3)
    waves = np.sin(down * random.uniform(0.05, 0.5) + across * random.uniform(0.05, 0.5) + random.uniform(0, 6))
    page = ground + 0.04 * waves[..., None] * random.uniform(-1, 1, 3)
    taken = np.zeros((SIDE, SIDE), dtype=bool)
    corners, classes = [], []
    for _ in range(int(random.integers(1, 5))):
        number, radius = int(random.integers(3)), random.uniform(*RADII)
        y, x = random.uniform(radius, SIDE - radius, 2)
        inside = _shape(number, down - y, across - x, radius, random.uniform(-TURNED, TURNED))
        colour = _colour(random, ground)
        if (inside & taken).sum() > MOST_COVERED * inside.sum():
            continue
        inside &= ~taken
        taken |= inside
        shade = 1 + 0.15 * ((down - y) + (across - x))[inside, None] / radius
        page[inside] = colour * shade
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        corners.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        classes.append(number)
    page = page + random.normal(0, 0.03, page.shape)
    image = np.rint(page.clip(0, 1) * 255).astype(np.uint8)
    return image, Boxes(np.array(corners, np.float32).reshape(-1, 4), np.array(classes, np.int64), (SIDE, SIDE))


def _shape(number: int, down: np.ndarray, across: np.ndarray, radius: float, angle: float) -> np.ndarray:
    """Return which pixels (64, 64) are inside of a shape around the origin, turned by an angle."""
    if number == 0:
        disc: np.ndarray = down**2 + across**2 <= (0.85 * radius) ** 2
        return disc
    sides = 4 if number == 1 else 3
    apothem = radius * np.cos(np.pi / sides)
    normals = angle + 2 * np.pi * np.arange(sides) / sides
    inside: np.ndarray = np.all(
        [np.sin(normal) * down + np.cos(normal) * across <= apothem for normal in normals], axis=0
    )
    return inside


def _colour(random: np.random.Generator, ground: np.ndarray) -> np.ndarray:
    """Return a colour (3,) that stands out from the ground."""
    while True:
        colour = random.uniform(0.05, 0.95, 3)
        if np.abs(colour - ground).sum() > 0.6:
            return colour
