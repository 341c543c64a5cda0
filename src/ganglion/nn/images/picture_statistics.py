"""Layers whose answers for a picture never depend on others, though training looks at batches and draws noise."""

import torch
from torch import Tensor, nn
from torch.nn import functional

LARGEST = 32
"""Side of the maps for which noise is kept; larger ones get it again and again, side by side."""


class PictureNorm(nn.BatchNorm2d):
    """Batch normalisation that answers by the statistics of each picture alone, and keeps no running ones.

    While training, mean and variance are those of the batch. Otherwise they are those of the maps of one picture, as
    where a batch is one picture: `y = (x - E x) / sqrt(Var x + e) g + b`.

    >>> layer, maps = PictureNorm(2).eval(), torch.randn(3, 2, 4, 4)
    >>> torch.equal(layer(maps)[:1], layer(maps[:1]))
    True
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, track_running_stats=False)

    def forward(self, input: Tensor) -> Tensor:
        single = input.shape[2] * input.shape[3] == 1  # one value has no variance: batches of those are left to others
        if single and (not self.training or len(input) == 1):
            scale, shift = self.weight[:, None, None], self.bias[:, None, None]
            return (input * 0) * scale + shift
        if self.training:
            return functional.batch_norm(input, None, None, self.weight, self.bias, training=True, eps=self.eps)
        return functional.instance_norm(input, weight=self.weight, bias=self.bias, eps=self.eps)


class KeptDropout(nn.Module):
    """Dropout of half of the values that stays on when the network answers, then with noise that is always the same.

    Args:
        channels: of the maps.
        seed: decides the noise.

    >>> layer, maps = KeptDropout(4).eval(), torch.ones(2, 4, 2, 2)
    >>> torch.equal(layer(maps)[0], layer(maps)[1]), bool((layer(maps) == 0).any())
    (True, True)
    """

    kept: Tensor

    def __init__(self, channels: int, seed: int = 0) -> None:
        super().__init__()
        places = torch.arange(channels * LARGEST**2, dtype=torch.float64)  # noise by arithmetic needs no generator
        drawn = (torch.sin(12.9898 * places + seed) * 43758.5453) % 1
        self.register_buffer("kept", (drawn < 0.5).unflatten(0, (channels, LARGEST, LARGEST)), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        if self.training:
            return functional.dropout(maps, 0.5)
        height, width = maps.shape[2:]
        times = -(-height // LARGEST), -(-width // LARGEST)
        kept = self.kept if times == (1, 1) else self.kept.repeat(1, *times)
        return maps * kept[:, :height, :width] * 2


def padded_to(pictures: Tensor, multiple: int) -> Tensor:
    """Return pictures `(batch, channels, height, width)`, continued below and to the right to multiples of a side.

    >>> padded_to(torch.zeros(1, 3, 30, 64), 32).shape
    torch.Size([1, 3, 32, 64])
    """
    height, width = pictures.shape[2:]
    below, right = -height % multiple, -width % multiple
    return functional.pad(pictures, (0, right, 0, below), mode="replicate") if below or right else pictures
