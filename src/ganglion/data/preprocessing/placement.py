"""How images of any size come into the frame that a network sees, and how masks and boxes follow them."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ganglion.errors import ConfigurationError

Resize = Literal["stretch", "crop", "letterbox", "none"]
"""`stretch` lets proportions go; `crop` scales, and loses what does not fit in the middle; `letterbox` leaves borders;
`none` keeps every pixel as it is: a large image loses all but its middle, a small one gets borders."""
Size = tuple[int, int]
"""Height and width."""


@dataclass(frozen=True)
class Placement:
    """Where a resized image lies in its frame.

    >>> placement((100, 50), (20, 20), "letterbox")
    Placement(size=(20, 10), top=0, left=5)
    >>> placement((100, 50), (20, 20), "crop")
    Placement(size=(40, 20), top=-10, left=0)
    >>> placement((100, 10), (20, 20), "none")
    Placement(size=(100, 10), top=-40, left=5)
    """

    size: Size
    """What the image is resized to."""
    top: int
    """Rows between the upper edges of frame and image; below zero, the rows that are cut off above."""
    left: int
    """Columns likewise."""


def placement(image: Size, frame: Size, resize: Resize) -> Placement:
    """Return where an image of a size goes in a frame."""
    if resize == "stretch" or image == frame:
        return Placement(frame, 0, 0)
    if resize == "none":
        return Placement(image, (frame[0] - image[0]) // 2, (frame[1] - image[1]) // 2)
    factors = frame[0] / image[0], frame[1] / image[1]
    factor = max(factors) if resize == "crop" else min(factors)
    bounded = max if resize == "crop" else min  # rounding must leave no gap, and nothing outside
    height, width = (max(1, bounded(round(side * factor), end)) for side, end in zip(image, frame, strict=True))
    return Placement((height, width), (frame[0] - height) // 2, (frame[1] - width) // 2)


def into_frame(images: Tensor, frame: Size, resize: Resize, mode: str, border: float) -> Tensor:
    """Return images `(samples, channels, height, width)` of one size in their frame, with `border` around them."""
    there = placement((images.shape[2], images.shape[3]), frame, resize)
    images = resized(images, there.size, mode)
    if resize == "stretch":
        return images
    below, right = frame[0] - there.top - there.size[0], frame[1] - there.left - there.size[1]
    return functional.pad(images, (there.left, right, there.top, below), value=border)


def out_of_frame(images: Tensor, size: Size, resize: Resize, mode: str, border: float) -> Tensor:
    """Return what `into_frame` was given, (images, channels, *size); `border` where a crop had cut it off."""
    frame = images.shape[2], images.shape[3]
    there = placement(size, frame, resize)
    below, right = there.top + there.size[0] - frame[0], there.left + there.size[1] - frame[1]
    whole = functional.pad(images, (-there.left, right, -there.top, below), value=border)
    return resized(whole, size, mode)


def resized(images: Tensor, size: Size, mode: str) -> Tensor:
    """Return images `(samples, channels, height, width)` of a size.

    Args:
        mode: `bilinear`, smoothed where they shrink, or `nearest`, which makes no value that was not there.
    """
    if images.shape[2:] == size:
        return images
    if mode == "bilinear":
        return functional.interpolate(images, size, mode="bilinear", antialias=True)
    if mode != "nearest":
        raise ConfigurationError("this is no way to resize", expected="bilinear or nearest", found=mode)
    rows, columns = (
        ((torch.arange(new, device=images.device) + 0.5) * (old / new)).long().clamp(max=old - 1)
        for old, new in zip(images.shape[2:], size, strict=True)
    )
    return images[:, :, rows[:, None], columns]
