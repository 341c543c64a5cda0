"""Files of MATLAB, versions 5 to 7: matrices of numbers, texts, and cells of these. All else in them is left out.

A file is a header of 128 bytes and elements: a type, a length, and so many bytes, up to the next multiple of 8; small
ones stand within their own header. A matrix is an element that holds elements: what it is, its sizes, its name, and
its numbers by columns or its cells.

scipy reads such files too, but damaged ones may end the process.

Source: MathWorks, MAT-File Format (2024), chapter 1.
"""

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.errors import DataError
from ganglion.files import HARMLESS_BYTES, LARGEST_RATIO, read_bytes

MOST_BYTES = 1 << 30
HEADER = 128
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
"""Types of elements that hold numbers, as NumPy calls them."""
MATRIX, COMPRESSED = 14, 15
TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
"""Types of elements that hold signs."""
CELL, CHARACTERS, NUMERIC = 1, 4, range(6, 16)
"""Kinds of matrices that are read."""
DEEPEST = 8
"""Cells within cells."""


def read_matrices(path: Path) -> dict[str, Any]:
    """Return the matrices of a file by name: arrays of numbers, texts, and lists of what cells hold, by columns.

    Raises:
        DataError: the file is damaged, of another version, or no file of MATLAB.
    """
    content = read_bytes(path, MOST_BYTES)
    order = {b"IM": "<", b"MI": ">"}.get(content[126:HEADER])
    if order is None or content[: len(b"MATLAB 5.0")] != b"MATLAB 5.0":
        later = content[:8] == b"\x89HDF\r\n\x1a\n" or content.startswith(b"MATLAB 7.3")
        raise _damaged(path, "version 7.3: save it with -v7" if later else "another header")
    most = max(HARMLESS_BYTES, LARGEST_RATIO * len(content))
    found: dict[str, Any] = {}
    try:
        for kind, data in _elements(memoryview(content)[HEADER:], order):
            if kind == COMPRESSED:
                unpacking = zlib.decompressobj()
                unpacked = unpacking.decompress(data, most)
                if not unpacking.eof:
                    raise ValueError("what is packed does not end, or unpacks to far more than data does")
                most -= len(unpacked)
                (kind, data), *_ = _elements(memoryview(unpacked), order)
            if kind == MATRIX:
                name, value = _matrix(data, order, 0)
                found |= {} if value is None else {name: value}
    except (ValueError, zlib.error, UnicodeDecodeError, TypeError) as error:
        raise _damaged(path, str(error)) from error
    return found


def _elements(content: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield type and bytes of each element."""
    place = 0
    while place < len(content):
        if place + 8 > len(content):
            raise ValueError("it is cut off within the header of an element")
        kind, length = (int(one) for one in np.frombuffer(content[place : place + 8], f"{order}u4"))
        if small := kind >> 16:  # as long as 4 bytes at most, which stand in the header
            kind, length, start, end = kind & 0xFFFF, small, place + 4, place + 8
            if small > 4:
                raise ValueError(f"a small element of {small} bytes")
        else:
            start = place + 8
            end = start + length + (0 if kind == COMPRESSED else -length % 8)
        if start + length > len(content):
            raise ValueError(f"an element of {length:,} bytes, of which {len(content) - start:,} are there")
        yield kind, content[start : start + length]
        place = end


def _matrix(content: memoryview, order: str, depth: int) -> tuple[str, Any]:
    """Return name and value of a matrix; None for one of another kind than those that are read."""
    if not len(content):
        return "", np.zeros((0, 0))
    parts = list(_elements(content, order))
    if len(parts) < 3 or len(parts[0][1]) != 8 or depth > DEEPEST:
        raise ValueError("a matrix without kind, sizes and name, or too deep")
    kind = int(np.frombuffer(parts[0][1], f"{order}u4")[0]) & 0xFF
    sizes = tuple(_numbers(*parts[1], order).astype(int).tolist())
    name = bytes(parts[2][1]).decode("latin-1")
    if min(sizes, default=-1) < 0:
        raise ValueError(f"a matrix of sizes {sizes}")
    if kind == CELL:
        if len(parts) - 3 != math.prod(sizes):
            raise ValueError(f"{len(parts) - 3} cells in a matrix of sizes {sizes}")
        return name, [_matrix(data, order, depth + 1)[1] for _, data in parts[3:]]
    if kind not in (CHARACTERS, *NUMERIC) or len(parts) < 4:
        return name, None
    if kind == CHARACTERS:
        return name, _text(*parts[3], order)
    values = _numbers(*parts[3], order)
    if len(values) != math.prod(sizes):
        raise ValueError(f"{len(values)} numbers in a matrix of sizes {sizes}")
    return name, values.reshape(sizes, order="F")


def _numbers(kind: int, data: memoryview, order: str) -> np.ndarray:
    if kind not in NUMBERS:
        raise ValueError(f"an element of type {kind} where numbers stand")
    return np.frombuffer(data, f"{order}{NUMBERS[kind]}")


def _text(kind: int, data: memoryview, order: str) -> str:
    if kind not in TEXTS:
        raise ValueError(f"an element of type {kind} where signs stand")
    name = TEXTS[kind]
    return bytes(data).decode(f"utf-16-{'le' if order == '<' else 'be'}" if name == "utf-16" else name)


def _damaged(path: Path, found: str) -> DataError:
    return DataError(
        "this file of MATLAB cannot be read",
        where=str(path),
        expected="numbers, texts and cells of them, as versions 5 to 7 save them",
        found=found,
        remedy="save it again with -v7",
    )
