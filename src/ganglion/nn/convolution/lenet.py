"""The pieces of LeNet-5 as published in 1998 that later networks dropped."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.errors import ConfigurationError


class ScaledTanh(nn.Module):
    """Squash by A tanh(S a), which maps 1 to 1 and -1 to -1 and is steepest in curvature there.

    Source: LeCun et al., Gradient-based learning applied to document recognition (1998), appendix A.

    >>> ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0])).round(decimals=3)
    tensor([-1.,  0.,  1.])
    """

    amplitude = 1.7159
    slope = 2 / 3

    def forward(self, inputs: Tensor) -> Tensor:
        return self.amplitude * torch.tanh(self.slope * inputs)


class Subsampling(nn.Module):
    """Halve maps by w_c (sum of 2 x 2 inputs) + b_c, with one trainable coefficient and bias per channel.

    >>> layer = Subsampling(6)
    >>> layer(torch.zeros(1, 6, 28, 28)).shape, sum(p.numel() for p in layer.parameters())
    (torch.Size([1, 6, 14, 14]), 12)
    """

    window = 2

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), 1 / self.window**2))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, inputs: Tensor) -> Tensor:
        sums = F.avg_pool2d(inputs, self.window) * self.window**2  # (batch, channels, height / 2, width / 2)
        return sums * self.weight[:, None, None] + self.bias[:, None, None]


class PartialConvolution(nn.Module):
    """Convolve, where each output map sees only the input maps that a table lists.

    Only the listed kernels exist as parameters; they are laid out among zeros for one ordinary convolution.

    Args:
        table: for every output map the numbers of the input maps it is connected to.
        in_channels: number of input maps.
        kernel_size: side of the square kernels.

    >>> layer = PartialConvolution([(0, 1), (1, 2)], in_channels=3, kernel_size=5)
    >>> layer(torch.zeros(1, 3, 8, 8)).shape, layer.weight.shape
    (torch.Size([1, 2, 4, 4]), torch.Size([4, 5, 5]))
    """

    selection: Tensor

    def __init__(self, table: Sequence[Sequence[int]], in_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.dense_shape = (len(table), in_channels, kernel_size, kernel_size)
        self.fan_in = [len(row) * kernel_size**2 for row in table]
        places = [number * in_channels + channel for number, row in enumerate(table) for channel in row]
        # A matrix of 0 and 1, not indices: averaging weights over time would average a buffer of whole numbers too.
        selection = torch.eye(len(table) * in_channels)[:, places]  # (out_channels * in_channels, kernels)
        self.register_buffer("selection", selection, persistent=False)
        self.weight = nn.Parameter(torch.empty(len(places), kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(len(table)))
        nn.init.trunc_normal_(self.weight, std=1 / max(self.fan_in) ** 0.5)

    def dense_weight(self) -> Tensor:
        """Return the kernels `(out_channels, in_channels, height, width)` with zeros where nothing is connected."""
        return (self.selection @ self.weight.flatten(1)).view(self.dense_shape)

    def forward(self, inputs: Tensor) -> Tensor:
        return F.conv2d(inputs, self.dense_weight(), self.bias)


class RadialBasisOutput(nn.Module):
    """Score classes by y_i = -sum_j (x_j - w_ij)^2, the negative squared distance to a fixed code of each.

    Args:
        codes: one row of code per class, `(classes, features)`.

    >>> layer = RadialBasisOutput(torch.tensor([[1.0, -1.0], [-1.0, -1.0]]))
    >>> layer(torch.tensor([[1.0, 0.0]]))
    tensor([[-1., -5.]])
    """

    codes: Tensor

    def __init__(self, codes: Tensor) -> None:
        super().__init__()
        self.register_buffer("codes", codes)

    def forward(self, inputs: Tensor) -> Tensor:
        return -(inputs[:, None, :] - self.codes).square().sum(dim=-1)  # (batch, classes)


def character_codes(classes: int) -> Tensor:
    """Return a code of -1 and 1 for each class, `(classes, 84)`.

    Ten classes get stylised drawings of the digits, 7 wide and 12 high, so that digits that look alike have codes that
    are alike. Other numbers of classes have no such drawings; they get the first rows of a Hadamard matrix, cut to the
    same length, which differ from each other in about half their places.
    """
    if classes == len(DIGITS):
        return torch.tensor([[1.0 if mark == "#" else -1.0 for mark in drawing.replace("|", "")] for drawing in DIGITS])
    matrix = torch.ones(1, 1)
    while len(matrix) < max(CODE_LENGTH, classes + 1):
        matrix = torch.cat([torch.cat([matrix, matrix], dim=1), torch.cat([matrix, -matrix], dim=1)])
    if classes > CODE_LENGTH:
        raise ConfigurationError(
            "too many classes for codes of this length", expected=f"at most {CODE_LENGTH}", found=str(classes)
        )
    return matrix[1 : classes + 1, :CODE_LENGTH].contiguous()


CODE_WIDTH, CODE_HEIGHT = 7, 12
CODE_LENGTH = CODE_WIDTH * CODE_HEIGHT
DIGITS = (
    " ##### |##   ##|##   ##|##   ##|##   ##|##   ##|##   ##|##   ##|##   ##|##   ##|##   ##| ##### ",
    "   ##  |  ###  | ####  |   ##  |   ##  |   ##  |   ##  |   ##  |   ##  |   ##  |   ##  | ######",
    " ##### |##   ##|##   ##|     ##|     ##|    ## |   ##  |  ##   | ##    |##     |##     |#######",
    " ##### |##   ##|     ##|     ##|     ##|  #### |  #### |     ##|     ##|     ##|##   ##| ##### ",
    "    ## |   ### |  #### | ## ## |##  ## |##  ## |#######|#######|    ## |    ## |    ## |    ## ",
    "#######|##     |##     |##     |###### |##   ##|     ##|     ##|     ##|     ##|##   ##| ##### ",
    "  #### | ##    |##     |##     |##     |###### |##   ##|##   ##|##   ##|##   ##|##   ##| ##### ",
    "#######|#######|     ##|     ##|    ## |    ## |   ##  |   ##  |  ##   |  ##   | ##    | ##    ",
    " ##### |##   ##|##   ##|##   ##|##   ##| ##### | ##### |##   ##|##   ##|##   ##|##   ##| ##### ",
    " ##### |##   ##|##   ##|##   ##|##   ##|##   ##| ######|     ##|     ##|     ##|    ## | ####  ",
)
"""The ten digits from top to bottom, rows separated by bars."""
