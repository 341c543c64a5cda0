"""The same pictures as JPEG and WebP, which a learnt compressor is set beside."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from ganglion.tasks.measures.images import ms_ssim, psnr

FORMATS: dict[str, dict[str, Any]] = {"JPEG": {"optimize": True}, "WebP": {"method": 4}}
"""What Pillow is told beside the quality."""
QUALITIES = (2, 5, 10, 20, 35, 50, 65, 80, 92)


class Point(NamedTuple):
    """How large a file is, and how near its picture comes to what it was."""

    size: int
    """Bytes."""
    psnr: float
    ms_ssim: float = float("nan")


def measured(size: int, made: np.ndarray, picture: np.ndarray, structure: bool = False) -> Point:
    """Return where a file of so many bytes stands.

    Args:
        made: what it holds (height, width, channels) uint8.
        picture: what it should hold.
        structure: measure likeness of structure, too, which takes longer.
    """
    pair = [torch.from_numpy(one.astype(np.float32)).movedim(2, 0)[None] / 255 for one in (made, picture)]
    return Point(size, float(psnr(*pair)[0]), float(ms_ssim(*pair)[0]) if structure else float("nan"))


def curve(picture: np.ndarray, name: str, structure: bool = False) -> list[Point]:
    """Return where the files of a format stand, by size, of a picture (height, width, channels) uint8."""
    image = Image.fromarray(np.ascontiguousarray(picture if picture.shape[2] == 3 else picture[..., 0]))
    points = []
    for quality in QUALITIES:
        content = saved(image, name, quality)
        points.append(measured(len(content), opened(content, picture.shape[2]), picture, structure))
    return sorted(points)


def saved(image: Image.Image, name: str, quality: int) -> bytes:
    """Return a picture as the contents of a file of a format."""
    file = io.BytesIO()
    image.save(file, name, quality=quality, **FORMATS[name])
    return file.getvalue()


def opened(content: bytes, channels: int) -> np.ndarray:
    """Return the picture in a file (height, width, channels) uint8."""
    with Image.open(io.BytesIO(content)) as image:
        found = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return found.reshape(*found.shape[:2], channels)


def as_large(picture: np.ndarray, name: str, size: int) -> np.ndarray:
    """Return a picture (height, width, channels) as a format keeps it in no fewer bytes than so many.

    Where even its best quality takes fewer, that is returned.
    """
    image = Image.fromarray(np.ascontiguousarray(picture if picture.shape[2] == 3 else picture[..., 0]))
    low, high = 1, 95
    while low < high:
        quality = (low + high) // 2
        low, high = (low, quality) if len(saved(image, name, quality)) >= size else (quality + 1, high)
    return opened(saved(image, name, low), picture.shape[2])


def at_size(points: Sequence[Point], size: float, measure: str = "psnr") -> float:
    """Return what a format reaches in so many bytes, between its points by the logarithm of sizes."""
    sizes, values = np.log([point.size for point in points]), [getattr(point, measure) for point in points]
    return float(np.interp(np.log(size), sizes, np.maximum.accumulate(values)))
