"""Arrays of pixels, without matplotlib: any range and number of channels as red, green and blue, and sheets of many."""

import math

import numpy as np

from ganglion.errors import UsageError

NOT_FINITE = (213 / 255, 94 / 255, 0.0)
"""Colour of pixels that are no numbers: the palette's red."""
GAP = 2
"""Pixels of white between the images of a sheet."""
SMALLEST_SIDE = 64
"""Pixels to which the images of a sheet are enlarged at least, each pixel as a square."""


def to_pixels(images: np.ndarray) -> np.ndarray:
    """Return `(samples, height, width, 3)` in [0, 1], whatever the range and number of channels.

    Whole numbers are taken as 0 to 255. Other values in [0, 1] or [-1, 1] are taken as such, everything else is
    stretched from the smallest to the largest value of the set. Pixels that are not finite are orange.

    Raises:
        UsageError: these are no images.
    """
    values = np.asarray(images)
    if values.ndim == 3:
        values = values[..., None]
    if values.ndim != 4 or values.shape[-1] not in (1, 3, 4):
        raise UsageError(
            "cannot draw these as images",
            expected="(samples, height, width) or (samples, height, width, channels) with 1, 3 or 4 channels",
            found=str(np.shape(images)),
        )
    if values.dtype.kind in "ui":
        scaled = values / 255.0
    elif values.dtype.kind == "b":
        scaled = values.astype(float)
    else:
        scaled = _stretch(values.astype(float))
    if scaled.shape[-1] == 4:  # on white paper
        alpha = scaled[..., 3:]
        scaled = scaled[..., :3] * alpha + (1 - alpha)
    return with_broken_marked(np.broadcast_to(scaled, (*scaled.shape[:3], 3)))


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Return images as bytes `(samples, height, width, 3)`; bytes of three channels come back as they are.

    >>> to_bytes(np.array([[[0.0, 0.5, 1.0]]]))[0, 0, :, 0].tolist()
    [0, 128, 255]
    """
    values = np.asarray(images)
    if values.dtype == np.uint8 and values.ndim == 4 and values.shape[-1] == 3:
        return values
    return np.rint(to_pixels(values).clip(0, 1) * 255).astype(np.uint8)


def sheet(images: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Return images side by side on white as one picture of bytes `(height, width, 3)`, small ones enlarged.

    `images` are `(samples, height, width)` or `(samples, height, width, channels)`; without `columns` the sheet is
    about square.

    >>> sheet(np.zeros((6, 32, 32))).shape
    (134, 200, 3)
    """
    pixels = to_bytes(images)
    count, height, width = pixels.shape[:3]
    if not count:
        raise UsageError("a sheet of no images cannot be drawn", expected="at least one image")
    enlarged = enlarge(pixels, math.ceil(SMALLEST_SIDE / min(height, width)))
    height, width = enlarged.shape[1:3]
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    paper = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 255, np.uint8)
    for place, image in enumerate(enlarged):
        top, left = GAP + place // columns * (height + GAP), GAP + place % columns * (width + GAP)
        paper[top : top + height, left : left + width] = image
    return paper


def enlarge(images: np.ndarray, times: int) -> np.ndarray:
    """Return images `(samples, height, width, ...)` with every pixel repeated `times` in both directions."""
    return images.repeat(times, axis=1).repeat(times, axis=2) if times > 1 else images


def _stretch(values: np.ndarray) -> np.ndarray:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    slack = 1e-3
    if low >= -slack and high <= 1 + slack:
        return values
    if low >= -1 - slack and high <= 1 + slack:
        return (values + 1) / 2
    return (values - low) / ((high - low) or 1.0)


def with_broken_marked(pixels: np.ndarray) -> np.ndarray:
    """Return pixels `(..., 3)` with those that are not finite in orange."""
    broken = ~np.isfinite(pixels).all(axis=-1)
    if broken.any():
        pixels = pixels.copy()
        pixels[broken] = NOT_FINITE
    return pixels
