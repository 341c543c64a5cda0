"""Residual blocks, which learn what to add to their inputs, and stages of them."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.nn.convolution.blocks import NormalisedConvolution


class PaddedShortcut(nn.Module):
    """Take every second pixel and add channels of zeros, half before and half after: option A, nothing to learn.

    >>> import torch
    >>> PaddedShortcut(channels=2, stride=2)(torch.ones(1, 2, 4, 4))[0, :, 0, 0].tolist()
    [0.0, 1.0, 1.0, 0.0]
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, inputs: Tensor) -> Tensor:
        before = self.channels // 2
        return F.pad(inputs[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, before, self.channels - before))


class Block(nn.Module):
    """Return max(0, F(x) + s(x)) for maps `(batch, in_channels, height, width)`, with F of two or three convolutions.

    Args:
        in_channels: channels of x.
        channels: maps of F's convolutions, of which the last of a bottleneck has four times as many.
        stride: step of the convolution that makes maps smaller.
        bottleneck: three convolutions, of 1, 3 and 1 pixels, in place of two of 3.
        projection: let s be a convolution wherever x and F(x) differ in shape (option B).

    >>> import torch
    >>> Block(64, 64, 1, bottleneck=True, projection=True)(torch.zeros(1, 64, 8, 8)).shape
    torch.Size([1, 256, 8, 8])
    """

    def __init__(self, in_channels: int, channels: int, stride: int, *, bottleneck: bool, projection: bool) -> None:
        super().__init__()
        out_channels = channels * (4 if bottleneck else 1)
        self.residual = nn.Sequential(
            *(
                (
                    NormalisedConvolution(in_channels, channels, 1),
                    NormalisedConvolution(channels, channels, 3, stride),
                    NormalisedConvolution(channels, out_channels, 1, detector="linear"),
                )
                if bottleneck
                else (
                    NormalisedConvolution(in_channels, channels, 3, stride),
                    NormalisedConvolution(channels, out_channels, 3, detector="linear"),
                )
            )
        )
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels and projection:
            self.shortcut = NormalisedConvolution(in_channels, out_channels, 1, stride, detector="linear")
        elif in_channels != out_channels:
            self.shortcut = PaddedShortcut(out_channels - in_channels, stride)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.activation(self.residual(inputs) + self.shortcut(inputs))


def residual_stages(
    in_channels: int,
    widths: Sequence[int],
    blocks: Sequence[int],
    strides: Sequence[int],
    *,
    bottleneck: bool,
    projection: bool,
) -> tuple[nn.Sequential, int]:
    """Return stages of blocks, one after the other, and the channels that the last of them puts out.

    Args:
        in_channels: channels of what comes in.
        widths: maps of the convolutions of each stage.
        blocks: how many blocks each stage has.
        strides: by which the first block of each stage makes maps smaller.
        bottleneck, projection: as of `Block`.

    >>> stages, channels = residual_stages(16, (16, 32), (1, 2), (1, 2), bottleneck=False, projection=False)
    >>> [len(stage) for stage in stages], channels
    ([1, 2], 32)
    """
    channels, stages = in_channels, []
    for width, count, stride in zip(widths, blocks, strides, strict=True):
        stage = []
        for number in range(count):
            step = 1 if number else stride
            stage.append(Block(channels, width, step, bottleneck=bottleneck, projection=projection))
            channels = width * (4 if bottleneck else 1)
        stages.append(nn.Sequential(*stage))
    return nn.Sequential(*stages), channels
