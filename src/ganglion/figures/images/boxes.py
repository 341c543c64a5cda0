"""Boxes drawn into pictures, without matplotlib, and how precision falls as recall rises."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganglion.figures.images.overlays import COLOURS
from ganglion.figures.images.pixels import enlarge, to_bytes

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
