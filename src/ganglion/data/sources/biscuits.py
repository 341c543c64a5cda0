"""Drawn biscuits from an oven, most of them as they should be, and the beats of a heart, some of them odd."""

import numpy as np

from ganglion.data.dataset import Dataset

SIDE = 32
FAULTS = ("whole", "bitten", "cracked", "burnt", "hole missing")
SHARE_WHOLE = 0.75
GRID = 7.0
"""Pixels between the holes."""
BEAT = 40
"""Steps between two beats."""
ODD_FROM = 0.6
"""Share of the time after which odd beats may come."""


def biscuits(random: np.random.Generator, count: int | None) -> Dataset:
    """Pictures of 32 x 32 pixels, colour: three in four biscuits are whole, the others bitten, cracked, burnt or lack a
    hole. They lie a little askew, and differ in size, colour and light.
    """
    total = count or 1200
    whole = round(SHARE_WHOLE * total)
    kinds = random.permutation(np.where(np.arange(total) < whole, 0, 1 + np.arange(total) % (len(FAULTS) - 1)))
    images = np.stack([_biscuit(random, FAULTS[kind]) for kind in kinds])
    return Dataset.of(
        name="",
        kind="image",
        inputs=images,
        targets=kinds.astype(np.int64),
        label_names=FAULTS,
        target_names=("state",),
    )


def _biscuit(random: np.random.Generator, state: str) -> np.ndarray:
    """Return a picture, bytes (32, 32, 3)."""
    down, across = np.mgrid[0:SIDE, 0:SIDE] + 0.5 - SIDE / 2 - random.normal(0, 0.5, (2, 1, 1))
    angle = random.normal(0, 0.12)
    y, x = np.cos(angle) * down + np.sin(angle) * across, np.cos(angle) * across - np.sin(angle) * down
    radius, direction = np.hypot(y, x), np.arctan2(y, x)
    rim = random.uniform(12.6, 13.6) + 0.35 * np.cos(16 * direction)  # scalloped
    inside = _soft(rim - radius)
    baked = 0.72 + 0.1 * random.normal() * 0.5 - 0.16 * np.clip(radius / rim, 0, 1) ** 4  # darker towards the rim
    holes = np.stack([_hole(y, x, row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)])
    if state == "hole missing":
        holes[random.integers(9)] = 0
    baked = baked - 0.36 * holes.max(axis=0)
    place = random.uniform(0, 2 * np.pi)
    if state == "bitten":
        at = 12.0 * np.sin(place), 12.0 * np.cos(place)
        inside = inside * (1 - _soft(random.uniform(4.5, 6.5) - np.hypot(y - at[0], x - at[1])))
    elif state == "cracked":
        along, off = np.cos(place) * x + np.sin(place) * y, np.cos(place) * y - np.sin(place) * x
        crack = np.exp(-(((off - random.uniform(-4, 4) - 1.2 * np.sin(along * 0.9)) / 0.7) ** 2))
        baked = baked - 0.4 * crack
    elif state == "burnt":
        at = 6.5 * np.sin(place), 6.5 * np.cos(place)
        baked = baked - 0.45 * np.exp(-((y - at[0]) ** 2 + (x - at[1]) ** 2) / random.uniform(12, 22))
    colour = np.clip(baked, 0.06, 1)[..., None] ** np.array([0.75, 1.25, 2.2])
    tray = 0.33 + 0.03 * np.sin(across * 0.7)[..., None] + np.array([0.0, 0.015, 0.03])
    light = 1 + random.normal(0, 0.03) + 0.002 * (down - across)[..., None]
    picture = (tray * (1 - inside[..., None]) + colour * inside[..., None]) * light
    picture = picture + random.normal(0, 0.012, picture.shape)
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8)


def _hole(y: np.ndarray, x: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return how much (32, 32) of a hole there is at a place of the grid."""
    deep: np.ndarray = np.exp(-((y - GRID * row) ** 2 + (x - GRID * column) ** 2) / 1.6)
    return deep


def _soft(distance: np.ndarray) -> np.ndarray:
    """Return how much of a pixel is inside, by its distance from the border."""
    inside: np.ndarray = np.clip(distance + 0.5, 0, 1)
    return inside


def heartbeats(random: np.random.Generator, count: int | None) -> Dataset:
    """The voltage of a beating heart, some forty steps a beat; in the last two fifths some beats are odd.

    Each beat is a sum of five bell curves, as cardiologists call them P, Q, R, S and T. Odd beats come early and wide,
    lack their P, or have a T upside down. The column `odd` says which steps are.
    """
    steps = count or 6000
    time, voltage, odd = np.arange(steps), np.zeros(steps), np.zeros(steps)
    start = 0.0
    while start < steps + BEAT:
        length = BEAT * (1 + random.normal(0, 0.03))
        kind = int(random.integers(1, 4)) if start > ODD_FROM * steps and random.uniform() < 0.1 else 0
        if kind == 1:
            start -= 0.22 * length  # early
        waves = np.array([  # place and width as parts of a beat, height
            (0.20, 0.025, 0.15), (0.31, 0.018, -0.14), (0.36, 0.026, 1.0), (0.41, 0.018, -0.22), (0.60, 0.045, 0.3),
        ])  # fmt: skip
        if kind == 1:
            waves = np.array([(0.36, 0.05, 1.15), (0.55, 0.06, -0.45)])
        elif kind == 2:
            waves[0, 2] = 0
            waves[2, 2] *= 0.55
        elif kind == 3:
            waves[4, 2] *= -1
        for place, width, height in waves:
            amount = height * (1 + random.normal(0, 0.04))
            voltage += amount * np.exp(-(((time - start - place * length) / (width * length)) ** 2) / 2)
        if kind:
            first, last = (0.26, 0.7) if kind == 1 else (0.14, 0.42) if kind == 2 else (0.48, 0.72)
            odd[(time >= start + first * length) & (time <= start + last * length)] = 1
        start += length
    voltage += 0.05 * np.sin(2 * np.pi * time / 310) + random.normal(0, 0.015, steps)
    values = np.stack([voltage, odd], axis=1).astype(np.float32)
    return Dataset.of(name="", kind="series", inputs=values, column_names=("voltage", "odd"))
