"""Frames of a film of a drive: the road, what the network sees of it, what its outputs say, and the way so far."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from ganglion.figures.images.labelled import font
from ganglion.figures.images.pixels import enlarge
from ganglion.figures.style import BLUE, FAINT, INK, MUTED, PAPER, RED

HEIGHT, WIDTH, EDGE, WORDS = 240, 256, 10, 18
"""Pixels of a picture of the road, of the white around it and of the line of words above it."""
LOWER = 110
"""Height of the outputs and of the map."""
GROUND = "#c9cfd6"


class Moment(NamedTuple):
    """What a frame shows."""

    road: np.ndarray
    """What a person would see, bytes (240, 256, 3)."""
    retina: np.ndarray
    """What the network sees, bytes (30, 32)."""
    outputs: np.ndarray
    """From 0 to 1 (directions,)."""
    wanted: np.ndarray
    """What they would be for the right direction (directions,)."""
    direction: str
    """What the network says, in words."""


def drive_frames(moments: Sequence[Moment], middle: np.ndarray, width: float, places: np.ndarray) -> np.ndarray:
    """Return a film, bytes (moments, height, width, 3).

    Args:
        middle: points of the middle of the road (points, 2), in metres.
        width: of the road.
        places: where the car is at each moment (moments, 2).
    """
    ground, placed = _map(middle, width, places)
    return np.stack([_frame(moment, ground, placed[: number + 1]) for number, moment in enumerate(moments)])


def _frame(moment: Moment, ground: Image.Image, places: np.ndarray) -> np.ndarray:
    right, lower = 2 * EDGE + WIDTH, 2 * WORDS + HEIGHT + EDGE
    page = Image.new("RGB", (right + WIDTH + EDGE, lower + LOWER + EDGE), PAPER)
    pen = ImageDraw.Draw(page)
    titles = ("the road", "what the network sees", "the way so far, from above", moment.direction)
    corners = ((EDGE, WORDS), (right, WORDS), (EDGE, lower), (right, lower))
    retina = enlarge(np.repeat(moment.retina[None, :, :, None], 3, axis=-1), HEIGHT // len(moment.retina))[0]
    way = ground.copy()
    _way(ImageDraw.Draw(way), places)
    pictures = (Image.fromarray(moment.road), Image.fromarray(retina), way, _hill(moment))
    for title, corner, picture in zip(titles, corners, pictures, strict=True):
        pen.text((corner[0], corner[1] - WORDS + 1), title, fill=MUTED, font=font())
        page.paste(picture, corner)
    return np.asarray(page)


def _hill(moment: Moment) -> Image.Image:
    """Return the outputs as bars from left to right, and the outline of those that are wanted."""
    picture = Image.new("RGB", (WIDTH, LOWER), PAPER)
    pen = ImageDraw.Draw(picture)
    count, floor = len(moment.outputs), LOWER - 4
    edges = np.linspace(0, WIDTH - 1, count + 1)
    pen.line((WIDTH / 2, 0, WIDTH / 2, floor), fill=FAINT)
    heights = floor - moment.outputs.clip(0, 1) * (floor - 6)
    for left, next_one, top in zip(edges, edges[1:], heights, strict=False):
        pen.rectangle((left + 1, min(top, floor - 1), next_one - 1, floor), fill=BLUE)
    tops = floor - moment.wanted.clip(0, 1) * (floor - 6)
    pen.line([*zip(((edges[1:] + edges[:-1]) / 2).tolist(), tops.tolist(), strict=True)], fill=RED, width=2)
    pen.line((0, floor, WIDTH, floor), fill=MUTED)
    return picture


def _map(middle: np.ndarray, width: float, places: np.ndarray) -> tuple[Image.Image, np.ndarray]:
    """Return the road from above, and the places of the car in that picture (moments, 2)."""
    low, high = middle.min(axis=0) - width, middle.max(axis=0) + width
    scale = min(WIDTH / (high[0] - low[0]), LOWER / (high[1] - low[1]))
    room = (np.array([WIDTH, LOWER]) - scale * (high - low)) / 2

    def placed(points: np.ndarray) -> np.ndarray:
        across, up = (scale * (points - low) + room).T
        return np.stack([across, LOWER - up], axis=-1)

    picture = Image.new("RGB", (WIDTH, LOWER), PAPER)
    thick = max(3, round(scale * width))
    ImageDraw.Draw(picture).line([*map(tuple, placed(middle).tolist())], fill=GROUND, width=thick, joint="curve")
    return picture, placed(places)


def _way(pen: ImageDraw.ImageDraw, places: np.ndarray) -> None:
    if len(places) > 1:
        pen.line([*map(tuple, places.tolist())], fill=BLUE, width=2)
    x, y = places[-1]
    pen.ellipse((x - 4, y - 4, x + 4, y + 4), fill=RED, outline=INK)
