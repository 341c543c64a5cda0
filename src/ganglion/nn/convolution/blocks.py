"""The blocks that convolutional networks are stacked of: convolution, detector and pooling; branches side by side."""

import torch
from torch import Tensor, nn

from ganglion.errors import ConfigurationError, ShapeError
from ganglion.nn.activations import ActivationName, activation
from ganglion.nn.convolution.layers import Convolution2d, MaxoutConvolution2d
from ganglion.nn.convolution.pooling import PoolingName, pooling
from ganglion.nn.convolution.sizes import Padding


class ConvolutionBlock(nn.Module):
    """Convolve, detect, pool: p(g(w * x + b)), the three stages of a convolutional layer of the textbooks.

    Args:
        in_channels: channels of the inputs `(batch, in_channels, height, width)`.
        out_channels: channels of what comes out.
        kernel_size: side of the kernels.
        stride: step between windows.
        padding: as of `Convolution2d`.
        detector: name of the activation g; `maxout` takes the largest of two convolutions for each channel.
        pool: name of the pooling p; none when not given.
        window: side of the pooled windows.
        window_stride: step between them; that of a window when not given.
        normalisation: a layer between detector and pooling, such as `LocalResponseNormalisation`.

    Source: Goodfellow, Bengio, Courville, Deep Learning (2016), figure 9.7.

    >>> block = ConvolutionBlock(3, 16, 5, padding="same", pool="max")
    >>> block(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 16, 16, 16])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int | Padding = 0,
        *,
        detector: ActivationName = "relu",
        pool: PoolingName | None = None,
        window: int = 2,
        window_stride: int | None = None,
        normalisation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        sizes = in_channels, out_channels, kernel_size, stride, padding
        is_learnt = detector == "maxout"  # by the convolutions themselves, of which the largest counts
        self.convolution = MaxoutConvolution2d(*sizes) if is_learnt else Convolution2d(*sizes)
        self.detector = nn.Identity() if is_learnt else activation(detector)
        self.normalisation = normalisation
        self.pooling = pooling(pool, window, window_stride) if pool else None

    def forward(self, inputs: Tensor) -> Tensor:
        maps = self.detector(self.convolution(inputs))
        if self.normalisation is not None:
            maps = self.normalisation(maps)
        return maps if self.pooling is None else self.pooling(maps)


class NormalisedConvolution(nn.Module):
    """Convolve without a bias, normalise each channel over the batch, activate: g(s (w * x - mean) / deviation + t).

    The shift t does what a bias would. Maps `(batch, channels, height, width)` keep their size at a stride of 1.

    Args:
        in_channels: channels of the inputs.
        out_channels: channels of what comes out.
        kernel_size: an odd side of the kernels.
        stride: step between windows.
        groups: parts into which the channels fall; as many as there are channels make a depthwise convolution.
        detector: name of the activation g; `linear` for none.
        norm: what is added to the variance, and the share of the newest batch in the running mean and variance.
        padding: positions on every side; half of the kernel when not given.

    Source: Ioffe and Szegedy, Batch normalization (2015), section 3.2.

    >>> layer = NormalisedConvolution(3, 8, 3, stride=2)
    >>> layer(torch.zeros(2, 3, 9, 9)).shape, sum(weight.numel() for weight in layer.parameters()), 3 * 8 * 9 + 2 * 8
    (torch.Size([2, 8, 5, 5]), 232, 232)
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        *,
        groups: int = 1,
        detector: ActivationName = "relu",
        norm: tuple[float, float] = (1e-5, 0.1),
        padding: int | None = None,
    ) -> None:
        super().__init__()
        border = kernel_size // 2 if padding is None else padding
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel_size, stride, border, groups=groups, bias=False)
        self.normalisation = nn.BatchNorm2d(out_channels, *norm)
        self.detector = activation(detector)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.detector(self.normalisation(self.convolution(inputs)))

    @staticmethod
    def named(place: str, convolution: str, normalisation: str) -> dict[str, str]:
        """Return what both layers of the one at `place` in a network are called elsewhere.

        >>> NormalisedConvolution.named("stem", "conv1", "bn1")
        {'stem.convolution': 'conv1', 'stem.normalisation': 'bn1'}
        """
        return {f"{place}.convolution": convolution, f"{place}.normalisation": normalisation}


class Parallel(nn.Module):
    """Put what several branches make of the same inputs behind one another, along the channels.

    Args:
        branches: modules whose outputs `(batch, channels, ...)` differ in their channels at most.

    Raises:
        ConfigurationError: there is no branch.
        ShapeError: branches whose maps are not of one size.

    Source: Szegedy et al., Going deeper with convolutions (2015), figure 2.

    >>> branches = Parallel(nn.Conv2d(8, 4, 1), nn.Conv2d(8, 6, 3, padding=1), nn.MaxPool2d(3, 1, padding=1))
    >>> branches(torch.zeros(1, 8, 14, 14)).shape
    torch.Size([1, 18, 14, 14])
    """

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        if not branches:
            raise ConfigurationError("nothing can be put side by side", expected="at least one branch", found="none")
        self.branches = nn.ModuleList(branches)

    def forward(self, inputs: Tensor) -> Tensor:
        maps = [branch(inputs) for branch in self.branches]
        if any(one.shape[2:] != maps[0].shape[2:] for one in maps):
            raise ShapeError(
                "the maps of these branches are not of one size",
                expected=f"{tuple(maps[0].shape[2:])} of all, as of the first",
                found=", ".join(str(tuple(one.shape[2:])) for one in maps),
                remedy="give each branch the same stride, and padding that keeps the size",
            )
        return torch.cat(maps, dim=1)
