"""Tables beside pictures that say what these show: which column names the files is found by evidence."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganglion.data.formats.folder_layout import PART_NAMES, describes, folders_in, readable
from ganglion.data.formats.images.files import SUFFIXES as PICTURES
from ganglion.data.formats.tables import SUFFIXES, read_table
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.settings import unknown_name

LAYOUTS = ("auto", "folders", "names")
"""What `--labels` can be beside the name of a table."""
FEWEST = 2
"""Rows of a table that must name a picture."""
MOSTLY = 0.5
"""Share of the rows that must."""
FEW_PICTURES = 0.1
"""Share of the pictures that must be named by a column of numbers, lest a list of classes counts as their names."""
SUBMISSION = re.compile(r".*sample.?sub.*|.*submission.*", re.IGNORECASE)
"""What competitions call the form for answers."""


@dataclass(frozen=True)
class LabelTable:
    """A table with a row for each picture."""

    path: Path
    column: str
    """The column that names the files."""
    files: tuple[Path | None, ...]
    """The picture that each row names; None where there is none of that name."""

    @property
    def part(self) -> str:
        """Which part it belongs to by the name of its folder or its own; nothing where it says nothing of that."""
        words = {*re.split(r"[\W_]+", self.path.stem.lower()), self.path.parent.name.lower()}
        return next((part for part, names in PART_NAMES.items() if words & set(names)), "")


def tables_in(folder: Path) -> list[Path]:
    """Return the tables that lie in a folder or in folders of parts within it."""
    parts = [path for name, path in folders_in(folder).items() if any(name in names for names in PART_NAMES.values())]
    return [
        path
        for place in (folder, *parts)
        for path in sorted(place.iterdir())
        if path.suffix.lower() in SUFFIXES and path.is_file() and not describes(path.name)
    ]


def find_label_tables(
    folder: Path,
    files: Sequence[Path],
    settings: DataSettings,
    broken: list[DataError],
    endings: tuple[str, ...] = PICTURES,
) -> list[LabelTable]:
    """Return the tables whose rows name pictures; only the one that the user names, if there is such.

    Why other tables cannot be read is added to `broken`. Raises `DataError` where a table was named and names no
    pictures, and `ConfigurationError` where there is no such table.
    """
    paths = tables_in(folder)
    if settings.labels not in LAYOUTS:
        names = [readable(str(path.relative_to(folder))) for path in paths]
        if settings.labels not in names:
            raise unknown_name("table beside these pictures", settings.labels, [*LAYOUTS, *names], where=str(folder))
        (path,) = (path for path, name in zip(paths, names, strict=True) if name == settings.labels)
        found = _naming(path, files, settings, endings)
        if found is None:
            raise DataError(
                "no column of this table names the pictures",
                where=str(path),
                expected=f"names such as {readable(files[0].name)}",
                remedy="write the names of the files into a column, with or without their endings",
            )
        return [found]
    tables = []
    for path in paths:
        try:
            table = None if SUBMISSION.fullmatch(path.stem) else _naming(path, files, settings, endings)
        except DataError as error:
            broken.append(error)
        else:
            tables += [table] if table else []
    return tables


def _naming(path: Path, files: Sequence[Path], settings: DataSettings, endings: tuple[str, ...]) -> LabelTable | None:
    """Return the column of a table that names the most pictures, if it names most of what stands in it."""
    near = [file for file in files if file.is_relative_to(path.parent)]
    if not near:
        return None
    table = read_table(path, settings, as_text=True)
    known = names_of(near, path.parent)
    best: tuple[int, str, tuple[Path | None, ...]] = (0, "", ())
    for name in table.names if settings.index is None else [settings.index]:
        cells = [str(cell or "").strip() for cell in table[name]]
        found = tuple(picture_named(cell, known, endings) for cell in cells)
        count, said = sum(file is not None for file in found), sum(map(bool, cells))
        by_ending = any(cell.lower().endswith(endings) for cell in cells)
        enough = count >= max(FEWEST, MOSTLY * said) and (by_ending or count >= FEW_PICTURES * len(near))
        if (enough or settings.index is not None) and count > best[0]:
            best = (count, name, found)
    return LabelTable(path, best[1], best[2]) if best[0] else None


def names_of(files: Sequence[Path], root: Path) -> dict[str, Path | None]:
    """Return what pictures may be called: by their place in the folder or by their name, with and without the ending.

    A name that two pictures have is none.
    """
    known: dict[str, Path | None] = {}
    for file in files:
        inside = file.relative_to(root)
        for name in {inside.as_posix(), inside.with_suffix("").as_posix(), inside.name, inside.stem}:
            key = readable(name).casefold()
            known[key] = None if known.get(key, file) != file else file
    if all(file.stem.isdecimal() for file in files):  # 7 is 007.jpg
        for file in files:
            known.setdefault(str(int(file.stem)), file)
    return known


def picture_named(cell: str, known: Mapping[str, Path | None], endings: tuple[str, ...] = PICTURES) -> Path | None:
    """Return the picture that a cell names, by its place, its name, or its name with another ending."""
    whole = cell.replace("\\", "/").removeprefix("./").casefold()
    name = whole.rsplit("/", 1)[-1]
    stem = name.rsplit(".", 1)[0] if name.endswith(endings) else name
    return next((known[key] for key in (whole, name, stem) if known.get(key)), None) if cell else None
