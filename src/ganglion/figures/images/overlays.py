"""Masks laid over pictures: what is of which class in colour, its outline, and what was got wrong. No matplotlib."""

import numpy as np

from ganglion.figures.images.pixels import to_bytes

COLOURS = (
    (0, 114, 178), (213, 94, 0), (0, 158, 115), (230, 159, 0), (204, 121, 167), (86, 180, 233), (205, 187, 28),
    (91, 58, 140), (140, 81, 10),
)  # fmt: skip
"""Okabe and Ito's colours in red, green and blue, for class 1, 2, ...; further classes begin anew."""
MISSED, INVENTED, CONFUSED = (213, 94, 0), (0, 114, 178), (204, 121, 167)
FILLED = 0.35
"""How much of the colour is seen inside of an object; its outline is all colour."""


def overlay(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a picture with the classes of its pixels in colour, bytes `(height, width, 3)`; class 0 stays as it is.

    Args:
        image: `(height, width, channels)`.
        mask: class numbers `(height, width)`.
    """
    picture = to_bytes(image[None])[0].astype(float)
    colours = np.array([(0, 0, 0), *COLOURS], dtype=float)
    numbers = np.where(mask > 0, (mask - 1) % len(COLOURS) + 1, 0)
    shares = np.where(mask > 0, np.where(outline(mask), 1.0, FILLED), 0.0)[..., None]
    return np.rint(picture * (1 - shares) + colours[numbers] * shares).astype(np.uint8)


def mistakes(image: np.ndarray, truth: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Return a pale picture, bytes `(height, width, 3)`: red where an object was missed, blue where one was invented,
    pink where its class is wrong.

    Args:
        image: `(height, width, channels)`.
        truth: class numbers `(height, width)`; what is below 0 is not judged.
        said: likewise.
    """
    picture = np.rint(255 - (255 - to_bytes(image[None])[0].astype(float)) * 0.5).astype(np.uint8)
    wrong = (truth != said) & (truth >= 0)
    picture[wrong & (said == 0)] = MISSED
    picture[wrong & (truth == 0)] = INVENTED
    picture[wrong & (truth > 0) & (said > 0)] = CONFUSED
    return picture


def outline(mask: np.ndarray) -> np.ndarray:
    """Return which pixels of a mask (height, width) have one of another class beside, above or below them.

    >>> outline(np.array([[1, 1, 1], [1, 1, 0], [1, 1, 1]])).astype(int).tolist()
    [[0, 0, 1], [0, 1, 1], [0, 0, 1]]
    """
    found = np.zeros(mask.shape, dtype=bool)
    for one, other in (((slice(1, None),), (slice(None, -1),)), ((..., slice(1, None)), (..., slice(None, -1)))):
        differs = mask[one] != mask[other]
        found[one] |= differs
        found[other] |= differs
    return found
