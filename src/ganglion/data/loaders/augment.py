"""Random changes to whole batches of training images, and to masks and boxes with them: windows, moves, bending.

Each is a function of (seed, epoch, sample): what is drawn for a sample moves all of its fields.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.loaders.bending import bent, displacements
from ganglion.data.loaders.colours import Colours
from ganglion.data.loaders.columns import IMAGES, Kinds
from ganglion.data.loaders.noise import named_stream, uniforms
from ganglion.data.preprocessing.placement import Size
from ganglion.data.settings import AugmentName
from ganglion.errors import ConfigurationError

LARGEST_SHIFT = 1 / 8
"""Share of the height and width that an image moves by at most: 4 pixels of 32."""


@dataclass(frozen=True)
class Moved:
    """Where each row and column of the changed images is taken from."""

    rows: Tensor
    """`(batch, height)` int64, and may point outside."""
    columns: Tensor
    """`(batch, width)` likewise."""
    bending: Tensor | None = None
    """How far beside that, down and to the right, `(batch, 2, height, width)`; None where images are not bent."""


Move = Callable[[Moved, Tensor, Size], Moved]
"""Changes where pixels are taken from, given the sample's random numbers `(batch, 3)` and the size of the images."""


def flip(moved: Moved, noise: Tensor, size: Size) -> Moved:
    """Mirror every other image, left to right, by noise of (images, 3)."""
    return Moved(moved.rows, torch.where(noise[:, :1] < 0.5, size[1] - 1 - moved.columns, moved.columns))


def turn_over(moved: Moved, noise: Tensor, size: Size) -> Moved:
    """Mirror every other image, up to down, by noise of (images, 3)."""
    return Moved(torch.where(noise[:, 1:2] < 0.5, size[0] - 1 - moved.rows, moved.rows), moved.columns)


def shift(moved: Moved, noise: Tensor, size: Size) -> Moved:
    """Move each image up or down and to a side, by at most `LARGEST_SHIFT` of it and noise of (images, 3)."""
    return Moved(moved.rows + _offset(noise[:, 1:2], size[0]), moved.columns + _offset(noise[:, 2:3], size[1]))


def _offset(noise: Tensor, size: int) -> Tensor:
    largest = max(1, round(size * LARGEST_SHIFT))
    return (noise * (2 * largest + 1)).to(torch.int64) - largest


MOVES: dict[str, tuple[Move, ...]] = {
    "none": (),
    "shift": (shift,),
    "flip": (flip,),
    "shift-flip": (shift, flip),
    "flips": (flip, turn_over),
    "elastic": (),
    "flip-elastic": (flip,),
    "flips-elastic": (flip, turn_over),
}
"""What each setting does, in this order. A further change is one function and its line here."""
ELASTIC = "elastic"
"""Ending of the settings that bend images after that."""


@dataclass(frozen=True)
class Windows:
    """Squares that are cut out of images at random places, the same for their masks.

    Every pixel of an image may come to lie anywhere in a window save in a margin around it; what the window shows
    beyond the image is its reflection.
    """

    side: int
    """Height and width of a window."""
    margin: int = 0
    """Pixels at each side of a window that nothing is asked about."""

    def drawn(self, noise: Tensor, size: Size) -> Moved:
        """Return where the pixels of windows are taken from, by noise of (images, 2), in images of a size."""
        rows, columns = (self._along(noise[:, axis : axis + 1], length) for axis, length in enumerate(size))
        return Moved(rows, columns)

    def _along(self, noise: Tensor, length: int) -> Tensor:
        free = length + 2 * self.margin - self.side
        # Where a window is larger than the image with its margins, the image lies in its middle.
        first = (noise * (free + 1)).to(torch.int64) if free > 0 else torch.full_like(noise, free // 2).long()
        places = (first - self.margin + torch.arange(self.side, device=noise.device)).abs()
        period = max(1, 2 * (length - 1))
        return length - 1 - (length - 1 - places % period).abs()


@dataclass(frozen=True)
class Augment:
    """Changes the images of a batch, with masks and boxes, the same way whatever the batch's size and order.

    A shifted image is continued by its border pixels, so that no value appears that the image did not have.

    >>> batch = {"inputs": torch.rand(4, 1, 8, 8), "index": torch.arange(4)}
    >>> changed = Augment("shift-flip")(batch, seed=0, epoch=1)
    >>> one = Augment("shift-flip")({name: values[2:3] for name, values in batch.items()}, seed=0, epoch=1)
    >>> torch.equal(changed["inputs"][2:3], one["inputs"])
    True
    """

    kind: AugmentName
    kinds: Kinds = field(default_factory=lambda: IMAGES)
    """Which fields of a batch are images, masks and boxes; others stay as they are."""
    windows: Windows | None = None
    """What is cut out of the images before anything else."""
    colours: Colours | None = None
    """What is done to the colours of the images after all else."""

    def __call__(self, batch: Batch, seed: int, epoch: int) -> Batch:
        """Return the batch with changed images `(batch, channels, height, width)`, masks and boxes."""
        moved = self._moved(batch, seed, epoch)
        return moved if self.colours is None else self.colours(moved, seed, epoch)

    def _moved(self, batch: Batch, seed: int, epoch: int) -> Batch:
        """Return the batch with the pixels of its images, masks and boxes at other places."""
        named = {name: kind for name, kind in self.kinds.items() if name in batch}
        if (self.kind == "none" and self.windows is None) or not named:
            return batch
        changed: Batch = {}
        moves: dict[tuple[str, Size], Moved] = {}
        frame = self._frame(batch, named)
        for name, kind in named.items():
            index_name = f"{name}_index" if f"{name}_index" in batch else "index"
            size = frame if kind == "boxes" else (batch[name].shape[-2], batch[name].shape[-1])
            if (index_name, size) not in moves:
                moves[index_name, size] = self._drawn(
                    batch[index_name].to(batch[name].device), seed, epoch, frame, size
                )
            changed[name] = CHANGES[kind](batch[name], moves[index_name, size])
        return batch | changed

    def _frame(self, batch: Batch, named: Kinds) -> Size:
        """Return the smallest size of an image, whose pixels the others follow."""
        sizes = [tuple(batch[name].shape[-2:]) for name, kind in named.items() if kind in ("images", "masks")]
        if not sizes:
            raise ConfigurationError(
                "there are no images to change", found=", ".join(named), remedy="leave augment at none"
            )
        return min(sizes)  # type: ignore[return-value]

    def _drawn(self, index: Tensor, seed: int, epoch: int, frame: Size, size: Size) -> Moved:
        """Return where pixels of images of a size are taken from, when those of the frame's size move."""
        height, width = frame
        noise = uniforms(seed, epoch, index, 3)
        if self.windows is None:
            moved = Moved(
                torch.arange(height, device=index.device).expand(len(index), -1),
                torch.arange(width, device=index.device).expand(len(index), -1),
            )
        else:
            moved = self.windows.drawn(uniforms(seed, epoch, index, 2, named_stream("windows")), frame)
        for move in MOVES[self.kind]:
            moved = move(moved, noise, frame)
        if self.kind.endswith(ELASTIC):
            moved = replace(
                moved, bending=displacements(seed, epoch, index, moved.rows.shape[1], moved.columns.shape[1])
            )
        return moved if size == frame else Moved(finer(moved.rows, size[0]), finer(moved.columns, size[1]))


def finer(places: Tensor, size: int) -> Tensor:
    """Return the places `(batch, size)` of an image some whole times larger, of which a pixel stands for several."""
    factor = size // places.shape[1]
    if factor * places.shape[1] != size:
        raise ConfigurationError(
            "images of these sizes cannot be moved together",
            expected="sizes that are whole multiples of the smallest",
            found=f"{size} beside {places.shape[1]} pixels",
            remedy="augment none, or another image size",
        )
    inside = torch.arange(factor, device=places.device)
    backwards = (places[:, 1:2] < places[:, :1]).unsqueeze(2)  # mirrored (batch, 1, 1)
    return (places.unsqueeze(2) * factor + torch.where(backwards, factor - 1 - inside, inside)).flatten(1)


def _moved_images(images: Tensor, moved: Moved) -> Tensor:
    """Return images `(batch, channels, height, width)` by one gather: each pixel says where it is taken from."""
    if moved.bending is not None:
        return bent(images, moved.rows, moved.columns, moved.bending)
    height, width = images.shape[2:]
    rows, columns = moved.rows.clamp(0, height - 1), moved.columns.clamp(0, width - 1)
    places = (rows.unsqueeze(2) * width + columns.unsqueeze(1)).flatten(1)  # (batch, height * width)
    taken = images.flatten(2).gather(2, places.unsqueeze(1).expand(-1, images.shape[1], -1))
    return taken.unflatten(2, (rows.shape[1], columns.shape[1]))


def _moved_masks(masks: Tensor, moved: Moved) -> Tensor:
    if moved.bending is not None:
        return bent(masks[:, None], moved.rows, moved.columns, moved.bending, nearest=True)[:, 0]
    return _moved_images(masks[:, None], moved)[:, 0]


def _moved_boxes(boxes: Tensor, moved: Moved) -> Tensor:
    """Return boxes `(batch, boxes, 5)` where their images have moved to, cut at the border, NO_BOX where gone."""
    if moved.bending is not None:
        raise ConfigurationError(
            "boxes cannot be bent", expected="flip, flips, shift or shift-flip", remedy="choose one of these as augment"
        )
    left, top, right, bottom, classes = boxes.unbind(2)
    left, right = _moved_edges(left, right, moved.columns)
    top, bottom = _moved_edges(top, bottom, moved.rows)
    corners = torch.stack([left, top, right, bottom, classes], dim=2)
    gone = (classes < 0) | (left >= right) | (top >= bottom)
    return torch.where(gone.unsqueeze(2), torch.full_like(corners, -1.0), corners)


def _moved_edges(before: Tensor, after: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Return both edges of boxes (batch, boxes) along an axis of which each pixel says where it is taken from.

    A column that is taken from `first + step x` shows at x what stood there, so an edge at e comes to
    `(e - first) / step`, where step is 1, or -1 in a mirrored image, whose edges then change places.

    Args:
        places: (batch, pixels).
    """
    first, size = places[:, :1], places.shape[1]
    mirrored = places[:, 1:2] < first if size > 1 else torch.zeros_like(first, dtype=torch.bool)
    edges = [
        torch.where(mirrored, first + 1 - other, one - first).clamp(0, size)
        for one, other in ((before, after), (after, before))
    ]
    return edges[0], edges[1]


CHANGES: dict[str, Callable[[Tensor, Moved], Tensor]] = {
    "images": _moved_images,
    "masks": _moved_masks,
    "boxes": _moved_boxes,
}
