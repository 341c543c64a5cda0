"""Image files of several fields, read so that what belongs together stays together even where a file is damaged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganglion.data.formats.images.files import Header, decode, in_threads, read_header
from ganglion.data.formats.images.folders import (
    NAMED,
    ImageFiles,
    attempt,
    common_shape,
    keep_sizes,
    on_scale,
    range_of_files,
    streams,
)
from ganglion.data.pixels import BYTES, Range
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

Files = Mapping[str, Sequence[Path]]
"""The files of each field; file i of one belongs to file i of the others."""
Images = dict[str, np.ndarray | Sequence]
Size = tuple[int, int]
"""Height and width."""


def read_together(
    train: Files,
    test: Files,
    settings: DataSettings,
    notes: list[str],
    beside: Sequence[str] = (),
    ranges: dict[str, Range] | None = None,
) -> tuple[Images, Images]:
    """Read the images of some fields in two parts, each field in one colour, and at one size or each image at its own.

    A sample of which a file is damaged is left out where `settings.allow_problems` is set.

    Args:
        beside: fields whose files are not read here; those of the samples that are left are returned as paths.
        ranges: what was black and white in the files of each field is added here.

    Raises:
        DataError: a file is damaged, or the pixels of a field are in no usual range.
    """
    damaged: dict[Path, DataError] = {}
    headers: dict[Path, Header] = {}
    for path, result in _tried(read_header, train, test):
        if isinstance(result, Header):
            headers[path] = result
        else:
            damaged[path] = result
    train, test = without_damaged(train, damaged, settings, notes), without_damaged(test, damaged, settings, [])
    shapes: Shapes = {}
    total = 0
    for name in [name for name in train if name not in beside]:
        found = [headers[path] for part in (train, test) for path in part.get(name, ())]
        own_sizes, said = keep_sizes(found, settings), list[str]()
        size, channels = common_shape(found, said, own_sizes)
        files = [*train[name], *test.get(name, ())]
        deep = any(header.deep for header in found)
        pixels, range_said = range_of_files(files, size, channels, deep, settings, f"{files[0].parent}, {name}")
        said += [range_said] if pixels != BYTES else []
        shapes[name] = Shape(None if own_sizes else size, channels, pixels, deep)
        if ranges is not None:
            ranges[name] = pixels
        total += channels * sum(one.height * one.width if own_sizes else size[0] * size[1] for one in found)
        notes += [f"{name}: {note}" if len(train) > 1 + len(beside) else note for note in said]
    count = max(len(paths) for paths in train.values()) + max((len(paths) for paths in test.values()), default=0)
    kept_in_files = streams(count, total, settings, notes)
    reading = _in_files if kept_in_files else partial(_decoded, settings=settings, notes=notes)
    return reading(train, shapes), reading(test, shapes)


def without_damaged(
    files: Files, damaged: Mapping[Path, DataError], settings: DataSettings, notes: list[str]
) -> dict[str, list[Path]]:
    """Return the files without the samples of which one is damaged; raise an error that names it where none may be."""
    columns = list(files.values())
    bad = [path for column in columns for path in column if path in damaged]
    if not bad:
        return {name: list(paths) for name, paths in files.items()}
    said = "; ".join(f"{path} ({damaged[path].found or damaged[path].what})" for path in bad[:NAMED])
    if not settings.allow_problems:
        raise DataError(
            "an image cannot be read" if len(bad) == 1 else f"{len(bad)} images cannot be read",
            where=said,
            remedy="remove what is damaged with its partner, or leave both out with --allow-problems",
        )
    notes.append(f"{len(bad)} damaged images left out with what belongs to them: {said}")
    rows = [row for row in zip(*columns, strict=True) if not any(path in damaged for path in row)]
    if not rows:
        raise DataError("every sample has a damaged image", where=said, remedy="give images that a viewer can show")
    return dict(zip(files, map(list, zip(*rows, strict=True)), strict=True))


def _tried(function: Callable[[Path], Header], train: Files, test: Files) -> Iterator[tuple[Path, Header | DataError]]:
    paths = [path for part in (train, test) for column in part.values() for path in column]
    return zip(paths, in_threads(partial(attempt, function), paths), strict=True)


class Shape(NamedTuple):
    """What the images of a field are like, in the order in which `ImageFiles` takes it."""

    size: Size | None
    """Height and width; None where images keep their own."""
    channels: int
    pixels: Range
    """The values of black and white."""
    deep: bool
    """Whether pixels of some files are more than bytes."""


Shapes = dict[str, Shape]


def _in_files(files: Files, shapes: Shapes) -> Images:
    return {
        name: ImageFiles(tuple(paths), *shapes[name]) if name in shapes else list(paths)
        for name, paths in files.items()
    }


def _decoded(files: Files, shapes: Shapes, settings: DataSettings, notes: list[str]) -> Images:
    """Return all images in memory, without the samples that turn out to be damaged inside."""
    stacks: Images = {}
    damaged: dict[Path, DataError] = {}
    for name in [name for name in files if name in shapes]:
        paths, (size, channels, pixels, deep) = files[name], shapes[name]
        dtype = np.float32 if deep and pixels[1] - pixels[0] > BYTES[1] else np.uint8
        stack: Any = [None] * len(paths) if size is None else np.empty((len(paths), *size, channels), dtype=dtype)
        stacks[name] = stack
        decoding = partial(attempt, partial(decode, size=size, channels=channels, raw=deep))
        for number, image in enumerate(in_threads(decoding, paths)):
            if isinstance(image, DataError):
                damaged[paths[number]] = image
            else:
                stack[number] = on_scale(image, pixels, deep)
    if damaged:
        rows = list(zip(*files.values(), strict=True))
        sound = [place for place, row in enumerate(rows) if not any(path in damaged for path in row)]
        files = without_damaged(files, damaged, settings, notes)
        stacks = {name: _taken(stack, sound) for name, stack in stacks.items()}
    return {name: stacks.get(name, list(paths)) for name, paths in files.items()}


def _taken(images: np.ndarray | Sequence, places: list[int]) -> np.ndarray | Sequence:
    return images[places] if isinstance(images, np.ndarray) else [images[place] for place in places]
