"""Tables beside sounds that say what is heard in each: a class, or a text that is spoken."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ganglion.data.formats.folder_layout import readable
from ganglion.data.formats.images.label_tables import find_label_tables, tables_in
from ganglion.data.formats.roles import TARGET_NAMES
from ganglion.data.formats.sounds.files import SUFFIXES
from ganglion.data.formats.tables import read_table
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.findings import Finding

SAID: Literal["texts"] = "texts"
TEXT_NAMES = ("text", "transcript", "transcription", "sentence", "utterance", "normalized_text", "words")
CLASS_NAMES = (*TARGET_NAMES, "labels", "category", "word", "command", "keyword", "tag")
NAMED = 5
MOST_CLASS_SHARE = 0.5
"""Different answers, in parts of the sounds, from which on they are texts and no classes."""


@dataclass(frozen=True)
class Told:
    """What is heard in each sound, by the rows of a table."""

    of: Mapping[Path, str]
    kind: Literal["classes", "texts"]
    column: str


def find_told(
    folder: Path, files: list[Path], settings: DataSettings, notes: list[str], findings: list[Finding]
) -> Told | None:
    """Return what a table beside sounds says of them; None where no table names any.

    Raises `DataError` where several name them, or where it is open which column says what is heard.
    """
    if not tables_in(folder):
        return None
    broken: list[DataError] = []
    found = find_label_tables(folder, files, settings, broken, SUFFIXES)
    first = next(iter(broken), None)
    if isinstance(first, DataError) and not found:
        raise first
    if not found:
        return None
    if len(found) > 1:
        raise DataError(
            "several tables name these sounds",
            where=str(folder),
            expected="one table",
            found=", ".join(readable(table.path.name) for table in found),
            remedy="say which with --labels NAME",
        )
    (named,) = found
    table = read_table(named.path, settings, as_text=True)
    column = _column([name for name in table.names if name != named.column], settings, str(named.path))
    cells = {path: str(table[column][row] or "").strip() for row, path in enumerate(named.files) if path is not None}
    told = {path: cell for path, cell in cells.items() if cell}
    missing = [path for path in files if path not in told]
    if missing:
        message = f"sounds without a row that says what is heard: {len(missing)}"
        where = tuple(readable(path.name) for path in missing[:NAMED])
        remedy = f"complete {readable(named.path.name)}; --allow-problems goes on without them"
        findings.append(Finding(name="sounds-without-row", level="stop", message=message, where=where, remedy=remedy))
    several = len(set(told.values())) > MOST_CLASS_SHARE * len(told)
    by_words = column.lower() in TEXT_NAMES if column.lower() in (*TEXT_NAMES, *CLASS_NAMES) else several
    notes.append(
        f"what is heard is read from the column {column!r} of {readable(named.path.name)}, as "
        + ("text" if by_words else "classes")
    )
    return Told(told, SAID if by_words else "classes", column)


def _column(names: list[str], settings: DataSettings, where: str) -> str:
    """Return the column that says what is heard."""
    if settings.target in names:
        return str(settings.target)
    known = [name for wanted in (*TEXT_NAMES, *CLASS_NAMES) for name in names if name.lower() == wanted]
    if settings.target is None and (known or len(names) == 1):
        return (known or names)[0]
    raise DataError(
        "which column says what is heard is open",
        where=where,
        expected="a column called text, label and the like",
        found=", ".join(names) or "only the names of the files",
        remedy="say which with --target NAME",
    )
