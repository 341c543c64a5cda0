"""Plain text files."""

from pathlib import Path

from ganglion.data.contents import fingerprint
from ganglion.data.dataset import Dataset
from ganglion.data.tables import decode_text


def read_text(path: Path) -> str:
    """Return the text of a file, with line ends as they are in Unix."""
    return decode_text(path)[0].replace("\r\n", "\n").replace("\r", "\n")


def read_texts(path: Path) -> Dataset:
    """Read a text file as one long text."""
    text, (_, encoding) = read_text(path), decode_text(path)
    note = f"{encoding} text of {len(text)} characters, {len(set(text))} of them distinct"
    return Dataset(
        name=path.stem,
        kind="text",
        inputs=[text],
        source=str(path),
        fingerprint=fingerprint([text]),
        notes=(note,),
    )
