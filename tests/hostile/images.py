"""Folders of images: bombs, damage, formats in disguise, links and crowds."""

import io
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from tests.hostile.case import accepted, put, refused
from tests.hostile.tables import sparse


def good(folder: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 12) -> Path:
    """Write a folder of images of noise."""
    random_numbers = np.random.default_rng(0)
    for name in classes:
        for number in range(count):
            put(folder / name / f"{number}.png", encoded(random_numbers.integers(0, 255, (8, 8, 3), dtype=np.uint8)))
    return folder


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


NOISE = np.random.default_rng(1).integers(0, 255, (40, 40, 3), dtype=np.uint8)


def png(width: int, height: int, rows: bytes = b"", depth: int = 8, colour: int = 2) -> bytes:
    """Return a PNG whose header says anything."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


DAMAGED = {
    "no bytes": b"",
    "rubbish": random.Random(0).randbytes(5000),
    "half of a PNG": encoded(NOISE)[:2000],
    "half of a JPEG": encoded(NOISE, "JPEG")[:300],
    "header of a PNG alone": encoded(NOISE)[:33],
    "bomb of 10 Gpixel": png(100_000, 100_000, zlib.compress(bytes(10_000_000), 9)),
    "bomb of 2 Gpixel a side": png(2**31 - 1, 2**31 - 1),
    "bomb of 100 Mpixel": png(10_000, 10_000, zlib.compress(bytes(30_000_000), 9)),
    "line of 10 million pixels": png(10_000_000, 1, zlib.compress(bytes(30_000_001), 9)),
    "no pixels": png(0, 0),
    "wrong checksum": encoded(NOISE)[:60] + b"\xff\xff" + encoded(NOISE)[62:],
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(/etc/passwd) run\n%%EOF",
    "PSD": b"8BPS\x00\x01" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(200),
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "PDF": b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\n",
    "Windows metafile": b"\xd7\xcd\xc6\x9a" + bytes(100),
    "text": b"this is no picture",
    "HTML": b"<html><script>alert(1)</script></html>",
    "BMP of a size that lies": b"BM"
    + struct.pack("<IHHIIiiHHIIiiII", 60, 0, 0, 54, 40, 2**30, 2**30, 1, 24, 0, 0, 0, 0, 0, 0),
    "GIF cut off": encoded(NOISE[:, :, 0], "GIF")[:30],
    "TIFF cut off": encoded(NOISE, "TIFF")[:1000],
    "TIFF that points at itself": b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00",
    "WebP cut off": encoded(NOISE, "WEBP")[:40],
    "PPM of words": b"P3 8 8 255 " + b"many " * 100,
    "PPM of a size that lies": b"P6 60000 60000 255 " + bytes(100),
}


def _register(name: str, content: bytes) -> None:
    @refused("image", name, "1.png")
    def _(folder: Path) -> Path:
        put(good(folder) / "cat" / "1.png", content)
        return folder


for _name, _content in DAMAGED.items():
    _register(_name, _content)


for _kind in ("EPS", "PSD", "SVG", "PDF"):

    @refused("image", f"a folder of {_kind} by its own ending", "no images in this folder", f"1 .{_kind.lower()}")
    def _(folder: Path, kind: str = _kind) -> Path:
        put(folder / "cat" / f"1.{kind.lower()}", DAMAGED[kind])
        return folder

    @refused("image", f"a file of {_kind} by its own ending", f"1.{_kind.lower()}")
    def _(folder: Path, kind: str = _kind) -> Path:
        return put(folder / f"1.{kind.lower()}", DAMAGED[kind])


@refused("image", "text without end in a PNG", "1.png")
def _(folder: Path) -> Path:
    text = PngImagePlugin.PngInfo()
    text.add_text("words", "a" * 200_000_000, zip=True)
    Image.fromarray(NOISE).save(good(folder) / "cat" / "1.png", pnginfo=text)
    return folder


@accepted("image", "wrong ending")
def _(folder: Path) -> Path:
    put(good(folder) / "cat" / "1.png", encoded(NOISE[:8, :8], "JPEG"))
    return folder


@accepted("image", "animated")
def _(folder: Path) -> Path:
    frames = [Image.fromarray(NOISE[:8, shift : shift + 8]) for shift in range(20)]
    frames[0].save(good(folder) / "cat" / "1.gif", save_all=True, append_images=frames[1:])
    return folder


@accepted("image", "EXIF of 64 kB that turns the image")
def _(folder: Path) -> Path:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "x" * 64_000
    Image.fromarray(NOISE[:8, :8]).save(good(folder) / "cat" / "1.jpg", exif=exif)
    return folder


@accepted("image", "EXIF of rubbish")
def _(folder: Path) -> Path:
    exif = b"Exif\0\0" + random.Random(0).randbytes(1000)
    put(good(folder) / "cat" / "1.jpg", encoded(NOISE[:8, :8], "JPEG", exif=exif))
    return folder


@accepted("image", "CMYK, 16 bits, palette, transparency")
def _(folder: Path) -> Path:
    good(folder)
    Image.fromarray(NOISE[:8, :8]).convert("CMYK").save(folder / "cat" / "a.jpg")
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000).save(folder / "cat" / "b.png")
    Image.fromarray(NOISE[:8, :8]).convert("P").save(folder / "cat" / "c.png")
    Image.fromarray(NOISE[:8, :8]).convert("RGBA").save(folder / "cat" / "d.png")
    return folder


@refused("image", "a pipe called an image", "a pipe")
def _(folder: Path) -> Path:
    os.mkfifo(good(folder) / "cat" / "pipe.png")
    return folder


@refused("image", "a link to a device without end", "a device")
def _(folder: Path) -> Path:
    (good(folder) / "cat" / "zero.png").symlink_to("/dev/zero")
    return folder


@refused("image", "a link out of the folder to what is no image", "secret.png")
def _(folder: Path) -> Path:
    (good(folder) / "cat" / "secret.png").symlink_to("/etc/passwd")
    return folder


@refused("image", "a link to nothing", "gone.png")
def _(folder: Path) -> Path:
    (good(folder) / "cat" / "gone.png").symlink_to("nothing.png")
    return folder


@accepted("image", "a link to the folder itself")
def _(folder: Path) -> Path:
    (good(folder) / "cat" / "again").symlink_to(folder)
    return folder


@accepted("image", "a link out of the folder to an image", "1 images are links")
def _(folder: Path) -> Path:
    put(folder / "elsewhere" / "far.png", encoded(NOISE[:8, :8]))
    (good(folder / "set") / "cat" / "far.png").symlink_to(folder / "elsewhere" / "far.png")
    return folder / "set"


@refused("image", "100,000 files that are no images", "no images in this folder", "100000 .bin")
def _(folder: Path) -> Path:
    for number in range(100_000):
        (folder / f"{number}.bin").touch()
    return folder


@refused("image", "20,000 images without bytes", "images cannot be read")
def _(folder: Path) -> Path:
    for number in range(20_000):
        (folder / f"{number}.png").touch()
    return folder


@refused("image", "an image as long as a disk", "long.png")
def _(folder: Path) -> Path:
    sparse(good(folder) / "cat" / "long.png", 1 << 40)
    return folder


@refused("image", "folders 500 deep with nothing in them", "no images in this folder")
def _(folder: Path) -> Path:
    deep = folder
    for _number in range(500):
        deep = deep / "a"
    try:
        deep.mkdir(parents=True)
    except OSError:
        (folder / "a").mkdir(exist_ok=True)
    return folder


def labelled(folder: Path, text: str, name: str = "labels.csv") -> Path:
    """Write pictures called 0.png, 1.png, ... and a table beside them."""
    for number in range(12):
        put(folder / f"{number}.png", encoded(np.roll(NOISE[:8, :8], number, axis=1)))
    put(folder / name, text)
    return folder


def rows_of(head: str, row: str, count: int = 12) -> str:
    return head + "\n" + "".join(row.format(n=n, kind="ab"[n % 2]) + "\n" for n in range(count))


LABELS = {
    "columns of which each could be the classes": (
        rows_of("file,sex,place", "{n}.png,{kind},{kind}x"), "say which with --target"),
    "a picture in two rows that say different things": (
        rows_of("f,y", "{n}.png,{kind}") + "3.png,a\n", "labels.csv, line 14"),
    "a row of more cells": (rows_of("f,y", "{n}.png,{kind}") + "3.png,a,b\n", "another number of cells"),
    "a quotation mark without an end": (rows_of("f,y", "{n}.png,{kind}") + '"3.png,a\n', "name no picture"),
    "names only": (rows_of("f", "{n}.png"), "only the names of the files"),
    "numbers with words among them": (rows_of("f,age", "{n}.png,{n}5") + "11.png,old\n", "cells that are none"),
}  # fmt: skip
for called, (content, words) in LABELS.items():
    refused("labels", called, words)(lambda folder, content=content: labelled(folder, content))


@refused("labels", "two tables", "say which with --labels")
def _(folder: Path) -> Path:
    put(folder / "b.csv", rows_of("f,size", "{n}.png,{n}.5"))
    return labelled(folder, rows_of("f,y", "{n}.png,{kind}"))


@refused("labels", "folders of classes and a column of others", "--labels folders")
def _(folder: Path) -> Path:
    good(folder)
    names = "".join(
        f"{path.relative_to(folder)},{'ab'[n % 2]}\n" for n, path in enumerate(sorted(folder.rglob("*.png")))
    )
    put(folder / "labels.csv", "f,y\n" + names)
    return folder


@accepted("labels", "names without endings, in a column of any name", "by the column 'photo'")
def _(folder: Path) -> Path:
    return labelled(folder, rows_of("kind;photo", "{kind};{n}"))


@accepted("labels", "a broken table beside folders of classes")
def _(folder: Path) -> Path:
    put(good(folder) / "notes.csv", 'a,b\n"1,2\n3,4,5\n')
    return folder


@accepted("labels", "names of files outside, beside one of each picture", "as 2 classes")
def _(folder: Path) -> Path:
    return labelled(folder, rows_of("f,y", "../../../{n}.png,{kind}"))


@refused("image", "an empty folder", "no images in this folder")
def _(folder: Path) -> Path:
    return folder


@refused("image", "images beside the folders of the classes", "lie beside")
def _(folder: Path) -> Path:
    put(good(folder) / "stray.png", encoded(NOISE[:8, :8]))
    return folder


@accepted("image", "classes with names of markup, formulas and bytes that are no text")
def _(folder: Path) -> Path:
    return good(folder, ("<b>", "$\\frac{", "\x1b[31m", os.fsdecode(b"\xff\xfe"), "a" * 200, "=1+1", "‮"), 4)


@accepted("image", "a class of no images")
def _(folder: Path) -> Path:
    (good(folder) / "bird").mkdir()
    return folder
