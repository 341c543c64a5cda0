"""What was asked and what was told, a line of JSON each, written by one process only."""

import json
import os
from pathlib import Path
from typing import Any, final

from ganglion.errors import CheckpointError
from ganglion.files import parse_json


@final
class Journal:
    """A file that only grows. A line that was cut short by a kill was never written: what it said is done again.

    Args:
        path: of the file, which need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[dict[str, Any]]:
        """Return all entries. Raises `CheckpointError` where a line in the middle is none."""
        try:
            lines = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error
        entries = []
        for number, line in enumerate(lines[:-1], 1):
            try:
                entry = parse_json(line.decode("utf-8"))
            except ValueError as error:
                raise self._unreadable(f"line {number}: {error}") from error
            if not isinstance(entry, dict):
                raise self._unreadable(f"line {number} is no object")
            entries.append(entry)
        return entries

    def mend(self) -> None:
        """Cut off a line that was not written to its end."""
        if self.path.exists():
            kept = self.path.read_bytes()
            os.truncate(self.path, kept.rfind(b"\n") + 1)

    def append(self, entry: dict[str, Any]) -> None:
        """Write an entry, and wait until it is on the disk."""
        with open(self.path, "ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _unreadable(self, found: str) -> CheckpointError:
        return CheckpointError(
            f"cannot read {self.path.name} of the study",
            where=str(self.path.parent),
            found=found,
            remedy="put the original file back, or start a new study",
        )
