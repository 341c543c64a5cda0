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
from ganglion.data.fields import Boxes
from ganglion.data.formats.folder_layout import Folder, readable, scan
from ganglion.data.formats.images.files import Header, decode, in_threads, read_header
from ganglion.data.formats.images.members import Member
from ganglion.data.leaks import picture_leaks
from ganglion.data.pixels import BYTES, WHITES, Range, find_range, said, to_pixels
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.findings import Finding

MOST_BYTES = 2 << 30
"""Decoded images larger than this are read while training unless the user decides otherwise."""
SAMPLED = 200
"""Files of a set that is read while training whose pixels are looked at beforehand."""
DIGEST_BYTES = 1 << 16
SQUEEZED = 0.05
"""Change of proportions that is worth a word."""
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
    size: tuple[int, int] | None
    """Height and width that every image is resized to; None where each keeps its own, and several are a list."""
    channels: int
    pixels: Range = BYTES
    """The values of black and white."""
    deep: bool = False
    """Whether pixels of some files are more than bytes; all become fractions then."""

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, int | np.integer):
            image = decode(self.paths[place], self.size, self.channels, raw=self.deep)
            return on_scale(image, self.pixels, self.deep)
        chosen = self.take(np.arange(len(self))[place])
        if self.size is None:
            return list(in_threads(chosen.__getitem__, range(len(chosen))))
        dtype = np.float32 if self.deep and self.pixels[1] - self.pixels[0] > 255 else np.uint8
        stack = np.empty((len(chosen), *self.size, self.channels), dtype=dtype)
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
                size = file.seek(0, os.SEEK_END)
                file.seek(0)
                yield size.to_bytes(8, "little") + file.read(DIGEST_BYTES)

    @property
    def groups(self) -> np.ndarray | None:
        """The number of the archive that each image lies in `(images,)`; None for files of their own."""
        if not self.paths or not isinstance(self.paths[0], Member):
            return None
        numbers: dict[Path, int] = {}
        return np.array([numbers.setdefault(one.archive, len(numbers)) for one in self.paths])


def read_images(folder: Path, settings: DataSettings) -> Dataset:
    """Read a folder of images: one folder per class, or a flat folder without classes, maybe in train and test parts.

    Raises:
        DataError: there are no images, or some are damaged and `settings.allow_problems` is not set.
    """
    found = scan(folder, settings.labels)
    return read_found(found, folder, settings, _by_label)


Answers = Callable[[Folder], dict[str, Any]]
"""What `Dataset.of` is told of the targets of the files that are left."""


def read_found(found: Folder, folder: Path, settings: DataSettings, answers: Answers) -> Dataset:
    """Read the images that were found in a folder; `answers` says what they show once damaged ones are left out."""
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
    if moving := sum(header.moves for header in headers):
        found.notes.append(f"{moving} pictures move: their first frame is the picture")
    own_sizes = keep_sizes(headers, settings)
    size, channels = common_shape(headers, found.notes, own_sizes)
    deep = any(header.deep for header in headers)
    inputs: np.ndarray | Sequence
    test_inputs: np.ndarray | Sequence
    total = sum(one.height * one.width if own_sizes else size[0] * size[1] for one in headers) * channels
    streaming = streams(len(found.files), total, settings, found.notes)
    if streaming or own_sizes:
        pixels, note = range_of_files(found.files, size, channels, deep, settings, str(folder))
        found.notes.append(note)
        parts = (found.train, found.test)
        shown = None if own_sizes else size
        inputs, test_inputs = (ImageFiles(tuple(paths), shown, channels, pixels, deep) for paths in parts)
        if not streaming:
            inputs, test_inputs = inputs[:], test_inputs[:]
    else:
        inputs, test_inputs, pixels = _decoded(found, size, channels, deep, settings, str(folder))
    told = answers(found)
    told["findings"] = (*_unread(found), *told.get("findings", _leaks(found, headers, told)))
    targets, *others = (told.get(name) for name in ("targets", "test_targets", "weights"))
    return Dataset.of(
        name=readable(folder.name),
        kind="image",
        inputs=inputs,
        test_inputs=test_inputs if found.test else None,
        source=str(folder),
        fingerprint=fingerprint(inputs, targets, test_inputs, *others),
        notes=tuple(found.notes),
        pixels=pixels,
        validation=np.flatnonzero([path in found.validation for path in found.train]) if found.validation else None,
        **{**told, "test_targets": told.get("test_targets") if found.test else None},
    )


def _unread(found: Folder) -> Iterator[Finding]:
    """Say which pictures are left out since their format is not read."""
    if found.unread:
        yield Finding(
            name="unread-pictures",
            level="stop",
            message=f"{len(found.unread)} pictures are of a format that is not read, and are left out",
            measure="pictures",
            value=float(len(found.unread)),
            where=tuple(readable(str(path)) for path in found.unread[:3]),
            remedy="save them as JPEG or PNG, or take them away; --allow-problems goes on without them",
        )


def _leaks(found: Folder, headers: Sequence[Header], told: dict[str, Any]) -> Iterator[Finding]:
    """Look whether the size, the colour or the ending of training files says what they show."""
    targets = told.get("targets")
    if targets is None or len(headers) != len(found.files):
        return
    training = headers[: len(found.train)]
    endings = np.array([path.suffix.lower() for path in found.train], dtype=object)
    shapes = {
        "the height": np.array([float(header.height) for header in training]),
        "the width": np.array([float(header.width) for header in training]),
        "the colour (grey or not)": np.array([float(header.grey) for header in training]),
        "the ending of the files": endings,
    }
    yield from picture_leaks(shapes, targets)


def _by_label(found: Folder) -> dict[str, Any]:
    """Return the classes that files have by their folders or names."""
    classes = found.classes
    targets, test_targets = (_targets(paths, found.labels, classes) for paths in (found.train, found.test))
    return {
        "targets": targets,
        "test_targets": test_targets,
        "label_names": tuple(classes),
    }


def sizes_of(values: Any) -> list[tuple[int, int]]:
    """Return the height and width of each image or mask `(height, width, ...)`, or of the images that boxes are in.

    Files are not decoded for that.
    """
    if isinstance(values, np.ndarray | list | tuple):
        return [one.image_size if isinstance(one, Boxes) else one.shape[:2] for one in values]
    if values.size is not None:
        return [values.size] * len(values)
    return [(header.height, header.width) for header in in_threads(read_header, values.paths)]


def on_scale(image: np.ndarray, pixels: Range, deep: bool) -> np.ndarray:
    """Return an image `(height, width, channels)` as bytes, or as fractions where files of its set hold more."""
    if deep and image.dtype == np.uint8:
        return image.astype(np.float32) / 255 if pixels[1] - pixels[0] > 255 else image
    return to_pixels(image, pixels)


def range_of_files(
    files: Sequence[Path], size: tuple[int, int], channels: int, deep: bool, settings: DataSettings, where: str
) -> tuple[Range, str]:
    """Return the range of files that are not held in memory, and that in words.

    Some of them are looked at, all where these are not plain.
    """
    few = files[:: max(1, len(files) // SAMPLED)]
    for chosen in [few] if not deep else [files]:
        low, high = _extremes(chosen, size, channels, deep)
    if not deep and high <= WHITES[1]:
        low, high = _extremes(files, size, channels, deep)
    values = np.array([low, high]) if deep else np.array([low, high]).astype(np.uint8)
    pixels = find_range(values if not (values == np.round(values)).all() else values.astype(np.int64),
                        settings.pixels, where)  # fmt: skip
    return pixels, said(pixels, low, high)


def _extremes(files: Sequence[Path], size: tuple[int, int], channels: int, deep: bool) -> tuple[float, float]:
    reading = partial(attempt, partial(decode, size=size, channels=channels, raw=deep))
    images = (image for image in in_threads(reading, files) if isinstance(image, np.ndarray))
    ends = [(float(image.min()), float(image.max())) for image in images if not deep or image.dtype != np.uint8]
    return min((low for low, _ in ends), default=0.0), max((high for _, high in ends), default=255.0)


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


def keep_sizes(headers: Sequence[Header], settings: DataSettings) -> bool:
    """Whether images differ in size and each keeps its own until its preprocessing brings it to that of the network.

    Where images are stretched anyway, they are made alike as they are read, which takes less memory.
    """
    differ = len({(header.height, header.width) for header in headers}) > 1
    return differ and settings.resize not in (None, "stretch")


def common_shape(headers: Sequence[Header], notes: list[str], own_sizes: bool = False) -> tuple[tuple[int, int], int]:
    """Return the commonest height and width, the middle one of several, and the channels that hold every image.

    Args:
        own_sizes: whether images keep their sizes, so that no note says that they are resized.
    """
    sizes = Counter((header.height, header.width) for header in headers)
    most = max(sizes.values())
    commonest = sorted(
        (size for size, count in sizes.items() if count == most), key=lambda size: (size[0] * size[1], size)
    )
    height, width = commonest[len(commonest) // 2]
    if len(sizes) > 1 and not own_sizes:
        squeezed = sum(count for (h, w), count in sizes.items() if abs(h * width / (w * height) - 1) > SQUEEZED)
        which = f", {squeezed} of them squeezed to other proportions" if squeezed else ""
        notes.append(f"images of {len(sizes)} sizes resized to the commonest, {width} x {height}{which}")
    grey = sum(header.grey for header in headers)
    if 0 < grey < len(headers):
        notes.append(f"{grey} grey images made colour like the others")
    return (height, width), 1 if grey == len(headers) else 3


def streams(count: int, total: int, settings: DataSettings, notes: list[str]) -> bool:
    """Decide whether images that take `total` bytes when decoded are too many to be held in memory."""
    streams = settings.stream == "yes" or (settings.stream == "auto" and total > MOST_BYTES)
    if streams:
        notes.append(f"{count} images ({total / 2**20:.0f} MiB decoded) are read while training")
    return streams


def _decoded(
    found: Folder, size: tuple[int, int], channels: int, deep: bool, settings: DataSettings, where: str
) -> tuple[np.ndarray, np.ndarray, Range]:
    """Return all training and test images, without those that turn out to be damaged inside, and their range."""
    files, split = found.files, len(found.train)
    stack = np.empty((len(files), *size, channels), dtype=np.float32 if deep else np.uint8)
    are_bytes = np.zeros(len(files), dtype=bool)
    kept = np.ones(len(files), dtype=bool)
    damaged = {}
    reading = partial(attempt, partial(decode, size=size, channels=channels, raw=deep))
    for number, image in enumerate(in_threads(reading, files)):
        if isinstance(image, DataError):
            damaged[files[number]], kept[number] = image, False
        else:
            stack[number], are_bytes[number] = image, image.dtype == np.uint8
    if damaged:
        _leave_out(found, damaged, settings)
    chosen = kept & ~are_bytes if deep else kept
    measured = stack if chosen.all() else stack[chosen]
    whole = deep and (measured == np.round(measured)).all()
    pixels = find_range(measured.astype(np.int64) if whole else measured, settings.pixels, where)
    if measured.size:
        found.notes.append(said(pixels, measured.min(), measured.max()))
    ready = to_pixels(stack, pixels)
    if deep and are_bytes.any():
        fractions = ready.dtype == np.float32
        ready[are_bytes] = stack[are_bytes] / 255 if fractions else stack[are_bytes]
    if kept.all():
        return ready[:split], ready[split:], pixels
    return ready[:split][kept[:split]], ready[split:][kept[split:]], pixels


def _targets(paths: Iterable[Path], labels: dict[Path, str], classes: Sequence[str]) -> np.ndarray | None:
    if not labels:
        return None
    numbers = {name: number for number, name in enumerate(classes)}
    return np.array([numbers[labels[path]] for path in paths], dtype=np.int64)
