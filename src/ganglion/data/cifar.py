"""CIFAR-10 in the forms it is passed on in: the binary version, JPEG files in archives, and lossless sheets.

The version for Python is a pickle, which can run code when it is read, and is not read.
"""

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ganglion.data.contents import fingerprint
from ganglion.data.dataset import Dataset
from ganglion.data.pictures import decode, in_threads
from ganglion.errors import DataError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIDE = 32
PIXELS = SIDE * SIDE
RECORD = 1 + 3 * PIXELS
"""Bytes of a label and three planes."""
SHEET = 1000
"""Images in one lossless sheet, one a row."""
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
    return Dataset(
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
    try:
        if unpacked is not None:
            contents = {name: (unpacked / name).read_bytes() for name in names}
        else:
            contents = {Path(name).name: content for name, content in _members(folder / ARCHIVE)}
        batches = [_records(contents[name], folder / name) for name in names]
    except (OSError, KeyError) as error:
        raise DataError("CIFAR-10 is not complete here", where=str(folder), found=str(error)) from error
    return _joined(batches[:-1]), batches[-1]


def _records(content: bytes, path: Path) -> Part:
    """Return images `(samples, 32, 32, 3)` and labels of one batch: a label byte, then the planes red, green, blue."""
    if not content or len(content) % RECORD:
        raise DataError(
            "this batch is cut off",
            where=str(path),
            expected=f"a multiple of {RECORD} bytes",
            found=f"{len(content)} bytes",
        )
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, RECORD)
    images = records[:, 1:].reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].astype(np.int64)


def _read_jpeg(folder: Path) -> tuple[Part, Part]:
    """Read `train/<class>/<number>.jpg` and the like from two archives, in the order of the names."""
    parts = []
    for part in ("train", "test"):
        members = sorted((name, content) for name, content in _members(folder / "jpeg" / f"{part}.tar.gz"))
        labels = np.array([CLASSES.index(Path(name).parent.name) for name, _ in members], dtype=np.int64)
        images = np.stack(list(in_threads(decode, (content for _, content in members))))
        parts.append((images, labels))
    return parts[0], parts[1]


def _read_lossless(folder: Path) -> tuple[Part, Part]:
    """Read sheets of one image a row; sheets below 50 are of the training part."""
    labels = np.array(re.findall(r"\d+", (folder / "lossless" / "cifar10_labels.js").read_text()), dtype=np.int64)
    train: list[Part] = []
    test: list[Part] = []
    for path in sorted(
        (folder / "lossless").glob("cifar10_batch_*.png"), key=lambda path: int(path.stem.split("_")[-1])
    ):
        number = int(path.stem.split("_")[-1])
        part = decode(path).reshape(-1, SIDE, SIDE, 3), labels[number * SHEET : (number + 1) * SHEET]
        (train if number < 50 else test).append(part)
    return _joined(train), _joined(test)


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files in an archive, none of which touches the disk."""
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                file = opened.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield member.name, file.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DataError("this archive is damaged", where=str(archive), found=str(error)) from error


def _joined(parts: list[Part]) -> Part:
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])
