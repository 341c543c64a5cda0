"""The codes of a folder of pictures, kept beside it so that only what changed is looked at again."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganglion.data.formats.images.files import batched, picture_files
from ganglion.errors import DataError, GanglionError
from ganglion.files import read_json
from ganglion.training.durable import sha256, write_synced

FORMAT = 1
TABLE, CODES = "index.json", "codes-{}.npy"
ENDING = ".index"
"""Of the folder of an index: that of the pictures with this behind it."""
TOGETHER = 256
"""Pictures whose codes are made at once, so that memory does not grow with the folder."""
NAMED = 3
"""Files that are no pictures, that a note names."""

Encode = Callable[[Sequence[Path]], np.ndarray]
"""From files to their codes (files, features); raises `GanglionError` where one is no picture."""


@dataclass(frozen=True)
class Indexed:
    """A picture as it was when its code was made."""

    file: str
    """Its path below the folder of pictures."""
    size: int
    """Bytes."""
    time: int
    """Of the last change, in nanoseconds."""
    sha256: str


@dataclass(frozen=True)
class PictureIndex:
    """Pictures and their codes.

    The folder of an index holds `index.json`, which says what is known of every file and which network made the codes,
    and one file of codes. An index that is damaged, or that another network made, is not believed but made anew.
    """

    pictures: tuple[Indexed, ...]
    codes: np.ndarray
    """(pictures, features) float32."""
    notes: tuple[str, ...] = ()
    """What was done to bring it up to date."""

    @classmethod
    def of(cls, pictures: Path, folder: Path, encoder: str, encode: Encode) -> "PictureIndex":
        """Return the index of a folder of pictures, brought up to date and kept in a folder of its own.

        Args:
            encoder: digest of the network and of how it is given pictures.
        """
        known = cls._kept(folder, encoder)
        index = known._updated(pictures, encode)
        if index.pictures != known.pictures:
            try:
                index._write(folder, encoder)
            except OSError as error:
                said = f"the index cannot be kept in {folder}: {error.strerror or error}"
                return replace(index, notes=(*index.notes, said))
        return index

    @classmethod
    def _kept(cls, folder: Path, encoder: str) -> "PictureIndex":
        """Return the index in a folder; an empty one where there is none, or none that can be believed."""
        nothing = cls((), np.zeros((0, 0), np.float32))
        if not (folder / TABLE).exists():
            return nothing
        try:
            table = read_json(folder / TABLE)
            if table["format"] != FORMAT or table["encoder"] != encoder:
                return replace(nothing, notes=("the index was made by another network, and is made anew",))
            path = folder / CODES.format(str(table["codes"])[:16])
            pictures = tuple(Indexed(**one) for one in table["pictures"])
            if sha256(path) != table["codes"]:
                raise DataError("the codes are not those that it names", where=str(path), remedy="remove the index")
            codes = np.load(path, allow_pickle=False)
            if codes.dtype != np.float32 or codes.ndim != 2 or len(codes) != len(pictures):
                raise DataError("codes and pictures differ in number", where=str(path), remedy="remove the index")
            return cls(pictures, codes)
        except (OSError, ValueError, KeyError, TypeError, GanglionError) as error:
            said = str(error).partition("\n")[0]
            return replace(nothing, notes=(f"the index in {folder} is damaged and is made anew: {said}",))

    def _updated(self, folder: Path, encode: Encode) -> "PictureIndex":
        """Return the index of what is in the folder now: codes are kept of contents that are known."""
        by_name = {one.file: one for one in self.pictures}
        codes = {one.sha256: code for one, code in zip(self.pictures, self.codes, strict=True)}
        there = [_seen(path, folder, by_name) for path in picture_files([folder])]
        new = list({one.sha256: one for one in there if one.sha256 not in codes}.values())
        refused: list[str] = []
        for some in batched(new, TOGETHER):
            made = _encoded([folder / one.file for one in some], encode, refused)
            codes |= {one.sha256: code for one, code in zip(some, made, strict=True) if code is not None}
        kept = tuple(one for one in there if one.sha256 in codes)
        gone = len(by_name.keys() - {one.file for one in there})
        notes = list(self.notes)
        if new or gone:
            looked = len(new) - len(refused)
            notes.append(f"{len(kept)} pictures in the index: {looked} looked at, {gone} gone, the others known")
        if refused:
            more = f" and {len(refused) - NAMED} more" if len(refused) > NAMED else ""
            notes.append(f"left out, for they are no pictures: {', '.join(refused[:NAMED])}{more}")
        stacked = np.stack([codes[one.sha256] for one in kept]) if kept else self.codes[:0]
        return PictureIndex(kept, stacked.astype(np.float32), tuple(notes))

    def _write(self, folder: Path, encoder: str) -> None:
        """Write the codes first and then the table that names them, so that there is a whole index at any time."""
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".draft-{os.getpid()}.npy"
        np.save(draft, self.codes, allow_pickle=False)
        digest = sha256(draft)
        os.replace(draft, folder / CODES.format(digest[:16]))
        pictures = [vars(one) for one in self.pictures]
        table = {"format": FORMAT, "encoder": encoder, "codes": digest, "pictures": pictures}
        write_synced(folder / TABLE, json.dumps(table, indent=1, ensure_ascii=False))
        for other in folder.glob(CODES.format("*")):
            if other.name != CODES.format(digest[:16]):
                other.unlink(missing_ok=True)


def _seen(path: Path, folder: Path, known: dict[str, Indexed]) -> Indexed:
    """Return a picture as it is now; what has not changed in size and time is not read again."""
    status, file = path.stat(), path.relative_to(folder).as_posix()
    before = known.get(file)
    if before is not None and (before.size, before.time) == (status.st_size, status.st_mtime_ns):
        return before
    return Indexed(file, status.st_size, status.st_mtime_ns, sha256(path))


def _encoded(paths: Sequence[Path], encode: Encode, refused: list[str]) -> list[np.ndarray | None]:
    """Return the code of each file, None for those that are no pictures, whose names are added to `refused`."""
    try:
        return list(encode(paths))
    except GanglionError:
        codes: list[np.ndarray | None] = []
        for path in paths:
            try:
                codes.append(encode([path])[0])
            except GanglionError:
                codes.append(None)
                refused.append(path.name)
        return codes


def directions(codes: np.ndarray) -> np.ndarray:
    """Return codes (pictures, features) of length 1, whose products are their cosines."""
    lengths = np.linalg.norm(codes, axis=1, keepdims=True)
    turned: np.ndarray = codes / np.maximum(lengths, 1e-12)
    return turned


def nearest(codes: np.ndarray, asked: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of the codes most like one that is asked about, the likest first, and their cosines (count,).

    Args:
        codes: (pictures, features) of length 1.
        asked: (features,) of length 1.

    >>> nearest(np.eye(3, dtype=np.float32), np.array([0.0, 0.8, 0.6], np.float32), 2)[0].tolist()
    [1, 2]
    """
    likeness = codes @ asked
    count = min(count, len(likeness))
    places = np.argpartition(-likeness, count - 1)[:count] if count < len(likeness) else np.arange(count)
    order = places[np.lexsort((places, -likeness[places]))]
    return order, likeness[order]
