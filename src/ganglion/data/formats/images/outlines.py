"""Masks that are drawn from the outlines of objects, as COCO's JSON keeps them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Field
from ganglion.data.formats.images.boxes import Found, Outline, in_parts, pictures_of, read_coco
from ganglion.data.formats.images.files import in_threads
from ganglion.data.formats.images.folders import ImageFiles, sizes_of
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

BACKGROUND = "background"
"""What class 0 is called: pixels within no outline."""
Drawn = tuple[tuple[int, Outline], ...]
"""Class number and outline of each object of a picture."""


@dataclass(frozen=True)
class DrawnMasks(Sequence):
    """Masks that are drawn when they are asked for: a pixel is of the class of the smallest object around it.

    A whole number gives one mask `(height, width)` int16; a slice or an array of places gives a stack of them, or a
    list where each has its own size.
    """

    paths: tuple[Path, ...]
    """The pictures, whose size each mask is drawn at."""
    objects: tuple[Drawn, ...]
    size: tuple[int, int] | None = None
    """Height and width that every mask is resized to; None where each keeps its own, and several are a list."""

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, int | np.integer):
            own = sizes_of(ImageFiles((self.paths[place],), None, 1))[0]
            mask = self._drawn(int(place), own)
            if self.size is None or self.size == own:
                return mask
            stretched = Image.fromarray(mask.astype(np.int32)).resize(self.size[::-1], Image.Resampling.NEAREST)
            return np.asarray(stretched).astype(np.int16)
        chosen = self.take(np.arange(len(self))[place])
        masks = list(in_threads(chosen.__getitem__, range(len(chosen))))
        if self.size is None:
            return masks
        return np.stack(masks) if masks else np.empty((0, *self.size), dtype=np.int16)

    def take(self, places: np.ndarray) -> "DrawnMasks":
        """Return the masks at some places, (count,), still undrawn."""
        kept = [(self.paths[place], self.objects[place]) for place in places]
        return replace(self, paths=tuple(path for path, _ in kept), objects=tuple(objects for _, objects in kept))

    def _drawn(self, place: int, size: tuple[int, int]) -> np.ndarray:
        where = f"object of {self.paths[place]}"
        try:
            return drawn(self.objects[place], size)
        except DataError as error:
            error.where = where
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(f"{type(error).__name__}: {error}", where) from error

    def contents(self) -> Iterator[bytes]:
        """Yield what tells each mask apart from the others."""
        for objects in self.objects:
            yield repr(objects).encode()


def drawn(objects: Drawn, size: tuple[int, int]) -> np.ndarray:
    """Return a mask `(height, width)` int16 of class numbers, 0 where there is no object; smaller ones lie on top.

    >>> square = [[1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0]]
    >>> drawn(((2, square),), (4, 5)).tolist()
    [[0, 0, 0, 0, 0], [0, 2, 2, 0, 0], [0, 2, 2, 0, 0], [0, 0, 0, 0, 0]]
    """
    mask = np.zeros(size, dtype=np.int16)
    areas = [(number, inside(outline, size)) for number, outline in objects]
    for number, area in sorted(areas, key=lambda one: -int(one[1].sum())):
        mask[area] = number
    return mask


def inside(outline: Outline, size: tuple[int, int]) -> np.ndarray:
    """Return which pixels lie in an outline, (height, width): those whose middle does, or those that runs name.

    Args:
        outline: polygons, each as x, y, x, y, ... from the upper left corner of the picture; or `size` and `counts`,
            how many pixels outside and inside follow each other in turn, column by column.
        size: height and width of the picture.

    Raises `DataError` for runs of another size.
    """
    if isinstance(outline, Mapping):
        height, width = outline["size"]
        counts = outline["counts"]
        runs = unpacked(counts) if isinstance(counts, str) else list(counts)
        if (height, width) != size or min(runs, default=0) < 0 or sum(runs) != height * width:
            raise _unreadable(f"runs of {height} x {width} pixels in a picture of {size[0]} x {size[1]}")
        return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T
    area = np.zeros(size, dtype=bool)
    for polygon in outline:
        area |= _within(np.asarray(polygon, dtype=float).reshape(-1, 2), size)
    return area


def _within(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return whether the middle of each pixel lies in a polygon of points (points, 2), by the even-odd rule."""
    rows, columns = np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5
    odd = np.zeros(size, dtype=bool)
    for (x, y), (to_x, to_y) in zip(points, np.roll(points, -1, axis=0), strict=True):
        crossed = (rows < y) != (rows < to_y)  # no row where both ends are as high
        at = x + (rows[crossed] - y) * (to_x - x) / ((to_y - y) or 1)
        odd[crossed] ^= columns < at[:, None]
    return odd


def unpacked(counts: str) -> list[int]:
    """Return the runs that COCO packs into letters: five bits each, and from the third on what has changed since two.

    >>> unpacked("52203")
    [5, 2, 2, 2, 5]
    """
    runs: list[int] = []
    value = shift = 0
    for letter in counts.encode():
        bits = letter - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    return runs


def _unreadable(found: str, where: str = "") -> DataError:
    return DataError(
        "the outline of an object cannot be read",
        where=where,
        expected="polygons of x, y, x, y, ..., or COCO's size and counts",
        found=found,
        remedy="repair the JSON, or take the object away",
    )


def read_outlined(folder: Path, files: Sequence[Path], settings: DataSettings) -> Dataset:
    """Read pictures with the masks that COCO's files outline; class 0 is the background.

    Raises:
        DataError: a file is broken, a picture is missing, or no object has an outline.
    """
    found = read_coco(files)
    paths = pictures_of(folder, found)
    numbers = {name: number for number, name in enumerate(found.names, 1)}
    objects = {path: _outlined(found, picture, numbers) for picture, path in paths.items()}
    if not any(objects.values()):
        raise DataError(
            "no object in these pictures has an outline",
            where=str(folder),
            expected="a segmentation for each object",
            found="boxes alone",
            remedy="train a system that finds boxes, such as fast-rcnn",
        )
    boxed = sum(len(one) for one in found.objects.values()) - sum(map(len, objects.values()))
    notes = [*found.notes, *([f"{boxed} objects have no outline and are left out"] if boxed else [])]
    names = (BACKGROUND, *found.names)
    notes.append(f"{len(names)} classes of pixels: {', '.join(names[:10])}")
    return in_parts(folder, found, paths, settings, notes, "masks", partial(_masks, objects, names))


def _outlined(found: Found, picture: str, numbers: Mapping[str, int]) -> Drawn:
    return tuple(
        (numbers[name], outline)
        for (name, _), outline in zip(found.objects[picture], found.outlines[picture], strict=True)
        if outline
    )


def _masks(
    objects: Mapping[Path, Drawn], names: tuple[str, ...], paths: Sequence[Path], images: Any
) -> dict[str, Field]:
    own_sizes = isinstance(images, list) or (isinstance(images, ImageFiles) and images.size is None)
    size = None if own_sizes else sizes_of(images)[0]
    masks = DrawnMasks(tuple(paths), tuple(objects[path] for path in paths), size)
    return {"masks": Field(kind="masks", values=masks if isinstance(images, ImageFiles) else masks[:], names=names)}
