"""Segments of checkpoints: files beside them, named by their digest, written once and shared by all that name them."""

import hashlib
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

import safetensors.torch

from ganglion.core import Segment
from ganglion.errors import CheckpointError
from ganglion.training.durable import replace_synced, sha256
from ganglion.training.packing import separate

FOLDER = "segments"
SUFFIX = ".safetensors"


def place(checkpoints: Path, digest: str) -> Path:
    return checkpoints / FOLDER / f"{digest}{SUFFIX}"


def keep(checkpoints: Path, segment: Segment) -> str:
    """Write a segment where that was not done before, and return its digest."""
    if segment.digest and place(checkpoints, segment.digest).is_file():
        return segment.digest
    content = safetensors.torch.save(separate(segment.read()))
    segment.digest = hashlib.sha256(content).hexdigest()
    file = place(checkpoints, segment.digest)
    if not file.is_file() or file.stat().st_size != len(content):
        file.parent.mkdir(exist_ok=True)
        replace_synced(file, content)
        verify(checkpoints, [segment.digest], file.parent.name)
    return segment.digest


def fetch(checkpoints: Path, digest: str) -> Segment:
    """Return the segment of a digest, which is read when it is asked for."""
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise CheckpointError("a checkpoint names a segment wrongly", expected="a SHA-256", found=repr(digest)[:80])
    return Segment(partial(safetensors.torch.load_file, place(checkpoints, digest)), digest)


def verify(checkpoints: Path, digests: Iterable[str], name: str) -> None:
    """Raise `CheckpointError` unless the segments that checkpoint `name` needs are what they were when written."""
    for digest in digests:
        file = place(checkpoints, digest)
        if not file.is_file():
            found = "there is none"
        elif (found := sha256(file)) == digest:
            continue
        raise CheckpointError(
            f"{name} is damaged: a segment of its memory is not what was written",
            where=str(file),
            expected=f"SHA-256 {digest[:12]}",
            found=found if len(found) != len(digest) else f"SHA-256 {found[:12]}",
            remedy="use another checkpoint, or train again",
        )


def sweep(checkpoints: Path, used: set[str]) -> None:
    """Remove the segments that no checkpoint names, and what a save that was cut short left behind."""
    with suppress(OSError):
        for entry in os.scandir(checkpoints / FOLDER):
            if entry.name.removesuffix(SUFFIX) not in used:
                os.unlink(entry.path)
