"""Plain text files."""

from pathlib import Path

from ganglion.data.contents import fingerprint
from ganglion.data.dataset import Dataset
from ganglion.data.tables import decode_text
from ganglion.errors import DataError

MOST_BYTES = 128 << 20
"""Largest text: it is held in memory whole."""


def read_text(path: Path) -> str:
    """Return the text of a file, with line ends as they are in Unix."""
    return _unix(decode_text(path, MOST_BYTES)[0])


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def read_texts(path: Path) -> Dataset:
    """Read a text file as one long text."""
    raw, encoding = decode_text(path, MOST_BYTES)
    text = _unix(raw)
    if not text.strip():
        raise DataError("this text is empty", where=str(path), expected="words")
    note = f"{encoding} text of {len(text)} characters, {len(set(text))} of them distinct"
    return Dataset(
        name=path.stem,
        kind="text",
        inputs=[text],
        source=str(path),
        fingerprint=fingerprint([text]),
        notes=(note,),
    )
