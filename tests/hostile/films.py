"""Films: one frame, frames of several sizes, cut off, in disguise, and far too many."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from tests.hostile.case import put, refused

FRAMES = [Image.fromarray(np.full((8, 8), shade, np.uint8)) for shade in (0, 90, 180, 250)]


def film(frames: list[Image.Image], kind: str = "GIF") -> bytes:
    content = io.BytesIO()
    frames[0].save(content, kind, save_all=True, append_images=frames[1:], duration=100)
    return content.getvalue()


def frames(folder: Path, sides: tuple[int, ...]) -> Path:
    """Write a folder of frames of these sides."""
    for number, side in enumerate(sides):
        content = io.BytesIO()
        Image.new("L", (side, side)).save(content, "PNG")
        put(folder / "clip" / f"{number}.png", content.getvalue())
    return folder


@refused("films", "GIF of one frame", "at least two frames", "does not move", wanted="films")
def one_frame(folder: Path) -> Path:
    return put(folder / "still.gif", film(FRAMES[:1]))


@refused("films", "folder of one frame", "at least two frames", wanted="films")
def one_file(folder: Path) -> Path:
    return frames(folder, (8,))


@refused("films", "frames of different sizes", "differ in size", "2.png", "8 x 8", "9 x 9", wanted="films")
def sizes(folder: Path) -> Path:
    return frames(folder, (8, 8, 9))


@refused("films", "half of a GIF", "cannot be read", wanted="films")
def half(folder: Path) -> Path:
    whole = film(FRAMES)
    return put(folder / "half.gif", whole[: len(whole) * 2 // 3])


@refused("films", "text that calls itself MP4", "cannot be read", wanted="films")
def disguised(folder: Path) -> Path:
    return put(folder / "film.mp4", b"no film at all" * 100)


@refused("films", "no bytes", "cannot be read", wanted="films")
def empty(folder: Path) -> Path:
    return put(folder / "empty.gif", b"")


@refused("films", "GIF of a million frames", "too long", wanted="films")
def endless(folder: Path) -> Path:
    large = film([Image.new("L", (4000, 4000), shade) for shade in (0, 90)])
    body = large[large.index(b"\x21\xf9", 20) : -1]
    return put(folder / "endless.gif", large[:-1] + body * 100 + b"\x3b")
