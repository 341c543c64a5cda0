"""A coarse drawing in colours, of which only the painted places count, and how far pictures are from it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganglion.data.formats.images.files import opened
from ganglion.data.pixels import LUMA
from ganglion.data.preprocessing import ImagePreprocessing
from ganglion.errors import DataError
from ganglion.tasks.shared.inputs import existing

EDGES = 0.2
"""How much the direction of edges counts beside colour, as in the authors' code of iGAN."""
NEAR = 5.0
"""How much leaving the noise of a picture that is edited counts, likewise."""
PAINTED = 0.25
"""Share of a pixel's area from which on it is painted."""
APART = 24
"""Steps of 255 by which a colour differs from that of the paper."""
DIRECTIONS = 8
"""Of edges, between 0 and half a turn."""
CELLS = 8
"""Cells in each direction in which directions of edges are summed up."""


@dataclass(frozen=True)
class CoarseDrawing:
    """What was painted, as a network takes pictures.

    The cost is sum_p m_p (G(z)_p - s_p)^2 / sum_p m_p + 0.2 sum_c m_c |h_c(G(z)) - h_c(s)|^2 / sum_c m_c, with h the
    shares of edges of each direction in a cell.

    Source: Zhu, Kraehenbuehl, Shechtman, Efros, Generative visual manipulation on the natural image manifold (2016),
    section 4, and the authors' code.
    """

    colours: Tensor
    """s (1, channels, height, width)."""
    mask: Tensor
    """m (1, 1, height, width): 1 where something is painted, else 0."""

    def colour_error(self, pictures: Tensor) -> Tensor:
        """Return the mean squared difference where something is painted, (pictures,)."""
        mask = self.mask.to(pictures)
        apart = (pictures - self.colours.to(pictures)).square().mean(dim=1, keepdim=True)
        return (mask * apart).sum(dim=(1, 2, 3)) / mask.sum()

    def edge_error(self, pictures: Tensor) -> Tensor:
        """Return how differently edges run in cells through which strokes go, (pictures,)."""
        wanted, touched = directions(self.mask)
        wanted, touched = wanted.to(pictures), touched.to(pictures)
        if not touched.sum():
            return pictures.new_zeros(len(pictures))
        apart = (directions(pictures)[0] - wanted).square().sum(dim=1, keepdim=True)
        return (touched * apart).sum(dim=(1, 2, 3)) / touched.sum()

    def cost(self, pictures: Tensor, noise: Tensor) -> Tensor:
        """Return the cost of pictures (candidates, channels, height, width), `(candidates,)`."""
        return self.colour_error(pictures) + EDGES * self.edge_error(pictures)

    @property
    def shown(self) -> Tensor:
        """What was painted, on grey (1, channels, height, width)."""
        return self.mask * self.colours


def directions(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Return the shares of directions of edges in cells (pictures, 8, 8, 8), and in which there are any, as 0 and 1.

    A direction's share is the mean of |dx cos a + dy sin a| over a cell, divided by the length of all shares.

    >>> upright = (torch.arange(16) > 7).float().expand(1, 1, 16, 16)
    >>> shares, has_edges = directions(upright)
    >>> int(shares[0, :, 3, 4].argmax()), has_edges[0, 0, 3, [0, 4]].tolist()  # brighter to the right
    (0, [0.0, 1.0])
    """
    grey = pictures if pictures.shape[1] == 1 else _grey(pictures)
    padded = functional.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
    down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
    angles = torch.arange(DIRECTIONS, device=pictures.device) * (torch.pi / DIRECTIONS)
    cosines, sines = angles.cos().reshape(1, -1, 1, 1), angles.sin().reshape(1, -1, 1, 1)
    sizes = (across * cosines + down * sines).abs()
    cells = functional.adaptive_avg_pool2d(sizes, min(CELLS, *pictures.shape[2:]))
    length = cells.square().sum(dim=1, keepdim=True).add(1e-4).sqrt()
    return cells / length, (length.detach() > 0.02).to(pictures)


def _grey(pictures: Tensor) -> Tensor:
    return (pictures * pictures.new_tensor(LUMA).reshape(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def read_drawing(sketch: str, mask: str | None, scale: ImagePreprocessing) -> CoarseDrawing:
    """Return the drawing in a file, brought to the size and the channels of pictures.

    Painted is what is not transparent; in a file without transparency, what differs from the commonest colour of its
    border, the paper; or what is bright in the file of a mask of the same size.

    Raises:
        DataError: a file cannot be read, both differ in size, or nothing is painted.
    """
    with opened(existing(sketch)) as image:
        pixels = np.asarray(image.convert("RGBA"), dtype=np.float32)
    painted = pixels[..., 3] / 255 if pixels[..., 3].min() < 255 else _beside_paper(pixels[..., :3])
    if mask is not None:
        with opened(existing(mask)) as image:
            painted = np.asarray(image.convert("L"), dtype=np.float32) / 255
        if painted.shape != pixels.shape[:2]:
            raise DataError(
                "mask and sketch differ in size",
                where=mask,
                expected=f"{pixels.shape[1]} x {pixels.shape[0]}, as {Path(sketch).name}",
                found=f"{painted.shape[1]} x {painted.shape[0]}",
            )
    both = np.concatenate([pixels[..., :3] / 255 * painted[..., None], painted[..., None]], axis=2)
    planes = torch.from_numpy(both).movedim(2, 0)[None]
    small = functional.interpolate(planes, scale.size, mode="area")
    share = small[:, 3:]
    black, white = scale.ends
    colours = (small[:, :3] / share.clamp(min=1e-6)).clamp(0, 1)
    colours = _grey(colours) if scale.channels == 1 else colours
    found = CoarseDrawing(
        black + colours * (white - black), (share >= PAINTED * float(share.max())).float() * (share > 0)
    )
    if not found.mask.sum():
        raise DataError(
            "nothing is painted in this sketch",
            where=mask or sketch,
            expected="strokes on paper of one colour, or on nothing (a PNG with transparency)",
            found="one colour everywhere",
        )
    return found


def _beside_paper(pixels: np.ndarray) -> np.ndarray:
    """Return which pixels (height, width, 3) differ from the commonest colour of the border, as 0 and 1."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colours, counts = np.unique(border.round(), axis=0, return_counts=True)
    apart: np.ndarray = np.abs(pixels - colours[counts.argmax()]).max(axis=2)
    return (apart > APART).astype(np.float32)
