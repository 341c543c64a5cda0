"""Which values of pixels are black and white: decided once from the values of a whole set, kept with the run.

Files, NPZ and arrays in memory all follow this one rule. Numbers do not say their scale: 12 bits lie in files of 16,
bytes may be 0 and 1, fractions may go to 16. So the range is the smallest usual one that holds every value of the set.
"""

import numpy as np

from ganglion.errors import DataError, ShapeError

Range = tuple[float, float]
"""The values of black and white."""

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey, ITU-R BT.601."""
BYTES: Range = (0.0, 255.0)
WHITES = (1, 16, 255, 1023, 4095, 16383, 65535)
"""What white is in the usual scales: 1 bit or fractions, scikit-learn's digits, 8, 10, 12, 14 and 16 bits."""
CHANNELS = (1, 3)
OVERSHOOT = 0.1
"""How far fractions may leave 0 to 1, as resizing makes them, where hardly any do."""
HARDLY_ANY = 0.01


def channels_last(pictures: np.ndarray) -> np.ndarray:
    """Return pictures `(..., height, width, channels)` whose channels may come first: `(..., channels, height, width)`.

    They come first where only that axis can be one of 1 or 3 channels.

    >>> channels_last(np.zeros((5, 3, 8, 9))).shape, channels_last(np.zeros((8, 9, 3))).shape
    ((5, 8, 9, 3), (8, 9, 3))
    """
    first = pictures.ndim > 2 and pictures.shape[-1] not in CHANNELS and pictures.shape[-3] in CHANNELS
    return np.moveaxis(pictures, -3, -1) if first else pictures


def find_range(values: np.ndarray, asked: Range | None = None, where: str = "") -> Range:
    """Return the values of black and white in a set of images of any shape.

    Args:
        asked: what the user says they are; then no value may lie outside.

    Raises:
        DataError: the values are no usual pixels, such as negative ones other than -1 to 1.

    >>> find_range(np.array([0, 900, 4000], dtype=np.uint16)), find_range(np.array([0, 1], dtype=np.uint8))
    ((0.0, 4095.0), (0.0, 1.0))
    """
    if values.dtype.kind not in "iufb":
        raise _no_pixels(str(values.dtype), where)
    if not values.size:
        return asked or BYTES
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise _no_pixels("values that are missing or infinite", where)
    found = asked or _usual(values, low, high)
    if found is None or (asked and (low < asked[0] or high > asked[1])):
        raise _no_pixels(f"{values.dtype} from {low:g} to {high:g}", where, asked)
    return found


def _usual(values: np.ndarray, low: float, high: float) -> Range | None:
    if values.dtype.kind == "f":
        beyond = (values < 0) | (values > 1)
        slight = low >= -OVERSHOOT and high <= 1 + OVERSHOOT and beyond.any()
        if slight and beyond.mean() < HARDLY_ANY:
            return (0.0, 1.0)
        if -1 <= low < 0 and high <= 1:
            return (-1.0, 1.0)
    white = next((white for white in WHITES if high <= white), None)
    return None if low < 0 or white is None else (0.0, float(white))


def _no_pixels(found: str, where: str, asked: Range | None = None) -> DataError:
    usual = "0 to 1, 16, 255, 1023, 4095, 16383 or 65535, or fractions from -1 to 1"
    return DataError(
        "these pixels are in no range that is understood",
        where=where,
        expected=f"values from {asked[0]:g} to {asked[1]:g}, as asked" if asked else usual,
        found=found,
        remedy="say what black and white are with --pixels LOW HIGH",
    )


def to_pixels(values: np.ndarray, pixels: Range) -> np.ndarray:
    """Return images as bytes, or as fractions in single precision where a byte would lose what they hold.

    >>> to_pixels(np.array([0, 16]), (0, 16)).tolist(), to_pixels(np.array([4095.0]), (0, 4095)).tolist()
    ([0, 255], [1.0])
    """
    if values.dtype == np.uint8 and pixels == BYTES:
        return values
    low, high = pixels
    fractions = ((values.astype(np.float64) - low) / (high - low)).clip(0, 1)
    deep = high - low > 255
    return fractions.astype(np.float32) if deep else np.rint(255 * fractions).astype(np.uint8)


def said(pixels: Range, low: float, high: float) -> str:
    """Return what was taken for black and white, and how much of it a set uses from its lowest to its highest value.

    >>> said((0, 4095), 900, 1719)
    'pixels: 0 is black, 4095 is white; 900 to 1719 occur, 20% of that range'
    """
    low, high = float(low), float(high)
    share = (min(high, pixels[1]) - max(low, pixels[0])) / (pixels[1] - pixels[0])
    ends = f"{pixels[0]:g} is black, {pixels[1]:g} is white"
    return f"pixels: {ends}; {low:g} to {high:g} occur, {share:.0%} of that range"


def asked_pixels(values: np.ndarray, pixels: Range, where: str = "") -> np.ndarray:
    """Return an image `(height, width, ...)` that is asked about, on the scale of the training images if it fits.

    An image that does not fit it is read by its own values: bytes are bytes, fractions are fractions. Raises
    `ShapeError` for what is none.
    """
    if values.ndim not in (2, 3) or not values.size:
        expected = "(height, width) or (height, width, channels)"
        raise ShapeError("this is no picture", where=where, expected=expected, found=str(values.shape))
    values = channels_last(values)
    if values.dtype == np.uint8:
        return to_pixels(values, pixels if values.max() <= pixels[1] < 255 else BYTES)
    low, high = float(values.min()), float(values.max())
    fractions = values.dtype.kind == "f" and low >= 0 and high <= 1 and (values != np.round(values)).any()
    if fractions and pixels[1] > 1:
        return to_pixels(values, (0.0, 1.0))
    if values.dtype.kind == "b" or not (low >= pixels[0] and high <= pixels[1]):
        try:
            return to_pixels(values, find_range(values, where=where))
        except DataError as error:
            ends = f"{pixels[0]:g} for black to {pixels[1]:g} for white"
            error.remedy = f"save it on the scale of the training pictures, {ends}, or train with --pixels LOW HIGH"
            raise
    return to_pixels(values, pixels)
