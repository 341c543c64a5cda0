"""A compressed picture as a file: what it is, what goes with it, and its codes."""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from ganglion.errors import DataError
from ganglion.files import regular

ENDING = ".gz1"
MAGIC = b"\x89GZ1"
HEAD = struct.Struct("<4sI8sBBII")
"""Mark, checksum of all that follows, digest of the run, what there is, quality, height, width."""
CHECKED_FROM = 8
GREY, ALPHA, PROFILE, EXIF = 1, 2, 4, 8
SECTIONS = {"alpha": ALPHA, "profile": PROFILE, "exif": EXIF}
LENGTH = struct.Struct("<I")
LONGEST = 1 << 16
"""Pixels of a side at most, as of pictures that are read."""
LARGEST_FILE = 1 << 30
"""Bytes of a file that is read."""
LARGEST_SECTION = 1 << 30
"""Bytes that a part beside the codes may unpack to."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """What a compressed picture holds."""

    digest: bytes
    """Of the run that can read it, 8 bytes."""
    height: int
    width: int
    quality: int
    """The first is 0."""
    codes: bytes
    grey: bool = False
    alpha: bytes = b""
    """How well each pixel is seen, row by row; nothing where all are."""
    profile: bytes = b""
    exif: bytes = b""

    @property
    def kept(self) -> Mapping[str, bytes]:
        """What the file of the picture holds beside its pixels, as Pillow takes it."""
        return {name: value for name, value in (("icc_profile", self.profile), ("exif", self.exif)) if value}

    def packed(self) -> bytes:
        """Return the contents of the file.

        >>> Container(digest=b"12345678", height=2, width=3, quality=0, codes=b"").packed()[:4]
        b'\\x89GZ1'
        """
        flags = GREY if self.grey else 0
        sections = b""
        for name, flag in SECTIONS.items():
            if content := getattr(self, name):
                packed = zlib.compress(content, 9)
                flags |= flag
                sections += LENGTH.pack(len(packed)) + packed
        head = HEAD.pack(MAGIC, 0, self.digest, flags, self.quality, self.height, self.width)
        checked = head[CHECKED_FROM:] + sections + self.codes
        return MAGIC + LENGTH.pack(zlib.crc32(checked)) + checked

    @classmethod
    def unpacked(cls, content: bytes, where: str) -> Self:
        """Return what a file holds; raise `DataError` for what is no such file, cut off or damaged."""
        if content[:4] != MAGIC:
            raise DataError(
                "this is no compressed picture",
                where=where,
                expected=f"a file that `ganglion compress` wrote, with the ending {ENDING}",
                found="an empty file" if not content else f"a file that begins with {content[:4]!r}",
                remedy="give the file that compressing wrote",
            )
        if len(content) < HEAD.size or zlib.crc32(content[CHECKED_FROM:]) != LENGTH.unpack_from(content, 4)[0]:
            raise damaged(where, f"{len(content):,} bytes whose checksum is another one")
        _, _, digest, flags, quality, height, width = HEAD.unpack_from(content)
        if not (0 < height <= LONGEST and 0 < width <= LONGEST):
            raise damaged(where, f"a picture of {height} x {width} pixels")
        place, parts = HEAD.size, {}
        for name, flag in SECTIONS.items():
            if flags & flag:
                length = _length(content, place, where)
                place += LENGTH.size + length
                parts[name] = _inflated(content[place - length : place], where)
        grey = bool(flags & GREY)
        return cls(
            digest=digest, height=height, width=width, quality=quality, codes=content[place:], grey=grey, **parts
        )


def compressed_files(inputs: Sequence[Any]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the contents of compressed files, of all in a folder where one is given.

    Raises `DataError` for what cannot be read, and for a folder without any.
    """
    for item in inputs:
        if isinstance(item, bytes | bytearray):
            yield "what was given", bytes(item)
            continue
        path = Path(item)
        files = sorted(path.glob(f"*{ENDING}")) if path.is_dir() else [path]
        if not files:
            raise DataError(
                "there are no compressed pictures in this folder",
                where=str(path),
                expected=f"files that end in {ENDING}",
                remedy="name the folder that compressing wrote",
            )
        for file in files:
            yield str(file), regular(file, LARGEST_FILE).read_bytes()


def damaged(where: str, found: str) -> DataError:
    """Return the error for a compressed picture that is not as it was written."""
    remedy = "copy it again from where it came, or compress the picture once more; nothing was written"
    return DataError("this compressed picture is damaged", where=where, found=found, remedy=remedy)


def _length(content: bytes, place: int, where: str) -> int:
    if place + LENGTH.size > len(content):
        raise damaged(where, "a part that is cut off")
    length = int(LENGTH.unpack_from(content, place)[0])
    if place + LENGTH.size + length > len(content):
        raise damaged(where, "a part that is cut off")
    return length


def _inflated(packed: bytes, where: str) -> bytes:
    """Return what was packed, if it is not far more than any picture needs."""
    reader = zlib.decompressobj()
    try:
        content = reader.decompress(packed, LARGEST_SECTION)
    except zlib.error as error:
        raise damaged(where, str(error)) from error
    if reader.unconsumed_tail or not reader.eof:
        raise damaged(where, "a part that does not end")
    return content
