"""A file within a tar archive, addressed by its place there; it is read where it stands and never unpacked to disk."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ganglion.errors import DataError


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """Some bytes of an archive that are a file. It opens like the path of a file."""

    archive: Path
    offset: int
    size: int
    name: str

    def __str__(self) -> str:
        return f"{self.archive}/{self.name}"

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix

    def open(self, mode: str = "rb") -> IO[bytes]:
        """Return the content as a stream. Raises `DataError` where the archive has become shorter."""
        return io.BytesIO(self.read_bytes())

    def read_bytes(self) -> bytes:
        with self.archive.open("rb") as file:
            file.seek(self.offset)
            content = file.read(self.size)
        if len(content) < self.size:
            raise DataError(
                "this archive was cut off since it was looked at",
                where=str(self),
                expected=f"{self.size:,} bytes",
                found=f"{len(content):,}",
                remedy="put it back, or start anew without it",
            )
        return content
