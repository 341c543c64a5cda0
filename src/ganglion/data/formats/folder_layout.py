"""Which image files a folder holds, in which parts and classes, before any is opened."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from ganglion.data.formats.images.files import UNREAD, is_image
from ganglion.errors import DataError
from ganglion.files import walked
from ganglion.settings import unknown_name

PART_NAMES = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("val", "valid", "validation", "dev"),
}


NAMES_FLAG = "--labels names"
ABOUT = re.compile(r"(readme|licen[cs]e|copying|copyright|citation|changelog|notice|authors)\b.*", re.IGNORECASE)


def describes(name: str) -> bool:
    """Whether a file of that name tells about data instead of holding some.

    >>> describes("README.md"), describes("LICENSE"), describes("reads.txt")
    (True, True, False)
    """
    return bool(ABOUT.fullmatch(name))


@dataclass
class Folder:
    """The image files of a folder by part."""

    train: list[Path] = field(default_factory=list)
    test: list[Path] = field(default_factory=list)
    validation: set[Path] = field(default_factory=set)
    """Those of the training files that lie in a folder for validation."""
    labels: dict[Path, str] = field(default_factory=dict)
    """The class of each file; empty where there are no classes."""
    notes: list[str] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    """Pictures of formats that are not read, unless one that is read stands beside them under the same name."""

    @property
    def files(self) -> list[Path]:
        return self.train + self.test

    @property
    def classes(self) -> list[str]:
        """The classes in order: by number where they are numbers, so that 10 comes after 9."""
        return sorted(set(self.labels.values()), key=lambda name: (int(name) if name.isdecimal() else 1 << 62, name))


NUMBERED = re.compile(r"(?P<label>.+?)[-._ ]+\(?\d+\)?|(?P<word>[^\W\d_]+)\d+")
"""Names of files that begin with a class and end in a number."""
MOST_PREFIXES = 50


def scan(folder: Path, labels: str = "auto") -> Folder:
    """Find the image files of a folder: one folder per class or none, maybe inside folders of parts.

    A folder that holds nothing but one other, in which folders of classes lie, is looked through.

    Args:
        labels: where the classes stand: in the names of folders (also `auto`), or in those of the files (`names`).

    Raises:
        DataError: there are no images, some lie beside the folders of the classes, or a class has none.
    """
    if labels not in ("auto", "folders", "names"):
        raise unknown_name("way to label pictures", labels, ["folders", "names"], where="--labels")
    files, others = walk(folder)
    links = sum(path.is_symlink() for path in files)
    linked = sum(path.is_symlink() for path in {path.parent for path in files} - {folder})
    said = ", ".join(f"{count} {suffix or 'without ending'}" for suffix, count in others.most_common(5))
    if not files:
        raise DataError(
            "there are no images in this folder",
            where=str(folder),
            found=said,
            expected="a folder of images for each class",
            remedy="give the folder in which the images lie, as PNG, JPEG and the like",
        )
    found = Folder()
    folder = _unwrapped(folder, files, found.notes)
    if links:
        found.notes.append(f"{links} images are links to files elsewhere, which were followed")
    if linked:
        found.notes.append(f"{linked} folders are links to folders elsewhere, which were followed")
    if others:
        found.notes.append(f"files that are no images left out: {said}{_how_to_read(others)}")
    if UNREAD.keys() & others.keys():
        unread, _ = walk(folder, lambda name: os.path.splitext(name)[1].lower() in UNREAD)
        known = {path.with_suffix("") for path in files}
        found.unread = [path for path in unread if path.with_suffix("") not in known]
    parts = parts_of(folder, files, found.notes)
    inside = {path: path.parts[len(root.parts) :] for _, root, paths in parts for path in paths}
    classes = {steps[0] for steps in inside.values() if len(steps) > 1}
    stray = [path for path, steps in inside.items() if len(steps) == 1]
    if len(classes) > 1 and stray:
        raise DataError(
            "some images lie beside the folders of the classes", where=str(stray[0]), remedy="move them into a class"
        )
    if labels != "names" and classes:
        for _, root, _ in parts:
            _refuse_unread_classes(root, classes)
    if labels == "names":
        found.labels = _by_names(files, str(folder))
    elif len(classes) > 1:
        found.labels = {path: readable(steps[0]) for path, steps in inside.items()}
    else:
        prefixes = set(_prefixes(files).values())
        if 1 < len(prefixes) <= MOST_PREFIXES and len(files) >= 2 * len(prefixes):
            begin = ", ".join(sorted(prefixes)[:5])
            found.notes.append(f"the names of the files begin with {begin}: {NAMES_FLAG} takes these as classes")
        found.notes.append("there are no folders of classes: the images have no labels")
    for part, _, paths in parts:
        (found.test if part == "test" else found.train).extend(paths)
        if part == "validation":
            found.validation.update(paths)
    return found


def _unwrapped(folder: Path, files: list[Path], notes: list[str]) -> Path:
    """Return the folder in which folders of classes or parts lie, below folders that hold only one each."""
    inside = {path.parts[len(folder.parts) : -1] for path in files}
    first, last = min(inside), max(inside)  # what these share, all share
    shared = Path(*(left for left, _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))))
    depth = len(shared.parts)
    if not depth or len({steps[depth : depth + 1] for steps in inside} - {()}) < 2 or shared.parts in inside:
        return folder
    notes.append(f"all images lie in the folder {readable(str(shared))}, which is taken for the set")
    return folder / shared


def _prefixes(files: list[Path]) -> dict[Path, str]:
    """Return what stands before the number in the name of each file; nothing where one has no such name."""
    matches = {path: NUMBERED.fullmatch(path.stem) for path in files}
    if not all(matches.values()):
        return {}
    return {path: readable(match["label"] or match["word"]) for path, match in matches.items() if match}


def _by_names(files: list[Path], where: str) -> dict[Path, str]:
    found = _prefixes(files)
    if len(set(found.values())) < 2:
        raise DataError(
            "the names of these files hold no classes",
            where=where,
            expected="names such as cat.0.jpg and dog-12.png",
            found=", ".join(readable(path.name) for path in files[:3]),
            remedy="put the images of each class into a folder of its name",
        )
    return found


def _refuse_unread_classes(root: Path, classes: set[str]) -> None:
    """Raise where a folder beside those of the classes holds pictures, but none that can be read."""
    for folder in folders_in(root).values():
        if folder.name in classes or folder.name.startswith((".", "__")):
            continue
        _, others = walk(folder)
        unread = {suffix: count for suffix, count in others.items() if suffix in UNREAD}
        if unread:
            raise DataError(
                "no picture of this class can be read",
                where=str(folder),
                expected="PNG, JPEG, BMP, GIF, TIFF or WebP",
                found=", ".join(f"{count} {suffix}" for suffix, count in unread.items()),
                remedy="save them as JPEG or PNG, or take the folder away if it is no class",
            )


def _how_to_read(others: Counter[str]) -> str:
    kinds = sorted({UNREAD[suffix] for suffix in others if suffix in UNREAD})
    return f" (pictures in {', '.join(kinds)} are not read: save them as JPEG or PNG)" if kinds else ""


def folders_in(folder: Path) -> dict[str, Path]:
    """Return the folders in a folder by their names in small letters; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return {}
    return {name.lower(): folder / name for name in found}


def readable(name: str) -> str:
    """Return the name of a file as text that can be written anywhere, whatever bytes it is made of."""
    return os.fsencode(name).decode("utf-8", "replace")


def walk(folder: Path, wanted: Callable[[str], bool] = is_image) -> tuple[list[Path], Counter[str]]:
    """Return the image files, or others that are wanted, in the order of their names, and the endings of the rest."""
    files: list[Path] = []
    others: Counter[str] = Counter()
    for root, names in walked(folder):
        for name in names:
            if wanted(name):
                files.append(root / name)
            elif not name.startswith(".") and name != "Thumbs.db":
                others[os.path.splitext(name)[1].lower()] += 1
    return files, others


def parts_of(folder: Path, files: list[Path], notes: list[str]) -> list[tuple[str, Path, list[Path]]]:
    """Return what each folder of a part is used for, the folder and its files; one part where nothing is divided."""
    tops = sorted({path.parts[len(folder.parts)] for path in files})
    roles = {top: next((role for role, names in PART_NAMES.items() if top.lower() in names), "") for top in tops}
    # A class may be called `test` as well: parts are only what stands beside training images and nothing else.
    if "train" not in roles.values() or "" in roles.values():
        return [("train", folder, files)]
    use = uses(roles.values(), notes)
    return [
        (use[roles[top]], folder / top, [path for path in files if path.is_relative_to(folder / top)]) for top in tops
    ]


def uses(parts: Iterable[str], notes: list[str], what: str = "the validation folder") -> dict[str, str]:
    """Return what each part that a set is divided into is used for, and note it of the one for validation.

    >>> uses(["train", "validation"], [])
    {'train': 'train', 'validation': 'test'}
    """
    use = {part: part for part in parts}
    if "validation" in use and "test" not in use:
        use["validation"] = "test"
        notes.append(f"{what} is used as the test part")
    elif "validation" in use:
        notes.append(f"{what} is used as the validation part; --validation 0 learns from it instead")
    return use
