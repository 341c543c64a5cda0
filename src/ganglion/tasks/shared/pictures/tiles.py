"""Images of any size through a network within a memory bound: in overlapping tiles, blended where they overlap."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.errors import ShapeError
from ganglion.settings import at_least, settings

MEMORY = 256 << 20
"""Bytes that a tile may take in the network unless told otherwise."""
PROBE = 64
"""Side of the image that a network's memory is measured on."""


@settings
class Tiling:
    """How an image is cut into square tiles.

    A pixel near the inner border of a tile lacks what lies beyond it: `margin` pixels of each tile are not used there.
    With a margin of at least the network's reach, the tiles give what the whole image would have given.
    """

    side: Annotated[int, at_least(1)]
    """Height and width of a tile."""
    margin: Annotated[int, at_least(0)] = 0
    """Pixels from which inwards a tile counts at all."""
    blend: Annotated[int, at_least(1)] = 8
    """Pixels over which one tile fades into the next."""
    multiple: Annotated[int, at_least(1)] = 1
    """What heights and widths the network takes: multiples of this. Images are continued by reflection up to one."""

    def __post_init__(self) -> None:
        if self.side % self.multiple or self.side <= self.overlap:
            raise ShapeError(
                "tiles of this side cannot cover an image",
                expected=f"a multiple of {self.multiple} above {self.overlap}, which is what neighbours share",
                found=str(self.side),
            )

    @property
    def overlap(self) -> int:
        """Pixels that neighbouring tiles have in common, at least."""
        return 2 * self.margin + self.blend


def fitting(
    network: nn.Module, channels: int, *, memory: int = MEMORY, margin: int = 0, blend: int = 8, multiple: int = 1
) -> Tiling:
    """Return the tiling with the largest tiles for which a network keeps within `memory` bytes.

    What a pixel takes is measured on a small image: its share of all layers' outputs, as if none were freed before
    the end. Tiles are never smaller than the overlap demands.
    """
    least = _up(2 * (2 * margin + blend), multiple)
    affordable = int((memory / bytes_per_pixel(network, channels, multiple)) ** 0.5)
    side = max(least, affordable // multiple * multiple)
    return Tiling(side=side, margin=margin, blend=blend, multiple=multiple)


def bytes_per_pixel(network: nn.Module, channels: int, multiple: int = 1) -> float:
    """Return the bytes that an image's pixel and all layers' outputs for it take, measured on a small image."""
    side = _up(PROBE, multiple)
    sizes = [channels * side * side * torch.get_default_dtype().itemsize]

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: object) -> None:
        if isinstance(output, Tensor):
            sizes.append(output.numel() * output.itemsize)

    leaves = [module for module in network.modules() if not any(module.children())]
    handles = [module.register_forward_hook(count) for module in leaves]
    parameter = next(network.parameters(), torch.zeros(0))
    try:
        with torch.inference_mode():
            network(torch.zeros(1, channels, side, side, dtype=parameter.dtype, device=parameter.device))
    finally:
        for handle in handles:
            handle.remove()
    return sum(sizes) / side**2


def in_tiles(network: Callable[[Tensor], Tensor], image: Tensor, tiling: Tiling) -> Tensor:
    """Return what a network makes of an image `(channels, height, width)`, one tile at a time.

    The network takes `(1, channels, height, width)` and gives as many pixels, or a whole multiple of them. Tiles of one
    side are cut so that the last ends with the image; an image that is smaller than a tile goes through whole.

    >>> image = torch.rand(3, 50, 70)
    >>> torch.equal(in_tiles(nn.Identity(), image, Tiling(side=32)), image)
    True
    """
    padded = _padded(image, tiling)
    blended: _Blended | None = None
    for top, left in product(*(_starts(length, tiling) for length in padded.shape[1:])):
        part = padded[:, top : top + tiling.side, left : left + tiling.side]
        output = network(part[None])[0]
        scale = output.shape[1] // part.shape[1]
        if output.shape[1:] != (scale * part.shape[1], scale * part.shape[2]) or not scale:
            raise ShapeError(
                "this network gives no image for an image",
                expected=f"{tuple(part.shape[1:])} pixels or a multiple",
                found=f"{tuple(output.shape[1:])}",
            )
        if blended is None:
            blended = _Blended.nothing(output, padded.shape[1] * scale, padded.shape[2] * scale)
        blended.add(output, (top * scale, left * scale), scale, tiling)
    assert blended is not None
    return blended.image()[:, : image.shape[1] * scale, : image.shape[2] * scale]


def _padded(image: Tensor, tiling: Tiling) -> Tensor:
    """Continue an image by reflection to a height and width that the network takes."""
    missing = [_up(length, tiling.multiple) - length for length in image.shape[1:]]
    for axis, more in enumerate(missing, 1):
        while more:  # a reflection is at most as long as the image, less its border
            step = min(more, max(1, image.shape[axis] - 1))
            sides = (0, 0, 0, step) if axis == 1 else (0, step, 0, 0)
            mode = "reflect" if image.shape[axis] > 1 else "replicate"
            image, more = functional.pad(image, sides, mode=mode), more - step
    return image


def _starts(length: int, tiling: Tiling) -> Iterator[int]:
    """Yield where tiles begin along an axis; the last ends where the axis does."""
    last = length - tiling.side
    yield from range(0, max(last, 0), (tiling.side - tiling.overlap) // tiling.multiple * tiling.multiple or 1)
    yield max(last, 0)


@dataclass
class _Blended:
    """Weighted sums of tiles, in double precision: their order and the division leave no trace in single precision."""

    sums: Tensor
    weights: Tensor

    @classmethod
    def nothing(cls, like: Tensor, height: int, width: int) -> "_Blended":
        sums = torch.zeros(like.shape[0], height, width, dtype=torch.float64, device=like.device)
        return cls(sums, torch.zeros(height, width, dtype=torch.float64, device=like.device))

    def add(self, tile: Tensor, corner: tuple[int, int], scale: int, tiling: Tiling) -> None:
        places = tuple(slice(start, start + length) for start, length in zip(corner, tile.shape[1:], strict=True))
        fades = [
            _fade(place, whole, scale, tiling).to(tile.device)
            for place, whole in zip(places, self.weights.shape, strict=True)
        ]
        weights = fades[0][:, None] * fades[1]
        self.weights[places] += weights
        self.sums[(slice(None), *places)] += weights * tile.double()
        self.dtype = tile.dtype

    def image(self) -> Tensor:
        return (self.sums / self.weights).to(self.dtype)


def _fade(place: slice, whole: int, scale: int, tiling: Tiling) -> Tensor:
    """Return the weights of a tile along an axis: 1 inside, fading to 0 before the margins at its inner borders."""
    inwards = torch.arange(place.stop - place.start, dtype=torch.float64)
    margin, blend = tiling.margin * scale, tiling.blend * scale
    rising = ((inwards - margin + 0.5) / blend).clamp(0, 1)
    start = torch.ones_like(rising) if place.start == 0 else rising
    end = torch.ones_like(rising) if place.stop == whole else rising.flip(0)
    return start * end


def _up(length: int, multiple: int) -> int:
    """Round up to a multiple."""
    return -(-length // multiple) * multiple
