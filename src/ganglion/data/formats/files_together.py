"""Image files of several fields, read so that what belongs together stays together even where a file is damaged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.formats.image_files import Header, decode, in_threads, read_header
from ganglion.data.formats.image_folders import NAMED, ImageFiles, attempt, common_shape, keep_sizes, streams
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

Files = Mapping[str, Sequence[Path]]
"""The files of each field; file i of one belongs to file i of the others."""
Images = dict[str, np.ndarray | Sequence]
Size = tuple[int, int]
"""Height and width."""


def read_together(
    train: Files, test: Files, settings: DataSettings, notes: list[str], beside: Sequence[str] = ()
) -> tuple[Images, Images]:
    """Read the images of some fields in two parts, each field in one colour, and at one size or each image at its own.

    A sample of which a file is damaged is left out where `settings.allow_problems` is set.

    Args:
        beside: fields whose files are not read here; those of the samples that are left are returned as paths.

    Raises:
        DataError: a file is damaged.
    """
    damaged: dict[Path, DataError] = {}
    headers: dict[Path, Header] = {}
    for path, result in _tried(read_header, train, test):
        if isinstance(result, Header):
            headers[path] = result
        else:
            damaged[path] = result
    train, test = without_damaged(train, damaged, settings, notes), without_damaged(test, damaged, settings, [])
    shapes: dict[str, tuple[Size | None, int]] = {}
    total = 0
    for name in [name for name in train if name not in beside]:
        found = [headers[path] for part in (train, test) for path in part.get(name, ())]
        own_sizes, said = keep_sizes(found, settings), list[str]()
        size, channels = common_shape(found, said, own_sizes)
        shapes[name] = None if own_sizes else size, channels
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


Shapes = Mapping[str, tuple[Size | None, int]]
"""Height and width of each field, nothing where images keep their own, and channels."""


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
        paths, (size, channels) = files[name], shapes[name]
        stack: Any = [None] * len(paths) if size is None else np.empty((len(paths), *size, channels), dtype=np.uint8)
        stacks[name] = stack
        decoding = partial(attempt, partial(decode, size=size, channels=channels))
        for number, image in enumerate(in_threads(decoding, paths)):
            if isinstance(image, DataError):
                damaged[paths[number]] = image
            else:
                stack[number] = image
    if damaged:
        rows = list(zip(*files.values(), strict=True))
        sound = [place for place, row in enumerate(rows) if not any(path in damaged for path in row)]
        files = without_damaged(files, damaged, settings, notes)
        stacks = {name: _taken(stack, sound) for name, stack in stacks.items()}
    return {name: stacks.get(name, list(paths)) for name, paths in files.items()}


def _taken(images: np.ndarray | Sequence, places: list[int]) -> np.ndarray | Sequence:
    return images[places] if isinstance(images, np.ndarray) else [images[place] for place in places]
