"""Images to a code by convolutions that shrink them, and back by transposed ones along the same sizes."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from ganglion.nn.activations import PlainActivation
from ganglion.nn.activations import activation as make_activation
from ganglion.nn.coding.codes import CodingNetwork, DenseCoder
from ganglion.nn.dense import dense_layers
from ganglion.nn.stages import Stages


class ConvolutionalCoder(CodingNetwork):
    """Convolutions of stride two and dense layers to a code, and the same way back.

    h_0 = x, h_k = a(W_k *_2 h_{k-1} + b_k), code = A flat(h_n) + b, and back: a side of s becomes ceil(s / 2), and s
    again.

    Args:
        shape: channels, height and width of the images.
        channels: maps of each convolution.
        hidden_features: widths of dense layers between the smallest maps and the code.
        code_size: numbers in the code.
        kernel_size: pixels along a side of the windows, an odd number.
        activation_name: a.
        logistic: whether outputs are logits.

    >>> import torch
    >>> network = ConvolutionalCoder((3, 9, 14), channels=(8, 4), code_size=2)
    >>> network.encode(torch.zeros(5, 3, 9, 14)).shape, network(torch.zeros(5, 3, 9, 14)).shape
    (torch.Size([5, 2]), torch.Size([5, 3, 9, 14]))
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        channels: Sequence[int],
        hidden_features: Sequence[int] = (),
        code_size: int = 30,
        kernel_size: int = 3,
        activation_name: PlainActivation = "relu",
        *,
        logistic: bool = False,
    ) -> None:
        super().__init__()
        self.logistic = logistic
        maps, sizes = [shape[0], *channels], [shape[1:]]
        for _ in channels:
            height, width = sizes[-1]
            sizes.append((math.ceil(height / 2), math.ceil(width / 2)))
        smallest = maps[-1], *sizes[-1]
        border = kernel_size // 2
        down: list[nn.Module] = []
        for few, many in pairwise(maps):
            down += [nn.Conv2d(few, many, kernel_size, 2, border), make_activation(activation_name)]
        widths = [math.prod(smallest), *hidden_features, code_size]
        self.encoder = Stages(*down, nn.Flatten(), *dense_layers(widths, activation_name=activation_name))
        up = [*dense_layers(widths[::-1], activation_name=activation_name), nn.Unflatten(1, smallest)]
        for (many, few), size in zip(pairwise(reversed(maps)), reversed(sizes[:-1]), strict=True):
            # Both of two neighbouring sizes are halved to the same one: which it was, this one row more says.
            rest = 1 - size[0] % 2, 1 - size[1] % 2
            grow = nn.ConvTranspose2d(many, few, kernel_size, 2, border, output_padding=rest)
            up += [make_activation(activation_name), grow]
        self.decoder = Stages(*up, nn.Flatten())

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the codes (batch, code_size) of images (batch, channels, height, width)."""
        codes: Tensor = self.encoder(inputs)
        return codes

    def outputs(self, codes: Tensor) -> Tensor:
        """Return what codes (batch, code_size) stand for, (batch, pixels); its logits where it is logistic."""
        outputs: Tensor = self.decoder(codes)
        return outputs


def shape_of(values: int, channels: int | None, height: int, width: int) -> tuple[int, ...]:
    """Return the shape of a sample: channels, height and width of an image, the number of values where it is none."""
    return (values,) if channels is None else (channels, height, width)


class Coder(CodingNetwork):
    """An encoder and a decoder that suit the samples: convolutional for images, dense for all else.

    Args:
        shape: channels, height and width of images, or the number of values alone.
        channels: maps of each convolution for images.
        hidden_features: widths of dense layers between inputs, or maps, and code.
        code_size: numbers in the code.
        activation_name: of every layer but the code and the output.

    >>> import torch
    >>> Coder((6,)).encode(torch.zeros(5, 2, 3)).shape, Coder((1, 8, 8)).encode(torch.zeros(5, 1, 8, 8)).shape
    (torch.Size([5, 30]), torch.Size([5, 30]))
    """

    logistic = False

    def __init__(
        self,
        shape: tuple[int, ...],
        channels: Sequence[int] = (32, 64),
        hidden_features: Sequence[int] = (),
        code_size: int = 30,
        activation_name: PlainActivation = "relu",
    ) -> None:
        super().__init__()
        if len(shape) == 1:
            self.coder: CodingNetwork = DenseCoder([*shape, *hidden_features, code_size], activation_name)
        else:
            sides = shape[0], shape[1], shape[2]
            self.coder = ConvolutionalCoder(
                sides, channels, hidden_features, code_size, activation_name=activation_name
            )

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the codes (batch, code_size) of samples (batch, ...)."""
        return self.coder.encode(inputs)

    def outputs(self, codes: Tensor) -> Tensor:
        """Return what codes (batch, code_size) stand for, (batch, values)."""
        return self.coder.outputs(codes)
