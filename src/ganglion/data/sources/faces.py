"""Drawn faces that look straight ahead, to a side or up: pictures of known pose for the first networks of a course."""

import numpy as np

from ganglion.data.dataset import Dataset

POSES = ("left", "right", "straight", "up")
HEIGHT, WIDTH = 30, 32
FINER = 3
"""Points in each direction that a pixel is the mean of."""
TURN = {"left": (-4.2, 0.0), "right": (4.2, 0.0), "straight": (0.0, 0.0), "up": (0.0, -4.2)}
"""Pixels by which eyes, nose and mouth move to the right and down."""


def faces(random: np.random.Generator, count: int | None) -> Dataset:
    """Faces of 30 x 32 pixels, grey, in four poses: heads, hair, eyes, nose and mouth of chance, some with sunglasses.

    The sizes, poses and numbers are those of the photographs of faces at Carnegie Mellon, which
    Mitchell, Machine Learning (1997), section 4.7, learns the pose from.
    """
    pose = random.permutation(np.arange(count or 624) % len(POSES))
    images = np.stack([_face(random, POSES[number]) for number in pose])
    return Dataset.of(name="", kind="image", inputs=images[..., None], targets=pose, label_names=POSES)


def _face(random: np.random.Generator, pose: str) -> np.ndarray:
    """Draw one face, bytes (30, 32)."""
    page, _ = head(random, pose)
    pixels = page.reshape(HEIGHT, FINER, WIDTH, FINER).mean(axis=(1, 3)) + random.normal(0, 0.015, (HEIGHT, WIDTH))
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)


def head(random: np.random.Generator, pose: str) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Draw a head in fine points from 0 to 1, (90, 96), and return its middle and half its width and height in pixels.

    Hair is within what is returned, shoulders are not.
    """
    down, across = np.mgrid[0 : HEIGHT * FINER, 0 : WIDTH * FINER] / FINER + 0.5 / FINER
    right, lower = np.array(TURN[pose]) * random.uniform(0.75, 1.2) + random.normal(0, 0.35, 2)
    x, y = WIDTH / 2 + random.normal(0, 0.7), HEIGHT / 2 + random.normal(0.5, 0.5)
    wide, tall = random.uniform(6.5, 8), random.uniform(9, 10.5)
    skin, hair, back = random.uniform(0.6, 0.85), random.uniform(0.05, 0.4), random.uniform(0.15, 0.5)

    def ellipse(dx: float, dy: float, half_width: float, half_height: float) -> np.ndarray:
        inside: np.ndarray = ((across - x - dx) / half_width) ** 2 + ((down - y - dy) / half_height) ** 2 <= 1
        return inside

    page = np.full(down.shape, back) + random.normal(0, 0.06) * (across / WIDTH - 0.5)
    page[ellipse(0, tall + 6, wide * 1.9, 8)] = random.uniform(0.2, 0.9)  # shoulders
    page[ellipse(-right * 0.45, -1.5 + lower * 0.2, wide + 1.3, tall + 0.8)] = hair
    page[ellipse(right * 0.3, 1, wide, tall - 0.5)] = skin
    page[ellipse(right * 0.3, 1, wide, tall - 0.5) & (down < y - tall * 0.55 + lower)] = hair  # the line of the hair
    eye, apart, sunglasses = lower - 2, random.uniform(2.6, 3.2), random.random() < 0.4
    for side in (-1, 1):
        if sunglasses:
            page[ellipse(right + side * apart, eye, 2.4, 1.9)] = 0.04
        else:
            page[ellipse(right + side * apart, eye, 1.5, 1.1)] = min(1.0, skin + 0.18)
            page[ellipse(right * 1.1 + side * apart, eye, 1.0, 1.0)] = 0.05
    if sunglasses:
        page[ellipse(right, eye - 0.4, apart, 0.45)] = 0.04
    page[ellipse(right * 1.25, 1.4 + lower * 1.1, 0.8, 1.6)] = skin - 0.14
    page[ellipse(right, 5 + lower * 0.8, random.uniform(1.6, 2.6), random.uniform(0.45, 0.9))] = skin - 0.38
    return page, (x, y, wide, tall)
