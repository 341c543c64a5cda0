"""Folders of texts: a folder or a file for each class, or a file for each part whose lines begin with their labels."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.formats.folder_layout import PART_NAMES, describes, readable
from ganglion.data.formats.roles import NO_TARGET
from ganglion.data.formats.tables import SUFFIXES
from ganglion.data.formats.texts.documents import by_number, dataset_of, labelled_lines, read_documents, unlabelled
from ganglion.data.formats.texts.many_files import read_files
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError, UsageError
from ganglion.files import files_below

Rows = list[tuple[str, str]]
"""Texts and their labels."""


def read_document_folder(folder: Path, settings: DataSettings) -> Dataset:
    """Read labelled texts from a folder.

    The texts of a class are the files in the folder of its name, or the lines of the file of its name; folders called
    train and test are the parts. Or there is one table, or a file for each part, as `films.train` and `films.test`,
    whose lines begin with their labels. Files called README, LICENSE and the like are not read.

    Raises:
        UsageError: there are several tables or sets.
        DataError: there are no texts of two classes, or the test part has others.
    """
    files = [Path(entry.path) for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith(".")]
    files = sorted(path for path in files if not describes(path.name))
    tables = [path for path in files if path.suffix.lower() in SUFFIXES]
    if tables:
        if len(tables) > 1:
            raise _several(folder, [path.name for path in tables])
        return read_documents(tables[0], settings).with_note(f"read from {tables[0].name}")
    if settings.target == NO_TARGET:
        return _unlabelled(folder, settings.encoding)
    by_part = {role: [path for path in files if _role(path) == role] for role in PART_NAMES}
    if any(by_part.values()):
        return _of_parts(folder, by_part, settings)
    parts = {role: _part(folder, role) for role in ("train", "test")}
    notes: list[str] = []
    rows = _labelled(parts["train"] or folder, notes, settings.encoding)
    test = _labelled(parts["test"], notes, settings.encoding) if parts["train"] and parts["test"] else []
    return _checked(folder, rows, test, notes)


def _unlabelled(folder: Path, encoding: str | None) -> Dataset:
    """Read each file of a folder and of those below as one text of no class."""
    paths = [path for path in files_below(folder) if not path.name.startswith(".") and not describes(path.name)]
    notes: list[str] = []
    texts = [text for read in read_files(paths, encoding, notes) if (text := read.strip())]
    return unlabelled(folder, texts, [f"a text from each of {len(texts)} files, without labels", *notes])


def _checked(folder: Path, rows: Rows, test: Rows, notes: list[str]) -> Dataset:
    names = sorted({name for _, name in rows}, key=by_number)
    strange = sorted({name for _, name in test} - set(names))
    if strange:
        raise DataError(
            "the test part has classes that the training part lacks",
            where=str(folder),
            found=", ".join(strange[:10]),
            remedy="put some texts of them into the training part, or leave them out",
        )
    return dataset_of(folder, names, rows, test, notes, ())


def _several(folder: Path, names: Sequence[str]) -> UsageError:
    return UsageError(
        "this folder holds several sets of texts",
        where=str(folder),
        found=", ".join(names[:10]),
        remedy="give the path of one of the files, or move the others away",
    )


def _role(path: Path) -> str:
    """Return which part a file is, by its ending or its name: `films.train`, `test.txt`; nothing for others."""
    words = {path.suffix[1:].lower(), path.stem.lower()}
    return next((role for role, names in PART_NAMES.items() if words & set(names)), "")


def _of_parts(folder: Path, files: dict[str, list[Path]], settings: DataSettings) -> Dataset:
    """Read a file for each part."""
    if any(len(paths) > 1 for paths in files.values()):
        raise _several(folder, [path.name for paths in files.values() for path in paths])
    if not files["train"]:
        raise DataError("there is no file of the training part", where=str(folder), expected="a file called train")
    rows = {role: labelled_lines(paths[0], settings.encoding) if paths else [] for role, paths in files.items()}
    notes = [f"one text a line behind its label, from {', '.join(paths[0].name for paths in files.values() if paths)}"]
    test = rows["test"] or rows["validation"]
    held = rows["validation"] if rows["test"] else []
    found = _checked(folder, rows["train"] + held, test, notes)
    places = np.arange(len(rows["train"]), len(rows["train"]) + len(held))
    return replace(found, validation=places if held else None)


def _part(folder: Path, role: str) -> Path | None:
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    return next((folder / name for name in names if name.lower() in PART_NAMES[role]), None)


def _labelled(folder: Path, notes: list[str], encoding: str | None) -> list[tuple[str, str]]:
    """Return the texts of a folder with their classes."""
    classes = sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))
    if classes:
        inside = [(path, label) for label in classes for path in files_below(label) if not path.name.startswith(".")]
        read = read_files([path for path, _ in inside], encoding, notes)
        rows = [(text.strip(), readable(label.name)) for text, (_, label) in zip(read, inside, strict=True)]
    else:
        files = sorted(
            entry
            for entry in folder.iterdir()
            if entry.is_file() and not entry.name.startswith(".") and not describes(entry.name)
        )
        rows = [
            (line.strip(), label)
            for text, label in zip(read_files(files, encoding, notes), _labels_of(files), strict=True)
            for line in text.split("\n")
        ]
        notes.append(f"one text a line in {', '.join(readable(path.name) for path in files[:5])}")
    kept = [(text, label) for text, label in rows if text]
    if len({label for _, label in kept}) < 2:
        raise DataError(
            "there are no texts of two classes in this folder",
            where=str(folder),
            expected="a folder of text files for each class, or a text file for each class with one text a line",
            found=", ".join(sorted({label for _, label in kept})) or "no texts",
        )
    if len(kept) < len(rows) and classes:
        notes.append(f"{len(rows) - len(kept)} empty texts left out")
    return kept


def _labels_of(files: Sequence[Path]) -> list[str]:
    """Return what tells files of classes apart: their endings where their stems are one, else their stems."""
    stems = {path.stem for path in files}
    return [readable(path.suffix[1:] if len(stems) == 1 else path.stem) for path in files]
