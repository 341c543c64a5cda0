"""Two folders whose images belong together, or stand for two domains: which they are, and which files are pairs."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganglion.data.formats.folder_layout import PART_NAMES, folders_in, readable, uses
from ganglion.data.formats.images.files import is_image
from ganglion.errors import DataError
from ganglion.files import files_below
from ganglion.settings import unknown_name

PAIRS = (("source", "target"), ("input", "output"), ("inputs", "outputs"), ("noisy", "clean"), ("low", "high"))
"""What two folders of pairs are called, what is given before what is wanted."""
LETTERS = ("a", "b")
"""Names that could be those of two classes, and mean pairs only where these are asked for, or behind `train`."""
MASKED = tuple(
    (images, masks)
    for images in ("images", "image", "imgs", "img", "jpegimages")
    for masks in ("masks", "mask", "labels", "label", "segmentationclass", "segmentation")
)
"""What folders of images and of their masks are called."""
NAMED = 5
"""Files without a partner that an error names."""


@dataclass(frozen=True)
class TwoFolders:
    """Two folders of images, and maybe two more as the test part, and as the validation part."""

    train: tuple[tuple[Path, ...], tuple[Path, ...]]
    """The folders of each side; several where a validation part lies beside the training part."""
    test: tuple[Path, Path] | None
    validation: tuple[Path, Path] | None = None
    """Those of the training folders that hold the validation part."""
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, str]:
        """What the folders are called."""
        first, second = self.train
        return readable(first[0].name), readable(second[0].name)

    def swapped(self) -> "TwoFolders":
        return replace(
            self,
            train=self.train[::-1],
            test=self.test and self.test[::-1],
            validation=self.validation and self.validation[::-1],
        )

    def validated(self, paths: Sequence[Path]) -> np.ndarray | None:
        """Return which of the training files of the first side are the validation part (count,); None without such."""
        if self.validation is None:
            return None
        return np.flatnonzero([path.is_relative_to(self.validation[0]) for path in paths])


def find_two_folders(
    folder: Path, known: Sequence[tuple[str, str]], wanted: Sequence[str] = (), letters: bool = False
) -> TwoFolders | None:
    """Look for two folders by their names: beside each other, in folders of parts, or as `trainA` and `trainB`.

    Args:
        known: names that are looked for.
        wanted: two names that the user gave instead.
        letters: whether folders that are called A and B count.

    Raises `ConfigurationError` if there is no folder of a name that the user gave.
    """
    inside = folders_in(folder)
    parts = {part: [inside[name] for name in names if name in inside] for part, names in PART_NAMES.items()}
    if wanted:
        return _named(inside, parts, wanted, str(folder))
    for first, second in known:
        found = _beside(inside, parts, first, second)
        if found:
            return found
    first, second = LETTERS
    return _prefixed(inside, first, second) or (_beside(inside, parts, first, second) if letters else None)


def _named(inside: dict[str, Path], parts: dict[str, list[Path]], wanted: Sequence[str], where: str) -> TwoFolders:
    found = _beside(inside, parts, *(name.lower() for name in wanted))
    if not found:
        missing = next(name for name in wanted if name.lower() not in inside)
        raise unknown_name("folder", missing, [readable(path.name) for path in inside.values()], where=where)
    return found


def _beside(inside: dict[str, Path], parts: dict[str, list[Path]], first: str, second: str) -> TwoFolders | None:
    """Find two folders beside each other, here or in the folders of the parts."""
    if first in inside and second in inside:
        return TwoFolders(((inside[first],), (inside[second],)), None)
    found = {part: _both(folders[0], first, second) for part, folders in parts.items() if folders}
    return _in_parts({part: both for part, both in found.items() if both})


def _both(folder: Path, first: str, second: str) -> tuple[Path, Path] | None:
    inside = folders_in(folder)
    return (inside[first], inside[second]) if first in inside and second in inside else None


def _prefixed(inside: dict[str, Path], first: str, second: str) -> TwoFolders | None:
    """Find folders that are called `trainA` and `trainB`, and maybe `testA` and `testB`."""
    found = {
        part: (inside[name + first], inside[name + second])
        for part, names in PART_NAMES.items()
        for name in names
        if name + first in inside and name + second in inside
    }
    return _in_parts(found)


def _in_parts(found: dict[str, tuple[Path, Path]]) -> TwoFolders | None:
    """Return folders by part: that of validation is the test part where there is none."""
    if "train" not in found:
        return None
    notes: list[str] = []
    by_use = {use: found[part] for part, use in uses(found, notes).items()}
    validation = by_use.get("validation")
    first, second = zip(*filter(None, (by_use["train"], validation)), strict=True)
    return TwoFolders((first, second), by_use.get("test"), validation, tuple(notes))


def images_in(folders: Sequence[Path]) -> list[Path]:
    """Return the image files in folders and below them, in the order of their names. Raises `DataError` for none."""
    found = [path for folder in folders for path in files_below(folder) if is_image(path.name) and path.is_file()]
    if not found:
        raise DataError(
            "there are no images in this folder",
            where=", ".join(map(str, folders)),
            expected="files that end in .png, .jpg and the like",
        )
    return found


def partners(first: Sequence[Path], second: Sequence[Path], names: tuple[str, str]) -> list[tuple[Path, Path]] | None:
    """Return the pairs of files whose names correspond; None where those of one side say nothing about the other's.

    Names correspond where they are the same, the same without what their folders are called (`7_A`, `7_B`), or have
    the same number in them (`image-007`, `mask-7`). Raises `DataError` if most files have a partner and some have none.
    """
    best: tuple[int, list[Path]] = (0, [])
    for key in (_stem, _without_side, _number):
        keys = [[key(path, name) for path in paths] for paths, name in zip((first, second), names, strict=True)]
        if any(max(Counter(each).values()) > 1 or "" in each for each in keys):
            continue
        sides = [dict(zip(each, paths, strict=True)) for each, paths in zip(keys, (first, second), strict=True)]
        shared = sides[0].keys() & sides[1].keys()
        alone = [path for side in sides for name, path in side.items() if name not in shared]
        if not alone:
            return [(path, sides[1][name]) for name, path in sides[0].items()]
        best = max(best, (len(shared), alone), key=lambda each: each[0])
    count, alone = best
    if count * 2 <= min(len(first), len(second)):
        return None
    raise DataError(
        "some images have no partner in the other folder",
        where=", ".join(map(str, alone[:NAMED])) + (", ..." if len(alone) > NAMED else ""),
        expected=f"an image of the same name in {names[0]} and in {names[1]}",
        found=f"{count} pairs, and {len(alone)} images without a partner",
        remedy="give them partners, or move them away",
    )


Key = Callable[[Path, str], str]


def _stem(path: Path, side: str) -> str:
    return path.stem.lower()


def _without_side(path: Path, side: str) -> str:
    """Return the name without what its folder is called at its end: `7_A` in `A` or `trainA` is `7`."""
    folder = side.lower()
    letter = folder[-1:] if folder[:-1] in ("", *(name for names in PART_NAMES.values() for name in names)) else folder
    for end in (folder, folder.rstrip("s"), letter):
        found = re.fullmatch(rf"(.+?)[-_. ]?{re.escape(end)}", path.stem.lower())
        if found:
            return found[1]
    return path.stem.lower()


def _number(path: Path, side: str) -> str:
    found = re.findall(r"\d+", path.stem)
    return str(int(found[-1])) if found else ""
