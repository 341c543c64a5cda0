"""Boxes in forms that others read, and what is worth knowing of those that are learnt from."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.data.dataset import Dataset
from ganglion.data.fields import Boxes, Field
from ganglion.data.formats.images.proposals import Proposals, find_proposals
from ganglion.data.proposals import proposed
from ganglion.errors import DataError, UsageError
from ganglion.files import named


def as_coco(pictures: Sequence[tuple[str, tuple[int, int]]], rows: Sequence[Mapping[str, Any]], of: Sequence[int],
            names: Sequence[str]) -> bytes:  # fmt: skip
    """Return found objects as COCO's JSON, each with its sureness as `score`: what annotations are to be corrected by.

    Args:
        pictures: name of each picture, and its height and width.
        rows: `label`, `probability`, `left`, `top`, `right` and `bottom` of each object.
        of: in which picture each is.
        names: of the classes.

    >>> row = {"label": "cat", "probability": 0.9, "left": 1.0, "top": 2.0, "right": 4.0, "bottom": 6.0}
    >>> json.loads(as_coco([("a.png", (10, 20))], [row], [0], ["cat"]))["annotations"][0]["bbox"]
    [1.0, 2.0, 3.0, 4.0]
    """
    images = [
        {"id": place, "file_name": name, "height": height, "width": width}
        for place, (name, (height, width)) in enumerate(pictures, 1)
    ]
    annotations = []
    for number, (row, place) in enumerate(zip(rows, of, strict=True), 1):
        width, height = round(row["right"] - row["left"], 1), round(row["bottom"] - row["top"], 1)
        annotations.append(
            {
                "id": number,
                "image_id": place + 1,
                "category_id": list(names).index(row["label"]) + 1,
                "bbox": [row["left"], row["top"], width, height],
                "area": round(width * height, 1),
                "iscrowd": 0,
                "score": row["probability"],
            }
        )
    categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def described(boxes: Sequence[Boxes], scale: float) -> str:
    """Return how many objects a picture has, and how large they are once pictures are scaled, in words.

    >>> one = Boxes(np.array([[0.0, 0, 10, 40], [0, 0, 30, 30]]), np.zeros(2, int), (50, 50))
    >>> described([one, Boxes(np.zeros((0, 4)), np.zeros(0, int), (50, 50))], 0.5)
    'objects a picture: 1.0 on average, at most 2; sides as the network sees them: 10 to 15 pixels, half below 12'
    """
    counts = [len(one.corners) for one in boxes]
    corners = np.concatenate([one.corners for one in boxes])
    said = f"objects a picture: {np.mean(counts):.1f} on average, at most {max(counts)}"
    if not len(corners):
        return said
    sides = scale * np.sqrt((corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1]))
    low, middle, high = np.quantile(sides, [0, 0.5, 1])
    return f"{said}; sides as the network sees them: {low:.0f} to {high:.0f} pixels, half below {middle:.0f}"


def with_proposals(dataset: Dataset, config: Any) -> Dataset:
    """Return the data with proposals for every picture: its own, those of a file beside it, or such as are made.

    Raises `DataError` where those of a file are asked for and there is none.
    """
    there, asked = dataset.fields.get("proposals"), getattr(config, "proposals", None)
    if asked is None:
        return _changed(dataset, _without)
    if there is None and asked == "file":
        raise DataError(
            "there is no file of proposals beside these pictures",
            where=dataset.source or dataset.name,
            expected="proposals.csv, proposals.json, proposals.npz or proposals.mat in this folder",
            remedy="write one, or let boxes be found: --proposals blobs",
        )
    if there is not None and (asked == "file" or not there.called):
        return _changed(dataset, lambda fields: fields | {"proposals": _first(fields["proposals"], config)})
    most = config.most_proposals
    made = _changed(dataset, lambda fields: fields | {"proposals": proposed(fields["inputs"].values, asked, most)})
    if there is None:
        return made
    return replace(made, notes=(*made.notes, f"{there.called} is not used: --proposals file takes its boxes"))


def _changed(dataset: Dataset, change: Callable[[dict[str, Field]], dict[str, Field]]) -> Dataset:
    """Return the data with other fields in both parts."""
    parts = [change(dict(fields)) if fields else {} for fields in (dataset.fields, dataset.test_fields)]
    return replace(dataset, fields=parts[0], test_fields=parts[1])


def _without(fields: dict[str, Field]) -> dict[str, Field]:
    return {name: one for name, one in fields.items() if name != "proposals"}


def _first(proposals: Field, config: Any) -> Field:
    """Return the most promising proposals of each picture."""
    return replace(proposals, values=[_some(one, config.most_proposals) for one in proposals.values])


def _some(boxes: Boxes, most: int) -> Boxes:
    return boxes._replace(corners=boxes.corners[:most], classes=boxes.classes[:most])


def refuse_without_proposals(training: Mapping[str, Field], where: str) -> None:
    """Raise `DataError` where nothing is proposed in any picture of the training part: none could be learnt from."""
    proposals = training.get("proposals")
    if proposals is not None and not any(len(one.corners) for one in proposals.values):
        raise DataError(
            "no box is proposed in any picture that is learnt from",
            where=where,
            expected="pictures with parts that differ from their surroundings",
            found=f"none in {len(proposals.values)} pictures",
            remedy="look for boxes in another way, --proposals selective-search or a file of your own",
        )


def never_shown(training: Mapping[str, Field], names: Sequence[str]) -> list[str]:
    """Return a sentence about classes of which no training picture shows an object; nothing where there are none."""
    shown = {int(number) for one in training["boxes"].values for number in one.classes}
    never = [name for number, name in enumerate(names) if number not in shown]
    return [f"no picture that is learnt from shows {', '.join(never)}: it will not be found"] if never else []


def given_proposals(
    names: Sequence[Mapping[str, Any]], sizes: Sequence[tuple[int, int]], file: str | None, config: Any
) -> tuple[list[Boxes] | None, tuple[str, ...]]:
    """Return the proposals that a file has for pictures, if it is asked for one, and what is worth saying of them.

    Args:
        names: of the pictures, `input` being the file of one.
        sizes: height and width of each.
        file: the file; for a network that learnt from one, that beside the pictures when not given.
        config: of the network.

    Raises `UsageError` where there is no file, or the network takes no proposals.
    """
    asked = getattr(config, "proposals", None)
    if asked is None and file is not None:
        raise UsageError("this network needs no proposals", where="proposals", remedy="leave them out")
    if file is None and asked != "file":
        return None, ()
    files = [Path(name["input"]) for name in names if "input" in name and "row" not in name]
    found = named(file) if file is not None else find_proposals(files[0].parent) if files else None
    if found is None or len(files) < len(names):
        raise UsageError(
            "this network looks at boxes that a file proposes, and there is none for these pictures",
            expected="proposals.csv, .json, .npz or .mat beside pictures in files, or --proposals FILE",
            found="arrays" if len(files) < len(names) else str(files[0].parent),
        )
    proposals, notes = Proposals(found).field(files, sizes)
    return [_some(one, config.most_proposals) for one in proposals.values], tuple(notes)
