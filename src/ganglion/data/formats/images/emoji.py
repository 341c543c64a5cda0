"""Emoji in several styles, cut out of sheets, with their names: the layout of `emoji-data`."""

import re
from pathlib import Path

import numpy as np
from PIL import Image

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Field
from ganglion.data.formats.images.files import decode
from ganglion.errors import DataError
from ganglion.files import parse_json, read_bytes

SHEET = re.compile(r"sheet_(?P<style>[a-z]+)_(?P<side>\d+)\.png")
MOST_BYTES = 1 << 26


def find_emoji(folder: Path) -> dict[str, Path]:
    """Return the sheet of each style in a folder with `emoji.json`; none where there is no such."""
    if not (folder / "emoji.json").is_file():
        return {}
    found = {match["style"]: path for path in sorted(folder.iterdir()) if (match := SHEET.fullmatch(path.name))}
    return found if len(found) > 1 else {}


def read_emoji(folder: Path, sheets: dict[str, Path]) -> Dataset:
    """Read emoji and their names in small letters; since each name is there once, the last style is the test part."""
    try:
        known = parse_json(read_bytes(folder / "emoji.json", MOST_BYTES).decode("utf-8"))
        cells = [(one["name"].lower(), int(one["sheet_x"]), int(one["sheet_y"]), one) for one in known if one["name"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            "this list of emoji cannot be read",
            where=str(folder / "emoji.json"),
            expected="objects with name, sheet_x and sheet_y",
            found=f"{type(error).__name__}: {error}",
        ) from error
    styles = {style: _cut(path, style, cells) for style, path in sheets.items()}
    *learnt, judged = styles
    parts = [[pair for style in chosen for pair in styles[style]] for chosen in (learnt, [judged])]
    fields = [
        {
            "inputs": Field(kind="images", values=np.stack([picture for picture, _ in pairs])),
            "captions": Field(kind="texts", values=[name for _, name in pairs], called="name"),
        }
        for pairs in parts
    ]
    return Dataset(
        name=folder.name,
        fields=fields[0],
        test_fields=fields[1],
        source=str(folder),
        fingerprint=fingerprint(*(one.values for part in fields for one in part.values())),
        notes=(f"learns from {' and '.join(learnt)}, and is judged on {judged}",),
    )


def _cut(path: Path, style: str, cells: list) -> list[tuple[np.ndarray, str]]:
    """Return the pictures of a style (side, side, 3) on white, with their names."""
    match = SHEET.fullmatch(path.name)
    assert match
    side = int(match["side"])
    decode(path)  # which refuses what is no picture, or far too large
    with Image.open(path) as image:
        sheet = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert("RGB")
    pixels = np.asarray(sheet)
    found = []
    for name, column, row, one in cells:
        cell = pixels[side * row : side * (row + 1), side * column : side * (column + 1)]
        if one.get(f"has_img_{style}") and cell.shape == (side, side, 3):
            found.append((cell, name))
    return found
