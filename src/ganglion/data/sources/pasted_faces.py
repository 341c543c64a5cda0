"""Faces pasted into photographs, with a box around each: the user's own, or drawn ones in bundled photographs."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Boxes, Field
from ganglion.data.sources.bundled import whole_photographs
from ganglion.data.sources.faces import FINER, HEIGHT, WIDTH, head

HEIGHT_OF_PIECE, WIDTH_OF_PIECE = 120, 160
TESTED = 1 / 3
"""Share of the width of each photograph, at its right, that pieces of the test part are cut from."""
SMALLEST = 24
"""Side of the smallest faces in pixels."""
LARGEST_SHARE = 0.6
"""That of the largest, in the shorter side of the picture."""
COUNTS = (0.2, 0.4, 0.25, 0.15)
"""How often there are no, one, two and three faces in a picture."""
TRIES = 12
"""Places that are tried for a face before it is left out."""
SKIN = (1.0, 0.86, 0.74)
"""Shares of red, green and blue in a drawn face."""
SOFT = 0.12
"""Share of its width over which a face fades into what is around it."""


class Face(NamedTuple):
    """A face to paste."""

    pixels: np.ndarray
    """(height, width, channels), from 0 to 255."""
    cover: np.ndarray
    """How much of each pixel hides what is behind, 0 to 1 (height, width)."""
    box: tuple[float, float, float, float]
    """Left, top, right and bottom of what is looked for."""


def pasted_faces(random: np.random.Generator, count: int | None) -> Dataset:
    """Pictures of 120 x 160 pixels, colour: pieces of two photographs with drawn faces, and the box of each face.

    A fifth is the test part, of the right third of each photograph.
    """
    total, photographs = count or 150, whole_photographs()
    parts = []
    for tested in (False, True):
        number = max(1, total // 5) if tested else total - max(1, total // 5)
        scenes = [_piece(random, photographs, tested) for _ in range(number)]
        parts.append(fields_of(pasted(random, scenes, [_drawn(random) for _ in range(2 * number)])))
    return Dataset(name="", fields=parts[0], test_fields=parts[1])


def fields_of(pictures: Iterator[tuple[np.ndarray, Boxes]]) -> dict[str, Field]:
    """Return pictures with boxes as fields."""
    images, boxes = zip(*pictures, strict=True)
    together = np.stack(images) if len({one.shape for one in images}) == 1 else list(images)
    return {
        "inputs": Field(kind="images", values=together),
        "boxes": Field(kind="boxes", values=list(boxes), names=("face",)),
    }


def pasted(
    random: np.random.Generator, scenes: Sequence[np.ndarray], faces: Sequence[Face]
) -> Iterator[tuple[np.ndarray, Boxes]]:
    """Yield each of the scenes, bytes (height, width, channels), with no to three faces in it, and their boxes.

    Faces are taken in turn, at sizes evenly spread in their logarithm, lit from a side by chance; none hides another.
    """
    order = random.permutation(len(faces))
    taken = 0
    for scene in scenes:
        page = scene.astype(np.float32)
        corners: list[np.ndarray] = []
        for _ in range(random.choice(len(COUNTS), p=COUNTS)):
            face = faces[order[taken % len(faces)]]
            taken += 1
            side = SMALLEST * (max(1, _largest(face, scene.shape[:2]) / SMALLEST)) ** random.random()
            found = _place(random, face, side, scene.shape[:2], corners)
            if found is not None:
                corners.append(_paste(random, page, face, *found))
        size = scene.shape[0], scene.shape[1]
        boxes = Boxes(np.array(corners, np.float32).reshape(-1, 4), np.zeros(len(corners), np.int64), size)
        yield np.rint(page.clip(0, 255)).astype(np.uint8), boxes


def whole(pixels: np.ndarray) -> Face:
    """Return a picture, bytes (height, width, channels), that a face fills, to be pasted as an oval."""
    height, width = pixels.shape[:2]
    down, across = (np.mgrid[0:height, 0:width] + 0.5) / np.array([height, width]).reshape(2, 1, 1) * 2 - 1
    return Face(pixels.astype(np.float32), _soft(np.hypot(down, across)), (0, 0, width, height))


def _soft(distance: np.ndarray) -> np.ndarray:
    """Return how much an oval covers at a distance from its middle, in its radius."""
    return ((1 - distance) / SOFT + 0.5).clip(0, 1)


def _side(face: Face) -> float:
    """Return the side of the square of the same area as the box of a face, in pixels of its cut-out."""
    left, top, right, bottom = face.box
    return float(np.sqrt((right - left) * (bottom - top)))


def _largest(face: Face, size: tuple[int, ...]) -> float:
    """Return the side that the box of a face may have in a picture of a height and width."""
    fits = min(size[axis] / face.cover.shape[axis] for axis in (0, 1))
    return min(LARGEST_SHARE * min(size), fits * _side(face))


def _place(
    random: np.random.Generator, face: Face, side: float, size: tuple[int, ...], corners: Sequence[np.ndarray]
) -> tuple[float, int, int] | None:
    """Return the scale, top and left of a face that lies within the picture and on no other; None if none was found."""
    scale = side / _side(face)
    room = [size[axis] - round(face.cover.shape[axis] * scale) for axis in (0, 1)]
    for _ in range(TRIES if min(room) >= 0 else 0):
        y, x = (int(random.integers(space + 1)) for space in room)
        height, width = (round(face.cover.shape[axis] * scale) for axis in (0, 1))
        if all(x >= box[2] or x + width <= box[0] or y >= box[3] or y + height <= box[1] for box in corners):
            return scale, y, x
    return None


def _paste(random: np.random.Generator, page: np.ndarray, face: Face, scale: float, top: int, left: int) -> np.ndarray:
    """Paste a face into a page (height, width, channels), and return its box (4,)."""
    height, width = (max(1, round(side * scale)) for side in face.cover.shape)
    layers = [*np.moveaxis(face.pixels, 2, 0), 255 * face.cover]
    resized = [
        np.asarray(Image.fromarray(one.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR))
        for one in layers
    ]
    pixels, cover = np.stack(resized[:-1], axis=2), resized[-1][..., None] / 255
    mirrored = random.random() < 0.5
    if mirrored:
        pixels, cover = pixels[:, ::-1], cover[:, ::-1]
    slope = random.normal(0, 0.12, 2)
    light = (
        random.uniform(0.75, 1.15)
        + slope[0] * np.linspace(-1, 1, height)[:, None]
        + slope[1] * np.linspace(-1, 1, width)
    )
    part = page[top : top + height, left : left + width]
    part += cover * (pixels * light[..., None] - part)
    shift = np.array([left, top, left, top], np.float32)
    across, down = width / face.cover.shape[1], height / face.cover.shape[0]
    left_edge, right_edge = face.box[0], face.box[2]
    if mirrored:
        left_edge, right_edge = face.cover.shape[1] - right_edge, face.cover.shape[1] - left_edge
    edges = (left_edge, face.box[1], right_edge, face.box[3])
    return shift + np.array(edges, np.float32) * np.array([across, down, across, down], np.float32)


def _piece(random: np.random.Generator, photographs: Sequence[np.ndarray], tested: bool) -> np.ndarray:
    """Return a piece of one of some photographs at some scale, bytes (120, 160, 3)."""
    photograph = photographs[int(random.integers(len(photographs)))]
    border = round(photograph.shape[1] * (1 - TESTED))
    part = photograph[:, border:] if tested else photograph[:, :border]
    width = int(random.integers(WIDTH_OF_PIECE * 3 // 4, min(part.shape[1], part.shape[0] * 4 // 3) + 1))
    height = width * HEIGHT_OF_PIECE // WIDTH_OF_PIECE
    top, left = int(random.integers(part.shape[0] - height + 1)), int(random.integers(part.shape[1] - width + 1))
    piece = Image.fromarray(part[top : top + height, left : left + width])
    return np.asarray(piece.resize((WIDTH_OF_PIECE, HEIGHT_OF_PIECE), Image.Resampling.BILINEAR))


def _drawn(random: np.random.Generator) -> Face:
    """Draw a face that looks straight ahead, with its hair and without shoulders."""
    page, (x, y, wide, tall) = head(random, "straight")
    down, across = (np.mgrid[0 : HEIGHT * FINER, 0 : WIDTH * FINER] + 0.5) / FINER
    distance = np.hypot((across - x) / (wide + 1.5), (down - y + 1.2) / (tall + 1))
    grain = random.normal(0, 0.02, page.shape)
    pixels = 255 * (page + grain).clip(0, 1)[..., None] * np.array(SKIN)
    box = np.array([x - wide, y + 1 - wide, x + wide, y + 1 + wide]) * FINER
    return Face(pixels.astype(np.float32), _soft(distance), tuple(box.tolist()))
