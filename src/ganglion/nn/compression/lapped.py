"""The lapped orthogonal transform: blocks of pixels as frequencies, each block reaching halfway into its neighbours."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 8
"""Pixels from one block to the next; each reaches over twice as many."""
LAP = SIDE // 2
"""Pixels by which a block reaches into each of its neighbours."""
COLOURS = ((1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (-1.0, 2.0, -1.0))
"""Brightness, and two differences of colours, of red, green and blue."""
COARSER = 4
"""How much rarer fine detail of colour is than of brightness: its squared frequencies count so many times."""


def cosines(length: int) -> Tensor:
    """Return the orthonormal discrete cosine transform (frequencies, places), double.

    >>> basis = cosines(4)
    >>> torch.allclose(basis @ basis.T, torch.eye(4, dtype=basis.dtype))
    True
    """
    places = torch.arange(length, dtype=torch.float64)
    waves = torch.cos(math.pi * (places + 0.5) * places[:, None] / length) * math.sqrt(2 / length)
    waves[0] /= math.sqrt(2)
    return waves


def lapped_basis() -> Tensor:
    """Return the lapped orthogonal transform (frequencies, places), `SIDE` by twice `SIDE`, double.

    The cosines of a block, after each border between blocks was smoothed by an orthogonal 8 x 8 matrix: with I the
    identity, J the mirrored one and V = C2' C4 of the cosine transforms of type two and four,

        P = 1/2 [I J; J -I] [I 0; 0 V] [I J; J -I]

    Even frequencies are symmetric and odd ones antisymmetric.

    Source: Malvar and Staelin, The LOT: transform coding without blocking effects (1989); the factors are those of
    Tran, Liang and Tu, Lapped transform via time-domain pre- and post-filtering (2003).

    >>> basis = lapped_basis()
    >>> torch.allclose(basis @ basis.T, torch.eye(8, dtype=basis.dtype))
    True
    """
    half = LAP
    steps = torch.arange(half, dtype=torch.float64) + 0.5
    fourth = torch.cos(math.pi * steps[:, None] * steps / half) * math.sqrt(2 / half)
    one, mirror = torch.eye(half, dtype=torch.float64), torch.eye(half, dtype=torch.float64).flip(0)
    turn = mirror @ cosines(half).T @ fourth @ mirror
    butterfly = torch.cat([torch.cat([one, mirror], 1), torch.cat([mirror, -one], 1)])
    middle = torch.block_diag(one, turn)
    smoothing = butterfly @ middle @ butterfly / 2
    whole = torch.block_diag(smoothing, smoothing)  # of both borders of a block: what it is made of
    return cosines(SIDE) @ whole[half : half + SIDE]


def frequencies(channels: int) -> list[tuple[int, int, int]]:
    """Return colour, vertical and horizontal frequency of so many channels, the lowest first.

    >>> frequencies(5)
    [(0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 0, 1), (0, 1, 0)]
    """
    every = [(colour, u, v) for colour in range(3) for u in range(SIDE) for v in range(SIDE)]
    return sorted(every, key=lambda one: ((one[1] ** 2 + one[2] ** 2) * (COARSER if one[0] else 1), one))[:channels]


def usual_sizes(channels: int) -> Tensor:
    """Return how large each frequency of photographs is, about, in steps of brightness of 255, (channels,).

    >>> usual_sizes(4).round()
    tensor([600., 150., 150.,  70.])
    """
    return torch.tensor([_usual_size(colour > 0, math.hypot(u, v)) for colour, u, v in frequencies(channels)])


def _usual_size(coloured: bool, frequency: float) -> float:
    """Return the mean size of a frequency in photographs (BSDS500, training part)."""
    if not frequency:
        return 150.0 if coloured else 600.0
    return 10 / frequency**1.8 if coloured else 70 / frequency**1.1


def kernels(channels: int) -> Tensor:
    """Return what the channels of the transform of pictures are made with (channels, 3, 16, 16), float."""
    basis = lapped_basis()
    colours = torch.tensor(COLOURS, dtype=torch.float64)
    colours = colours / colours.norm(dim=1, keepdim=True)
    made = [torch.einsum("c,h,w->chw", colours[k], basis[u], basis[v]) for k, u, v in frequencies(channels)]
    return torch.stack(made).float()


class LappedAnalysis(nn.Module):
    """Pictures as frequencies of lapped blocks, which may be learnt on from there.

    Beyond its border a picture goes on as in a mirror.

    Args:
        channels: frequencies that are kept, the lowest of 192.
        scale: what they are multiplied by; the transform itself keeps lengths.

    >>> LappedAnalysis(96, 1.0)(torch.zeros(1, 3, 16, 24)).shape
    torch.Size([1, 96, 2, 3])
    """

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(kernels(channels) * scale)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, images: Tensor) -> Tensor:
        """Return frequencies (batch, channels, height / 8, width / 8) of images (batch, 3, height, width)."""
        for axis in (2, 3):
            first, last = images.narrow(axis, 0, LAP), images.narrow(axis, images.shape[axis] - LAP, LAP)
            images = torch.cat([first.flip(axis), images, last.flip(axis)], axis)
        # The same as windows of 16 pixels every 8, and several times as fast: windows of two blocks of 64 numbers each.
        return functional.conv2d(functional.pixel_unshuffle(images, SIDE), _of_blocks(self.weight), self.bias)


class LappedSynthesis(nn.Module):
    """Pictures of the frequencies of lapped blocks: the inverse of `LappedAnalysis` as long as none was left out.

    Args:
        channels: frequencies, the lowest of 192.
        scale: of the analysis.

    >>> image = torch.rand(1, 3, 16, 24)
    >>> torch.allclose(LappedSynthesis(192, 4.0)(LappedAnalysis(192, 4.0)(image)), image, atol=1e-5)
    True
    """

    mirrored: Tensor

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(kernels(channels) * scale)  # as large as that of the analysis, so it learns as fast
        self.bias = nn.Parameter(torch.zeros(3))
        self.factor = 1 / scale**2
        signs = [[(-1.0) ** u for _, u, _ in frequencies(channels)], [(-1.0) ** v for *_, v in frequencies(channels)]]
        self.register_buffer("mirrored", torch.tensor(signs), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Return images (batch, 3, 8 height, 8 width) of frequencies (batch, channels, height, width)."""
        for axis, signs in zip((2, 3), self.mirrored, strict=True):
            first, last = codes.narrow(axis, 0, 1), codes.narrow(axis, codes.shape[axis] - 1, 1)
            signs = signs.reshape(1, -1, 1, 1)
            codes = torch.cat([first * signs, codes, last * signs], axis)
        weight = _of_blocks(self.weight).transpose(0, 1).flip(2, 3)
        made = functional.pixel_shuffle(functional.conv2d(codes, weight), SIDE)
        return made[..., LAP:-LAP, LAP:-LAP] * self.factor + self.bias.reshape(1, -1, 1, 1)


def _of_blocks(weight: Tensor) -> Tensor:
    """Return kernels (channels, 3, 16, 16) as they see blocks whose pixels are channels (channels, 192, 2, 2)."""
    return weight.reshape(-1, 3, 2, SIDE, 2, SIDE).permute(0, 1, 3, 5, 2, 4).reshape(-1, 3 * SIDE**2, 2, 2)
