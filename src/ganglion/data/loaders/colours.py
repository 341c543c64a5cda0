"""Random changes to what pixels show, not to where they stand: brightness, contrast, saturation, squares cut out."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganglion.core import Batch
from ganglion.data.loaders.noise import named_stream, normals, uniforms
from ganglion.data.pixels import LUMA

STREAM = named_stream("colours")
LIGHTING = named_stream("lighting")
DRAWN = 5
"""Numbers for each sample: brightness, contrast, saturation, row and column."""


@dataclass(frozen=True)
class Colours:
    """Varies the colours of images, cuts a square out of each, and leaves all else of a batch as it is.

    Each sample gets factors of its own, which follow from (seed, epoch, sample): x b, mean + (x - mean) c, and
    grey + (x - grey) s, then x + sum_k a_k l_k with normal a, in this order and cut to what lies between black and
    white. The middle of the square may lie anywhere in the image, so that part of it often lies outside.

    Args:
        name: field of the batch that is changed.
        jitter: the factors b, c and s lie between 1 - jitter and 1 + jitter.
        cutout: side of the square, as a share of the image's shorter side.
        black: value of a black pixel in each channel, as the network sees it.
        white: of a white one.
        lighting: l, the changes of colour of which each sample gets a random mixture; none where it is empty.

    Sources: Howard, Some improvements on deep convolutional neural network based image classification (2013);
    Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks (2012), section
    4.1; DeVries and Taylor, Improved regularization of convolutional neural networks with cutout (2017).

    >>> batch = {"inputs": torch.rand(4, 3, 8, 8), "index": torch.arange(4)}
    >>> changed = Colours("inputs", jitter=0.4, cutout=0.5, black=(0,) * 3, white=(1,) * 3)(batch, seed=0, epoch=1)
    >>> changed["inputs"].shape, torch.equal(changed["index"], batch["index"])
    (torch.Size([4, 3, 8, 8]), True)
    """

    name: str
    jitter: float
    cutout: float
    black: tuple[float, ...]
    white: tuple[float, ...]
    lighting: tuple[tuple[float, ...], ...] = ()

    def __call__(self, batch: Batch, seed: int, epoch: int) -> Batch:
        """Return the batch with changed images `(batch, channels, height, width)`."""
        images, index_name = batch[self.name], f"{self.name}_index"
        index = batch[index_name if index_name in batch else "index"].to(images.device)
        noise = uniforms(seed, epoch, index, DRAWN, STREAM)
        black, white = (images.new_tensor(values).reshape(-1, 1, 1) for values in (self.black, self.white))
        shown = (images - black) / (white - black)
        shown = jittered(shown, 1 + self.jitter * (2 * noise[:, :3] - 1)) if self.jitter else shown
        if self.lighting:
            along = normals(seed, epoch, index, len(self.lighting), LIGHTING) @ images.new_tensor(self.lighting)
            shown = (shown + along.to(shown)[:, :, None, None]).clamp(0, 1)
        shown = cut_out(shown, noise[:, 3:], self.cutout) if self.cutout else shown
        return batch | {self.name: black + shown * (white - black)}


def jittered(images: Tensor, factors: Tensor) -> Tensor:
    """Return images of 0 to 1, (batch, channels, height, width), with other brightness, contrast and saturation.

    Args:
        images: black is 0, white 1.
        factors: of the three, `(batch, 3)`; where all are 1 nothing changes.

    >>> jittered(torch.full((1, 1, 1, 2), 0.25), torch.tensor([[2.0, 1.0, 1.0]])).tolist()
    [[[[0.5, 0.5]]]]
    """
    brightness, contrast, saturation = factors.reshape(-1, 3, 1, 1, 1).unbind(1)
    images = (images * brightness).clamp(0, 1)
    mean = _grey(images).mean((2, 3), keepdim=True)
    images = (mean + (images - mean) * contrast).clamp(0, 1)
    grey = _grey(images)
    return (grey + (images - grey) * saturation).clamp(0, 1) if images.shape[1] == len(LUMA) else images


def lights(images: Tensor, deviation: float) -> tuple[tuple[float, ...], ...]:
    """Return l_k = deviation lambda_k p_k, the directions p in which colours vary times their variances lambda.

    Args:
        images: pixels of 0 to 1 (batch, channels, height, width).

    >>> grey = torch.rand(2, 1, 5, 5).expand(2, 3, 5, 5)
    >>> [abs(round(sum(one), 3)) > 0 for one in lights(grey, 0.1)]
    [False, False, True]
    """
    pixels = images.movedim(1, 0).flatten(1).double()
    variances, directions = torch.linalg.eigh(torch.cov(pixels).reshape(len(pixels), -1))
    return tuple(map(tuple, (deviation * variances[:, None] * directions.T).tolist()))


def cut_out(images: Tensor, middles: Tensor, share: float) -> Tensor:
    """Return images of 0 to 1, (batch, channels, height, width), with a grey square in each.

    Args:
        images: black is 0, white 1.
        middles: row and column of the square's middle, as shares of height and width, `(batch, 2)`.
        share: its side, as a share of the image's shorter one; at least a pixel.

    >>> cut_out(torch.ones(1, 1, 1, 4), torch.tensor([[0.0, 0.5]]), 1.0).tolist()
    [[[[1.0, 1.0, 0.5, 1.0]]]]
    """
    height, width = images.shape[2:]
    side = max(1, round(share * min(height, width)))
    inside = []
    for axis, length in enumerate((height, width)):
        first = (middles[:, axis : axis + 1] * length).floor() - side // 2
        places = torch.arange(length, device=images.device)
        inside.append((places >= first) & (places < first + side))
    rows, columns = inside
    return images.masked_fill(rows[:, None, :, None] & columns[:, None, None, :], 0.5)


def _grey(images: Tensor) -> Tensor:
    """Return how bright the pixels of `(batch, channels, height, width)` look, with one channel."""
    if images.shape[1] != len(LUMA):
        return images.mean(1, keepdim=True)
    return (images * images.new_tensor(LUMA).reshape(-1, 1, 1)).sum(1, keepdim=True)
