"""Pictures with boxes around what they show: Pascal VOC's XML files and COCO's JSON."""

import mmap
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.digests import fingerprint
from ganglion.data.fields import Boxes, Field
from ganglion.data.formats.files_together import read_together
from ganglion.data.formats.folder_layout import PART_NAMES, folders_in, readable, uses, walk
from ganglion.data.formats.images.files import Header, in_threads, read_header
from ganglion.data.formats.images.proposals import STEM, Proposals, find_proposals
from ganglion.data.formats.text import read_text
from ganglion.data.pixels import Range
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.files import parse_json, read_bytes, unreadable

MOST_XML_BYTES = 16 << 20
LISTS = {"test": "test", "validation": "val"}
"""Files of Pascal VOC's `ImageSets/Main` that name the pictures of a part."""


Outline = Sequence[Sequence[float]] | Mapping[str, Any]
"""Polygons, or runs of pixels inside and outside."""


@dataclass
class Found:
    """Objects by picture, as files name them, before it is known where the pictures lie."""

    objects: dict[str, list[tuple[str, tuple[float, ...]]]] = field(default_factory=dict)
    """Name of each object and its box in pixels, by the name of the picture."""
    outlines: dict[str, list[Outline]] = field(default_factory=dict)
    """What each object covers, in the same order, of COCO's files; empty where that is not said."""
    part: dict[str, str] = field(default_factory=dict)
    """`train`, `validation` or `test`, by the name of the picture."""
    names: tuple[str, ...] = ()
    """What the classes are called, where the files say so; else in the order of the alphabet."""
    notes: list[str] = field(default_factory=list)


def find_boxed(folder: Path) -> list[Path]:
    """Return the files with the boxes of pictures in a folder: VOC's or COCO's; none where there are no such."""
    below = folders_in(folder)
    for place in filter(None, (below.get("annotations"), folder, below.get("labels"))):
        xml = sorted(path for path in place.glob("*.xml") if path.is_file())
        if xml and _holds(xml[0], b"<annotation"):
            return xml
        files = (path for path in sorted(place.glob("*.json")) if path.is_file() and path.stem != STEM)
        coco = [path for path in files if _holds(path, b'"annotations"')]
        if coco:
            return coco
    return []


def _holds(path: Path, word: bytes) -> bool:
    """Whether a word stands in a file; of XML and of COCO's JSON this is enough to tell them from others."""
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                return False  # which cannot be mapped
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return content.find(word) >= 0
    except OSError as error:
        raise unreadable(path, error) from error


def read_boxed(folder: Path, files: Sequence[Path], settings: DataSettings) -> Dataset:
    """Read pictures with their boxes; those without an inside are dropped, what lies outside of pictures is cut off.

    Raises:
        DataError: a file is broken, a picture is missing, or there is no box.
    """
    found = _read_voc(folder, files) if files[0].suffix == ".xml" else read_coco(files)
    paths = pictures_of(folder, found)
    sizes = dict(zip(paths.values(), in_threads(read_header, list(paths.values())), strict=True))
    names = found.names or tuple(sorted({name for objects in found.objects.values() for name, _ in objects}))
    notes, dropped = found.notes, {"zero": 0, "outside": 0, "cut": 0}
    boxes = {
        paths[picture]: _boxes(objects, names, (sizes[paths[picture]].height, sizes[paths[picture]].width), dropped)
        for picture, objects in found.objects.items()
    }
    if not any(len(one.classes) for one in boxes.values()):
        raise DataError(
            "there is no object in these pictures", where=str(folder), expected="boxes", found="none with an inside"
        )
    notes += [
        f"{count} {'box' if count == 1 else 'boxes'} {said}"
        for count, said in zip(
            dropped.values(),
            ("without an inside dropped", "outside of the picture dropped", "cut off at the border of the picture"),
            strict=True,
        )
        if count
    ]
    counts = np.bincount(
        np.concatenate([one.classes for one in boxes.values()]).astype(int), minlength=len(names)
    ).tolist()
    notes.append("objects: " + ", ".join(f"{count} {name}" for count, name in zip(counts, names, strict=True)))
    made = partial(_fields, boxes, names, _proposed(folder, sizes, notes))
    return in_parts(folder, found, paths, settings, notes, "boxes", made)


def _proposed(folder: Path, sizes: Mapping[Path, Header], notes: list[str]) -> tuple[Mapping[Path, Boxes], str]:
    """Return the proposals of each picture and the name of their file, if there is one in the folder."""
    path = find_proposals(folder)
    if path is None:
        return {}, ""
    field, said = Proposals(path).field(list(sizes), [(one.height, one.width) for one in sizes.values()])
    notes += said
    return dict(zip(sizes, field.values, strict=True)), path.name


def _fields(
    boxes: Mapping[Path, Boxes],
    names: tuple[str, ...],
    proposals: tuple[Mapping[Path, Boxes], str],
    paths: Sequence[Path],
    images: Any,
) -> dict[str, Field]:
    fields = {"boxes": Field(kind="boxes", values=[boxes[path] for path in paths], names=names)}
    proposed, called = proposals
    if proposed:
        values = [proposed[path] for path in paths]
        fields["proposals"] = Field(kind="boxes", values=values, names=("proposal",), called=called)
    return fields


def in_parts(
    folder: Path,
    found: Found,
    paths: Mapping[str, Path],
    settings: DataSettings,
    notes: list[str],
    name: str,
    make: Callable[[Sequence[Path], Any], Mapping[str, Field]],
) -> Dataset:
    """Read pictures in the parts that the files say, with fields of what is known of each.

    Args:
        found: what the files say; its parts are by picture.
        paths: the file of each picture.
        notes: are added to.
        name: of the first of these fields.
        make: makes them of the files of pictures, in order, and of the images as they were read.

    Raises `DataError` for a picture that is damaged.
    """
    part_of = {path: found.part.get(picture, "train") for picture, path in paths.items()}
    sides = [[path for path, part in part_of.items() if (part == "test") == tested] for tested in (False, True)]
    train, test = ({"inputs": side, name: side} if side else {} for side in sides)
    ranges: dict[str, Range] = {}
    parts = read_together(train, test, settings, notes, beside=(name,), ranges=ranges)
    fields = [
        {
            "inputs": Field(kind="images", values=read["inputs"], pixels=ranges["inputs"]),
            **make([Path(path) for path in read[name]], read["inputs"]),
        }
        if read
        else {}
        for read in parts
    ]
    validated = [place for place, path in enumerate(parts[0][name]) if part_of[path] == "validation"]
    return Dataset(
        name=readable(folder.name),
        fields=fields[0],
        test_fields=fields[1],
        source=str(folder),
        fingerprint=fingerprint(*(one.values for part in fields for one in part.values())),
        notes=tuple(notes),
        validation=np.array(validated) if validated else None,
    )


def _boxes(
    objects: Sequence[tuple[str, tuple[float, ...]]],
    names: tuple[str, ...],
    size: tuple[int, int],
    dropped: dict[str, int],
) -> Boxes:
    """Return the boxes of a picture within it, and count what was wrong with them."""
    height, width = size
    corners, classes = [], []
    for name, box in objects:
        if not (box[0] < box[2] and box[1] < box[3]):
            dropped["zero"] += 1
            continue
        inside = np.clip(box, 0, [width, height, width, height])
        if not (inside[0] < inside[2] and inside[1] < inside[3]):
            dropped["outside"] += 1
            continue
        dropped["cut"] += bool(np.abs(inside - box).max() > 1)
        corners.append(inside)
        classes.append(names.index(name))
    return Boxes(np.array(corners, np.float32).reshape(-1, 4), np.array(classes, np.int64), size)


def pictures_of(folder: Path, found: Found) -> dict[str, Path]:
    """Return the file of each picture that has boxes, by what they call it: with its ending or without.

    Raises `DataError` where one is missing.
    """
    known: dict[str, Path] = {}
    for path in walk(folder)[0]:
        known.setdefault(path.name, path)
        known.setdefault(path.stem, path)
    missing = [name for name in found.objects if name not in known and Path(name).stem not in known]
    if missing:
        raise DataError(
            "boxes are of a picture that is not there",
            where=str(folder),
            expected=f"a picture {missing[0]}",
            found=f"{len(missing)} of {len(found.objects)} pictures are missing",
            remedy="put the pictures into the folder, or take their boxes away",
        )
    return {name: known.get(name) or known[Path(name).stem] for name in found.objects}


def _read_voc(folder: Path, files: Sequence[Path]) -> Found:
    """Read Pascal VOC's files, one a picture: corners count from 1, and the last row and column lie inside."""
    found = Found()
    for path in files:
        objects: list[tuple[str, tuple[float, ...]]] = []
        for item in _tree(path).iter("object"):
            name, box = (item.findtext("name") or "").strip(), item.find("bndbox")
            values = [None if box is None else box.findtext(side) for side in ("xmin", "ymin", "xmax", "ymax")]
            try:
                left, top, right, bottom = (float(str(value)) for value in values)
            except ValueError as error:
                raise _broken(path, f"an object {name!r} with the corners {values}") from error
            if not name:
                raise _broken(path, "an object without a name")
            empty = left >= right or top >= bottom
            objects.append((name, (left, top, left, top) if empty else (left - 1, top - 1, right, bottom)))
        found.objects[path.stem] = objects
    lists = folders_in(folder).get("imagesets")
    named = {part: lists / "Main" / f"{name}.txt" for part, name in LISTS.items()} if lists else {}
    listed = {part: _listed(path) & found.objects.keys() for part, path in named.items() if path.is_file()}
    parts = {part: names for part, names in listed.items() if 0 < len(names) < len(found.objects)}
    for part, use in uses(parts, found.notes, "what ImageSets/Main/val.txt names").items():
        found.part |= dict.fromkeys(parts[part], use)
        if part == "test":
            found.notes.append("the pictures that ImageSets/Main/test.txt names are the test part")
    return found


def _listed(path: Path) -> set[str]:
    return {line.split()[0] for line in read_text(path).split("\n") if line.strip()}


def _tree(path: Path) -> ElementTree.Element:
    content = read_bytes(path, MOST_XML_BYTES)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise _broken(path, "a declaration of entities, which is not read")
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise _broken(path, str(error)) from error


def read_coco(files: Sequence[Path]) -> Found:
    """Read COCO's files: left, top, width and height of each box, and outlines. Raises `DataError` for a broken one."""
    found, categories = Found(), dict[tuple[Any, str], None]()  # files may count their classes each for itself
    parts = {path: _part_of(path) for path in files}
    use = uses(parts.values(), found.notes, "the file for validation") if "train" in parts.values() else {}
    for path in files:
        try:
            content = parse_json(read_bytes(path, 1 << 30).decode("utf-8"))
            names = {one["id"]: str(one["name"]) for one in content["categories"]}
            categories |= dict.fromkeys(names.items())
            pictures = {one["id"]: str(one["file_name"]) for one in content["images"]}
            for picture in pictures.values():
                found.objects.setdefault(picture, [])
                found.outlines.setdefault(picture, [])
                found.part[picture] = use.get(parts[path], "train")
            for one in content["annotations"]:
                left, top, wide, high = map(float, one["bbox"])
                box = left, top, left + wide, top + high
                picture = pictures[one["image_id"]]
                found.objects[picture].append((names[one["category_id"]], box))
                found.outlines[picture].append(one.get("segmentation") or ())
        except (KeyError, TypeError, ValueError) as error:
            raise _broken(path, f"{type(error).__name__}: {error}") from error
    used = {name for objects in found.objects.values() for name, _ in objects}
    found.names = tuple(dict.fromkeys(name for _, name in sorted(categories) if name in used))
    if "test" in use:
        found.notes.append("the pictures of the file for testing are the test part")
    return found


def _part_of(path: Path) -> str:
    """Return the part whose name is a word in the name of a file.

    >>> _part_of(Path("instances_val2017.json")), _part_of(Path("latest.json"))
    ('validation', 'train')
    """
    words = re.findall(r"[a-z]+", path.stem.lower())
    return next((part for part, names in PART_NAMES.items() if set(names) & set(words)), "train")


def _broken(path: Path, found: str) -> DataError:
    return DataError(
        "this file of boxes cannot be read",
        where=str(path),
        expected="Pascal VOC's XML or COCO's JSON",
        found=found,
        remedy="repair the file, or take it and its picture away",
    )
