"""Random changes to whole batches of training images, each a function of (seed, epoch, sample)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.noise import uniforms

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
        noise = uniforms(seed, epoch, batch["index"].to(images.device), 3)
        if "flip" in self.kind:
            images = torch.where(noise[:, 0, None, None, None] < 0.5, images.flip(3), images)
        if "shift" in self.kind:
            rows = _shifted_positions(noise[:, 1], images.shape[2])  # (batch, height)
            columns = _shifted_positions(noise[:, 2], images.shape[3])  # (batch, width)
            samples = torch.arange(len(images), device=images.device)
            images = images.movedim(1, 3)[samples[:, None, None], rows[:, :, None], columns[:, None, :]].movedim(3, 1)
        return batch | {"inputs": images.contiguous()}


def _shifted_positions(noise: Tensor, size: int) -> Tensor:
    """Return for every sample where each of its `size` rows is taken from."""
    largest = max(1, round(size * LARGEST_SHIFT))
    shift = (noise * (2 * largest + 1)).to(torch.int64) - largest
    return (torch.arange(size, device=noise.device) + shift.unsqueeze(1)).clamp(0, size - 1)
