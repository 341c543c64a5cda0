"""Which image files a folder holds, in which parts and classes, before any is opened."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ganglion.data.formats.image_files import is_image
from ganglion.errors import DataError

PART_NAMES = {
    "train": ("train", "training"),
    "test": ("test", "testing"),
    "validation": ("val", "valid", "validation", "dev"),
}


@dataclass
class Folder:
    """The image files of a folder by part."""

    train: list[Path] = field(default_factory=list)
    test: list[Path] = field(default_factory=list)
    labels: dict[Path, str] = field(default_factory=dict)
    """The class of each file; empty where there are no classes."""
    notes: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[Path]:
        return self.train + self.test

    @property
    def classes(self) -> list[str]:
        """The classes in order: by number where they are numbers, so that 10 comes after 9."""
        return sorted(set(self.labels.values()), key=lambda name: (int(name) if name.isdecimal() else 1 << 62, name))


def scan(folder: Path) -> Folder:
    """Find the image files of a folder: one folder per class or none, maybe inside folders of parts.

    Raises:
        DataError: there are no images, or some lie beside the folders of the classes.
    """
    files, others = walk(folder)
    links = sum(path.is_symlink() for path in files)
    said = ", ".join(f"{count} {suffix or 'without ending'}" for suffix, count in others.most_common(5))
    if not files:
        raise DataError(
            "there are no images in this folder",
            where=str(folder),
            found=said,
            expected="a folder of images for each class",
        )
    found = Folder()
    if links:
        found.notes.append(f"{links} images are links to files elsewhere, which were followed; linked folders are not")
    if others:
        found.notes.append(f"files that are no images left out: {said}")
    parts = _parts(folder, files, found.notes)
    inside = {path: path.relative_to(root).parts for _, root, paths in parts for path in paths}
    classes = {steps[0] for steps in inside.values() if len(steps) > 1}
    stray = [path for path, steps in inside.items() if len(steps) == 1]
    if len(classes) > 1 and stray:
        raise DataError(
            "some images lie beside the folders of the classes", where=str(stray[0]), remedy="move them into a class"
        )
    if len(classes) > 1:
        found.labels = {path: readable(steps[0]) for path, steps in inside.items()}
    else:
        found.notes.append("there are no folders of classes: the images have no labels")
    for part, _, paths in parts:
        (found.test if part == "test" else found.train).extend(paths)
    return found


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


def walk(folder: Path) -> tuple[list[Path], Counter[str]]:
    """Return the image files in the order of their names, and the endings of other files."""
    files: list[Path] = []
    others: Counter[str] = Counter()
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(names):
            if is_image(name):
                files.append(Path(root, name))
            elif not name.startswith(".") and name != "Thumbs.db":
                others[os.path.splitext(name)[1].lower()] += 1
    return files, others


def _parts(folder: Path, files: list[Path], notes: list[str]) -> list[tuple[str, Path, list[Path]]]:
    """Return what each folder of a part is used for, the folder and its files; one part where nothing is divided."""
    tops = sorted({path.relative_to(folder).parts[0] for path in files})
    roles = {top: next((role for role, names in PART_NAMES.items() if top.lower() in names), "") for top in tops}
    # A class may be called `test` as well: parts are only what stands beside training images and nothing else.
    if "train" not in roles.values() or "" in roles.values():
        return [("train", folder, files)]
    use = {"train": "train", "test": "test", "validation": "train"}
    if "validation" in roles.values() and "test" not in roles.values():
        use["validation"] = "test"
        notes.append("the validation folder is used as the test part")
    elif "validation" in roles.values():
        notes.append("the validation folder is joined to the training part, which is divided anew")
    return [
        (use[roles[top]], folder / top, [path for path in files if path.is_relative_to(folder / top)]) for top in tops
    ]
