"""Files that others made: opened only if they are plain files, read only as far as allowed, JSON without surprises."""

import gzip
import json
import math
import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ganglion.errors import DataError, UsageError

MOST_JSON_BYTES = 64 << 20
LONGEST_INTEGER = 40
"""Digits: enough for the 128 bits of a random state."""
HARMLESS_BYTES = 64 << 20
"""What may come out of a compressed file of any size, however small."""
LARGEST_RATIO = 100
"""Times its size that a larger compressed file may have unpacked."""
MOST_LINKED = 8
"""Times that one folder is walked through, by as many links."""
Identity = tuple[int, int]
"""Device and number of a file or folder, whatever path leads to it."""


def named(path: str | Path) -> Path:
    """Return a path that the system can be asked about, `~` expanded.

    Raises:
        UsageError: the name is empty, holds a NUL or is too long, so that there can be no such file.
    """
    if not str(path).strip() or path == "":
        raise UsageError("the name of the file is empty", expected="a file, a folder or a name")
    try:
        known = Path(path).expanduser()
        os.stat(known)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return known
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(
            "this cannot be the name of a file",
            where=str(path),
            found=str(error),
            remedy="give the path of a file or folder, or a name that `ganglion list` shows",
        ) from error
    return known


def regular(path: Path, most: int | None = None) -> Path:
    """Return the path of a plain file, and refuse folders, pipes, devices and files of more than `most` bytes.

    Raises:
        DataError: reading it could fail, wait for ever or never end.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
        found = kinds.get(stat.S_IFMT(status.st_mode), "a device")
        raise DataError("this is not a file", where=str(path), expected="a plain file", found=found)
    if most is not None and status.st_size > most:
        raise DataError(
            "this file is too large",
            where=str(path),
            expected=f"at most {most:,} bytes",
            found=f"{status.st_size:,} bytes",
            remedy="split it into smaller files, or save numbers as plain arrays with numpy.save",
        )
    return path


def walked(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield a folder and all folders below it, each with the names of its files, in the order of their names.

    Links to folders are followed, but none to a folder that the link lies in. Folders that cannot be opened, hidden
    ones, and those whose names begin with two underscores are left out.
    """
    first = folder.resolve()
    waiting = [(folder, frozenset(map(_identity, first.parents)))]
    met: Counter[Identity] = Counter()
    while waiting:
        here, above = waiting.pop()
        try:
            identity = _identity(here)
            with os.scandir(here) as entries:
                found = sorted((entry.name, entry.is_dir()) for entry in entries)
        except OSError:
            continue
        met[identity] += 1
        if identity in above or met[identity] > MOST_LINKED:
            continue
        yield here, [name for name, is_folder in found if not is_folder]
        inside = [here / name for name, is_folder in found if is_folder and not name.startswith((".", "__"))]
        waiting += [(path, above | {identity}) for path in reversed(inside)]


def _identity(path: Path) -> Identity:
    status = path.stat()
    return status.st_dev, status.st_ino


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of all below it, as `walked` comes to them."""
    for root, names in walked(folder):
        yield from (root / name for name in names)


def read_bytes(path: Path, most: int) -> bytes:
    """Return the content of a plain file of at most `most` bytes."""
    try:
        return regular(path, most).read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> DataError:
    """Return the error for a file that the system does not hand out."""
    found = getattr(error, "strerror", None) or str(error)
    return DataError("this file cannot be read", where=str(path), found=found, remedy="look at its name and rights")


def refuse_bomb(path: Path, packed: int, unpacked: int) -> None:
    """Raise `DataError` for a compressed file that is small only to fill the memory."""
    if unpacked > max(HARMLESS_BYTES, LARGEST_RATIO * packed):
        raise DataError(
            "this file claims to unpack to far more than data compresses",
            where=str(path),
            expected=f"at most {LARGEST_RATIO} times its size",
            found=f"{unpacked:,} bytes out of {packed:,}",
            remedy="if you trust it, unpack it yourself and give the unpacked file",
        )


def parse_json(text: str, *, finite: bool = True) -> Any:
    """Return what JSON says, refusing what readers disagree on or choke on.

    Raises:
        ValueError: broken or too deep, a key that occurs twice, a number of too many digits, half a character, or,
            with `finite`, NaN or Infinity.

    >>> parse_json('{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: the key 'a' occurs twice
    """

    def number(digits: str) -> float:
        value = float(digits)
        if finite and not math.isfinite(value):
            raise ValueError(f"{digits} is no finite number")
        return value

    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=number, parse_constant=number
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path, *, finite: bool = True) -> dict[str, Any]:
    """Return the JSON object in a plain file; raises `ValueError` where its text is none, as `parse_json` does."""
    value = parse_json(read_bytes(path, MOST_JSON_BYTES).decode("utf-8"), finite=finite)
    if not isinstance(value, dict):
        raise ValueError(f"a JSON object was expected, and this is a {type(value).__name__}")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"the key {key[:80]!r} occurs twice")
        for text in (key, *(value if isinstance(value, list) else [value])):
            if isinstance(text, str):
                text.encode()  # half a character (a lone surrogate) could be written nowhere
        values[key] = value
    return values


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_INTEGER:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


class Bounded:
    """A stream that ends with `DataError` once more than `most` bytes have come out of it."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, path: Path, most: int) -> None:
        self.stream, self.path, self.left = stream, path, most

    def read(self, size: int = -1) -> bytes:
        content = self.stream.read(min(size, self.left + 1) if size >= 0 else self.left + 1)
        self.left -= len(content)
        if self.left < 0:
            raise DataError(
                "this file unpacks to more than there can be", where=str(self.path), remedy="fetch it again"
            )
        return content
