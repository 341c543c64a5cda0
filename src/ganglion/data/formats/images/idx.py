"""IDX files, the format of MNIST, as they are or compressed with gzip."""

import gzip
import math
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.errors import DataError
from ganglion.files import refuse_bomb, regular

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""Type of the numbers by the third byte of a file."""
MOST_AXES = 8
LAST = 65_535
"""Largest class number."""
TEST_PREFIXES = ("t10k", "test")


def read_idx(path: Path) -> np.ndarray:
    """Return the array in one IDX file, in the shape that the file says.

    Raises:
        DataError: the file is damaged, or is no IDX file.
    """
    packed = regular(path).stat().st_size
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream: Any = gzip.GzipFile(fileobj=raw) if compressed else raw
            kind, shape = _read_header(stream, path)
            expected = math.prod(shape) * kind.itemsize
            if compressed:
                refuse_bomb(path, packed, expected)
            # Not more than the file holds is asked for, whatever its header says.
            content = stream.read(min(expected, packed if not compressed else expected) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            "this file cannot be read", where=str(path), found=str(error), remedy="fetch it again"
        ) from error
    if len(content) != expected:
        raise DataError(
            "this IDX file is cut off" if len(content) < expected else "this IDX file is too long",
            where=str(path),
            expected=f"{expected} bytes for shape {shape}",
            found=f"{len(content)} bytes" if len(content) < expected else "more",
            remedy="fetch it again",
        )
    return np.frombuffer(content, kind).reshape(shape).astype(kind.newbyteorder("="))


def _read_header(stream: IO[bytes], path: Path) -> tuple[np.dtype, tuple[int, ...]]:
    """Return the type and the shape that an IDX file declares."""
    start = stream.read(4)
    axes = start[3] if len(start) == 4 else 0
    sizes = stream.read(4 * axes)
    if start[:2] != b"\0\0" or axes == 0 or start[2] not in TYPES or len(sizes) < 4 * axes:
        raise DataError(
            "this is not an IDX file", where=str(path), expected="first bytes 00 00", found=f"{start.hex(' ')}"
        )
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    if len(shape) > MOST_AXES:
        raise DataError("this IDX file is damaged", where=str(path), found=f"{len(shape)} axes", expected="1 to 4 axes")
    return np.dtype(TYPES[start[2]]), shape


def find_idx(folder: Path) -> list[Path]:
    """Return the IDX files of a folder, by their names."""
    return sorted(
        path
        for path in folder.iterdir()
        if any(mark in path.name.lower() for mark in ("-idx", ".idx")) and path.is_file()
    )


def read_idx_folder(source: Path, label_names: tuple[str, ...] = ()) -> Dataset:
    """Read images and labels that belong together by their names: `train-images-...`, `t10k-labels-...`.

    Args:
        source: a folder, or the file of the training images in it.
    """
    parts: dict[tuple[bool, bool], Path] = {}
    folder = source if source.is_dir() else source.parent
    for path in find_idx(folder):
        stem = path.name.lower()
        key = (stem.startswith(TEST_PREFIXES), "label" in stem)
        if key in parts and path.suffix == ".gz":
            continue  # The same file lies here uncompressed.
        parts[key] = path
    if (False, False) not in parts:
        raise DataError(
            "there are no training images in this folder", where=str(folder), expected="train-images-idx3-ubyte"
        )
    arrays = {key: read_idx(path) for key, path in parts.items()}
    images, test_images = _images(arrays[False, False], folder), None
    targets = _labels(arrays.get((False, True)), len(images), folder)
    test_targets = None
    if (True, False) in arrays:
        test_images = _images(arrays[True, False], folder)
        test_targets = _labels(arrays.get((True, True)), len(test_images), folder)
    if targets is not None and not label_names:
        largest = max(int(part.max()) for part in (targets, test_targets) if part is not None)
        label_names = tuple(str(number) for number in range(largest + 1))
    return Dataset.of(
        name=folder.name,
        kind="image",
        inputs=images,
        targets=targets,
        test_inputs=test_images,
        test_targets=test_targets,
        label_names=label_names if targets is not None else (),
        source=str(source),
        fingerprint=fingerprint(images, targets, test_images, test_targets),
        notes=(f"IDX files {', '.join(path.name for path in parts.values())}",),
    )


def _images(array: np.ndarray, folder: Path) -> np.ndarray:
    """Return images with a channel axis."""
    if array.dtype != np.uint8 or array.ndim not in (3, 4):
        raise DataError(
            "these IDX files hold no images",
            where=str(folder),
            found=f"{array.dtype} {array.shape}",
            expected="grey images (samples, height, width), bytes",
        )
    images = array[..., None] if array.ndim == 3 else array
    if not images.size or images.shape[-1] not in (1, 3):
        raise DataError(
            "these IDX files hold no images",
            where=str(folder),
            found=f"images of shape {images.shape}",
            expected="grey images (samples, height, width), bytes",
        )
    return images


def _labels(array: np.ndarray | None, count: int, folder: Path) -> np.ndarray | None:
    if array is not None and array.shape != (count,):
        raise DataError(
            "images and labels differ in number",
            where=str(folder),
            expected=f"{count} labels",
            found=f"labels of shape {array.shape}",
        )
    if array is not None and (array.dtype.kind not in "iu" or not len(array) or array.min() < 0 or array.max() > LAST):
        found = f"{array.dtype} from {array.min()} to {array.max()}" if len(array) else "none"
        raise DataError("these labels are no class numbers", where=str(folder), expected=f"0 to {LAST}", found=found)
    return None if array is None else array.astype(np.int64)
