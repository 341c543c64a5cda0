"""Functions of one input as pictures of bytes, cheap enough to be drawn while training."""

from collections.abc import Sequence

import numpy as np

WIDTH, HEIGHT, EDGE = 480, 300, 12
GREY, COLOURS = (190, 198, 206), ((86, 180, 233), (230, 159, 0), (213, 94, 0))


def traces(curves: Sequence[np.ndarray], samples: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return curves over evenly spaced inputs, (points,) each, on samples (samples,), as bytes (height, width, 3).

    The picture reaches as far as the samples; curves leave it at the top and at the bottom. The last curve is the
    thickest.

    >>> traces([np.zeros(50)], (np.linspace(0, 1, 9), np.linspace(-1, 1, 9))).shape
    (300, 480, 3)
    """
    paper = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    (low, high), (bottom, top) = ((values.min(), values.max()) for values in samples)
    right = EDGE + (samples[0] - low) / ((high - low) or 1) * (WIDTH - 2 * EDGE - 1)
    down = _down(samples[1], bottom, top)
    for across in (0, 1):
        for under in (0, 1):
            paper[down.astype(int) + under, right.astype(int) + across] = GREY
    for number, curve in enumerate(curves):
        evenly = np.linspace(0, len(curve) - 1, WIDTH - 2 * EDGE)
        places = _down(np.interp(evenly, np.arange(len(curve)), curve), bottom, top)
        colour = COLOURS[number - len(curves)]
        half = 1 if number < len(curves) - 1 else 2
        for column, (before, here) in enumerate(zip(np.r_[places[:1], places[:-1]], places, strict=True)):
            first, last = sorted((before, here))
            rows = slice(max(int(first) - half + 1, 0), min(int(last) + half, HEIGHT))
            paper[rows, EDGE + column] = colour
    return paper


def _down(values: np.ndarray, bottom: float, top: float) -> np.ndarray:
    """Return rows of pixels of values (points,), some way beyond the edge at most."""
    share = (top - values) / ((top - bottom) or 1)
    return np.clip(EDGE + share * (HEIGHT - 2 * EDGE - 1), -EDGE, HEIGHT + EDGE)
