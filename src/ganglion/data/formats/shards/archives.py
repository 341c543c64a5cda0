"""What lies in tar archives of samples, as WebDataset writes them: files of a sample share a name up to its endings.

Only the headers of members are followed. No member is written to disk, whatever it is called, and what is no plain
file is refused.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from ganglion.data.formats.images.files import SUFFIXES
from ganglion.data.formats.images.members import Member
from ganglion.errors import DataError
from ganglion.files import regular

SAYING = {"cls": "cls", "label": "cls", "class": "cls", "json": "json", "txt": "txt", "text": "txt", "caption": "txt"}
"""Endings of what is said of a picture, and what each is."""
MOST_SAID = 1 << 20
"""Bytes of what is said of one picture."""
BLOCK = 512
"""Bytes of a block of an archive; two empty ones end it."""


@dataclass
class Sample:
    """The files of one key that are used."""

    key: str
    picture: Member | None = None
    said: dict[str, bytes] = field(default_factory=dict)
    """What is said of it, by `cls`, `json` or `txt`."""


@dataclass
class Archive:
    """The samples of one archive, in order."""

    path: Path
    samples: list[Sample]
    others: int
    """Files that are not used."""


def read_archive(path: Path) -> Archive:
    """Follow the headers of an archive; raise `DataError` for one that is damaged, or holds what is no plain file."""
    regular(path)
    samples: dict[str, Sample] = {}
    others = 0
    try:
        with tarfile.open(path, "r:") as archive, path.open("rb") as content:
            for member in _members(archive):
                _refuse_unsafe(member, path)
                if not member.isreg():
                    continue
                key, ending = _parted(member.name)
                if key is None:
                    continue
                sample = samples.setdefault(key, Sample(key))
                others += not _take(sample, ending, Member(path, member.offset_data, member.size, member.name), content)
            _refuse_cut(archive, path)
    except (tarfile.TarError, EOFError, ValueError, OSError) as error:
        with path.open("rb") as file:
            packed = file.read(6).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"))
        raise DataError(
            "this archive is compressed as a whole, so its members cannot be reached by themselves"
            if packed
            else "this archive is damaged",
            where=str(path),
            expected="a tar archive",
            found=str(error),
            remedy="uncompress it, as with gunzip; pictures hardly shrink" if packed else "fetch or write it again",
        ) from error
    return Archive(path, list(samples.values()), others)


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in archive:
        yield member
        archive.members = []  # type: ignore[attr-defined] # which would otherwise be all kept


def _refuse_unsafe(member: tarfile.TarInfo, path: Path) -> None:
    """Raise for what is no plain file or folder, or is called as if it lay outside of the archive."""
    kinds = {
        "a link": member.issym() or member.islnk(),
        "a device or pipe": member.isdev(),
        "sparse": member.issparse(),
    }
    found = next((kind for kind, holds in kinds.items() if holds), None)
    steps = PurePosixPath(member.name.replace("\\", "/"))
    if found is None and (steps.is_absolute() or ".." in steps.parts or "\0" in member.name):
        found = "a name that leads out of the archive"
    if found is not None:
        raise DataError(
            "a member of this archive is no plain file within it",
            where=f"{path}, {member.name!r:.100}",
            expected="plain files, such as 000001.png and 000001.cls",
            found=found,
            remedy="write the archive again without it",
        )


def _refuse_cut(archive: tarfile.TarFile, path: Path) -> None:
    """Raise where the two empty blocks are missing that end every archive."""
    with path.open("rb") as file:
        file.seek(archive.offset)
        if file.read(BLOCK) != bytes(BLOCK):
            raise DataError(
                "this archive ends without the mark of its end",
                where=str(path),
                expected="two empty blocks after the last member",
                found=f"{path.stat().st_size:,} bytes",
                remedy="fetch or write it again: it was cut off",
            )


def _parted(name: str) -> tuple[str | None, str]:
    """Return the key that the files of a sample share, and what stands behind its first point.

    >>> _parted("./a/0001.seg.PNG"), _parted("a/._0001.png")
    (('a/0001', 'seg.png'), (None, ''))
    """
    path = PurePosixPath(name)
    if path.name.startswith((".", "_")):
        return None, ""
    base, _, ending = path.name.partition(".")
    return str(path.with_name(base)), ending.lower()


def _take(sample: Sample, ending: str, member: Member, content: IO[bytes]) -> bool:
    """Keep a member if it is a picture or says something of one; raise where there is one already."""
    if f".{ending}" in SUFFIXES:
        if sample.picture is not None:
            raise _twice(sample, member)
        sample.picture = member
        return True
    if ending not in SAYING:
        return False
    if SAYING[ending] in sample.said:
        raise _twice(sample, member)
    if member.size > MOST_SAID:
        raise DataError(
            "what is said of a picture is too long",
            where=str(member),
            expected=f"at most {MOST_SAID:,} bytes",
            found=f"{member.size:,}",
        )
    content.seek(member.offset)
    sample.said[SAYING[ending]] = content.read(member.size)
    return True


def _twice(sample: Sample, member: Member) -> DataError:
    return DataError(
        "a key occurs twice in this archive",
        where=str(member.archive),
        expected="one picture, and one file of a kind, of each key",
        found=f"{member.name} beside another file of {sample.key}",
        remedy="give each sample a key of its own",
    )
