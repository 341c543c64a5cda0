"""The filters of image processing, and a layer of them: what convolutional networks learn was once written by hand.

Kernels are written as they are laid over a picture (cross-correlation), with x to the right and y down. So `sobel-x` is
positive where the picture gets brighter to the right, and answers to vertical edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.settings import unknown_name

Border = Literal["replicate", "zeros"]


@dataclass(frozen=True)
class Filter:
    """A kernel with a name: rows of weights, what it shows, and where it is from."""

    rows: tuple[tuple[float, ...], ...]
    shows: str
    source: str
    scale: float = 1.0
    """What the rows, which are written in whole numbers, are multiplied with."""

    @property
    def kernel(self) -> Tensor:
        """The weights, `(side, side)`."""
        return torch.tensor(self.rows) * self.scale

    @property
    def keeps_brightness(self) -> bool:
        """Whether the weights sum to 1, so that plain areas stay as they are; those of other filters here sum to 0."""
        return abs(sum(map(sum, self.rows)) * self.scale - 1) < 1e-6


_PREWITT = "Prewitt, Object enhancement and extraction (1970)"
_SOBEL = "Sobel and Feldman, A 3x3 isotropic gradient operator for image processing (1968)"
_SCHARR = "Scharr, Optimale Operatoren in der digitalen Bildverarbeitung (2000)"
_GONZALEZ = "Gonzalez and Woods, Digital image processing, section 3.6"
_BURT = "Burt and Adelson, The Laplacian pyramid as a compact image code (1983)"
_EDITORS = "the usual kernel of image editors"

FILTERS: dict[str, Filter] = {
    "prewitt-x": Filter(((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)), "brighter to the right", _PREWITT),
    "prewitt-y": Filter(((-1, -1, -1), (0, 0, 0), (1, 1, 1)), "brighter below", _PREWITT),
    "sobel-x": Filter(((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), "brighter to the right, rows nearby count more", _SOBEL),
    "sobel-y": Filter(((-1, -2, -1), (0, 0, 0), (1, 2, 1)), "brighter below, columns nearby count more", _SOBEL),
    "scharr-x": Filter(((-3, 0, 3), (-10, 0, 10), (-3, 0, 3)), "brighter to the right, whatever the angle", _SCHARR),
    "scharr-y": Filter(((-3, -10, -3), (0, 0, 0), (3, 10, 3)), "brighter below, whatever the angle", _SCHARR),
    "sharpen": Filter(((0, -1, 0), (-1, 5, -1), (0, -1, 0)), "the picture and its edges on top", _GONZALEZ),
    "edge-detect": Filter(((0, -1, 0), (-1, 4, -1), (0, -1, 0)), "brighter than the four beside it", _GONZALEZ),
    "strong-edge": Filter(((-1, -1, -1), (-1, 8, -1), (-1, -1, -1)), "brighter than all eight around it", _GONZALEZ),
    "laplacian": Filter(((0, 1, 0), (1, -4, 1), (0, 1, 0)), "darker than the four beside it", _GONZALEZ),
    "gaussian": Filter(
        ((1, 4, 6, 4, 1), (4, 16, 24, 16, 4), (6, 24, 36, 24, 6), (4, 16, 24, 16, 4), (1, 4, 6, 4, 1)),
        "a weighted mean, in parts of 256",
        _BURT,
        scale=1 / 256,
    ),
    "emboss": Filter(((-2, -1, 0), (-1, 1, 1), (0, 1, 2)), "light from the upper left, as on a relief", _EDITORS),
}
"""By name. Sums are 0 (what changes) or 1 (sharpen, gaussian, emboss: the picture, changed)."""


class FilterBank(nn.Module):
    """Lay every filter over every channel by itself; the size of the maps stays.

    Args:
        names: of `FILTERS`.
        channels: channels of the inputs `(batch, channels, height, width)`; out come those of the first channel under
            each filter, then those of the second, `(batch, channels * filters, height, width)`.
        learnable: whether the kernels are only where learning starts; as they are, they are a buffer.
        border: what lies beyond the picture: its outermost pixels again, or zeros, which look like an edge.

    Raises:
        ConfigurationError: an unknown filter or border, or none at all.
        ShapeError: inputs with other channels.

    >>> bank = FilterBank(["sobel-x", "gaussian"], channels=3)
    >>> ramp = torch.arange(6.0).expand(1, 3, 6, 6)
    >>> bank(ramp).shape, bank(ramp)[0, :2, 3, 3].tolist()
    (torch.Size([1, 6, 6, 6]), [8.0, 3.0])
    """

    weight: Tensor

    def __init__(
        self, names: Sequence[str], channels: int = 1, *, learnable: bool = False, border: Border = "replicate"
    ) -> None:
        super().__init__()
        if not names:
            raise ConfigurationError("a bank of filters needs one", expected=", ".join(FILTERS), found="no name")
        for name in names:
            if name not in FILTERS:
                raise unknown_name("filter", name, list(FILTERS))
        if border not in ("replicate", "zeros"):
            raise unknown_name("border", border, ["replicate", "zeros"])
        self.names, self.channels, self.border = tuple(names), channels, border
        side = max(len(FILTERS[name].rows) for name in names)
        self.margin = side // 2
        kernels = torch.stack([F.pad(kernel, [(side - len(kernel)) // 2] * 4) for kernel in map(_kernel, names)])
        weight = kernels.repeat(channels, 1, 1)[:, None]  # (channels * filters, 1, side, side)
        if learnable:
            self.weight = nn.Parameter(weight)
        else:
            self.register_buffer("weight", weight)

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.dim() != 4 or inputs.shape[1] != self.channels:
            expected, found = f"(batch, {self.channels}, height, width)", str(tuple(inputs.shape))
            raise ShapeError("the filters cannot be laid over these inputs", expected=expected, found=found)
        bordered = F.pad(inputs, [self.margin] * 4, "replicate" if self.border == "replicate" else "constant")
        return F.conv2d(bordered, self.weight, groups=self.channels)

    def extra_repr(self) -> str:
        return f"{', '.join(self.names)}, channels={self.channels}, border={self.border}"


def _kernel(name: str) -> Tensor:
    return FILTERS[name].kernel
