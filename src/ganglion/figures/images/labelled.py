"""Frames with a line of text and a bar below them, as bytes: a film that says at each moment what it is taken for."""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganglion.figures.images.pixels import enlarge, sheet, to_bytes
from ganglion.figures.style import BLUE, FAINT, INK, PAPER

SMALLEST = 128
"""Pixels that frames are enlarged to at least, so that a label below them can be read."""
BAND, BAR, SIZE = 26, 5, 13
"""Height of what stands below a frame, of the bar in it, and of the letters, in pixels."""


def labelled(frames: np.ndarray, labels: Sequence[str], shares: Sequence[float]) -> np.ndarray:
    """Return frames, bytes (frames, height, width, 3), above a label each and a bar as long as its share.

    Args:
        frames: (frames, height, width, channels).
        labels: one for each frame.
        shares: from 0 to 1.

    >>> labelled(np.zeros((2, 32, 32, 1), np.uint8), ["left", "right"], [0.5, 1.0]).shape
    (2, 154, 128, 3)
    """
    pixels = enlarge(to_bytes(frames), math.ceil(SMALLEST / min(frames.shape[1:3])))
    height, width = pixels.shape[1:3]
    drawn = []
    for frame, label, share in zip(pixels, labels, shares, strict=True):
        page = Image.new("RGB", (width, height + BAND), PAPER)
        page.paste(Image.fromarray(frame))
        pen = ImageDraw.Draw(page)
        pen.rectangle((0, height, width, height + BAR), fill=FAINT)
        pen.rectangle((0, height, round(share * width), height + BAR), fill=BLUE)
        pen.text((3, height + BAR + 2), _fitting(label, width - 6), fill=INK, font=font())
        drawn.append(np.asarray(page))
    return np.stack(drawn)


def strip(frames: np.ndarray) -> np.ndarray:
    """Return frames, bytes (frames, height, width, 3), side by side as one picture (height, width, 3)."""
    return sheet(frames, columns=len(frames))


@cache
def font() -> ImageFont.FreeTypeFont:
    """Return the letters that stand in films."""
    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), SIZE)


def _fitting(label: str, width: int) -> str:
    """Return as much of a label as is no wider than so many pixels."""
    plain = " ".join(label.split())
    while plain and font().getlength(plain) > width:
        plain = plain[:-1]
    return plain
