"""Texts, and paths that are no paths."""

from pathlib import Path

from tests.hostile.case import accepted, put, refused
from tests.hostile.tables import sparse


@accepted("text", "invalid UTF-8", "cp1252")
def _(folder: Path) -> Path:
    return put(folder / "t.txt", b"caf\xe9 \xff\xfe")


@accepted("text", "bytes that Windows-1252 has not", "latin-1")
def _(folder: Path) -> Path:
    return put(folder / "t.txt", b"caf\xe9 " * 40 + b"\x81")


@accepted("text", "one line of 20 MB", "20000000 characters")
def _(folder: Path) -> Path:
    return put(folder / "t.txt", b"word " * 4_000_000)


@refused("text", "one line of 1 GB", "too large", "found: 1,000,000,000 bytes")
def _(folder: Path) -> Path:
    return sparse(folder / "t.txt", 1_000_000_000)


@refused("text", "empty", "empty")
def _(folder: Path) -> Path:
    return put(folder / "t.txt", b"")


@refused("text", "only blanks", "empty")
def _(folder: Path) -> Path:
    return put(folder / "t.txt", " \n\t\r\n")


@refused("text", "NUL", "not a text file")
def _(folder: Path) -> Path:
    return put(folder / "t.txt", b"words\0words")


@refused("text", "half of a character at the end of UTF-16", "not a text file")
def _(folder: Path) -> Path:
    return put(folder / "t.txt", "words".encode("utf-16") + b"\x00\xd8")


@refused("path", "NUL", "cannot be the name of a file", "\\x00")
def _(folder: Path) -> str:
    return "words\0.csv"


@refused("path", "10,000 characters", "cannot be the name of a file", " ... ")
def _(folder: Path) -> str:
    return "a" * 10_000 + ".csv"


@refused("path", "10,000 characters without an ending", "cannot be the name of a file")
def _(folder: Path) -> str:
    return "a" * 10_000


@refused("path", "out of the folder", "no such file")
def _(folder: Path) -> str:
    return str(folder / "../../../../nowhere/t.csv")


@refused("path", "control characters and a colour", "no such file", "\\x1b[31m")
def _(folder: Path) -> str:
    return str(folder / "\x1b[31mred\r\n\u202e.csv")


@refused("path", "half a character", "no such file", "\\udcff")
def _(folder: Path) -> str:
    return str(folder / "\udcff.csv")


@refused("path", "unknown name", "did you mean 'digits'")
def _(folder: Path) -> str:
    return "digist"


@refused("path", "empty")
def _(folder: Path) -> str:
    return ""


@refused("path", "a home that nobody has", "cannot be the name of a file")
def _(folder: Path) -> str:
    return "~nobody-of-that-name/t.csv"


@refused("path", "an address", "no such file")
def _(folder: Path) -> str:
    return "https://example.com/t.csv"


@refused("path", "a device", "a device")
def _(folder: Path) -> str:
    return "/dev/zero"


@refused("path", "another kind of file", "cannot be read as a data set")
def _(folder: Path) -> Path:
    return put(folder / "t.docx", b"PK")
