"""Images that are made of others, and two domains of images without pairs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.files_together import read_together
from ganglion.data.formats.folder_layout import PART_NAMES, folders_in, readable, uses
from ganglion.data.formats.images.folders import sizes_of
from ganglion.data.formats.images.two_folders import PAIRS, TwoFolders, find_two_folders, images_in, partners
from ganglion.data.pixels import Range
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.settings import unknown_name

SIDES = ("source", "target")
HALVES = ("left", "right")
FILE = "file"
"""What the files of samples are called while they are read."""


def find_pairs(folder: Path, settings: DataSettings, asked: bool) -> TwoFolders | None:
    """Return the two folders of images in a folder, if there are such.

    Args:
        asked: whether pairs or domains are what is wanted; folders called A and B are classes otherwise.
    """
    wanted = settings.columns if asked and len(settings.columns) == 2 else ()
    found = find_two_folders(folder, PAIRS, wanted, letters=asked)
    if found and settings.target is not None:
        names = [name.lower() for name in found.names]
        target = settings.target.lower()
        if target not in (*names, *(name[-1] for name in names)):
            raise unknown_name("folder", settings.target, list(found.names), where=str(folder))
        return found if target in (names[1], names[1][-1]) else found.swapped()
    return found


def read_two_folders(folder: Path, found: TwoFolders, settings: DataSettings, paired: bool | None) -> Dataset:
    """Read two folders of images: as pairs by the names of their files, or as two domains.

    Args:
        paired: what is wanted; None takes pairs where the names make such.

    Raises:
        DataError: pairs are wanted, and files have none; or images cannot be read.
    """
    notes = list(found.notes)
    first, second = (images_in(folders) for folders in found.train)
    pairs = None if paired is False else partners(first, second, found.names)
    if pairs is None and paired:
        raise DataError(
            "the images of these folders are no pairs",
            where=str(folder),
            expected=f"files of the same names in {found.names[0]} and in {found.names[1]}",
            found=f"{first[0].name} and {second[0].name}",
            remedy="name the files alike, or choose a system that learns from two domains without pairs",
        )
    if pairs is None:
        notes.append(f"{found.names[0]} and {found.names[1]} are read as two domains of images without pairs")
        return _domains(folder, found, (first, second), settings, notes)
    notes.append(f"{len(pairs)} pairs: {found.names[1]} is learnt from {found.names[0]}")
    test = partners(images_in([found.test[0]]), images_in([found.test[1]]), found.names) if found.test else []
    if test is None:
        raise DataError("the images of the test part are no pairs", where=str(folder), remedy="name the files alike")
    ranges: dict[str, Range] = {}
    sides = _by_side(pairs), _by_side(test)
    values, test_values = read_together(*sides, settings, notes, beside=(FILE,), ranges=ranges)
    validation = found.validated(list(values[FILE]))
    return _dataset(folder, values, test_values, found.names, notes, ranges, validation=validation)


def _by_side(pairs: Sequence[tuple[Path, Path]]) -> dict[str, list[Path]]:
    """Return the files of both sides, and beside them the files of the first, by which samples are known later."""
    columns = {**dict(zip(SIDES, (0, 1), strict=True)), FILE: 0}
    return {name: [pair[number] for pair in pairs] for name, number in columns.items()} if pairs else {}


def _domains(
    folder: Path, found: TwoFolders, train: Sequence[list[Path]], settings: DataSettings, notes: list[str]
) -> Dataset:
    values: dict[str, np.ndarray | Sequence] = {}
    test_values: dict[str, np.ndarray | Sequence] = {}
    ranges: dict[str, Range] = {}
    for number, (name, paths) in enumerate(zip(SIDES, train, strict=True)):
        test = {name: images_in([found.test[number]])} if found.test else {}
        read, tested = read_together({name: paths}, test, settings, notes, ranges=ranges)
        values, test_values = {**values, **read}, {**test_values, **tested}
    return _dataset(folder, values, test_values, found.names, notes, ranges, paired=False)


def read_halves(folder: Path, settings: DataSettings) -> Dataset:
    """Read a folder of images of which the left half is what the right half is made of, or the other way round.

    Parts may lie in folders called train, val and test. Raises `DataError` where images are not twice as wide as high.
    """
    notes: list[str] = []
    inside = folders_in(folder)
    parts = {part: inside[name] for part, names in PART_NAMES.items() for name in names if name in inside}
    use = {use: parts[part] for part, use in uses(parts, notes).items()} if "train" in parts else {"train": folder}
    learnt = [use[part] for part in ("train", "validation") if part in use]
    files = images_in(learnt)
    test = images_in([use["test"]]) if "test" in use else []
    ranges: dict[str, Range] = {}
    sides = {"both": files, FILE: files}, ({"both": test, FILE: test} if test else {})
    both, test_both = read_together(*sides, settings, notes, beside=(FILE,), ranges=ranges)
    order = HALVES if settings.target != HALVES[0] else HALVES[::-1]
    notes.append(f"each image is a pair: the {order[1]} half is learnt from the {order[0]} half")
    values = _halves(both["both"], order, str(folder))
    test_values = _halves(test_both["both"], order, str(folder)) if test_both else {}
    validation = None
    if "validation" in use:
        validation = np.flatnonzero([path.is_relative_to(use["validation"]) for path in both[FILE]])
    return _dataset(
        folder, values, test_values, order, notes, dict.fromkeys(SIDES, ranges["both"]), validation=validation
    )


def _halves(images: np.ndarray | Sequence, order: Sequence[str], where: str) -> dict[str, np.ndarray | Sequence]:
    sizes = set(sizes_of(images))
    for height, width in sizes:
        if width != 2 * height:
            raise DataError(
                "these images are no pairs side by side",
                where=where,
                expected="images twice as wide as high, or two folders such as source/ and target/",
                found=f"{width} x {height}",
            )
    pairs = [np.split(image, 2, axis=1) for image in images]
    together = np.stack if len(sizes) == 1 else list
    halves = {half: together([pair[number] for pair in pairs]) for number, half in enumerate(HALVES)}
    return {side: halves[half] for side, half in zip(SIDES, order, strict=True)}


def _dataset(
    folder: Path,
    values: Mapping[str, np.ndarray | Sequence],
    test_values: Mapping[str, np.ndarray | Sequence],
    names: Sequence[str],
    notes: list[str],
    ranges: Mapping[str, Range],
    paired: bool = True,
    validation: np.ndarray | None = None,
) -> Dataset:
    called = dict(zip(SIDES, names, strict=True))

    def fields(part: Mapping[str, np.ndarray | Sequence]) -> dict[str, Field]:
        return {
            name: Field(kind="images", values=part[name], called=called[name], paired=paired, pixels=ranges[name])
            for name in SIDES
            if name in part
        }

    return Dataset(
        name=readable(folder.name),
        fields=fields(values),
        test_fields=fields(test_values),
        source=str(folder),
        fingerprint=fingerprint(*values.values(), *test_values.values()),
        notes=tuple(notes),
        validation=validation,
    )
