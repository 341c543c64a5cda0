"""Random changes to whole batches of training images, each a function of (seed, epoch, sample)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.loaders.noise import uniforms

LARGEST_SHIFT = 1 / 8
"""Share of the height and width that an image moves by at most: 4 pixels of 32."""


@dataclass(frozen=True)
class Augment:
    """Shifts and mirrors the images of a batch, the same way whatever the batch's size and order.

    A shifted image is continued by its border pixels, so that no value appears that the image did not have.

    >>> batch = {"inputs": torch.rand(4, 1, 8, 8), "index": torch.arange(4)}
    >>> changed = Augment("shift-flip")(batch, seed=0, epoch=1)
    >>> one = Augment("shift-flip")({name: values[2:3] for name, values in batch.items()}, seed=0, epoch=1)
    >>> torch.equal(changed["inputs"][2:3], one["inputs"])
    True
    """

    kind: Literal["none", "shift", "flip", "shift-flip"]

    def __call__(self, batch: Batch, seed: int, epoch: int) -> Batch:
        """Return the batch with changed `inputs` `(batch, channels, height, width)`."""
        if self.kind == "none":
            return batch
        images = batch["inputs"]
        height, width = images.shape[2:]
        noise = uniforms(seed, epoch, batch["index"].to(images.device), 3)
        shifts = "shift" in self.kind
        rows = _positions(noise[:, 1:2], height, shifts)  # (batch, height)
        columns = _positions(noise[:, 2:3], width, shifts)  # (batch, width)
        if "flip" in self.kind:
            columns = torch.where(noise[:, :1] < 0.5, width - 1 - columns, columns)
        # One gather moves and mirrors: each pixel says from where in its image it is taken.
        places = (rows.unsqueeze(2) * width + columns.unsqueeze(1)).flatten(1)  # (batch, height * width)
        moved = images.flatten(2).gather(2, places.unsqueeze(1).expand(-1, images.shape[1], -1))
        return batch | {"inputs": moved.unflatten(2, (height, width))}


def _positions(noise: Tensor, size: int, shifts: bool) -> Tensor:
    """Return where along an axis each row of an image is taken from, given `(batch, 1)` numbers from 0 to 1."""
    largest = max(1, round(size * LARGEST_SHIFT)) if shifts else 0
    shift = (noise * (2 * largest + 1)).to(torch.int64) - largest
    return (torch.arange(size, device=noise.device) + shift).clamp(0, size - 1)
