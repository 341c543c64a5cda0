"""Drawn fronts of houses beside the maps that say where walls, windows, doors and roofs are: pairs of pictures."""

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field

SIDE = 64
SKY, WALL, WINDOW, DOOR, ROOF = (40, 60, 160), (0, 0, 230), (0, 170, 230), (230, 60, 0), (230, 200, 0)
"""Colours of the map."""
PLASTER = np.array([(214, 196, 160), (188, 120, 92), (196, 204, 208), (172, 178, 140)], float)
"""Colours of walls, which the map does not tell."""


def facades(random: np.random.Generator, count: int | None) -> Dataset:
    """Pairs of 64 x 64 pixels: a map in flat colours, and the front of a house that it describes.

    Bricks, shades, panes and the colour of the wall are not in the map.
    """
    pairs = [_pair(random) for _ in range(count or 200)]
    maps, fronts = (np.stack(part) for part in zip(*pairs, strict=True))
    return Dataset(
        name="",
        fields={"source": Field(kind="images", values=maps), "target": Field(kind="images", values=fronts)},
    )


def _pair(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a map and a front, uint8 (side, side, 3) each."""
    drawn, front = np.full((SIDE, SIDE, 3), SKY, np.uint8), np.empty((SIDE, SIDE, 3))
    rows, columns = np.mgrid[:SIDE, :SIDE]
    front[:] = np.array([150, 190, 230]) + (rows * 0.7)[:, :, None]
    top, left = int(random.integers(12, 22)), int(random.integers(2, 8))
    right = SIDE - int(random.integers(2, 8))
    wall = (rows >= top) & (columns >= left) & (columns < right)
    _lay(drawn, front, wall, WALL, PLASTER[random.integers(len(PLASTER))])
    joints = wall & ((rows % 4 == 0) | ((columns + 3 * (rows // 4 % 2)) % 6 == 0))
    front[joints] *= 0.86
    slope = np.abs(columns - (left + right - 1) / 2) / ((right - left) / 2)
    roof = (rows < top) & (rows >= 3 + (top - 3) * slope * 0.9) & (slope <= 1)
    _lay(drawn, front, roof, ROOF, np.array([120, 60, 52]))
    front[roof & (rows % 3 == 0)] *= 0.75
    across, floors = int(random.integers(2, 5)), int(random.integers(2, 4))
    step, height = (right - left) / across, (SIDE - top) / floors
    door = int(random.integers(across))
    for floor in range(floors):
        for place in range(across):
            middle, low = left + (place + 0.5) * step, top + (floor + 0.18) * height
            is_door = floor == floors - 1 and place == door
            high = SIDE if is_door else low + 0.6 * height
            within = (rows >= low) & (rows < high) & (np.abs(columns - middle + 0.5) < 0.26 * step)
            if is_door:
                _lay(drawn, front, within, DOOR, np.array([96, 62, 40]))
                front[within & (columns % 3 == 0)] *= 0.8
            else:
                _lay(drawn, front, within, WINDOW, np.array([70, 92, 120]))
                front[within] += (18 * (rows - low) / height)[within][:, None]
                cross = within & (
                    (np.abs(columns - middle + 0.5) < 0.8) | (np.abs(rows - (low + high) / 2 + 0.5) < 0.8)
                )
                front[cross] = 235
    light = 1 + 0.12 * (columns / SIDE - 0.5) * random.choice([-1, 1])
    noisy = front * light[:, :, None] + random.normal(0, 3, front.shape)
    return drawn, noisy.clip(0, 255).astype(np.uint8)


def _lay(
    drawn: np.ndarray, front: np.ndarray, where: np.ndarray, label: tuple[int, int, int], colour: np.ndarray
) -> None:
    """Colour a region (side, side) of the map and of the front."""
    drawn[where], front[where] = label, colour
