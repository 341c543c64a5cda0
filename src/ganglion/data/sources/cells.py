"""Drawn cells under a microscope: pictures with a mask for each, in which cells touch and dirt is no cell."""

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field

SIDE = 64
CELLS = (4, 8)
"""Fewest and most cells that are tried to be put into a picture."""
CLASSES = ("background", "cell")


def cells(random: np.random.Generator, count: int | None) -> Dataset:
    """Cells of 64 x 64 pixels, grey, with masks: rims and granules of chance, uneven light, and specks that are none.

    Cells that touch are parted by a line of background in the mask, as those who label microscope pictures part them.
    """
    drawn = [_picture(random) for _ in range(count or 160)]
    images, masks = (np.stack(part) for part in zip(*drawn, strict=True))
    fields = {
        "inputs": Field(kind="images", values=images[..., None]),
        "masks": Field(kind="masks", values=masks, names=CLASSES),
    }
    return Dataset(name="", fields=fields)


def _picture(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture and its mask, bytes (64, 64) both."""
    down, across = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    light = 0.45 + random.uniform(-0.12, 0.12, 2) @ np.stack([down / SIDE - 0.5, across / SIDE - 0.5]).reshape(2, -1)
    page = light.reshape(SIDE, SIDE) + 0.05 * _smooth(random, 8)
    depth = np.full((SIDE, SIDE), np.inf)  # how far inside the nearest cell, 1 at its rim
    owner = np.zeros((SIDE, SIDE), np.int64)
    for number in range(1, 1 + int(random.integers(*CELLS, endpoint=True))):
        shape = _cell(random, down, across)
        covered = shape <= 1
        if np.mean(depth[covered] <= 1) > 0.2:  # mostly over another one
            continue
        owner = np.where(shape < depth, number, owner)
        depth = np.minimum(depth, shape)
    inside = depth <= 1
    rim = np.exp(-np.square((depth - 0.93) / 0.1))
    brighter, granules = random.uniform(0.04, 0.1), _smooth(random, 24)
    between = _between(owner, inside)
    page = page + inside * (brighter + 0.07 * granules) - 0.22 * np.where(np.isfinite(depth), rim, 0)
    page[between] -= random.uniform(0.05, 0.2)
    for _ in range(int(random.integers(2, 6))):  # dirt
        y, x, radius = *random.uniform(0, SIDE, 2), random.uniform(0.8, 2.2)
        page -= random.uniform(0.15, 0.35) * np.exp(-((down - y) ** 2 + (across - x) ** 2) / radius**2)
    page += random.normal(0, 0.035, page.shape)
    mask = (inside & ~between).astype(np.uint8)
    return np.rint(page.clip(0, 1) * 255).astype(np.uint8), mask


def _between(owner: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Return which pixels (64, 64) inside of cells have another cell above them or to their left."""
    above, beside = owner[:-1] != owner[1:], owner[:, :-1] != owner[:, 1:]
    between = np.zeros_like(inside)
    between[1:] |= above & inside[:-1] & inside[1:]
    between[:, 1:] |= beside & inside[:, :-1] & inside[:, 1:]
    return between


def _cell(random: np.random.Generator, down: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Return a function of the pixels (64, 64) that is 1 at the rim of a cell of chance, and less inside."""
    y, x = random.uniform(4, SIDE - 4, 2)
    angle, radii = random.uniform(0, np.pi), random.uniform(7, 12, 2)
    dy, dx = down - y, across - x
    turned = np.stack([np.cos(angle) * dy + np.sin(angle) * dx, np.cos(angle) * dx - np.sin(angle) * dy])
    direction = np.arctan2(turned[0], turned[1])
    wobble = 1 + sum(
        random.normal(0, 0.05) * np.cos(waves * direction + random.uniform(0, 2 * np.pi)) for waves in (2, 3, 4)
    )
    distance: np.ndarray = np.sqrt(np.square(turned / radii[:, None, None]).sum(0)) / wobble
    return distance


def _smooth(random: np.random.Generator, waves: int) -> np.ndarray:
    """Return a smooth field of chance (64, 64) with mean 0 and deviation 1, of at most so many waves along a side."""
    frequencies = np.fft.fftfreq(SIDE) * SIDE
    low = np.square(frequencies)[:, None] + np.square(frequencies) <= np.square(waves / 2)
    field = np.fft.ifft2(np.fft.fft2(random.normal(size=(SIDE, SIDE))) * low).real
    return (field - field.mean()) / field.std()
