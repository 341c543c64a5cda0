"""Plain text files."""

from pathlib import Path

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.encodings import decode_text
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

MOST_BYTES = 128 << 20
"""Largest text: it is held in memory whole."""
DAMAGED = [chr(code) for code in range(0x80, 0xA0) if code != 0x85] + ["\N{REPLACEMENT CHARACTER}"]
"""What bytes that are no text, or text of an unknown encoding, are decoded to. 0x85 ends a line."""
MOST_DAMAGED = 0.01
"""Share of a text's characters that may be such."""


def read_text(path: Path, encoding: str | None = None) -> str:
    """Return the text of a file, with line ends as they are in Unix; its encoding is found out where none is named."""
    return _unix(decode_text(path, MOST_BYTES, encoding)[0])


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def read_texts(path: Path, settings: DataSettings) -> Dataset:
    """Read a text file as one long text."""
    raw, encoding = decode_text(path, MOST_BYTES, settings.encoding)
    text = _unix(raw)
    if not text.strip():
        raise DataError("this text is empty", where=str(path), expected="words")
    _refuse_damaged(text, encoding.said, path)
    note = f"{encoding.said} text of {len(text)} characters, {len(set(text))} of them distinct"
    return Dataset.of(
        name=path.stem,
        kind="text",
        inputs=[text],
        source=str(path),
        fingerprint=fingerprint([text]),
        notes=(note, *filter(None, [encoding.reason])),
    )


def _refuse_damaged(text: str, encoding: str, path: Path) -> None:
    share = sum(map(text.count, DAMAGED)) / len(text)
    if share > MOST_DAMAGED:
        raise DataError(
            "this is not a text",
            where=str(path),
            expected=f"at most {MOST_DAMAGED:.0%} of control or replacement characters",
            found=f"{share:.0%} of them, read as {encoding}",
            remedy="give a file of plain text, saved as UTF-8",
        )
