"""Files that are on the disk once they are said to be, whole or not at all."""

import hashlib
import os
from pathlib import Path


def write_synced(path: Path, text: str) -> None:
    """Replace a text file so that a reader sees the old or the new content, never a part, also after a power cut."""
    replace_synced(path, text.encode("utf-8", "backslashreplace"))  # a path may hold bytes that are no text


def replace_synced(path: Path, content: bytes) -> None:
    """Replace a file so that a reader sees the old or the new content, never a part, also after a power cut."""
    draft = path.with_name(f".draft-{path.name}-{os.getpid()}")
    try:
        write_bytes_synced(draft, content)
        os.replace(draft, path)
        sync_folder(path.parent)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def write_bytes_synced(path: Path, content: bytes) -> None:
    """Write a new file and wait until it is on the disk."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, on systems that can be asked to."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
