"""CIFAR-10 in the forms it is passed on in: the binary version, JPEG files in archives, and lossless sheets.

The version for Python is a pickle, which can run code when it is read, and is not read.
"""

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.images.files import decode, in_threads
from ganglion.errors import DataError
from ganglion.files import Bounded, read_bytes, regular

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
PIXELS = SIDE * SIDE
RECORD = 1 + 3 * PIXELS
"""Bytes of a label and three planes."""
SHEET = 1000
"""Images in one lossless sheet, one a row."""
SHEET_NAME = re.compile(r"cifar10_batch_(\d{1,3})\.png")
MOST_BYTES = 256 << 20
"""Whole set of 60000 images, as bytes or as JPEG files, unpacked."""
MOST_BATCHES, MOST_IMAGES = 1_000, 60_000
"""Files in the archive of batches, which was published with eight, and in one of images."""
READ_AT_ONCE = 1 << 18
"""Bytes of an archive that are unpacked at a time."""
MOST_MEMBER_BYTES = 32 << 20
ARCHIVE = "cifar-10-binary.tar.gz"

Part = tuple[np.ndarray, np.ndarray]


def find_cifar(folder: Path) -> str:
    """Return which form of CIFAR-10 a folder holds, the most faithful complete one; empty where there is none."""
    if _binary_folder(folder) or (folder / ARCHIVE).is_file():
        return "binary"
    if all((folder / "jpeg" / f"{part}.tar.gz").is_file() for part in ("train", "test")):
        return "jpeg"
    if (folder / "lossless" / "cifar10_labels.js").is_file():
        return "lossless"
    return ""


def read_cifar(folder: Path) -> Dataset:
    """Read CIFAR-10 from a folder that `find_cifar` knows."""
    form = find_cifar(folder)
    readers = {"binary": _read_binary, "jpeg": _read_jpeg, "lossless": _read_lossless}
    (inputs, targets), (test_inputs, test_targets) = readers[form](folder)
    note = {
        "binary": "the binary version",
        "jpeg": "the JPEG copy: pixels differ a little from the original, so accuracies may too",
        "lossless": "the lossless part only: the full set has 50000 training and 10000 test images",
    }[form]
    return Dataset.of(
        name="cifar-10",
        kind="image",
        inputs=inputs,
        targets=targets,
        test_inputs=test_inputs,
        test_targets=test_targets,
        label_names=CLASSES,
        source=str(folder),
        fingerprint=fingerprint(inputs, targets, test_inputs, test_targets),
        notes=(note,),
    )


def _binary_folder(folder: Path) -> Path | None:
    inner = folder / "cifar-10-batches-bin"
    return next((place for place in (folder, inner) if (place / "data_batch_1.bin").is_file()), None)


def _read_binary(folder: Path) -> tuple[Part, Part]:
    """Read the five training batches and the test batch, from files or from the archive without unpacking it."""
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    unpacked = _binary_folder(folder)
    contents: dict[str, bytes] = {}
    if unpacked is not None:
        contents = {name: read_bytes(unpacked / name, MOST_BYTES) for name in names if (unpacked / name).exists()}
    else:
        contents = {name.rpartition("/")[2]: content for name, content in _members(folder / ARCHIVE, MOST_BATCHES)}
    missing = [name for name in names if name not in contents]
    if missing:
        raise DataError(
            "CIFAR-10 is not complete here",
            where=str(folder),
            expected=", ".join(names),
            found=f"no {', '.join(missing)}",
        )
    batches = [_records(contents[name], folder / name) for name in names]
    return _joined(batches[:-1]), batches[-1]


def _records(content: bytes, path: Path) -> Part:
    """Return images `(samples, 32, 32, 3)` and labels of one batch: a label byte, then the planes red, green, blue."""
    if not content or len(content) % RECORD:
        raise DataError(
            "this batch is cut off",
            where=str(path),
            expected=f"a multiple of {RECORD} bytes",
            found=f"{len(content)} bytes",
            remedy="fetch it again",
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, RECORD)
    if records[:, 0].max() >= len(CLASSES):
        raise DataError(
            "this batch has labels that CIFAR-10 has not",
            where=str(path),
            expected="0 to 9",
            found=str(records[:, 0].max()),
        )
    images = records[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def _read_jpeg(folder: Path) -> tuple[Part, Part]:
    """Read `train/<class>/<number>.jpg` and the like from two archives, in the order of the names."""
    parts = []
    for part in ("train", "test"):
        archive = folder / "jpeg" / f"{part}.tar.gz"
        members = sorted((name, content) for name, content in _members(archive, MOST_IMAGES))
        classes = [Path(name).parent.name for name, _ in members]
        unknown = sorted(set(classes) - set(CLASSES))
        if unknown or not members:
            found = ", ".join(unknown[:10]) or "nothing"
            raise DataError(
                "these are not the classes of CIFAR-10",
                where=str(archive),
                found=found,
                remedy="unpack the archive: a folder of images may have any classes",
            )
        images = list(in_threads(decode, (content for _, content in members)))
        shapes = {image.shape for image in images} - {(SIDE, SIDE, 3)}
        if shapes:
            raise DataError(
                "these are not the images of CIFAR-10",
                where=str(archive),
                found=f"{shapes.pop()}",
                expected="colour images of 32 x 32",
            )
        parts.append((np.stack(images), np.array([CLASSES.index(name) for name in classes], dtype=np.int64)))
    return parts[0], parts[1]


def _read_lossless(folder: Path) -> tuple[Part, Part]:
    """Read sheets of one image a row; sheets below 50 are of the training part."""
    inside = folder / "lossless"
    text = read_bytes(inside / "cifar10_labels.js", MOST_BYTES).decode("ascii", "replace")
    labels = np.array([int(digits) for digits in re.findall(r"(?<!\d)\d(?!\d)", text)], dtype=np.int64)
    train: list[Part] = []
    test: list[Part] = []
    sheets = {int(found[1]): path for path in inside.iterdir() if (found := SHEET_NAME.fullmatch(path.name))}
    for number, path in sorted(sheets.items()):
        part = decode(path), labels[number * SHEET : (number + 1) * SHEET]
        if part[0].shape != (SHEET, PIXELS, 3) or len(part[1]) != SHEET:
            found_shape = f"{part[0].shape} and {len(part[1])} labels"
            raise DataError("this is no sheet of CIFAR-10", where=str(path), found=found_shape, remedy="fetch it again")
        (train if number < 50 else test).append((part[0].reshape(-1, SIDE, SIDE, 3), part[1]))
    if not train or not test:
        raise DataError(
            "CIFAR-10 is not complete here",
            where=str(inside),
            found=f"{len(train)} training sheets",
            expected="five training sheets and one of tests",
        )
    return _joined(train), _joined(test)


def _members(archive: Path, most: int) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files in an archive, at most so many, none of which touches the disk."""
    try:
        with gzip.open(regular(archive)) as unpacked:
            stream: Any = Bounded(unpacked, archive, MOST_BYTES)
            with tarfile.open(fileobj=stream, mode="r|", bufsize=READ_AT_ONCE) as opened:
                for number, member in enumerate(opened):
                    _refuse_member(member, number, archive, most)
                    file = opened.extractfile(member) if member.isfile() and member.size else None
                    if member.isfile():
                        yield member.name, file.read() if file else b""
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise DataError(
            "this archive is damaged", where=str(archive), found=str(error), remedy="fetch it again"
        ) from error


def _refuse_member(member: tarfile.TarInfo, number: int, archive: Path, most: int) -> None:
    """Refuse what an archive of images has no need of: links, devices, holes, paths that lead out of it."""
    outside = member.name.startswith(("/", "\\")) or ".." in member.name.replace("\\", "/").split("/")
    if (
        number >= most
        or member.size > MOST_MEMBER_BYTES
        or outside
        or member.issparse()
        or not (member.isfile() or member.isdir())
    ):
        raise DataError(
            "this archive holds what no archive of images has",
            where=f"{archive}, entry {number + 1}",
            expected=f"at most {most} plain files of {MOST_MEMBER_BYTES >> 20} MiB each inside it",
            found=member.name,
            remedy="fetch it again",
        )


def _joined(parts: list[Part]) -> Part:
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])
