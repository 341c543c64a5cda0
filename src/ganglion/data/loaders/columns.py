"""Prepared fields in memory: gathered by place, padded where samples differ in length, sized as a phase asks for."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.fields import FieldKind
from ganglion.data.loaders.windows import Windows
from ganglion.data.preprocessing.placement import Size, resized
from ganglion.data.preprocessing.ragged import Ragged

Column = Tensor | Ragged | Windows
Columns = Mapping[str, Column]
"""One row for each sample, by the name of the field."""
Kinds = Mapping[str, FieldKind]
"""What the fields of a batch are, where images, masks and boxes change together."""
IMAGES: Kinds = {"inputs": "images"}


def gather(columns: Columns, places: Tensor) -> Batch:
    """Return the rows at some places `(batch,)`; beside a padded field stand the lengths, as `NAME_lengths`."""
    batch: Batch = {}
    for name, column in columns.items():
        if isinstance(column, Ragged):
            batch[name], batch[f"{name}_lengths"] = column.padded(places)
        else:
            batch[name] = column.index_select(0, places)
    return batch


def at_size(batch: Batch, kinds: Kinds, side: int) -> Batch:
    """Return a batch with its square images, and masks and boxes beside them, at another size.

    Images `(batch, channels, height, width)` and masks `(batch, height, width)` get `side` pixels along a side.
    """
    found = {name: kind for name, kind in kinds.items() if name in batch}
    images = {name: batch[name] for name, kind in found.items() if kind == "images" and batch[name].dim() == 4}
    if not images:
        return batch
    height, width = next(iter(images.values())).shape[2:]
    changed = {name: resized(image, (side, side), "bilinear") for name, image in images.items()}
    for name, kind in found.items():
        if kind == "masks":
            changed[name] = resized(batch[name][:, None], (side, side), "nearest")[:, 0]
        elif kind == "boxes":
            changed[name] = _scaled(batch[name], (height, width), (side, side))
    return batch | changed


def _scaled(boxes: Tensor, old: Size, new: Size) -> Tensor:
    """Return boxes `(batch, boxes, 5)` of images of another size; rows that stand for no box stay."""
    down, across = new[0] / old[0], new[1] / old[1]
    factors = boxes.new_tensor([across, down, across, down, 1.0])
    return torch.where(boxes[..., 4:] >= 0, boxes * factors, boxes)
