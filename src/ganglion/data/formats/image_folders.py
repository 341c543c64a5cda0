"""Folders of images as data sets, in memory or read while training."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.folder_layout import Folder, readable, scan
from ganglion.data.formats.image_files import Header, decode, in_threads, read_header
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

MOST_BYTES = 2 << 30
"""Decoded images larger than this are read while training unless the user decides otherwise."""
DIGEST_BYTES = 1 << 16
NAMED = 5
"""Damaged files that an error names."""
ENOUGH = 100
"""Damaged files after which the others are not looked at."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class ImageFiles(Sequence):
    """Images that stay in their files and are decoded when asked for, all of one size and colour.

    A whole number gives one image `(height, width, channels)`; a slice or an array of places gives a stack of them.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]
    """Height and width that every image is resized to."""
    channels: int

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: Any) -> np.ndarray:  # type: ignore[override]
        if isinstance(place, int | np.integer):
            return decode(self.paths[place], self.size, self.channels)
        chosen = self.take(np.arange(len(self))[place])
        stack = np.empty((len(chosen), *self.size, self.channels), dtype=np.uint8)
        for number, image in enumerate(in_threads(chosen.__getitem__, range(len(chosen)))):
            stack[number] = image
        return stack

    def take(self, places: np.ndarray) -> "ImageFiles":
        """Return the files at some places, (count,), still undecoded."""
        return replace(self, paths=tuple(self.paths[place] for place in places))

    def contents(self) -> Iterator[bytes]:
        """Yield what tells each file apart from the others: its length and its beginning."""
        for path in self.paths:
            with path.open("rb") as file:
                yield os.fstat(file.fileno()).st_size.to_bytes(8, "little") + file.read(DIGEST_BYTES)


def read_images(folder: Path, settings: DataSettings) -> Dataset:
    """Read a folder of images: one folder per class, or a flat folder without classes, maybe in train and test parts.

    Raises:
        DataError: there are no images, or some are damaged and `settings.allow_problems` is not set.
    """
    found = scan(folder)
    headers = []
    damaged = {}
    for path, result in zip(found.files, in_threads(partial(attempt, read_header), found.files), strict=False):
        if isinstance(result, Header):
            headers.append(result)
        else:
            damaged[path] = result
        if len(damaged) >= ENOUGH and not settings.allow_problems:
            break  # The error would name no more of them.
    _leave_out(found, damaged, settings)
    size, channels = common_shape(headers, found.notes)
    classes = found.classes
    inputs: np.ndarray | ImageFiles
    test_inputs: np.ndarray | ImageFiles
    if streams(len(found.files), size, channels, settings, found.notes):
        inputs, test_inputs = (ImageFiles(tuple(paths), size, channels) for paths in (found.train, found.test))
    else:
        inputs, test_inputs = _decoded(found, size, channels, settings)
    targets, test_targets = (_targets(paths, found.labels, classes) for paths in (found.train, found.test))
    return Dataset.of(
        name=readable(folder.name),
        kind="image",
        inputs=inputs,
        targets=targets,
        test_inputs=test_inputs if found.test else None,
        test_targets=test_targets if found.test else None,
        label_names=tuple(classes),
        source=str(folder),
        fingerprint=fingerprint(inputs, targets, test_inputs, test_targets),
        notes=tuple(found.notes),
    )


def attempt(function: Callable[[Path], Result], path: Path) -> Result | DataError:
    """Return the result for a file, or its error, so that one damaged file does not hide the next."""
    try:
        return function(path)
    except DataError as error:
        return error


def _leave_out(found: Folder, damaged: dict[Path, DataError], settings: DataSettings) -> None:
    """Drop damaged files where that is allowed; raise an error that names them otherwise."""
    if not damaged:
        return
    said = "; ".join(f"{path} ({error.found or error.what})" for path, error in list(damaged.items())[:NAMED])
    if not settings.allow_problems:
        raise DataError(
            "an image cannot be read" if len(damaged) == 1 else f"{len(damaged)} images cannot be read",
            where=said,
            remedy="remove what is damaged, or leave it out with --allow-problems",
        )
    found.notes.append(f"{len(damaged)} damaged images left out: {said}")
    found.train = [path for path in found.train if path not in damaged]
    found.test = [path for path in found.test if path not in damaged]
    found.labels = {path: label for path, label in found.labels.items() if path not in damaged}
    if not found.train:
        raise DataError("every training image is damaged", where=said, remedy="give images that a viewer can show")


def common_shape(headers: Sequence[Header], notes: list[str]) -> tuple[tuple[int, int], int]:
    """Return the commonest height and width, the middle one of several, and the channels that hold every image."""
    sizes = Counter((header.height, header.width) for header in headers)
    most = max(sizes.values())
    commonest = sorted(
        (size for size, count in sizes.items() if count == most), key=lambda size: (size[0] * size[1], size)
    )
    height, width = commonest[len(commonest) // 2]
    if len(sizes) > 1:
        notes.append(f"images of {len(sizes)} sizes resized to the commonest, {width} x {height}")
    grey = sum(header.grey for header in headers)
    if 0 < grey < len(headers):
        notes.append(f"{grey} grey images made colour like the others")
    return (height, width), 1 if grey == len(headers) else 3


def streams(count: int, size: tuple[int, int], channels: int, settings: DataSettings, notes: list[str]) -> bool:
    """Decide whether the images are too many to be held in memory."""
    total = count * size[0] * size[1] * channels
    streams = settings.stream == "yes" or (settings.stream == "auto" and total > MOST_BYTES)
    if streams:
        notes.append(f"{count} images ({total / 2**20:.0f} MiB decoded) are read while training")
    return streams


def _decoded(
    found: Folder, size: tuple[int, int], channels: int, settings: DataSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return all training and test images, without those that turn out to be damaged inside."""
    files, split = found.files, len(found.train)
    stack = np.empty((len(files), *size, channels), dtype=np.uint8)
    damaged = {}
    for number, image in enumerate(in_threads(partial(attempt, partial(decode, size=size, channels=channels)), files)):
        if isinstance(image, DataError):
            damaged[files[number]] = image
        else:
            stack[number] = image
    if not damaged:
        return stack[:split], stack[split:]
    _leave_out(found, damaged, settings)
    kept = np.array([path not in damaged for path in files])
    return stack[:split][kept[:split]], stack[split:][kept[split:]]


def _targets(paths: Iterable[Path], labels: dict[Path, str], classes: Sequence[str]) -> np.ndarray | None:
    if not labels:
        return None
    numbers = {name: number for number, name in enumerate(classes)}
    return np.array([numbers[labels[path]] for path in paths], dtype=np.int64)
