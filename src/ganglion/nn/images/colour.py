"""Colours as lightness and two opponents, CIE Lab, in which equal distances look about equally far apart."""

from functools import cache

import torch
from torch import Tensor

LINEAR_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
"""ITU-R BT.709 primaries, white D65."""
WHITE = (0.95047, 1.0, 1.08883)
"""X, Y and Z of white D65, 2 degrees."""
DARK = 6 / 29
"""Where the cube root of Lab becomes a line."""
TO_LAB = ((0.0, 116.0, 0.0), (500.0, -500.0, 0.0), (0.0, 200.0, -200.0))


def to_lab(images: Tensor) -> Tensor:
    """Return CIE Lab `(batch, 3, height, width)` of sRGB images `(batch, 3, height, width)` in [0, 1].

        L = 116 f(Y / Y_n) - 16,  a = 500 (f(X / X_n) - f(Y / Y_n)),  b = 200 (f(Y / Y_n) - f(Z / Z_n))
        f(t) = t^(1/3) above (6/29)^3, else t / (3 (6/29)^2) + 4/29

    L goes from 0 to 100; a from green to red and b from blue to yellow, both within about 110 of grey, which is 0.

    Source: IEC 61966-2-1 (sRGB), CIE 15 (Lab).

    >>> to_lab(torch.ones(1, 3, 1, 1)).flatten().round(decimals=1).abs().tolist()
    [100.0, 0.0, 0.0]
    """
    linear = torch.where(images > 0.04045, ((images.clamp(min=0) + 0.055) / 1.055) ** 2.4, images / 12.92)
    xyz = _mixed(linear, LINEAR_TO_XYZ) / images.new_tensor(WHITE).reshape(3, 1, 1)
    f = torch.where(xyz > DARK**3, xyz.clamp(min=DARK**3) ** (1 / 3), xyz / (3 * DARK**2) + 4 / 29)
    return _mixed(f, TO_LAB) - images.new_tensor((16.0, 0.0, 0.0)).reshape(3, 1, 1)


def to_rgb(lab: Tensor) -> Tensor:
    """Return sRGB images of CIE Lab, both `(batch, 3, height, width)`; colours that no screen has lie outside [0, 1].

    >>> image = torch.rand(1, 3, 4, 4)
    >>> bool((to_rgb(to_lab(image)) - image).abs().max() < 1e-3)
    True
    """
    lightness, a, b = (lab[:, channel] for channel in range(3))
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], dim=1)
    xyz = torch.where(f > DARK, f**3, 3 * DARK**2 * (f - 4 / 29)) * lab.new_tensor(WHITE).reshape(3, 1, 1)
    inverse = torch.linalg.inv(torch.tensor(LINEAR_TO_XYZ, dtype=torch.float64))
    linear = _mixed(xyz, inverse.tolist())
    curved = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, curved, 12.92 * linear)


def _mixed(images: Tensor, matrix: "tuple[tuple[float, ...], ...] | list[list[float]]") -> Tensor:
    """Return images of which each channel is a sum of the channels `(batch, 3, height, width)` that were given."""
    return torch.einsum("ij,bjhw->bihw", images.new_tensor(matrix), images)


def colour_bins(step: int = 10) -> Tensor:
    """Return the centres (a, b) of the squares of a side in which sRGB has colours `(bins, 2)`, in order.

    >>> colour_bins().shape
    torch.Size([260, 2])
    """
    return torch.tensor(_bins(step), dtype=torch.float32, device="cpu")


@cache
def _bins(step: int) -> list[list[int]]:
    levels = torch.linspace(0, 1, 52, dtype=torch.float64, device="cpu")
    cube = torch.cartesian_prod(levels, levels, levels).T.reshape(1, 3, 1, -1)
    places = (to_lab(cube)[0, 1:, 0] / step).round().long().T  # (colours, 2)
    return [[a * step, b * step] for a, b in sorted(set(map(tuple, places.tolist())))]
