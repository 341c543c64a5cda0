"""Which files of a folder, or of a pattern such as `parts/*.parquet`, are the shards of one data set."""

import glob
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ganglion.data.splits import Part
from ganglion.errors import DataError
from ganglion.files import regular, walked

PARQUET, TAR = ".parquet", ".tar"
ENDINGS = (PARQUET, TAR)
MAGIC = re.compile(r"[*?]|\[[^]/]+\]")
"""What makes a path a pattern; a bracket that nothing closes is part of a name."""
MOST_LOOKED_AT = 200
"""Files of a folder by which it is judged whether it holds shards."""
BESIDE = (".json", ".txt", ".md", ".crc", ".sha256", ".md5", ".yaml", ".yml")
"""Endings of files that may stand beside shards and tell about them."""


@dataclass(frozen=True)
class Shards:
    """The shards of one data set, by the part that their folder names."""

    parts: Mapping[Part, tuple[Path, ...]]
    """Shards by name; `validation` only where there are shards for testing as well."""
    root: Path
    """The folder that all of them lie in."""
    notes: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for part in self.parts.values() for path in part)


def is_pattern(path: Path) -> bool:
    """Whether a path that does not exist is a pattern of names.

    >>> [is_pattern(Path(name)) for name in ("parts/*.parquet", "part-[01].tar", "parts", "part [1.tar")]
    [True, True, False, False]
    """
    return MAGIC.search(str(path)) is not None and not path.exists()


def is_shard(name: str, ending: str) -> bool:
    """Whether a file is a shard by its name: engines write marks and sums of their own as `_SUCCESS` and `.part.crc`.

    >>> is_shard("part-00000.snappy.parquet", ".parquet"), is_shard("_metadata.parquet", ".parquet")
    (True, False)
    """
    return name.lower().endswith(ending) and not name.startswith(("_", "."))


def ending_of(path: Path) -> str | None:
    """Return the ending that the shards of a folder, file or pattern have; None where there are none.

    A folder with other data than shards holds no shards.
    """
    if path.is_file():
        return next((ending for ending in ENDINGS if is_shard(path.name, ending)), None)
    names = (one.name for one in _matching(path)) if is_pattern(path) else _visible(path)
    found = {_ending(name) for name, _ in zip(names, range(MOST_LOOKED_AT), strict=False)} - {None}
    return found.pop() if len(found) == 1 and found <= set(ENDINGS) else None


def _visible(folder: Path) -> Iterator[str]:
    from ganglion.data.formats.folder_layout import describes

    for _, names in walked(folder):
        yield from (name for name in names if not name.startswith(("_", ".")) and not describes(name))


def _ending(name: str) -> str | None:
    """Return the ending of a shard, another ending of other data, or None for what tells about data."""
    suffix = Path(name).suffix.lower()
    return None if suffix in BESIDE or not suffix else suffix


def _matching(pattern: Path) -> list[Path]:
    return [Path(name) for name in sorted(glob.glob(str(pattern), recursive=True))]


def find_shards(path: Path, ending: str) -> Shards:
    """Return the shards of a file, folder or pattern, in the order of their names.

    Folders called train, validation and test are these parts, and so are files whose names begin like that. Raises
    `DataError` where there are none.
    """
    if path.is_file():
        return Shards({"train": (path,)}, path.parent)
    if is_pattern(path):
        files = [regular(one) for one in _matching(path) if not one.is_dir() and is_shard(one.name, ending)]
        root = Path(*_before_magic(path))
        parts: dict[Part, list[Path]] = {"train": files}
        notes: list[str] = []
    else:
        root, notes = path, []
        parts = _by_part(path, ending, notes)
    if not parts.get("train"):
        raise DataError(
            "there are no shards to train on",
            where=str(path),
            expected=f"files that end in {ending}",
            found=", ".join(f"{len(files)} in {part}" for part, files in parts.items() if files) or "none",
        )
    return Shards({part: tuple(files) for part, files in parts.items() if files}, root, tuple(notes))


def _before_magic(path: Path) -> Iterator[str]:
    for step in path.parts:
        if MAGIC.search(step):
            return
        yield step


def _by_part(folder: Path, ending: str, notes: list[str]) -> dict[Part, list[Path]]:
    from ganglion.data.formats.folder_layout import PART_NAMES, uses

    names: dict[str, Part] = {name: part for part, known in PART_NAMES.items() for name in known}  # type: ignore[misc]
    found: dict[Part, list[Path]] = {}
    for here, inside in walked(folder):
        within = here.relative_to(folder).parts
        if any(step.startswith("_") for step in within):
            continue
        for name in filter(lambda name: is_shard(name, ending), inside):
            word = within[0] if within else re.split(r"[-_.]", name)[0]
            found.setdefault(names.get(word.lower(), "train"), []).append(regular(here / name))
    if "train" not in found:  # names that only look like those of parts
        found = {"train": [path for files in found.values() for path in files]}
    use = uses(found, notes)
    return {use[part]: sorted(files) for part, files in found.items()}  # type: ignore[misc]
