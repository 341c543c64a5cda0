"""Files and folders of tunes in ABC, as a data set."""

from collections.abc import Sequence
from pathlib import Path

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.abc.tunes import Tune, read_tune, split_tunes
from ganglion.data.formats.text import read_text
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.files import files_below

ENDING = ".abc"
SAID = 3
"""Tunes that could not be read and are told one by one."""


def read_abc(path: Path, settings: DataSettings) -> Dataset:
    """Read the tunes of a file. Raises `DataError` where none can be read, naming the line of the first fault."""
    return _dataset(path, [path], settings)


def read_abc_folder(folder: Path, settings: DataSettings) -> Dataset:
    """Read the tunes of all ABC files of a folder and of those in it."""
    files = sorted(path for path in files_below(folder) if path.is_file() and path.suffix.lower() == ENDING)
    if not files:
        raise DataError("there are no tunes in this folder", where=str(folder), expected=f"files ending in {ENDING}")
    return _dataset(folder, files, settings)


def tunes_in(text: str, where: str, faults: list[DataError] | None = None) -> list[Tune]:
    """Return the tunes of a text.

    Raises `DataError` for one that cannot be read, unless there are `faults` to add it to.
    """
    tunes = []
    for first, lines in split_tunes(text):
        try:
            tunes.append(read_tune(lines, first))
        except DataError as error:
            error.where = f"{where}, {error.where}"
            if faults is None:
                raise
            faults.append(error)
    return tunes


def _dataset(path: Path, files: Sequence[Path], settings: DataSettings) -> Dataset:
    faults: list[DataError] = []
    read = {str(one): read_text(one, settings.encoding) for one in files}
    tunes = [tune for where, text in read.items() for tune in tunes_in(text, where, faults)]
    if not tunes:
        for where, text in read.items():
            tunes_in(text, where)  # Raises what is wrong with the first.
    texts = list(dict.fromkeys(tune.text for tune in tunes))
    notes = [f"{len(tunes):,} tunes in ABC; titles, sources and comments are not learnt"]
    if len(texts) < len(tunes):
        notes.append(f"tunes that stand there twice, read once: {len(tunes) - len(texts):,}")
    notes += [f"left out: {error.where}: {error.what}, found {error.found}" for error in faults[:SAID]]
    if len(faults) > SAID:
        notes.append(f"left out for such faults, too: {len(faults) - SAID:,} tunes more")
    return Dataset(
        name=path.stem,
        fields={"tunes": Field(kind="texts", values=texts)},
        source=str(path),
        fingerprint=fingerprint(texts),
        notes=tuple(notes),
    )
