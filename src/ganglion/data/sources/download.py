"""Fetching files: from the first mirror that answers, continued where it stopped, checked before it is used."""

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from ganglion.errors import DataError

TIMEOUT = 30.0
"""Seconds without an answer after which a mirror is given up."""
BLOCK = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """A file in the net."""

    name: str
    sha256: str


def fetch(files: Sequence[RemoteFile], mirrors: Sequence[str], folder: Path, timeout: float = TIMEOUT) -> None:
    """Bring all files to `folder`, from `mirrors` in turn; a file appears under its name only when it is right.

    Raises:
        DataError: no mirror had a file with the expected SHA-256; says what each answered.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        for file in files:
            if not (folder / file.name).is_file():
                _fetch_one(file, mirrors, folder, timeout)


def _fetch_one(file: RemoteFile, mirrors: Sequence[str], folder: Path, timeout: float) -> None:
    partial, answers = folder / f"{file.name}.part", []
    for mirror in mirrors:
        address = mirror.rstrip("/") + "/" + file.name
        try:
            _continue(address, partial, timeout)
        except (OSError, http.client.HTTPException, ValueError) as error:
            answers.append(f"{address}: {error}")
            continue
        digest = _sha256(partial)
        if digest == file.sha256:
            partial.replace(folder / file.name)
            return
        partial.unlink()  # Nothing good can be added to wrong bytes.
        answers.append(f"{address}: SHA-256 {digest}")
    raise DataError(
        f"{file.name} could not be fetched",
        where="; ".join(answers),
        expected=f"SHA-256 {file.sha256}",
        remedy=f"try again, which goes on where it stopped, or put the file into {folder} by hand",
    )


def _continue(address: str, partial: Path, timeout: float) -> None:
    """Fetch what is missing of a file, or all of it from a server that cannot begin in the middle."""
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # All of it is here already; its digest will tell.
        raise
    with response, partial.open("ab" if response.status == http.HTTPStatus.PARTIAL_CONTENT else "wb") as file:
        length = response.headers.get("Content-Length")
        received = 0
        while block := response.read(BLOCK):
            file.write(block)
            received += len(block)
        if length is not None and received < int(length):
            raise OSError(f"the connection broke after {received} of {length} bytes")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
