"""A picture through a network part by part, within a bound of memory, and the rounding of its codes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganglion.core import Coder
from ganglion.tasks.shared.compressing.codes import LARGEST_CODE

CORE = 512
"""Pixels of a side of the parts of a picture that go through a network at a time, without their borders."""
WHITE = 255


def latents_of(network: Coder, picture: Tensor, device: torch.device) -> Tensor:
    """Return codes (channels, rows, columns), not rounded, of a picture (3, height, width), part by part."""
    block = network.block
    height, width = picture.shape[1:]
    rows, columns = -(-height // block), -(-width // block)
    made = torch.empty(network.channels, rows, columns)
    for whole, seen, inside in parts(rows, columns, network):
        part = picture[:, _pixels(seen[0], block), _pixels(seen[1], block)]
        made[(slice(None), *whole)] = network.latents(part[None].to(device))[0].cpu()[(slice(None), *inside)]
    return made


def picture_of(
    network: Coder, codes: np.ndarray, size: tuple[int, int], quality: int, device: torch.device
) -> np.ndarray:
    """Return the picture (height, width, 3) uint8 of codes (channels, rows, columns), part by part."""
    block, of_quality = network.block, torch.tensor([quality], device=device)
    made = np.empty((codes.shape[1] * block, codes.shape[2] * block, 3), np.uint8)
    for whole, seen, inside in parts(codes.shape[1], codes.shape[2], network):
        part = torch.from_numpy(codes[:, seen[0], seen[1]].astype(np.float32)).to(device)
        pixels = network.pictures(part[None], of_quality)[0].cpu()
        pixels = pixels[:, _pixels(inside[0], block), _pixels(inside[1], block)]
        place = _pixels(whole[0], block), _pixels(whole[1], block)
        made[place] = (pixels * WHITE).round().clamp(0, WHITE).to(torch.uint8).movedim(0, 2).numpy()
    return made[: size[0], : size[1]]


def rounded(scaled: Tensor, dead_zone: float) -> np.ndarray:
    """Return whole numbers int32 of codes of any shape, which are rounded towards 0 more often by a dead zone."""
    codes = scaled.sign() * (scaled.abs() + 0.5 - dead_zone).floor()
    found: np.ndarray = codes.clamp(-LARGEST_CODE, LARGEST_CODE).to(torch.int32).cpu().numpy()
    return found


def parts(rows: int, columns: int, network: Coder) -> Iterator[tuple[Any, Any, Any]]:
    """Yield where each part of a code lies, what a network must see for it, and where it lies in that."""
    core, margin = max(1, CORE // network.block), -(-network.reach // network.block)
    for top in range(0, rows, core):
        for left in range(0, columns, core):
            cut = [_cut(top, core, margin, rows), _cut(left, core, margin, columns)]
            yield tuple(zip(*cut, strict=True))


def _cut(start: int, core: int, margin: int, length: int) -> tuple[slice, slice, slice]:
    stop = min(start + core, length)
    seen = slice(max(0, start - margin), min(length, stop + margin))
    return slice(start, stop), seen, slice(start - seen.start, stop - seen.start)


def _pixels(places: slice, block: int) -> slice:
    return slice(places.start * block, places.stop * block)
