"""One image file of any kind as an array: safe formats only, turned upright, 16 bits and transparency resolved."""

import io
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image, ImageOps

from ganglion.data.formats.images.members import Member
from ganglion.errors import DataError, GanglionError
from ganglion.files import files_below, named, regular

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
"""Formats that are opened at all; other decoders of Pillow are never run on a user's files."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".jpe", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".pbm")
UNREAD = {
    ".heic": "HEIC", ".heif": "HEIC", ".avif": "AVIF", ".jxl": "JPEG XL", ".jp2": "JPEG 2000", ".svg": "SVG",
    ".ico": "icons", ".tga": "Targa", ".exr": "OpenEXR",
    ".psd": "Photoshop", ".cr2": "raw", ".nef": "raw", ".arw": "raw", ".dng": "raw",
}  # fmt: skip
"""Endings of pictures that are not read, and what they are; any viewer saves them as PNG or JPEG."""
MOST_PIXELS = 64_000_000
"""Larger images are refused before they are decoded."""
FINER = 3
"""Times its later size that a photo is decoded at, at least."""
TOGETHER = 16
"""Images that a thread takes at a time: small ones decode faster than they are handed over."""
ORIENTATION = 0x0112
"""EXIF tag that says how a camera was held; from 5 on the image lies on its side."""
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
LONGEST_SIDE = 65_535

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Header:
    """What an image file says about itself before it is decoded."""

    height: int
    width: int
    grey: bool
    deep: bool = False
    """Whether pixels are more than bytes: 16 bits, signed numbers or fractions."""
    moves: bool = False
    """Whether it has several frames, of which the first is the picture."""


def read_header(path: Path | Member) -> Header:
    """Return upright size and colour of an image file without decoding it."""
    with opened(path) as image:
        width, height = image.size
        if _orientation(image) >= 5:
            width, height = height, width
        moves = bool(getattr(image, "is_animated", False))
        return Header(height, width, _is_grey(image), _is_deep(image), moves)


def decode(
    source: Path | bytes | Member,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    *,
    raw: bool = False,
    shown_at: tuple[int, int] | None = None,
) -> np.ndarray:
    """Return an image file as `(height, width, channels)` uint8, of 1 or 3 channels.

    Transparent pixels show white. Palette images become grey if their palette is, else colour. 16 bits become 8.

    Args:
        size: height and width to resize to, bilinear and smoothed.
        channels: 1 or 3; the image's own when not given.
        raw: give pixels that are more than bytes as they are, as float32.
        shown_at: height and width that the image will be resized to later: one of several times that is made smaller
            while it is decoded, by a whole factor, so that a large photo needs little memory.

    Raises:
        DataError: the file is damaged, too large or of a format that is not opened.
    """
    with opened(source) as image:
        if raw and _is_deep(image):
            return _deep(image, size, channels)
        if shown_at is not None:
            image = _reduced(image, shown_at)
        upright = ImageOps.exif_transpose(image) if _orientation(image) > 1 else image
        flat = flattened(upright)
        if channels is not None:
            flat = flat.convert("L" if channels == 1 else "RGB")
        if size is not None and (flat.height, flat.width) != size:
            flat = flat.resize((size[1], size[0]), Image.Resampling.BILINEAR)
        pixels = np.array(flat)  # Decodes, if nothing above did, and so must stand inside.
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _deep(image: Image.Image, size: tuple[int, int] | None, channels: int | None) -> np.ndarray:
    """Return pixels that are more than bytes as they are `(height, width, channels)` float32."""
    upright = ImageOps.exif_transpose(image) if _orientation(image) > 1 else image
    plane = Image.fromarray(np.asarray(upright).astype(np.float32))
    if size is not None and (plane.height, plane.width) != size:
        plane = plane.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.repeat(np.array(plane)[..., None], channels or 1, axis=2)


def _reduced(image: Image.Image, shown_at: tuple[int, int]) -> Image.Image:
    """Return an image made smaller by a whole factor, at least `FINER` times as large as it will be shown."""
    least = FINER * max(shown_at)
    if image.format == "JPEG" and _orientation(image) <= 1:
        image.draft(None, (least, least))  # the decoder itself leaves out what is too fine
    factor = min(image.size) // least
    if factor < 2 or _is_deep(image):
        return image
    orientation = _orientation(image)
    small = flattened(image).reduce(factor)
    if orientation > 1:
        small.getexif()[ORIENTATION] = orientation
    return small


def read_images_at(paths: Sequence[Path]) -> list[np.ndarray]:
    """Decode image files, and all image files in folders among `paths`."""
    return list(in_threads(decode, picture_files(paths)))


def picture_files(paths: Sequence[Path]) -> list[Path]:
    """Return paths with the image files of a folder, by name, in its place; raises `DataError` where it has none."""
    files: list[Path] = []
    for path in paths:
        found = [child for child in files_below(named(path)) if is_image(child.name)] if path.is_dir() else [path]
        files += sorted(found)
        if not found:
            raise DataError(
                "there are no images in this folder",
                where=str(path),
                expected="files that end in .png, .jpg and the like",
            )
    return files


def is_image(name: str) -> bool:
    """Judge by its name whether a file is an image; hidden files and folders are none."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def in_threads(function: Callable[[Item], Result], items: Iterable[Item], together: int = TOGETHER) -> Iterator[Result]:
    """Map in threads, in order and `together` at a time: decoders work outside Python's lock."""
    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as threads:
        ahead: deque[Future[list[Result]]] = deque()  # Not all at once: whoever stops early waits for these only.
        for chunk in batched(items, together):
            ahead.append(threads.submit(lambda chunk: [function(item) for item in chunk], chunk))
            if len(ahead) > 2 * workers:
                yield from ahead.popleft().result()
        while ahead:
            yield from ahead.popleft().result()


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items, the last one shorter."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


class opened:
    """An image file that is safe to decode, with every complaint of Pillow as one error that names the file."""

    def __init__(self, source: Path | bytes | Member) -> None:
        self.source = source

    def __enter__(self) -> Image.Image:
        content: io.BytesIO | Path
        if isinstance(self.source, Path):
            content = regular(self.source)
        else:
            content = io.BytesIO(self.source if isinstance(self.source, bytes) else self.source.read_bytes())
        try:
            self.image = Image.open(content, formats=FORMATS)
            pages = getattr(self.image, "n_frames", 1) if self.image.format == "TIFF" else 1
        except Image.DecompressionBombError as error:
            raise self._too_large(str(error)) from error
        except Exception as error:  # Decoders raise anything for files that are cut off, damaged or made to harm.
            raise self._damaged(error) from error
        if pages > 1:
            self.image.close()
            raise DataError(
                "this file holds several pages, and which one is the picture is open",
                where=self._name,
                expected="one picture in a file",
                found=f"{pages} pages",
                remedy="save each page as a file of its own",
            )
        width, height = self.image.size
        if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE or min(width, height) < 1:
            self.image.close()
            raise self._too_large(f"{width} x {height}")
        return self.image

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self.image.close()
        if isinstance(error, Exception) and not isinstance(error, GanglionError):
            raise self._damaged(error) from error

    @property
    def _name(self) -> str:
        return "image in memory" if isinstance(self.source, bytes) else str(self.source)

    def _too_large(self, found: str) -> DataError:
        return DataError(
            "this image is too large",
            where=self._name,
            expected=f"at most {MOST_PIXELS} pixels",
            found=found,
            remedy="make it smaller; networks look at a few hundred pixels a side",
        )

    def _damaged(self, error: BaseException) -> DataError:
        unknown = "cannot identify" in str(error)
        return DataError(
            "this image cannot be read",
            where=self._name,
            expected=", ".join(FORMATS) if unknown else "",
            found="another format, or damage" if unknown else str(error) or type(error).__name__,
            remedy="save it again as PNG, or remove it",
        )


def _orientation(image: Image.Image) -> int:
    turned = image.getexif().get(ORIENTATION, 1)
    return turned if isinstance(turned, int) else 1


def _is_grey(image: Image.Image) -> bool:
    if image.mode in GREY_MODES:
        return True
    if image.mode != "P" or image.palette is None:
        return False
    palette = np.frombuffer(image.palette.getdata()[1], dtype=np.uint8)
    depth = len(image.palette.mode)  # RGB or RGBA
    colours = palette[: len(palette) // depth * depth].reshape(-1, depth)[:, :3]
    return bool((colours == colours[:, :1]).all())


def flattened(image: Image.Image) -> Image.Image:
    """Return the image as 8-bit grey (L) or colour (RGB) without transparency."""
    if image.mode in ("RGB", "L") and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        # Whatever range the values use, 65535 is white: scaling by content would make images of one set differ.
        return Image.fromarray((np.clip(np.asarray(image).astype(np.int64), 0, 65535) / 257 + 0.5).astype(np.uint8))
    if image.mode == "F":
        raise ValueError("pixels are fractions, whose range is unknown")
    grey = _is_grey(image)
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return image.convert("RGB").convert("L") if grey else image.convert("RGB")
