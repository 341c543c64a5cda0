"""Pictures with captions: rows and files that do not fit together."""

from pathlib import Path

import numpy as np

from tests.hostile.case import accepted, put, refused
from tests.hostile.images import encoded

ROWS = "".join(f'{{"file_name": "{number}.png", "text": "a thing of number {number}"}}\n' for number in range(6))


def beside(folder: Path, text: str, name: str = "metadata.jsonl", count: int = 6) -> Path:
    for number in range(count):
        put(folder / f"{number}.png", encoded(np.full((32, 32, 3), 20 * number + 9, np.uint8)))
    put(folder / name, text)
    return folder


@accepted("captions", "JSON lines", "pictures by 'file_name'", wanted="captions")
def _(folder: Path) -> Path:
    return beside(folder, ROWS)


@refused("captions", "a caption without a picture", "captions are of no picture", "9.png", wanted="captions")
def _(folder: Path) -> Path:
    return beside(folder, ROWS + '{"file_name": "9.png", "text": "nothing"}\n')


@refused("captions", "a picture without a caption", "1 pictures have no caption", "6.png", wanted="captions")
def _(folder: Path) -> Path:
    return beside(folder, ROWS, count=7)


@refused("captions", "an empty caption", "hold no caption", "row 7", wanted="captions")
def _(folder: Path) -> Path:
    return beside(folder, ROWS + '{"file_name": "1.png", "text": "  "}\n')


@refused("captions", "pictures alone", "no picture in this folder has a caption", wanted="captions")
def _(folder: Path) -> Path:
    return beside(folder, "", name="notes.md")


@refused("captions", "captions alone", "no picture in this folder has a caption", wanted="captions")
def _(folder: Path) -> Path:
    return beside(folder, ROWS, count=0)


@refused("captions", "a line that is no JSON", "metadata.jsonl, line 7", wanted="captions")
def _(folder: Path) -> Path:
    return beside(folder, ROWS + "{file_name: 1.png}\n")


@refused("captions", "COCO with a caption of an unknown picture", "cannot be read", "KeyError", wanted="captions")
def _(folder: Path) -> Path:
    text = '{"images": [{"id": 1, "file_name": "1.png"}], "annotations": [{"image_id": 7, "caption": "a"}]}'
    return beside(folder, text, name="captions.json")
