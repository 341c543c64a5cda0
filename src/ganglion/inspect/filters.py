"""What fixed filters answer to a photo: edges with their sign, and pictures that are sharper, softer or in relief."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ganglion import figures
from ganglion.errors import ShapeError
from ganglion.nn import FILTERS, FilterBank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_SIDE = 320
"""Pixels to which a photo is shrunk: a filter sees three of them, and each should be seen on the page."""
LUMINANCE = (0.299, 0.587, 0.114)
"""How bright red, green and blue look (ITU-R BT.601)."""


@dataclass(frozen=True)
class Filtered:
    """A photo in [0, 1], `(height, width, channels)`, and what each filter answers to it.

    Responses of filters that sum to 0 are `(height, width)`, to the grey photo; of others `(height, width, channels)`.
    """

    photo: np.ndarray
    responses: dict[str, np.ndarray]

    def to_dict(self) -> dict[str, Any]:
        """Return kernels and the extent of the responses as JSON values."""
        return {
            name: {
                "kernel": FILTERS[name].kernel.tolist(),
                "shows": FILTERS[name].shows,
                "source": FILTERS[name].source,
                "smallest": float(values.min()),
                "mean": float(values.mean()),
                "largest": float(values.max()),
            }
            for name, values in self.responses.items()
        }

    def figure(self, title: str = "") -> "Figure":
        """Draw the photo, and for each filter its kernel, its response with sign, and the rectified response."""
        drawn = [
            figures.Response(name, FILTERS[name].shows, np.array(FILTERS[name].rows), values)
            for name, values in self.responses.items()
        ]
        return figures.filtered(self.photo, drawn, title)


def filtered(photo: np.ndarray, names: Sequence[str] = (), *, largest_side: int = LARGEST_SIDE) -> Filtered:
    """Lay filters over a photo.

    Args:
        photo: `(height, width, channels)` of bytes, or in [0, 1]; 1 or 3 channels.
        names: of `ganglion.nn.FILTERS`; all of them when not given.
        largest_side: larger photos are shrunk to it, smoothed.

    Raises:
        ConfigurationError: an unknown filter.
        ShapeError: this is no photo.

    >>> found = filtered(np.tile(np.arange(6.0) / 10, (5, 1))[..., None], ["sobel-x", "gaussian"])
    >>> found.responses["sobel-x"].shape, round(float(found.responses["sobel-x"][2, 2]), 3)
    ((5, 6), 0.8)
    """
    if photo.ndim != 3 or photo.shape[2] not in (1, 3) or not photo.size:
        expected = "(height, width, channels) with 1 or 3 channels"
        raise ShapeError("this is no photo", expected=expected, found=str(photo.shape), remedy="read an image file")
    scaled = photo / 255 if photo.dtype.kind == "u" else photo
    pixels = _shrunk(torch.as_tensor(scaled, dtype=torch.float32).movedim(-1, 0)[None], largest_side)
    chosen = list(dict.fromkeys(names)) or list(FILTERS)
    bank = FilterBank(chosen)
    grey = (pixels * torch.tensor(LUMINANCE)[:, None, None]).sum(1, keepdim=True) if pixels.shape[1] == 3 else pixels
    changes = bank(grey)[0].numpy()  # (filters, height, width)
    pictures = bank(pixels[0][:, None]).movedim(0, -1).numpy()  # (filters, height, width, channels)
    return Filtered(
        pixels[0].movedim(0, -1).numpy(),
        {
            name: pictures[place] if FILTERS[name].keeps_brightness else changes[place]
            for place, name in enumerate(chosen)
        },
    )


def _shrunk(pixels: Tensor, largest_side: int) -> Tensor:
    height, width = pixels.shape[-2:]
    share = largest_side / max(height, width)
    if share >= 1:
        return pixels
    size = max(1, round(height * share)), max(1, round(width * share))
    return F.interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)
