"""Films: frames as an endless GIF or WebP, or as MP4 where the extra for it is installed."""

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganglion.errors import MissingExtraError, UsageError
from ganglion.figures.images.pixels import to_bytes

MOST_FRAMES_PER_SECOND = {".gif": 50.0, ".webp": 50.0, ".mp4": 60.0}
"""What viewers show at the right speed; of faster films, frames are left out."""
TICKS_PER_SECOND = {".gif": 100, ".webp": 1000}
"""In what times are written; both count from the beginning, so that the whole lasts as long as it should."""
PALETTE_FRAMES = 12
"""Frames, evenly chosen, from whose colours the one palette of a GIF is made: own palettes would flicker."""


def save_film(frames: Sequence[np.ndarray] | np.ndarray, path: str | Path, frames_per_second: float = 25.0) -> Path:
    """Write frames at their natural speed, and return the path; GIF and WebP begin again for ever.

    `frames` are bytes or numbers `(time, height, width)` or `(time, height, width, channels)`, all of one size; the
    ending of `path` says which of .gif, .webp and .mp4 is written.

    Raises:
        UsageError: there are no frames, they differ in size, or films have no such ending.
        MissingExtraError: MP4 is asked for and its package is not installed.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in MOST_FRAMES_PER_SECOND:
        known = ", ".join(MOST_FRAMES_PER_SECOND)
        raise UsageError("films have no such ending", where=str(path), expected=f"one of {known}", found=kind or "none")
    if not frames_per_second > 0:
        raise UsageError("a film needs a speed", expected="frames per second above 0", found=str(frames_per_second))
    shapes = {np.shape(frame) for frame in frames}
    if len(shapes) != 1:
        found = "no frames" if not shapes else " and ".join(map(str, sorted(shapes)[:2]))
        raise UsageError("these frames make no film", where=str(path), expected="frames of one size", found=found)
    step = math.ceil(frames_per_second / MOST_FRAMES_PER_SECOND[kind])
    pixels, speed = to_bytes(np.stack(list(frames[::step]))), frames_per_second / step
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".mp4":
        _save_mp4(pixels, path, speed)
        return path
    ends = np.rint(np.arange(1, len(pixels) + 1) * TICKS_PER_SECOND[kind] / speed).astype(int)
    milliseconds = (np.diff(ends, prepend=0) * (1000 // TICKS_PER_SECOND[kind])).tolist()
    first, *others = _palette_images(pixels) if kind == ".gif" else [Image.fromarray(frame) for frame in pixels]
    options: dict[str, Any] = {"quality": 90, "allow_mixed": True} if kind == ".webp" else {"optimize": False}
    first.save(path, save_all=True, append_images=others, duration=milliseconds, loop=0, **options)
    return path


def _palette_images(pixels: np.ndarray) -> list[Image.Image]:
    """Return frames `(time, height, width, 3)` with one palette for all; shades of grey are exact."""
    if (pixels[..., :1] == pixels).all():
        return [Image.fromarray(frame[..., 0]) for frame in pixels]
    chosen = np.unique(np.linspace(0, len(pixels) - 1, PALETTE_FRAMES).round().astype(int))
    together = Image.fromarray(pixels[chosen].reshape(-1, *pixels.shape[2:]))
    palette = together.quantize(256, Image.Quantize.MEDIANCUT)
    return [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in pixels]


def _save_mp4(pixels: np.ndarray, path: Path, frames_per_second: float) -> None:
    """Write H.264, which every browser plays; its sides are even, so a last row or column may be doubled."""
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(
            "writing MP4 needs a package that is not installed",
            where=str(path),
            remedy='pip install "ganglion[film]", or write .gif or .webp',
        ) from error
    height, width = pixels.shape[1:3]
    even = np.pad(pixels, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(frames_per_second).limit_denominator(1000))
        stream.height, stream.width, stream.pix_fmt = *even.shape[1:3], "yuv420p"
        stream.options = {"crf": "18"}  # hard to tell from the original
        for frame in even:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        file.mux(stream.encode())
