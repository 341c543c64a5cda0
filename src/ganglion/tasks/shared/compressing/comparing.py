"""A codec beside other formats: in as many bytes, and over all sizes."""

from collections.abc import Mapping, Sequence

import numpy as np

from ganglion.rules.autoencoder.compression import EXCHANGE
from ganglion.tasks.shared.compressing.other_formats import Point, at_size
from ganglion.tasks.shared.compressing.parts import WHITE


def compared(picture: np.ndarray, formats: Mapping[str, Sequence[Point]], steps: Sequence[float]) -> dict[str, float]:
    """Return what a codec gains over other formats in as many bytes, and its PSNR, rate and loss.

    Args:
        picture: (height, width, channels) uint8.
        formats: how large and how near its files are by the names of formats, first those of the codec by quality.
        steps: how coarsely each quality rounds.
    """
    (_, points), *others = formats.items()
    pixels, found = picture.shape[0] * picture.shape[1], {}
    for name, other in others:
        found[f"gain_over_{name.lower()}"] = _mean([one.psnr - at_size(other, one.size) for one in points])
    of_middle = points[len(points) // 2]
    losses = [
        step / _mean(steps) * (8 * one.size / pixels + 3 * WHITE**2 * 10 ** (-one.psnr / 10) / (EXCHANGE * step**2))
        for step, one in zip(steps, points, strict=True)
    ]
    return found | {"psnr": of_middle.psnr, "bits_per_pixel": 8 * of_middle.size / pixels, "loss": _mean(losses)}


def mean_curve(curves: Sequence[Sequence[Point]], pictures: Sequence[np.ndarray]) -> Mapping[str, np.ndarray]:
    """Return the means over pictures of bits a pixel, PSNR and MS-SSIM, (points,) each, by their names."""
    pixels = [picture.shape[0] * picture.shape[1] for picture in pictures]
    rates = [[8 * one.size / count for one in points] for points, count in zip(curves, pixels, strict=True)]
    return {
        "bits_per_pixel": np.mean(rates, axis=0),
        "psnr": np.mean([[one.psnr for one in points] for points in curves], axis=0),
        "ms_ssim": np.mean([[one.ms_ssim for one in points] for points in curves], axis=0),
    }


def middle(picture: np.ndarray, side: int | None) -> np.ndarray:
    """Return the middle of a picture (height, width, channels), no larger than so many pixels a side, or all of it."""
    if side is None:
        return picture
    top, left = (max(0, (length - side) // 2) for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def in_colour(picture: np.ndarray) -> np.ndarray:
    """Return a picture (height, width, 1 or 3) with three channels."""
    return np.broadcast_to(picture, (*picture.shape[:2], 3))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
