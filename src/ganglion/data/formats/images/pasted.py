"""Faces and scenery of the user's own: two folders of pictures, of which one is pasted into the other."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.formats.folder_layout import folders_in, readable, walk
from ganglion.data.formats.images.files import decode, in_threads, read_header
from ganglion.data.settings import DataSettings
from ganglion.data.sources.pasted_faces import fields_of, pasted, whole
from ganglion.errors import DataError

FACES, SCENERY = "faces", "scenery"
LONGEST = 320
"""Longer side that scenery is brought to, if it is larger."""
TESTED = 5
"""One of so many people, or faces, and pictures of scenery is held back for testing."""
FACES_A_PICTURE = 1.35
"""Faces in a picture, on average."""
MOST = 500
"""Pictures that are made at most, unless there is more scenery."""


def find_pasted(folder: Path) -> bool:
    """Return whether faces and scenery lie in a folder."""
    return {FACES, SCENERY} <= folders_in(folder).keys()


def read_pasted(folder: Path, settings: DataSettings) -> Dataset:
    """Paste the pictures of the folder `faces`, which faces fill, into those of `scenery`, which show none.

    Folders within `faces` are people, of whom a fifth is held back for testing; else a fifth of the faces is, and a
    fifth of the scenery always.

    Raises:
        DataError: a picture is damaged, or there are fewer than two of either.
    """
    below = folders_in(folder)
    groups, scenes = _groups(below[FACES]), [[path] for path in walk(below[SCENERY])[0]]
    for found, what in ((groups, FACES), (scenes, SCENERY)):
        if len(found) < 2:
            raise DataError(
                "too few pictures to learn from some and be judged by others",
                where=str(folder / what),
                expected="at least 2" + (", or 2 folders of people" if what == FACES else ""),
                found=str(len(found)),
                remedy="put more pictures there, as PNG, JPEG and the like",
            )
    random = np.random.default_rng(0)
    faces, scenery = _divided(random, groups), _divided(random, scenes)
    channels = 1 if all(read_header(path).grey for part in faces for path in part) else 3
    parts = [_made(random, *pair, channels) for pair in zip(faces, scenery, strict=True)]
    people = "people" if any(len(group) > 1 for group in groups) else "faces"
    notes = (
        f"{sum(map(len, groups))} faces, pasted into {len(scenes)} pictures of scenery",
        f"the test part is made of {max(1, len(groups) // TESTED)} of {len(groups)} {people} and of scenery of its own",
    )
    made = Dataset(name=readable(folder.name), fields=parts[0], test_fields=parts[1], source=str(folder), notes=notes)
    return replace(made, fingerprint=fingerprint(*(one.values for part in parts for one in part.values())))


def _groups(folder: Path) -> list[list[Path]]:
    """Return the pictures of each person, or each picture by itself."""
    people: dict[Path, list[Path]] = {}
    for path in walk(folder)[0]:
        person = path.relative_to(folder).parts[0]
        people.setdefault(folder / person, []).append(path)
    return list(people.values())


def _divided(random: np.random.Generator, groups: Sequence[list[Path]]) -> tuple[list[Path], list[Path]]:
    """Return the files of the training part and of the test part."""
    order = random.permutation(len(groups)).tolist()
    tested = max(1, len(groups) // TESTED)
    train, test = sorted(order[tested:]), sorted(order[:tested])
    return [path for one in train for path in groups[one]], [path for one in test for path in groups[one]]


def _made(random: np.random.Generator, faces: Sequence[Path], scenery: Sequence[Path], channels: int) -> dict:
    """Return pictures and boxes as fields; scenery is used several times where there are many faces for it."""
    cut_outs = [whole(one) for one in in_threads(lambda path: decode(path, channels=channels), faces)]
    scenes = list(in_threads(lambda path: _scene(path, channels), scenery))
    wanted = max(len(scenes), min(MOST, round(len(faces) / FACES_A_PICTURE)))
    return fields_of(pasted(random, [scenes[place % len(scenes)] for place in range(wanted)], cut_outs))


def _scene(path: Path, channels: int) -> np.ndarray:
    """Return a picture of scenery as bytes (height, width, channels), not too large."""
    header = read_header(path)
    share = min(1.0, LONGEST / max(header.height, header.width))
    size = max(1, round(header.height * share)), max(1, round(header.width * share))
    return decode(path, size, channels)
