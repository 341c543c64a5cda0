"""Lines of text files, as they are or packed: one file in a gzip or zip file."""

import gzip
import io
import zipfile
from pathlib import Path, PurePosixPath

from ganglion.data.formats.folder_layout import describes
from ganglion.data.formats.texts.encodings import MOST_BYTES, decode_bytes, decode_text
from ganglion.errors import DataError
from ganglion.files import read_bytes, refuse_bomb

PACKED = (".gz", ".zip")
MOST_MEMBERS = 20
"""Files of a zip file that are looked through for the one that is meant."""


def without_packing(path: Path) -> str:
    """Return the name of a file without the ending of what it is packed in.

    >>> without_packing(Path("train.de.gz"))
    'train.de'
    """
    return path.stem if path.suffix.lower() in PACKED else path.name


def read_lines(path: Path, encoding: str | None = None, *, holding: bytes = b"") -> list[str]:
    """Return the lines of a text file, which may be packed; its encoding is found out where none is named.

    Args:
        holding: what the one that is meant holds, where a zip file has several.

    Raises `DataError` for a file that does not unpack, to more than data would, or holds several texts.
    """
    if path.suffix.lower() not in PACKED:
        text = decode_text(path, MOST_BYTES, encoding)[0]
    else:
        raw = _from_gzip(path) if path.suffix.lower() == ".gz" else _from_zip(path, holding)
        text = decode_bytes(raw, path, encoding)[0]
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


def _from_gzip(path: Path) -> bytes:
    packed = read_bytes(path, MOST_BYTES)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, ValueError) as error:
        raise _damaged(path, error) from error
    refuse_bomb(path, len(packed), len(raw))
    return raw


def _from_zip(path: Path, holding: bytes) -> bytes:
    packed = read_bytes(path, MOST_BYTES)
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = [one for one in archive.infolist() if not one.is_dir() and not _aside(one.filename)]
            if holding and 1 < len(names) <= MOST_MEMBERS:
                names = [one for one in names if holding in _member(archive, one, path, len(packed))]
            if len(names) != 1:
                raise DataError(
                    "this archive does not hold one text",
                    where=str(path),
                    expected="one file of text",
                    found=", ".join(one.filename for one in names[:5]) or "none",
                    remedy="unpack it, and give the path of one of the files",
                )
            return _member(archive, names[0], path, len(packed))
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise _damaged(path, error) from error


def _member(archive: zipfile.ZipFile, one: zipfile.ZipInfo, path: Path, packed: int) -> bytes:
    refuse_bomb(path, packed, one.file_size)
    with archive.open(one) as file:
        return file.read(MOST_BYTES + 1)


def _aside(name: str) -> bool:
    """Whether a file of an archive only tells about it."""
    last = PurePosixPath(name).name
    return describes(last) or last.startswith((".", "_"))


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        "this file cannot be unpacked",
        where=str(path),
        expected="a whole gzip or zip file",
        found=str(error),
        remedy="fetch it again, or give the unpacked file",
    )
