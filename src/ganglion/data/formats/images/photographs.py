"""A picture file with all that a user wants back with it: transparency, colour profile and EXIF."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ganglion.data.formats.images.files import decode, opened

CLEAR_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
DEEP_MODES = ("I", "F")
"""First letters of modes whose pixels are more than bytes."""
SPACES = {1: b"GRAY", 3: b"RGB "}
"""What a colour profile calls the pixels of so many channels."""
SPACE = slice(16, 20)
"""Where a colour profile says that."""
PHOTO = 0x8769
"""EXIF tag of the part about the photograph, and in it those of its width and height."""
WIDTH, HEIGHT = 0xA002, 0xA003


@dataclass(frozen=True)
class Photograph:
    """A picture, and what its file holds beside its colours."""

    pixels: np.ndarray
    """`(height, width, channels)` of 1 or 3 channels, upright."""
    alpha: np.ndarray | None = None
    """`(height, width, 1)`: 255 where the picture is seen, 0 where what is behind it is; None where all is seen."""
    profile: bytes = b""
    """ICC profile: what the colours mean."""
    exif: bytes = b""
    """When, where and how it was taken; what is upright now does not say that it lies on its side."""

    deep: bool = False
    """Whether its file has more than 8 bits a channel."""

    def kept(self, size: tuple[int, int] | None = None) -> dict[str, bytes]:
        """Return what a file made of this one keeps, as Pillow takes it.

        Args:
            size: new height and width, which EXIF then says, too.
        """
        exif = _of_size(self.exif, size) if self.exif and size else self.exif
        return {name: value for name, value in (("icc_profile", self.profile), ("exif", exif)) if value}


def read_photograph(path: Path, raw: bool = False) -> Photograph:
    """Read a picture file with its transparency, profile and EXIF.

    What cannot be seen has the colour of the nearest pixel that can, so that nothing shines through at the edges of
    what is seen. Raises `DataError` for files that are damaged, too large or of a format that is not opened.

    Args:
        raw: give pixels that are more than bytes as they are, as float32.
    """
    with opened(path) as image:
        upright = ImageOps.exif_transpose(image)
        exif = upright.info.get("exif", b"")
        profile, deep = image.info.get("icc_profile") or b"", image.mode.startswith(DEEP_MODES)
        clear = image.mode in CLEAR_MODES or "transparency" in image.info
        if clear and not deep:
            rgba = np.array(upright.convert("RGBA"))
            pixels, alpha = rgba[..., :3], rgba[..., 3:]
            if image.mode in ("L", "LA", "La"):
                pixels = pixels[..., :1]
            pixels = _opaque(pixels, alpha)
        else:
            pixels, alpha = decode(path, raw=raw), None
    if profile[SPACE] != SPACES[pixels.shape[2]] or image.mode == "CMYK":
        profile = b""  # of other colours than these
    return Photograph(pixels, alpha, profile, exif if isinstance(exif, bytes) else b"", deep)


def _opaque(pixels: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return pixels `(height, width, channels)` that cannot be seen at all in the colour of the nearest seen one."""
    hidden = alpha[..., 0] == 0
    if not hidden.any() or hidden.all():
        return pixels
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    return pixels[rows, columns]


def _of_size(exif: bytes, size: tuple[int, int]) -> bytes:
    """Return EXIF that says a height and width, where it said any."""
    found = Image.Exif()
    found.load(exif)
    photo = found.get_ifd(PHOTO)
    for tag, side in ((HEIGHT, size[0]), (WIDTH, size[1])):
        if tag in photo:
            photo[tag] = side
    return found.tobytes()
