"""Images with a mask for each, which says what class every pixel is of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import UNJUDGED, Field
from ganglion.data.formats.files_together import Images, read_together, without_damaged
from ganglion.data.formats.folder_layout import folders_in, readable
from ganglion.data.formats.images.files import Header, in_threads, opened, read_header
from ganglion.data.formats.images.folders import ImageFiles, attempt, sizes_of
from ganglion.data.formats.images.two_folders import MASKED, TwoFolders, find_two_folders, images_in, partners
from ganglion.data.formats.text import read_text
from ganglion.data.pixels import Range
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError

CLASS_FILES = ("classes.txt", "labels.txt", "codes.txt", "class_names.txt")
"""Files with the name of a class on each line."""
MOST_CLASSES = 256
NOTHING = 255
"""Value that stands beside class numbers for pixels of no class, such as borders between objects."""


@dataclass(frozen=True)
class MaskFiles(Sequence):
    """Masks that stay in their files, resized to the nearest pixel; a value of the files is a class number.

    A whole number gives one mask `(height, width)` int16; a slice or an array of places gives a stack of them.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int] | None
    """Height and width that every mask is resized to; None where each keeps its own, and several are a list."""
    values: tuple[int, ...]
    """What stands in the files for class 0, 1, ..."""
    unjudged: int | None = None
    """What stands in the files for pixels of no class."""

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, int | np.integer):
            return self._numbered(read_mask(self.paths[place], self.size))
        chosen = self.take(np.arange(len(self))[place])
        masks = list(in_threads(chosen.__getitem__, range(len(chosen))))
        if self.size is None:
            return masks
        return np.stack(masks) if masks else np.empty((0, *self.size), dtype=np.int16)

    def take(self, places: np.ndarray) -> "MaskFiles":
        """Return the files at some places, (count,), still undecoded."""
        return replace(self, paths=tuple(self.paths[place] for place in places))

    def contents(self) -> Iterator[bytes]:
        """Yield what tells each file apart from the others."""
        return ImageFiles(self.paths, self.size, 1).contents()

    def _numbered(self, mask: np.ndarray) -> np.ndarray:
        order = np.argsort(self.values)
        found = np.searchsorted(np.array(self.values)[order], mask).clip(max=len(order) - 1)
        numbers = order[found].astype(np.int16)
        numbers[mask == self.unjudged] = UNJUDGED
        return numbers


def read_mask(path: Path, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return what a mask holds at every pixel `(height, width)` int32: grey values, places in the palette, or colours.

    A colour is `65536 red + 256 green + blue`. Raises `DataError` for a file that is damaged or no image.
    """
    with opened(path) as image:
        if image.mode in ("1", "L", "P", "I;16", "I"):
            pixels = np.asarray(image.convert("L") if image.mode == "1" else image).astype(np.int32)
        elif image.mode == "F":
            fractions = np.asarray(image)
            pixels = fractions.astype(np.int32)
            if not np.array_equal(pixels, fractions):
                raise DataError(
                    "a mask holds fractions, which are no numbers of classes",
                    where=str(path),
                    expected="whole numbers, or colours",
                    found=f"{fractions.min():g} to {fractions.max():g}",
                    remedy="save the number of the class of each pixel",
                )
        else:
            red, green, blue = np.moveaxis(np.asarray(image.convert("RGB")).astype(np.int32), 2, 0)
            pixels = (red << 16) + (green << 8) + blue
            pixels = red if np.array_equal(red, green) and np.array_equal(red, blue) else pixels
    if size is not None and pixels.shape != size:
        pixels = np.asarray(Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.NEAREST))
    return pixels


def find_masked(folder: Path, settings: DataSettings, asked: bool) -> TwoFolders | None:
    """Return the folders of images and masks in a folder, if there are such; two of any names where these are given."""
    wanted = settings.columns if asked and len(settings.columns) == 2 else ()
    return find_two_folders(folder, MASKED, wanted) if wanted or _has_known(folder) else None


def _has_known(folder: Path) -> bool:
    """Whether folders of images and masks lie here or in the folders of the parts; `trainA` says nothing of masks."""
    here = folders_in(folder)
    names = [here.keys(), *(folders_in(path).keys() for path in here.values())]
    return any(set(pair) <= each for each in names for pair in MASKED)


def read_masked(folder: Path, found: TwoFolders, settings: DataSettings) -> Dataset:
    """Read images with their masks, paired by the names of their files.

    The values in the masks are class numbers where they are 0, 1, ... or where a file `classes.txt` names so many
    classes; other values, such as 0 and 255 or colours, are classes in their order. 255 beside class numbers stands
    for pixels that are not judged.

    Raises:
        DataError: an image has no mask or one of another size, or masks hold more values than there can be classes.
    """
    notes = list(found.notes)
    parts = [_pairs(images_in(found.train[0]), images_in(found.train[1]), found.names, folder)]
    if found.test:
        parts.append(_pairs(images_in([found.test[0]]), images_in([found.test[1]]), found.names, folder))
    names = _class_names(folder)
    masks = [[mask for _, mask in part] for part in parts]
    found_values, shapes, damaged = _values([path for part in masks for path in part])
    _refuse_other_sizes([pair for part in parts for pair in part], shapes)
    sides = [{"inputs": [image for image, _ in part], "masks": [mask for _, mask in part]} for part in parts]
    sides = [without_damaged(side, damaged, settings, notes) for side in sides]
    values, unjudged = _classes(found_values, names, str(folder))
    image_of = {mask: image for image, mask in parts[0]}
    ranges: dict[str, Range] = {}
    read = read_together(
        sides[0], sides[1] if len(sides) > 1 else {}, settings, notes, beside=("masks",), ranges=ranges
    )
    class_names = _named(names, values)
    validation = found.validated([image_of[mask] for mask in read[0]["masks"]])
    fields = [
        _fields(part, found.names, class_names, values, unjudged, ranges["inputs"]) if part else {} for part in read
    ]
    notes.append(f"{len(values)} classes of pixels: {', '.join(class_names[:10])}")
    if names and values != tuple(range(len(names))):
        stands = ", ".join(f"{value} for {name}" for value, name in zip(values[:10], names, strict=False))
        notes.append(f"the values in the masks are taken in their order: {stands}")
    if unjudged is not None:
        notes.append(f"pixels of value {unjudged} are of no class and are not judged")
    return Dataset(
        name=readable(folder.name),
        fields=fields[0],
        test_fields=fields[1],
        source=str(folder),
        fingerprint=fingerprint(*(field.values for part in fields for field in part.values())),
        notes=tuple(notes),
        validation=validation,
    )


def _fields(
    read: Images,
    called: tuple[str, str],
    names: tuple[str, ...],
    values: tuple[int, ...],
    unjudged: int | None,
    pixels: Range,
) -> dict[str, Field]:
    """Return the images and their masks, which are kept where the images are: in files or in memory."""
    images = read["inputs"]
    own_sizes = isinstance(images, list) or (isinstance(images, ImageFiles) and images.size is None)
    masks = MaskFiles(tuple(read["masks"]), None if own_sizes else sizes_of(images)[0], values, unjudged)
    kept = masks if isinstance(images, ImageFiles) else masks[:]
    return {
        "inputs": Field(kind="images", values=images, called=called[0], pixels=pixels),
        "masks": Field(kind="masks", values=kept, names=names, called=called[1]),
    }


def _pairs(images: list[Path], masks: list[Path], names: tuple[str, str], folder: Path) -> list[tuple[Path, Path]]:
    pairs = partners(images, masks, names)
    if pairs is None:
        raise DataError(
            "the images and masks do not belong together by their names",
            where=str(folder),
            expected="a mask of the same name for each image",
            found=f"{images[0].name} and {masks[0].name}",
        )
    return pairs


def _class_names(folder: Path) -> tuple[str, ...]:
    path = next((folder / name for name in CLASS_FILES if (folder / name).is_file()), None)
    return () if path is None else tuple(line.strip() for line in read_text(path).split("\n") if line.strip())


def _named(names: tuple[str, ...], values: tuple[int, ...]) -> tuple[str, ...]:
    """Return what the classes are called: as the file says, or by their value or colour in the masks."""
    if names:
        return names
    coloured = max(values) >= 1 << 16  # 16 bits of grey go as far as that
    return tuple(f"#{value:06x}" if coloured and value > NOTHING else f"value {value}" for value in values)


def _refuse_other_sizes(pairs: list[tuple[Path, Path]], shapes: dict[Path, tuple[int, ...]]) -> None:
    """Raise where a mask has not the size of its image; images that cannot be read are told of elsewhere."""
    headers = in_threads(partial(attempt, read_header), [image for image, _ in pairs])
    for (image, mask), header in zip(pairs, headers, strict=True):
        if mask in shapes and isinstance(header, Header) and shapes[mask] != (header.height, header.width):
            raise DataError(
                "a mask has another size than its image",
                where=f"{mask} beside {image}",
                expected=f"{header.height} x {header.width} pixels",
                found=" x ".join(map(str, shapes[mask])),
                remedy="save the mask at the size of its image, without smoothing",
            )


def _values(paths: list[Path]) -> tuple[dict[int, Path], dict[Path, tuple[int, ...]], dict[Path, DataError]]:
    """Return all values in masks, each with the first that holds it, the height and width of each mask, and the masks
    that cannot be read.
    """
    values: dict[int, Path] = {}
    shapes: dict[Path, tuple[int, ...]] = {}
    damaged: dict[Path, DataError] = {}
    for path, mask in zip(paths, in_threads(partial(attempt, read_mask), paths), strict=True):
        if isinstance(mask, DataError):
            damaged[path] = mask
            continue
        values = dict.fromkeys(np.unique(mask).tolist(), path) | values
        shapes[path] = mask.shape
        if len(values) > MOST_CLASSES:
            raise DataError(
                "these masks hold too many values to be classes",
                where=str(path),
                expected=f"at most {MOST_CLASSES} values over all masks",
                found=f"{len(values)} and more",
                remedy="save masks without loss, as PNG: JPEG makes values that were not there",
            )
    return values, shapes, damaged


def _classes(first: Mapping[int, Path], names: Sequence[str], where: str) -> tuple[tuple[int, ...], int | None]:
    """Return what stands for each class, and for pixels of no class.

    Args:
        first: a mask that holds each value.
        names: of the classes, where a file names them.
        where: the masks lie.
    """
    found, named = set(first), len(names)
    judged = found - {NOTHING}
    if named:
        numbers = tuple(range(named))
        # One value beside 255 is more likely black and white than one class and nothing.
        unjudged = NOTHING if NOTHING in found and named <= NOTHING and len(judged) > 1 else None
        if (found if unjudged is None else judged) <= set(numbers):
            return numbers, unjudged
        values = tuple(sorted(found))
        if len(values) != named:
            unknown = next((value for value in values if value not in numbers), values[-1])
            raise DataError(
                "the masks do not have the classes that are named",
                where=where,
                expected=f"{named} classes: " + ", ".join(f"{n} {name}" for n, name in enumerate(names[:10])),
                found=f"values {', '.join(map(str, values[:10]))}{', ...' if len(values) > 10 else ''}; "
                f"{unknown} stands in {first[unknown]}",
                remedy="name each class on a line of classes.txt, in the order of their values, or repair the masks",
            )
        return values, None
    if NOTHING in found and len(judged) > 1 and judged == set(range(len(judged))):
        return tuple(sorted(judged)), NOTHING
    return tuple(sorted(found)), None
