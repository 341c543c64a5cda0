"""Texts of many files, which may have been written in several encodings: those in doubt are read as the clear ones."""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganglion.data.formats.text import MOST_BYTES, unix_lines
from ganglion.data.formats.texts.encodings import (
    SAMPLE,
    Encoding,
    decode_bytes,
    example,
    guesses,
    ranking,
    reads,
    telling,
)
from ganglion.errors import DataError
from ganglion.files import read_bytes

EXAMPLES = 3
"""Files that are named of many."""


@dataclass
class _File:
    path: Path
    text: str = ""
    encoding: Encoding | None = None
    fault: DataError | None = None


def read_files(paths: Sequence[Path], asked: str | None, notes: list[str]) -> list[str]:
    """Return the text of each file, with line ends as they are in Unix, and note which encodings were found.

    Each file speaks for itself where its bytes leave no doubt. Of the others, whose few letters could be those of
    several encodings, all together decide.

    Args:
        asked: the encoding that the user named; files that are UTF-8 by their form are read as such all the same.

    Raises:
        DataError: some files are of no encoding that is known, of which all are named that have the same fault.
    """
    with guesses():  # which are said of all files at once
        files = [_read(path, asked) for path in paths]
    if any(one.encoding and one.encoding.others for one in files):
        _agree(files)
    faults = [one for one in files if one.encoding is None]
    if faults:
        raise _refusal(faults)
    notes += _said(files, asked)
    return [unix_lines(one.text) for one in files]


def _read(path: Path, asked: str | None) -> _File:
    raw = read_bytes(path, MOST_BYTES)
    if asked is not None and not raw.isascii() and reads(io.BytesIO(raw), "utf-8"):
        asked = "utf-8-sig"
    try:
        return _File(path, *decode_bytes(raw, path, asked))
    except DataError as error:
        return _File(path, fault=error)


def _agree(files: Sequence[_File]) -> None:
    """Read files whose encoding is in doubt in the likeliest one of all that were guessed, if it is one of theirs."""
    guessed = {str(one.path): read_bytes(one.path, MOST_BYTES) for one in files if one.encoding and one.encoding.reason}
    ranked = [name for name, _ in ranking(b"\n".join(telling(io.BytesIO(raw)) for raw in guessed.values())[:SAMPLE])]
    for one in files:
        if one.encoding is not None and one.encoding.others:
            name = next((name for name in ranked if name in (one.encoding.name, *one.encoding.others)), None)
            if name is not None:
                one.text, one.encoding = decode_bytes(guessed[str(one.path)], one.path, name)


def _said(files: Sequence[_File], asked: str | None) -> list[str]:
    """Return what to tell of encodings, if not all is UTF-8."""
    found = [(one, one.encoding) for one in files if one.encoding is not None and not one.text.isascii()]
    counts = Counter(encoding.said for _, encoding in found)
    if asked is not None or set(counts) <= {"utf-8"}:
        kept = counts["utf-8"] if len(counts) > 1 else 0
        return [f"{kept} files are UTF-8 by their form, and read so"] if kept else []
    said = []
    for name, count in counts.most_common():
        one = next(one for one, encoding in found if encoding.said == name)
        said.append(f"{count} of {len(files)} files read as {name}, such as {example(one.text)!r} in {one.path.name}")
    return [f"{'; '.join(said)}; --encoding decides on those that are not UTF-8"]


def _refusal(faults: Sequence[_File]) -> DataError:
    first = faults[0].fault
    assert first is not None
    alike = [one.path for one in faults if one.fault is not None and one.fault.what == first.what]
    if len(alike) == 1:
        return first
    names = ", ".join(path.name for path in alike[:EXAMPLES]) + (", ..." if len(alike) > EXAMPLES else "")
    return DataError(
        f"{len(alike)} files of this folder cannot be read: {first.what}",
        where=str(alike[0]),
        expected=first.expected,
        found=f"{first.found}, in {names}",
        remedy="move them away, or name their encoding with --encoding; files that are UTF-8 stay so",
    )
