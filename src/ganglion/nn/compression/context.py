"""What is expected of each whole number of a code, from those that were written before it."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

NARROWEST, WIDEST = math.log(0.05), math.log(64.0)
"""Logarithms of the smallest and the largest width that is expected."""
LARGEST = 120.0
"""Size from which on numbers look alike to what foretells others."""
FASTER = 8.0
"""How much faster than weights the widths are learnt that hold everywhere."""
LEAST = 1e-9
"""Probability below which none falls, whatever is expected."""


def group_sizes(channels: int, groups: int) -> list[int]:
    """Return how many channels each group has, the first ones fewer, since they say most of all others.

    >>> group_sizes(96, 8), group_sizes(3, 8)
    ([4, 8, 10, 12, 13, 15, 17, 17], [1, 1, 1])
    """
    groups = min(groups, channels)
    borders = [max(k, round(channels * (k / groups) ** 1.5)) for k in range(groups + 1)]
    return [after - before for before, after in pairwise(borders)]


def phases(height: int, width: int) -> Tensor:
    """Return in which of three turns each place is written, (height, width): 0, then 1, then all others.

    >>> phases(2, 4).tolist()
    [[0, 2, 0, 2], [2, 1, 2, 1]]
    """
    rows, columns = torch.arange(height)[:, None] % 2, torch.arange(width) % 2
    return torch.where(rows == columns, rows, 2)


class Context(nn.Module):
    """Mean and width of the whole numbers of a code, from those of groups of channels and of places before them.

    Channels are written group by group, and each group in three turns: every second place of every second row, the
    places in the middle between four of those, and all others. What is written at a place is told from all groups
    before, at this place and those around it, and from the numbers of its own group around it that are there already:

        f = log(1 + |y|) of the groups before and of the own one, and y of the own one
        h = relu(W f + b_turn + b_quality)
        m, log s = V h + c_quality                           m = 0 and log s = c_quality without `features`

    Args:
        channels: of the codes.
        qualities: how many rates there are.
        features: h of each group; 0 for widths that hold everywhere.
        groups: of channels, fewer where there are not so many channels.

    Source: the turns follow He, Zheng, Sun, Wang and Qin, Checkerboard context model for efficient learned image
    compression (2021), the groups Minnen and Singh, Channel-wise autoregressive entropy models (2020).

    >>> means, widths = Context(6, qualities=2, features=4, groups=2)(torch.ones(1, 6, 4, 4), torch.tensor([0]))
    >>> means.shape, widths.shape
    (torch.Size([1, 6, 4, 4]), torch.Size([1, 6, 4, 4]))
    """

    def __init__(self, channels: int, qualities: int, features: int, groups: int = 8) -> None:
        super().__init__()
        self.channels, self.features = channels, features
        self.sizes = group_sizes(channels, groups)
        self.widths = nn.Parameter(torch.zeros(qualities, channels))
        self.groups = nn.ModuleList()
        if features:
            starts = [sum(self.sizes[:number]) for number in range(len(self.sizes))]
            self.groups.extend(
                Group(start, size, qualities, features) for start, size in zip(starts, self.sizes, strict=True)
            )

    def forward(self, codes: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and logarithms of widths, (batch, channels, height, width) each.

        Args:
            codes: whole numbers (batch, channels, height, width).
            quality: of each (batch,).
        """
        widths = (FASTER * self.widths[quality])[:, :, None, None]
        if not self.groups:
            return torch.zeros_like(codes), widths.clamp(NARROWEST, WIDEST).expand_as(codes)
        turns = phases(*codes.shape[2:]).to(codes.device)
        sizes, numbers = codes.abs().log1p(), codes.clamp(-LARGEST, LARGEST)
        answers = [group(numbers, sizes, turns, quality) for group in self.groups]
        means, spreads = (torch.cat(part, 1) for part in zip(*answers, strict=True))
        return means, (spreads + widths).clamp(NARROWEST, WIDEST)


class Group(nn.Module):
    """What is expected of a group of channels: mean, and what is added to the logarithm of the width.

    Args:
        start: the first of its channels.
        size: how many.
        qualities: how many rates there are.
        features: h.
    """

    around: Tensor

    def __init__(self, start: int, size: int, qualities: int, features: int) -> None:
        super().__init__()
        self.start, self.size = start, size
        self.from_before = nn.Parameter(torch.randn(features, start, 3, 3) * 0.05) if start else None
        self.from_own = nn.Parameter(torch.randn(features, 2 * size, 3, 3) * 0.05)
        self.of_turn = nn.Parameter(torch.full((3, features), 0.1))
        self.of_quality = nn.Parameter(torch.zeros(qualities, features))
        self.out = nn.Conv2d(features, 2 * size, 1)
        around = torch.ones(3, 3)
        around[1, 1] = 0  # what is to be written is not known
        self.register_buffer("around", around, persistent=False)
        with torch.no_grad():
            self.from_own[:, size:] *= 0.2  # numbers as they are, which are larger than their logarithms
            self.out.weight *= 0.1

    def forward(self, numbers: Tensor, sizes: Tensor, turns: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and what widths differ by, (batch, size, height, width) each.

        Args:
            numbers: of all channels, (batch, channels, height, width); so are `sizes`, the logarithms of theirs.
            turns: of each place (height, width).
            quality: of each code (batch,).
        """
        own = slice(self.start, self.start + self.size)
        there = torch.cat([sizes[:, own], numbers[:, own]], 1) * (turns < 2)
        hidden = functional.conv2d(there, self.from_own * self.around, padding=1) * (turns > 0)
        if self.from_before is not None:
            hidden = hidden + functional.conv2d(sizes[:, : self.start], self.from_before, padding=1)
        hidden = hidden + self.of_quality[quality][:, :, None, None] + self.of_turn.T[:, turns]
        means, spreads = self.out(hidden.relu()).chunk(2, 1)
        return means, spreads


def bits(numbers: Tensor, means: Tensor, widths: Tensor) -> Tensor:
    """Return -log2 P of numbers of any shape, whole or not: S((y - m + 1/2) / s) - S((y - m - 1/2) / s).

    S is the logistic function.

    Args:
        numbers: y.
        means: m.
        widths: log s.

    >>> bits(torch.tensor([0.0, 3.0]), torch.zeros(2), torch.zeros(2)).round(decimals=3)
    tensor([2.0300, 4.4250])
    """
    away, narrow = (numbers - means).abs(), (-widths).exp()
    chances = torch.sigmoid((0.5 - away) * narrow) - torch.sigmoid((-0.5 - away) * narrow)
    return -chances.clamp(min=LEAST).log2()


def rounded(numbers: Tensor) -> Tensor:
    """Return whole numbers whose slope is that of the numbers themselves, of any shape."""
    return numbers + (numbers.round() - numbers).detach()
