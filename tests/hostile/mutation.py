"""Files of every kind, and what chance makes of them."""

import gzip
import io
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import safetensors.numpy
import safetensors.torch
from pyarrow import parquet

from ganglion.data.catalogue import read
from ganglion.data.check import check
from ganglion.data.formats.images.files import decode
from ganglion.data.preprocessing import read_inputs
from ganglion.data.settings import DataSettings
from ganglion.errors import GanglionError
from ganglion.files import parse_json
from tests.hostile import archives, images

SMALL = np.random.default_rng(0).integers(0, 255, (6, 7, 3), dtype=np.uint8)
ROWS = "age,dose,note,cured\n" + "".join(
    f'{n},{n / 7:.3f},"a, {n % 3}",{"yes" if n % 3 else "no"}\n' for n in range(30)
)
DATES = "date;value\n" + "".join(f"2024-01-{day:02};{day},5\n" for day in range(1, 31))
PUZZLES = (
    b"\0",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"-1",
    b"nan",
    b"1e999",
    b'"',
    b"\n",
    b",",
    b"[" * 50,
    b"9" * 400,
)
"""What files break on, spliced in by chance."""


def npz() -> bytes:
    content = io.BytesIO()
    np.savez(content, inputs=np.arange(60.0).reshape(20, 3), targets=np.arange(20) % 2)
    return content.getvalue()


def npy() -> bytes:
    content = io.BytesIO()
    np.save(content, np.arange(60.0).reshape(20, 3))
    return content.getvalue()


def table() -> bytes:
    content = io.BytesIO()
    parquet.write_table(pyarrow.table({"a": list(range(30)), "b": [str(n % 3) for n in range(30)]}), content)
    return content.getvalue()


SETTINGS = DataSettings()


def judged(path: Path) -> None:
    """Read a file as data, and judge it."""
    check(read(path, SETTINGS))


def parsed(path: Path) -> None:
    try:
        parse_json(path.read_bytes().decode())
    except ValueError:
        raise GanglionError("broken", found="ValueError is what it promises") from None


def loaded(path: Path) -> None:
    """Read tensors as a checkpoint does."""
    try:
        safetensors.torch.load_file(path)
    except safetensors.SafetensorError:
        raise GanglionError("broken", found="SafetensorError is what it promises") from None


def archive_of_six() -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as opened:
        for name in archives.NAMES:
            info = archives.member(name)
            info.size = archives.RECORD * 2
            opened.addfile(info, io.BytesIO(bytes(info.size)))
    return content.getvalue()


def in_folder(path: Path) -> None:
    judged(path.parent)


READERS: dict[str, tuple[str, bytes, Callable[[Path], object]]] = {
    "CSV": ("t.csv", ROWS.encode(), judged),
    "CSV as a series": ("s.csv", DATES.encode(), lambda path: read(path, SETTINGS, "series")),
    "CSV to ask about": ("t.csv", ROWS.encode(), lambda path: read_inputs([path], "tabular", ("age", "dose"))),
    "Parquet": ("t.parquet", table(), judged),
    "NPZ": ("a.npz", npz(), judged),
    "NPY": ("a.npy", npy(), judged),
    "text": ("t.txt", ("words and wörds\n" * 20).encode(), judged),
    "IDX": ("train-images-idx3-ubyte", archives.idx(20, 4, 4, data=bytes(range(240)) + bytes(80)), judged),
    "IDX.gz": ("train-images-idx3-ubyte.gz", gzip.compress(archives.idx(20, 4, 4, data=bytes(320))), judged),
    "CIFAR tar.gz": ("cifar-10-binary.tar.gz", archive_of_six(), in_folder),
    "PNG": ("i.png", images.encoded(SMALL), decode),
    "JPEG": ("i.jpg", images.encoded(SMALL, "JPEG"), decode),
    "GIF": ("i.gif", images.encoded(SMALL[:, :, 0], "GIF"), decode),
    "BMP": ("i.bmp", images.encoded(SMALL, "BMP"), decode),
    "TIFF": ("i.tif", images.encoded(SMALL, "TIFF"), decode),
    "WebP": ("i.webp", images.encoded(SMALL, "WEBP"), decode),
    "PPM": ("i.ppm", images.encoded(SMALL, "PPM"), decode),
    "JSON": ("c.json", json.dumps({"a": [1, 2.5, None, "x"], "b": {"c": True}}).encode(), parsed),
    "safetensors": ("w.safetensors", safetensors.numpy.save({"a": np.eye(3), "b": np.zeros(4)}), loaded),
}  # fmt: skip
"""For every reader a name, a good file, and the call that reads it."""


def mutated(content: bytes, chance: random.Random) -> bytes:
    """Return a file with a few bytes turned, cut, doubled, moved or spliced in."""
    broken = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        place = chance.randrange(len(broken) + 1)
        other = chance.randrange(len(broken) + 1)
        kind = chance.randrange(7)
        if kind <= 1 and place < len(broken):
            broken[place] ^= 1 << chance.randrange(8)
        elif kind == 2 and place < len(broken):
            broken[place] = chance.choice((0, 1, 127, 128, 255))
        elif kind == 3:
            del broken[place : place + chance.choice((1, 4, 100, 10_000))]
        elif kind == 4:
            broken[place:place] = broken[other : other + chance.choice((1, 8, 200))]
        elif kind == 5:
            broken[place : place + chance.choice((0, 2, 4))] = chance.choice(PUZZLES)
        else:
            broken[place : place + 4] = chance.getrandbits(32).to_bytes(4, "little")
    return bytes(broken)


def fuzz(reader: str, seed: int, count: int, folder: Path) -> tuple[int, int]:
    """Read many broken files, and return how many were refused and how many could be read.

    Anything but a `GanglionError` escapes, with the file left for whoever looks into it.
    """
    name, content, call = READERS[reader]
    refused = 0
    for number in range(count):
        path = folder / name
        path.write_bytes(mutated(content, random.Random(f"{reader} {seed + number}")))
        try:
            call(path)
        except GanglionError as error:
            assert len(str(error).splitlines()) > 1, f"{number}: says too little: {error}"
            refused += 1
    return refused, count - refused
