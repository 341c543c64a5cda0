"""What systems with needs of their own are given: pictures to compress, faces in boxes, roads, captions, forgeries."""

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from ganglion.data.dataset import Kind
from ganglion.data.settings import DataSettings
from tests.hostile.captions import beside
from tests.hostile.case import accepted, put, refused
from tests.hostile.images import NOISE, encoded, good
from tests.hostile.uses import sized


def prepared(system: str, folder: Path, wanted: Kind | None = None) -> tuple[str, ...]:
    """Return what is said of data that a system is about to learn from."""
    from ganglion.models import find
    from ganglion.runs.preparing import prepare_task

    found = find(system)
    return tuple(prepare_task(found, str(folder), found.load().TINY, DataSettings(), 0).notes)


COMPRESSOR, FACES, STEERING, STACKGAN, FORGERIES = (
    partial(prepared, name)
    for name in ("compressor", "face-detector", "steering", "stackgan", "generated-image-detector")
)


# Pictures to compress.


@accepted("compressor", "pictures of several sizes", "learns from pieces of", through=COMPRESSOR)
def _(folder: Path) -> Path:
    return sized(folder, 48, 70, 61)


@refused("compressor", "a picture of few pixels", "smaller than what is to be learnt from", through=COMPRESSOR)
def _(folder: Path) -> Path:
    return sized(folder, 48, 48, 48, 9)


@refused("compressor", "a damaged picture", "7.png", through=COMPRESSOR)
def _(folder: Path) -> Path:
    put(sized(folder, 48) / "7.png", encoded(NOISE)[:900])
    return folder


@refused("compressor", "rows of a table", "not for compression", through=COMPRESSOR)
def _(folder: Path) -> Path:
    return put(folder / "t.csv", "a,b\n" + "".join(f"{n % 7}.5,{n % 3}\n" for n in range(60)))


# Faces in boxes.

Box = tuple[float, float, float, float]
FACE: Box = (8, 8, 24, 24)


def boxed(folder: Path, boxes: Callable[[int], Iterable[Box]], kinds: tuple[str, ...] = ("face",)) -> Path:
    """Write twelve pictures of 64 x 64 with boxes (left, top, width, height), their kinds in turn."""
    names = [{"id": number + 1, "name": name} for number, name in enumerate(kinds)]
    images, found = [], []
    for number in range(12):
        put(folder / f"{number}.png", encoded(np.roll(np.tile(NOISE, (2, 2, 1))[:64, :64], number, axis=0)))
        images.append({"id": number, "file_name": f"{number}.png", "width": 64, "height": 64})
        found += [
            {"id": len(found) + place, "image_id": number, "category_id": number % len(kinds) + 1, "bbox": list(box)}
            for place, box in enumerate(boxes(number))
        ]
    put(folder / "boxes.json", json.dumps({"images": images, "annotations": found, "categories": names}))
    return folder


@accepted("faces", "a face in each picture", "objects: 12 face", through=FACES)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [FACE])


@accepted("faces", "pictures without faces among them", "objects: 8 face", through=FACES)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [FACE] if number % 3 else [])


@refused("faces", "no face at all", "no object in these pictures", through=FACES)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [])


@refused("faces", "two kinds of objects", "looks for one kind of object", through=FACES)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [FACE], ("face", "hat"))


@accepted("faces", "a face outside its picture", "1 box outside of the picture dropped", through=FACES)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [FACE if number else (90, 90, 20, 20)])


@accepted("faces", "a box without area", "1 box without an inside dropped", through=FACES)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [FACE if number else (9, 9, 0, 12)])


@refused("faces", "a box that is no number", "no finite number", through=FACES)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [FACE if number else (9, 9, float("nan"), 12)])


@refused("faces", "folders of classes instead of boxes", "not for detection", through=FACES)
def _(folder: Path) -> Path:
    return good(folder)


# Roads with directions.


def road(folder: Path, direction: Callable[[int], object], head: str = "file,direction") -> Path:
    lines = [head]
    for number in range(24):
        put(folder / f"{number}.png", encoded(np.roll(NOISE, number, axis=1)))
        lines.append(f"{number}.png,{direction(number)}")
    put(folder / "directions.csv", "\n".join(lines) + "\n")
    return folder


@accepted("roads", "a direction for each picture", "(regression)", through=STEERING)
def _(folder: Path) -> Path:
    return road(folder, lambda number: (number - 12) / 40)


@refused("roads", "a direction is missing", "that have nothing in", "7.png", through=STEERING)
def _(folder: Path) -> Path:
    return road(folder, lambda number: "" if number == 7 else (number - 12) / 40)


@refused("roads", "a direction that is a word", "left", through=STEERING)
def _(folder: Path) -> Path:
    return road(folder, lambda number: "left" if number == 7 else (number - 12) / 40)


@refused("roads", "left and right as classes", "needs values", "left, right", through=STEERING)
def _(folder: Path) -> Path:
    return road(folder, lambda number: ("left", "right")[number % 2])


@refused("roads", "always straight on", "needs values", "--task regression", through=STEERING)
def _(folder: Path) -> Path:
    return road(folder, lambda number: 0.0)


@refused("roads", "an infinite direction", "missing or infinite: 1", through=STEERING)
def _(folder: Path) -> Path:
    return road(folder, lambda number: "inf" if number == 7 else (number - 12) / 40)


@refused("roads", "a direction of a picture that is not there", "99.png", through=STEERING)
def _(folder: Path) -> Path:
    road(folder, lambda number: (number - 12) / 40)
    with (folder / "directions.csv").open("a") as file:
        file.write("99.png,0.25\n")
    return folder


# Texts to pictures.


def captioned(folder: Path, text: Callable[[int], str], count: int = 24) -> Path:
    rows = (json.dumps({"file_name": f"{number}.png", "text": text(number)}) + "\n" for number in range(count))
    return beside(folder, "".join(rows), count=min(count, 12) if count < 12 else count)


@accepted("drawn texts", "a text for each picture", "different words in the captions", through=STACKGAN)
def _(folder: Path) -> Path:
    return captioned(folder, lambda number: f"a {('red', 'blue', 'dark')[number % 3]} square of number {number}", 12)


@refused(
    "drawn texts",
    "one text for all pictures",
    "too little to learn what texts mean",
    "1 text",
    through=STACKGAN,
)
def _(folder: Path) -> Path:
    return captioned(folder, lambda number: "a thing", 12)


@accepted("drawn texts", "texts of signs alone", "1 different words", through=STACKGAN)
def _(folder: Path) -> Path:
    return captioned(folder, lambda number: "!?.,"[: number % 4 + 1], 12)


@refused("drawn texts", "pictures alone", "no picture in this folder has a caption", through=STACKGAN)
def _(folder: Path) -> Path:
    return sized(folder, 32)


@refused("drawn texts", "two pictures", "2 samples", through=STACKGAN)
def _(folder: Path) -> Path:
    return captioned(folder, lambda number: f"thing {number}", 2)


# Forgeries beside real pictures.


@accepted(
    "forgeries",
    "real pictures and those of two generators",
    "2 generators: first, second",
    through=FORGERIES,
)
def _(folder: Path) -> Path:
    return good(folder, ("real", "first", "second"))


@refused("forgeries", "real pictures alone", "no targets", "--generators", through=FORGERIES)
def _(folder: Path) -> Path:
    return good(folder, ("real",))


@refused("forgeries", "no folder called real", "that of real pictures", "--real", through=FORGERIES)
def _(folder: Path) -> Path:
    return good(folder, ("first", "second"))


@refused("forgeries", "pictures without folders", "no targets", through=FORGERIES)
def _(folder: Path) -> Path:
    return sized(folder, 32)


@refused("forgeries", "a damaged forgery", "broken.png", through=FORGERIES)
def _(folder: Path) -> Path:
    put(good(folder, ("real", "first")) / "first" / "broken.png", encoded(NOISE)[:900])
    return folder
