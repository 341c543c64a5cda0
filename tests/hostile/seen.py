"""What networks of pictures are given: masks, boxes, quantities and labels, odd pictures to ask about, weights."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from ganglion.data.dataset import Kind
from ganglion.data.settings import DataSettings
from tests.hostile.case import accepted, put, refused
from tests.hostile.images import NOISE, encoded
from tests.hostile.systems import Box, boxed, prepared

UNET, FAST_RCNN, CONVNET = (partial(prepared, name) for name in ("unet", "fast-rcnn", "convnet"))
COUNT = 12
FACE: Box = (8, 8, 24, 24)


def photo(number: int, side: int = 40) -> np.ndarray:
    """Return a picture of noise (side, side, 3), another one for each number."""
    return np.ascontiguousarray(np.roll(NOISE, number, axis=0)[:side, :side])


# Pictures with masks.


def square(number: int, value: int = 1, side: int = 40) -> np.ndarray:
    """Return a mask (side, side) of a square of one value on a ground of 0."""
    mask = np.zeros((side, side), np.uint8)
    mask[5 + number : 15 + number, 8:20] = value
    return mask


def masked(
    folder: Path, mask: Callable[[int], np.ndarray], names: str | None = None, part: str = "", count: int = COUNT
) -> Path:
    for number in range(count):
        put(folder / part / "images" / f"{number}.png", encoded(photo(number + 20 * (part == "test"))))
        put(folder / part / "masks" / f"{number}.png", encoded(mask(number)))
    if names is not None:
        put(folder / "classes.txt", names)
    return folder


@accepted("masks", "a mask for each picture", "2 classes of pixels: ground, cell", through=UNET)
def _(folder: Path) -> Path:
    return masked(folder, square, "ground\ncell\n")


@accepted("masks", "black and white for two names", "0 for ground, 255 for cell", through=UNET)
def _(folder: Path) -> Path:
    return masked(folder, partial(square, value=255), "ground\ncell\n")


@accepted("masks", "pictures without an object among them", "pixels to learn from", through=UNET)
def _(folder: Path) -> Path:
    return masked(folder, lambda number: square(number, number % 2), "ground\ncell\n")


@refused("masks", "no object in any picture", "of one class throughout", through=UNET)
def _(folder: Path) -> Path:
    return masked(folder, partial(square, value=0), "ground\ncell\n")


@refused("masks", "masks of one value and no names", "of one class", through=UNET)
def _(folder: Path) -> Path:
    return masked(folder, partial(square, value=0))


@refused("masks", "a mask of another size than its picture", "another size than its image", "7.png", through=UNET)
def _(folder: Path) -> Path:
    return masked(folder, lambda number: square(number, side=38 if number == 7 else 40))


@refused("masks", "a value that has no name", "77 stands in", "7.png", "1 cell", through=UNET)
def _(folder: Path) -> Path:
    return masked(folder, lambda number: square(number, 77 if number == 7 else 1), "ground\ncell\n")


@refused("masks", "more names than values", "the classes that are named", "3 classes", through=UNET)
def _(folder: Path) -> Path:
    return masked(folder, partial(square, value=255), "ground\ncell\nnucleus\n")


@refused("masks", "masks of fractions of grey", "too many values", "JPEG", through=UNET)
def _(folder: Path) -> Path:
    return masked(folder, lambda number: photo(number))


@refused("masks", "a mask is missing", "no partner", "7.png", through=UNET)
def _(folder: Path) -> Path:
    (masked(folder, square) / "masks" / "7.png").unlink()
    return folder


@refused("masks", "a damaged mask", "7.png", through=UNET)
def _(folder: Path) -> Path:
    put(masked(folder, square) / "masks" / "7.png", encoded(square(7))[:60])
    return folder


@refused("masks", "a class in the test part alone", "that no training mask has", "nucleus", through=UNET)
def _(folder: Path) -> Path:
    masked(folder, partial(square, value=2), "ground\ncell\nnucleus\n", "test", 4)
    return masked(folder, square, part="train")


@refused("masks", "pixels of no class alone", "of one class throughout", through=UNET)
def _(folder: Path) -> Path:
    masked(folder, lambda number: np.full((40, 40), 255, np.uint8), "ground\ncell\n", "train")
    return masked(folder, lambda number: square(number, 1), part="test", count=4)


# Pictures with boxes.


@accepted("boxes", "objects of two kinds", "6 cat, 6 dog", through=FAST_RCNN)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [FACE], ("cat", "dog"))


@accepted("boxes", "pictures without an object among them", "objects: 8 cat", through=FAST_RCNN)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [FACE] if number % 3 else [], ("cat",))


@refused("boxes", "no object in any picture", "no object in these pictures", through=FAST_RCNN)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [], ("cat",))


@accepted("boxes", "a box outside its picture", "1 box outside of the picture dropped", through=FAST_RCNN)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [FACE if number else (90, 90, 20, 20)], ("cat",))


@accepted("boxes", "a box half outside its picture", "1 box cut off at the border", through=FAST_RCNN)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [FACE if number else (50, 50, 40, 40)], ("cat",))


@refused("boxes", "boxes all outside their pictures", "no object in these pictures", through=FAST_RCNN)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [(90, 90, 20, 20)], ("cat",))


@refused("boxes", "boxes of a picture that is not there", "7.png", "1 of 12", through=FAST_RCNN)
def _(folder: Path) -> Path:
    (boxed(folder, lambda number: [FACE]) / "7.png").unlink()
    return folder


@refused("boxes", "a box of three numbers", "cannot be read", "boxes.json", through=FAST_RCNN)
def _(folder: Path) -> Path:
    return boxed(folder, lambda number: [FACE if number else (9.0, 9.0, 12.0)])  # type: ignore[list-item]


@refused("boxes", "nothing is proposed in pictures of one colour", "no box is proposed", through=FAST_RCNN)
def _(folder: Path) -> Path:
    boxed(folder, lambda number: [FACE], ("cat",))
    for number in range(COUNT):
        put(folder / f"{number}.png", encoded(np.full((64, 64, 3), 20 + number, np.uint8)))
    return folder


@accepted("boxes", "a class in the test part alone", "shows dog: it will not be found", through=FAST_RCNN)
def _(folder: Path) -> Path:
    boxed(folder / "train", lambda number: [FACE], ("cat",))
    boxed(folder / "test", lambda number: [FACE], ("dog",))
    for part in ("train", "test"):
        content = json.loads((folder / part / "boxes.json").read_text())
        for image in content["images"]:
            picture = folder / part / image["file_name"]
            image["file_name"] = f"{part}{image['file_name']}"
            pixels = photo(20 * (part == "test") + image["id"])
            put(folder / image["file_name"], encoded(np.tile(pixels, (2, 2, 1))[:64, :64]))
            picture.unlink()
        content["categories"] = [{"id": 1, "name": "cat" if part == "train" else "dog"}]
        put(folder / f"{part}.json", json.dumps(content))
        (folder / part / "boxes.json").unlink()
    return folder


# Pictures with quantities, or with several labels.


def told(
    folder: Path, row: Callable[[int], Sequence[object]], head: str, side: int = 20, count: int = 24, first: int = 0
) -> Path:
    """Write pictures and a table beside them, of their names and more cells."""
    for number in range(count):
        put(folder / f"{number}.png", encoded(photo(first + number, side)))
    rows = (",".join([f"{number}.png", *map(str, row(number))]) for number in range(count))
    put(folder / "known.csv", "\n".join([f"file,{head}", *rows]) + "\n")
    return folder


@accepted("answers", "a quantity for each picture", "(regression)", through=CONVNET)
def _(folder: Path) -> Path:
    return told(folder, lambda number: [number / 7 + 0.25], "radius")


@accepted("answers", "several columns of 0 and 1", "2 labels, of which any number may hold", through=CONVNET)
def _(folder: Path) -> Path:
    return told(folder, lambda number: [number % 2, number // 2 % 2], "bar,post")


@accepted("answers", "several columns of true and false", "2 labels, of which any number may hold", through=CONVNET)
def _(folder: Path) -> Path:
    return told(folder, lambda number: [number % 2 > 0, number // 2 % 2 > 0], "bar,post")


@accepted("answers", "labels that share a cell", "2 labels, of which any number may hold", through=CONVNET)
def _(folder: Path) -> Path:
    return told(folder, lambda number: [("bar", "post", "bar|post")[number % 3]], "kind")


@accepted("answers", "pictures of one pixel", "1 x 1 are resized to 18 x 18", through=CONVNET)
def _(folder: Path) -> Path:
    return told(folder, lambda number: ["ab"[number % 2]], "kind", side=1)


@refused("answers", "a quantity is missing", "have nothing in 'radius'", "7.png", through=CONVNET)
def _(folder: Path) -> Path:
    return told(folder, lambda number: ["" if number == 7 else number / 7 + 0.25], "radius")


@refused("answers", "a quantity that is a word", "cells that are none", "large", through=CONVNET)
def _(folder: Path) -> Path:
    return told(folder, lambda number: ["large" if number == 7 else number / 7 + 0.25], "radius")


@refused("answers", "an infinite quantity", "missing or infinite: 1", through=CONVNET)
def _(folder: Path) -> Path:
    return told(folder, lambda number: ["inf" if number == 7 else number / 7 + 0.25], "radius")


@refused("answers", "several quantities of which it is not said which", "with commas between them", through=CONVNET)
def _(folder: Path) -> Path:
    return told(folder, lambda number: [number / 7 + 0.25, number / 3 + 0.5], "radius,across")


@refused("answers", "a label in the test part alone", "that the training part lacks", "post", through=CONVNET)
def _(folder: Path) -> Path:
    told(folder / "train", lambda number: [("bar", "knob", "bar|knob")[number % 3]], "kind")
    told(folder / "test", lambda number: [("bar", "bar|post")[number % 2]], "kind", count=8, first=30)
    return folder


@accepted("answers", "a label that holds in the test part alone", "has post: it will not be found", through=CONVNET)
def _(folder: Path) -> Path:
    told(folder / "train", lambda number: [number % 2, 0], "bar,post")
    told(folder / "test", lambda number: [number % 2, number // 2 % 2], "bar,post", count=8, first=30)
    return folder


# Odd pictures that a run is asked about.


def asked(system: str, folder: Path, wanted: Kind | None = None) -> tuple[str, ...]:
    """Return what is said of a picture that a network, which learnt nothing, is asked about, and the answer."""
    from ganglion.models import find
    from ganglion.runs.preparing import prepare_task

    found = find(system)
    task = prepare_task(found, str(folder / "known"), found.load().TINY, DataSettings(), 0)
    torch.manual_seed(0)
    home = found.load().build(task.config).home
    answer = task.ask("predict", home, task.questions["predict"](inputs=(str(folder / "odd.png"),)))
    return (*answer.notes, f"{len(answer.rows or ())} rows")


def odd(known: Path, pixels: np.ndarray) -> Path:
    put(known.parent / "odd.png", encoded(pixels))
    return known.parent


def boxes_of_cats(folder: Path) -> Path:
    return boxed(folder / "known", lambda number: [FACE], ("cat",))


ODD = {
    "one pixel": np.full((1, 1, 3), 90, np.uint8),
    "one colour": np.full((64, 64, 3), 90, np.uint8),
    "one line": NOISE[:1],
    "a line of 2,000 pixels": np.tile(NOISE[:1], (1, 50, 1)),
}
ASKED: dict[str, Callable[[Path], Path]] = {
    "convnet": lambda folder: told(folder / "known", lambda number: ["ab"[number % 2]], "kind"),
    "lenet5": lambda folder: told(folder / "known", lambda number: [number / 7 + 0.25], "radius"),
    "unet": lambda folder: masked(folder / "known", square, "ground\ncell\n"),
    "fast-rcnn": boxes_of_cats,
    "face-detector": boxes_of_cats,
}
for _system, _known in ASKED.items():
    for _name, _pixels in ODD.items():
        accepted("asked", f"{_system}: a picture of {_name}", "rows", through=partial(asked, _system))(
            lambda folder, known=_known, pixels=_pixels: odd(known(folder), pixels)
        )


# Weights to start from.


def started(system: str, file: Path, wanted: Kind | None = None) -> tuple[str, ...]:
    """Return what is said of weights that a system, which tells three classes apart, starts from."""
    from ganglion.models import find
    from ganglion.runs.weights import start
    from ganglion.training.settings import TrainerSettings

    module = find(system).load()
    return tuple(start(module.build(module.TINY), TrainerSettings(start_from=str(file))))


def kept(folder: Path, system: str, **changed: object) -> Path:
    """Write the weights of a system in a form of its own."""
    from ganglion.models import find

    module = find(system).load()
    path = folder / "weights.safetensors"
    save_file(module.build(replace(module.TINY, **changed)).home.state_dict(), path)
    return path


RESNET = partial(started, "resnet")


@accepted("weights", "of the same network", "44 of 44", through=RESNET)
def _(folder: Path) -> Path:
    return kept(folder, "resnet")


@accepted("weights", "of the same network for quantities", "left out", "output", through=RESNET)
def _(folder: Path) -> Path:
    return kept(folder, "resnet", num_classes=None, out_features=1)


@refused("weights", "of another network", "have other names than this network", through=RESNET)
def _(folder: Path) -> Path:
    return kept(folder, "vgg")


@accepted("weights", "of a deeper network", "not used: stages.0.1", through=RESNET)
def _(folder: Path) -> Path:
    return kept(folder, "resnet", depth=14)


@refused("weights", "of a network for colours", "--adapt-channels", through=RESNET)
def _(folder: Path) -> Path:
    return kept(folder, "resnet", in_channels=3)


@refused("weights", "a file of another kind", "a .safetensors file", through=RESNET)
def _(folder: Path) -> Path:
    return put(folder / "weights.pt", b"PK\x03\x04")


@refused("weights", "a file that holds none", "holds no weights", through=RESNET)
def _(folder: Path) -> Path:
    return put(folder / "weights.safetensors", b"nothing of the kind")


@refused("weights", "a number that is none", "not finite", through=RESNET)
def _(folder: Path) -> Path:
    path = kept(folder, "resnet")
    weights = load_file(path)
    weights["output.bias"][0] = float("nan")
    save_file(weights, path)
    return path
