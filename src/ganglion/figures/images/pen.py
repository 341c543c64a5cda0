"""Drawings of a pen as pixels, and films in which they come about line by line; no matplotlib, so that it is cheap."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ganglion.figures.images.pixels import sheet

GIVEN, NEW = "#0072b2", "#1f2933"
"""Colours of what was there before, and of what was drawn."""
MARGIN = 0.1
"""Room at each side of a drawing, in parts of its cell."""
USUAL = 0.9
"""Share of the drawings that are no larger than the scale of a page assumes; larger ones are made smaller."""
FINER = 3
"""How much finer lines are drawn before they become pixels."""
FRAMES, REST = 60, 20
"""Frames in which drawings come about, and in which they then stay."""


class Drawn(NamedTuple):
    """A drawing, and how much of it was there before."""

    lines: Sequence[np.ndarray]
    """Points of each line `(points, 2)`, x to the right and y downwards."""
    given: int = 0
    """Lines at the beginning that somebody else drew; these are blue."""


def usual_size(every: Sequence[Drawn]) -> float:
    """Return the longer side that all but the largest drawings have at most."""
    sizes = [float(np.ptp(np.concatenate(list(one.lines)), axis=0).max()) for one in every if len(one.lines)]
    return max(float(np.quantile(sizes, USUAL)) if sizes else 0.0, 1e-9)


def in_cell(lines: Sequence[np.ndarray], usual: float, middle: np.ndarray) -> list[np.ndarray]:
    """Return lines around the middle (2,) of a cell of side 1, where drawings of the usual size fill it."""
    if not len(lines):
        return []
    points = np.concatenate(list(lines))
    low, high = points.min(axis=0), points.max(axis=0)
    scale = (1 - 2 * MARGIN) / max(usual, float((high - low).max()))
    return [(line - (low + high) / 2) * scale + middle for line in lines]


def pen_pixels(every: Sequence[Drawn], side: int = 128) -> np.ndarray:
    """Return drawings as pictures of bytes `(drawings, side, side, 3)`, all at one scale; what was given is blue."""
    usual = usual_size(every)
    return np.stack([_painted(one, usual, side) for one in every])


def pen_film(every: Sequence[Drawn], columns: int, side: int = 160) -> np.ndarray:
    """Return frames `(time, height, width, 3)` in which drawings, side by side, come about point by point."""
    usual, longest = usual_size(every), max(sum(map(len, one.lines)) for one in every)
    shares = np.linspace(0, 1, min(FRAMES, longest) + 1)[1:]
    frames = [sheet(np.stack([_painted(one, usual, side, share) for one in every]), columns) for share in shares]
    return np.stack([*frames, *frames[-1:] * REST])


def _painted(one: Drawn, usual: float, side: int, share: float = 1.0) -> np.ndarray:
    """Return the pixels (side, side, 3) of a drawing of which only a share of the points is there yet."""
    fine = side * FINER
    image = Image.new("RGB", (fine, fine), "white")
    brush, width = ImageDraw.Draw(image), max(1, round(fine / 64))
    left = math.ceil(share * sum(map(len, one.lines)))
    for number, line in enumerate(in_cell(one.lines, usual, np.array([0.5, 0.5]))):
        shade = GIVEN if number < one.given else NEW
        points = [(float(x), float(y)) for x, y in line[: max(0, left)] * fine]
        left -= len(line)
        if len(points) > 1:
            brush.line(points, fill=shade, width=width, joint="curve")
        for x, y in {*points[:1], *points[-1:]}:
            brush.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=shade)
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))
