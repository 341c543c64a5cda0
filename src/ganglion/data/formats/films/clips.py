"""One clip as frames: an animated GIF, WebP or PNG, a folder of pictures, or a video by its extra."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from ganglion.data.formats.images.files import decode, flattened, is_image, opened
from ganglion.errors import DataError, MissingExtraError
from ganglion.files import regular

VIDEOS = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg")
ANIMATED = (".gif", ".webp", ".png", ".apng")
"""Endings of pictures that may move."""
LONGEST_SIDE = 128
"""Pixels that the longer side of a frame is brought down to as it is read: networks look at fewer."""
MOST_BYTES = 512 << 20
"""Of the frames of one clip, once they are read."""
MOST_PIXELS = 2_000_000_000
"""Of all frames of an animated picture together, which are all decoded."""


@dataclass(frozen=True)
class Clip:
    """The frames of one clip."""

    frames: np.ndarray
    """(frames, height, width, 1 or 3) uint8."""
    rate: float = 0.0
    """Frames a second; 0 where that is unknown."""


def read_clip(path: Path) -> Clip:
    """Read a clip from a file, or from a folder whose pictures are its frames in the order of their names.

    Raises:
        DataError: it has one frame only, frames of different sizes, is damaged, too long, or none of these.
        MissingExtraError: it is a video and the package that reads these is not installed.
    """
    if path.is_dir():
        return _together(list(_pictures(path)), path)
    if path.suffix.lower() in VIDEOS:
        return _video(path)
    if path.suffix.lower() not in ANIMATED:
        raise DataError(
            "this is no film",
            where=str(path),
            expected=f"a folder of frames, or a file ending in {', '.join((*ANIMATED, *VIDEOS))}",
            found=path.suffix or "a name without ending",
        )
    return _animated(path)


def moves(path: Path) -> bool:
    """Whether a file holds a clip: by its name, or because its picture has several frames."""
    suffix = path.suffix.lower()
    if suffix == ".gif" or suffix in VIDEOS:
        return True
    if suffix not in ANIMATED:
        return False
    with opened(path) as image:
        return getattr(image, "n_frames", 1) > 1


def in_order(path: Path) -> list[str | int]:
    """Return what a file is sorted by: its name, whose numbers count as numbers.

    >>> sorted([Path("frame10.png"), Path("frame9.png")], key=in_order)[0].name
    'frame9.png'
    """
    parts = re.split(r"(\d+)", path.name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def frame_files(folder: Path) -> list[Path]:
    """Return the pictures that lie in a folder itself, in the order of their names."""
    return sorted((path for path in folder.iterdir() if is_image(path.name) and path.is_file()), key=in_order)


def _pictures(folder: Path) -> Iterator[np.ndarray]:
    """Yield the pictures of a folder as frames; raise `DataError` where one has another size than the first."""
    first: tuple[int, ...] = ()
    for path in frame_files(folder):
        picture = decode(path)
        first = first or picture.shape[:2]
        if picture.shape[:2] != first:
            raise DataError(
                "the frames of this clip differ in size",
                where=str(path),
                expected=f"{first[1]} x {first[0]} like the first",
                found=f"{picture.shape[1]} x {picture.shape[0]}",
                remedy="bring all frames to one size, or put other pictures elsewhere",
            )
        yield _frame(Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture))


def _animated(path: Path) -> Clip:
    with opened(path) as image:
        count = getattr(image, "n_frames", 1)
        if count * image.width * image.height > MOST_PIXELS:
            raise _too_long(path, f"{count} frames of {image.width} x {image.height}")
        frames, times = [], []
        for frame in ImageSequence.Iterator(image):
            frames.append(_frame(flattened(frame)))
            times.append(float(frame.info.get("duration", 0) or 0))
    seconds = sum(times) / 1000
    return _together(frames, path, len(times) / seconds if seconds else 0.0)


def _video(path: Path) -> Clip:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(
            "reading videos needs a package that is not installed",
            where=str(path),
            remedy='pip install "ganglion[film]", or save the film as GIF, WebP or a folder of frames',
        ) from error
    frames: list[np.ndarray] = []
    try:
        with av.open(str(regular(path))) as file:
            (stream, *_) = file.streams.video
            rate = float(stream.average_rate or 0)
            for frame in file.decode(stream):
                frames.append(_frame(frame.to_image()))
                if len(frames) * frames[0].nbytes > MOST_BYTES:
                    raise _too_long(path, f"more than {len(frames)} frames")
    except (av.error.FFmpegError, ValueError, OSError) as error:  # no stream of pictures is a ValueError
        raise DataError(
            "this video cannot be read",
            where=str(path),
            expected="a video that players show",
            found=str(error).splitlines()[0] if str(error) else type(error).__name__,
            remedy="save it again as MP4, or as a folder of frames",
        ) from error
    return _together(frames, path, rate)


def _frame(image: Image.Image) -> np.ndarray:
    """Return a picture in colour, brought down to `LONGEST_SIDE`, as bytes (height, width, 3)."""
    colour = image.convert("RGB")
    colour.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(colour)


def _together(frames: list[np.ndarray], path: Path, rate: float = 0.0) -> Clip:
    """Return frames (height, width, 3) as a clip, of one channel where all are grey."""
    if len(frames) < 2:
        raise DataError(
            "a film needs at least two frames",
            where=str(path),
            expected="an animated GIF, WebP or PNG, a video, or a folder of frames",
            found="a picture that does not move" if frames else "no frame",
            remedy="give the whole film, or learn from pictures with convnet",
        )
    if sum(frame.nbytes for frame in frames) > MOST_BYTES:
        raise _too_long(path, f"{len(frames)} frames")
    film = np.stack(frames)
    grey = (film[..., 1:] == film[..., :1]).all()
    return Clip(film[..., :1] if grey else film, rate)


def _too_long(path: Path, found: str) -> DataError:
    return DataError(
        "this film is too long",
        where=str(path),
        expected=f"at most {MOST_BYTES >> 20} MB of frames of {LONGEST_SIDE} pixels a side",
        found=found,
        remedy="cut it into shorter clips, or leave frames out",
    )
