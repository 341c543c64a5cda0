"""Boxes drawn into pictures, without matplotlib, and how precision falls as recall rises."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from ganglion.figures.overlays import COLOURS
from ganglion.figures.pixels import enlarge, to_bytes
from ganglion.figures.style import colours, panels, styled

RIGHT, MISSED, INVENTED = (0, 158, 115), (213, 94, 0), (0, 114, 178)
WIDEST = 480
"""Pixels that small pictures are enlarged to at least, so that words can be read beside boxes."""


class Marked(NamedTuple):
    """A box and what to write at it."""

    corners: Sequence[float]
    """Left, top, right and bottom in pixels."""
    colour: tuple[int, int, int]
    words: str = ""


def of_class(number: int) -> tuple[int, int, int]:
    """Return the colour of the boxes of a class.

    >>> of_class(0)
    (0, 114, 178)
    """
    return COLOURS[number % len(COLOURS)]


def with_boxes(image: np.ndarray, boxes: Sequence[Marked], widest: int = WIDEST) -> np.ndarray:
    """Return a picture with boxes and words drawn into it, bytes `(height, width, 3)`, enlarged where it is small.

    Args:
        image: `(height, width, channels)`.
        boxes: in pixels of the image.
        widest: pixels that the longer side has at least, by whole factors.
    """
    times = max(1, math.ceil(widest / max(image.shape[:2])))
    picture = Image.fromarray(enlarge(to_bytes(image[None]), times)[0])
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(size=max(10, max(picture.size) / 42))
    for corners, colour, words in boxes:
        left, top, right, bottom = (round(float(value) * times) for value in corners)
        right, bottom = max(left, right - 1), max(top, bottom - 1)
        draw.rectangle((left, top, right, bottom), outline=colour, width=max(1, max(picture.size) // 240))
        if words:
            place = draw.textbbox((left, top), words, font=font, anchor="ls")
            down = max(0, place[3] - place[1] + 3 - top)  # inside where there is no room above
            draw.rectangle((place[0], place[1] + down - 3, place[2] + 4, place[3] + down), fill=colour)
            draw.text((left + 2, top + down - 2), words, font=font, anchor="ls", fill=(255, 255, 255))
    return np.asarray(picture)


@styled
def precision_recall(curves: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> Figure:
    """Draw the precision of each class over its recall.

    Args:
        curves: recall and precision `(boxes,)` of each class, the surest box first.
        title: one line.
    """
    figure, (axes,) = panels(1, width=5.6, height=3.6)
    for (name, (recall, precision)), colour in zip(curves.items(), colours(len(curves)), strict=True):
        axes.step(np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]), label=name, color=colour)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="recall: share of the objects that are found", title=title)
    axes.set_ylabel("precision: share of the boxes that are right")
    axes.legend(loc="lower left")
    return figure
