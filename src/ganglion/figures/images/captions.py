"""Pictures with what a network says of them, and where it looked while it said each word."""

import math
from collections.abc import Mapping, Sequence
from textwrap import wrap

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from ganglion.figures.images.pixels import to_bytes, to_pixels
from ganglion.figures.images.tiles import Tiles
from ganglion.figures.style import empty, panels, styled
from ganglion.figures.words import text

Looked = tuple[np.ndarray, Sequence[str], np.ndarray]
"""A picture (height, width, channels), words, and for each a map (words, down, across) of how much of it counted."""
COLUMNS = 4
WORDS = 6
"""Tiles in a row of where a network looked, the picture itself among them."""
DARK = 0.22
"""How bright stays what did not count at all."""
LARGEST = 192
"""Pixels of the longer side of a tile of a picture that is written to a file."""


@styled
def described(pictures: Sequence[np.ndarray], titles: Sequence[str], title: str) -> Figure:
    """Draw pictures `(height, width, channels)` each with its sentence, of two lines at most, below it."""
    if not len(pictures):
        return empty("no pictures")
    columns = min(COLUMNS, len(pictures))
    figure, axes = panels(len(pictures), columns=columns, width=2.4, height=2.5)
    for panel, picture, words in zip(axes, pictures, titles, strict=True):
        panel.imshow(to_pixels(picture[None])[0], interpolation="nearest" if len(picture) < LARGEST else None)
        panel.set(xticks=[], yticks=[])
        panel.set_xlabel("\n".join(text(line, 38) for line in words.split("\n")[:2]), size=8)
    figure.suptitle(title)
    return figure


@styled
def told(texts: Sequence[str], kinds: Mapping[str, np.ndarray], title: str) -> Figure:
    """Draw a row for each text: beside it what was drawn of it, kind by kind.

    Args:
        texts: one for each row.
        kinds: by name, pictures (texts x some, height, width, channels), those of a text one after the other.
    """
    pixels = {name: to_pixels(one) for name, one in kinds.items()}
    counts = {name: len(one) // len(texts) for name, one in pixels.items()}
    shape = next(iter(pixels.values())).shape[1:3]
    sheet = Tiles(sum(counts.values()), len(texts), shape, title, lines=1, left=2.3)
    for row, words in enumerate(texts):
        sheet.name_row(row, "\n".join(wrap(text(words, 100), 28)[:4]))
        column = 0
        for name, one in pixels.items():
            for place in range(counts[name]):
                caption = name if row == 0 and place == 0 else ""
                sheet.put(row, column, one[row * counts[name] + place], caption)
                column += 1
    return sheet.figure


@styled
def looked_at(looks: Sequence[Looked]) -> Figure:
    """Draw each picture, and beside it once for each word, dark where the network did not look when it wrote that."""
    if not looks:
        return empty("no pictures")
    tiles = [_tiles(picture, words, maps) for picture, words, maps in looks]
    rows = [tile[first : first + WORDS] for tile in tiles for first in range(0, len(tile), WORDS)]
    sheet = Tiles(WORDS, len(rows), looks[0][0].shape[:2], "Where the network looked at each word", lines=1)
    for row, tiles_of_row in enumerate(rows):
        for column, (pixels, word) in enumerate(tiles_of_row):
            sheet.put(row, column, pixels, word)
    return sheet.figure


def words_on(picture: np.ndarray, words: Sequence[str], maps: np.ndarray) -> np.ndarray:
    """Return a strip of bytes (height, width, 3): a picture, and once for each word where the network looked.

    Args:
        picture: (height, width, channels).
        words: what was written.
        maps: (words, down, across).
    """
    tiles = _tiles(picture, words, maps)
    factor = max(1, LARGEST // max(picture.shape[:2]))
    height, width = (factor * side for side in picture.shape[:2])
    line = 16
    rows = math.ceil(len(tiles) / WORDS)
    columns = min(WORDS, len(tiles))
    sheet = Image.new("RGB", (columns * (width + 4), rows * (height + line)), "white")
    drawing = ImageDraw.Draw(sheet)
    for place, (pixels, word) in enumerate(tiles):
        left, top = place % WORDS * (width + 4), place // WORDS * (height + line)
        tile = Image.fromarray(to_bytes(pixels[None])[0]).resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(tile, (left, top + line))
        drawing.text((left + 2, top + 1), word, fill="black")
    return np.asarray(sheet)


def _tiles(picture: np.ndarray, words: Sequence[str], maps: np.ndarray) -> list[tuple[np.ndarray, str]]:
    """Return pixels in [0, 1] and the word above them: the picture as it is, and darkened for each word."""
    pixels = to_pixels(picture[None])[0]
    height, width = pixels.shape[:2]
    found = [(pixels, "")]
    for word, values in zip(words, maps, strict=True):
        shares = Image.fromarray((values / (values.max() or 1.0)).astype(np.float32))
        light = np.asarray(shares.resize((width, height), Image.Resampling.BICUBIC)).clip(0, 1)[..., None]
        found.append((pixels * (DARK + (1 - DARK) * light), word))
    return found
