"""Windows of a picture: their light evened out, their shades spread, at all places and scales or cut out askew."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganglion.fast.equalising import ranks

SHADES = 256
"""Steps between the darkest and the brightest pixel of a window that shades are told apart by."""
FINER = 3
"""Points in each direction that a pixel of a window that is cut out is the mean of."""


@cache
def oval(side: int) -> np.ndarray:
    """Return which pixels of a window, (side, side), lie in the circle that it is the square around.

    >>> int(oval(20).sum())
    316
    """
    place = np.arange(side) + 0.5 - side / 2
    inside: np.ndarray = place[:, None] ** 2 + place**2 <= (side / 2) ** 2
    return inside


@cache
def _planes(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x, y and 1 of each pixel (pixels, 3), and by what pixels make up a, b and c of the best plane."""
    place = (np.arange(side) + 0.5) / side - 0.5
    across, down = np.meshgrid(place, place)
    design = np.stack([across, down, np.ones_like(across)], axis=2).reshape(-1, 3)
    fit, inside = np.zeros_like(design), oval(side).ravel()
    fit[inside] = np.linalg.pinv(design[inside]).T
    return design.astype(np.float32), fit.astype(np.float32)


def lit_evenly(windows: Tensor) -> Tensor:
    """Return windows (..., side, side) less the plane a x + b y + c that fits their pixels in the oval best.

    Source: Sung and Poggio, Example-based learning for view-based human face detection (1994).

    >>> across = torch.arange(20.0).expand(20, 20)
    >>> bool(lit_evenly(3 * across + 2 * across.T + 1).abs().max() < 1e-4)
    True
    """
    design, fit = (torch.from_numpy(one).to(windows) for one in _planes(windows.shape[-1]))
    flat = windows.flatten(-2)
    return (flat - (flat @ fit) @ design.T).unflatten(-1, windows.shape[-2:])


def equalised(windows: Tensor) -> Tensor:
    """Return windows (..., side, side) with each pixel's rank among those in the oval, from -1 to 1.

    That is histogram equalisation: `2 (darker + equal / 2) / all - 1`, counted in the oval. A window of one shade is 0.
    Ranks have no slope: a gradient goes through as if shades were spread evenly from the darkest to the brightest.

    >>> inside = equalised(torch.rand(1, 20, 20) ** 3)[0][torch.from_numpy(oval(20))]
    >>> bool(inside.mean().abs() < 1e-6)
    True
    """
    side = windows.shape[-1]
    flat = windows.detach().reshape(-1, side * side)
    inside = torch.from_numpy(np.flatnonzero(oval(side))).to(windows.device)
    found = ranks(flat.contiguous(), inside, SHADES).view(windows.shape)
    if windows.requires_grad:
        spread = flat[:, inside].amax(1) - flat[:, inside].amin(1)
        slope = 2 / spread.clamp(min=1e-3).view(*windows.shape[:-2], 1, 1)
        found = found + (windows - windows.detach()) * slope
    return found


def at_all_places(images: Tensor, side: int, stride: int = 1) -> Tensor:
    """Return the windows of pictures (batch, height, width), a view (batch, rows, columns, side, side).

    >>> at_all_places(torch.zeros(1, 22, 30), 20, stride=2).shape
    torch.Size([1, 2, 6, 20, 20])
    """
    return images.unfold(1, side, stride).unfold(2, side, stride)


def scaled_down(images: Tensor, factor: float, least: int) -> Iterator[Tensor]:
    """Yield pictures (batch, channels, height, width), then ever smaller ones while no side is below `least`.

    >>> [tuple(one.shape[2:]) for one in scaled_down(torch.zeros(1, 1, 30, 40), 1.2, least=20)]
    [(30, 40), (25, 33), (21, 28)]
    """
    height, width = images.shape[2:]
    for level in range(256):
        size = round(height / factor**level), round(width / factor**level)
        if min(size) < least:
            return
        # Each from the picture itself, smoothed, so that levels do not get blurred one after the other.
        yield (
            images if level == 0 else F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        )


def cut_out(images: Tensor, places: Tensor, boxes: Tensor, angles: Tensor, mirrored: Tensor, side: int) -> Tensor:
    """Return squares that are cut out of pictures askew, (count, side, side), smoothed as they get smaller.

    Args:
        images: grey ones, (batch, height, width).
        places: which picture each square is of, (count,).
        boxes: across, down, side of each square: its middle and its side in pixels, (count, 3).
        angles: by which each is turned, in radians, (count,).
        mirrored: whether each is mirrored, left to right, (count,).
        side: pixels of what comes back.

    >>> image = torch.arange(36.0).view(1, 6, 6)
    >>> straight = torch.zeros(1), torch.zeros(1, dtype=torch.bool)
    >>> cut_out(image, torch.tensor([0]), torch.tensor([[3.0, 3, 2]]), *straight, side=2)
    tensor([[[14., 15.],
             [20., 21.]]])
    """
    height, width = images.shape[1:]
    fine = side * FINER
    place = (torch.arange(fine, device=images.device) + 0.5) / fine - 0.5
    down, across = place[:, None].expand(fine, fine), place.expand(fine, fine)
    across = torch.where(mirrored[:, None, None], -across, across)
    cosine, sine = angles.cos()[:, None, None], angles.sin()[:, None, None]
    middle_x, middle_y, length = (one[:, None, None] for one in boxes.unbind(1))
    x = middle_x + length * (cosine * across - sine * down)
    y = middle_y + length * (sine * across + cosine * down)
    grid = torch.stack([2 * x / width - 1, 2 * y / height - 1], dim=-1)
    seen = F.grid_sample(images[places].unsqueeze(1), grid, padding_mode="border", align_corners=False)
    return F.avg_pool2d(seen, FINER).squeeze(1)
