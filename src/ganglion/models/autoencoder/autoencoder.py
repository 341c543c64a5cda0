"""The autoencoder: squeezes inputs through a narrow code and rebuilds them, which makes a map of the data.

Idea:
    An encoder turns an input into a few numbers, the code; a decoder turns the code back into the input. Nothing but
    the input itself is needed to train. Because the code is too small to hold everything, it must keep what tells
    inputs apart. With linear layers the code spans the same space as principal components; the layers between make
    it curve. A code of two numbers is a map that can be drawn.

Equations:
    h_0 = x,  h_k = a(W_k h_{k-1} + b_k),  code = W_n h_{n-1} + b_n          encoder, activation a
    g_n = code,  g_{k-1} = a(V_k g_k + c_k),  y = V_1 g_1 + c_1              decoder, mirrored widths
    tied weights: V_k = W_k^T
    squared error: L = mean (y - x)^2
    binary cross-entropy: L = mean -x log s(y) - (1 - x) log(1 - s(y)),  logistic s; the reconstruction is s(y)

Networks:
    network: `Autoencoder`, from inputs (batch, ...) to outputs of the same shape; `encode`, `decode`, `reconstruct`.

Learning rule:
    Reconstruction, Adam. With `noise` or `masking` the network sees corrupted inputs and must give back clean ones
    (a denoising autoencoder).

Data it expects:
    Images of any size and number of channels, as pixels in [0, 1], or rows of numbers, standardised (squared error
    only). Labels are not learnt from; where there are any, they colour the map.

What to expect:
    Less error than as many principal components, the honest linear baseline that stands beside the score: with a
    code of two, about half of it on the bundled digits after seconds on a CPU. Groups of digits separate in the map
    although no label was seen. More numbers in the code mean sharper images, but no map that can be drawn as it is.

Departures from the paper:
    1. Trained as a whole from random weights with Adam; Hinton and Salakhutdinov first trained every layer as a
       restricted Boltzmann machine and then used conjugate gradients.
    2. The activation is a choice; theirs was logistic, with linear codes.

References:
    Rumelhart, Hinton and Williams, Learning internal representations by error propagation (1986).
    Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks (2006).
    Vincent et al., Extracting and composing robust features with denoising autoencoders (2008).
"""

from itertools import pairwise
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import LearningRule
from ganglion.nn.activations import PlainActivation
from ganglion.nn.activations import activation as make_activation
from ganglion.nn.codes import CodingNetwork
from ganglion.nn.linear import Linear
from ganglion.rules.descend import Descent
from ganglion.rules.reconstruction import Reconstruction, ReconstructionLoss
from ganglion.settings import Count, Share, at_least, settings


@settings
class Config:
    """Dense layers that narrow down to a code."""

    in_features: Count = 784
    """Values of one input; decided by the data."""
    hidden_features: tuple[Count, ...] = (1000, 500, 250)
    """Widths of the layers between input and code; the decoder mirrors them."""
    code_size: Count = 30
    """Numbers in the code; two make a map."""
    activation: PlainActivation = "relu"
    """Function of every layer but the code and the output."""
    tied: bool = False
    """Let the decoder use the transposed weights of the encoder: half the parameters."""
    loss: ReconstructionLoss = "squared-error"
    """Squared error, or binary cross-entropy for inputs in [0, 1]."""
    noise: Annotated[float, at_least(0)] = 0.0
    """Standard deviation of Gaussian noise on the inputs that must be removed."""
    masking: Share = 0.0
    """Share of the input values blanked out that must be filled in."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3)
    """How a gradient becomes an update."""


class TransposedLinear(nn.Module):
    """A dense layer that goes back through another one by its transposed weights: W^T g + c.

    Args:
        out_features: inputs of the layer that is gone back through; width of the bias, which is all this layer owns.
    """

    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, inputs: Tensor, forth: nn.Linear) -> Tensor:
        return functional.linear(inputs, forth.weight.T, self.bias)


class Autoencoder(CodingNetwork):
    """A dense encoder and its mirror image.

    Where the loss is the binary cross-entropy, reconstructions are squashed into (0, 1), and what `forward` returns
    are their logits.

    >>> network = Autoencoder(Config(in_features=64, hidden_features=(32,), code_size=2))
    >>> images = torch.zeros(5, 1, 8, 8)
    >>> network.encode(images).shape, network.reconstruct(images).shape
    (torch.Size([5, 2]), torch.Size([5, 1, 8, 8]))
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = [config.in_features, *config.hidden_features, config.code_size]
        back = list(pairwise(reversed(widths)))
        self.logistic = config.loss == "binary-cross-entropy"
        self.activation = make_activation(config.activation)
        self.encoder = nn.ModuleList(Linear(width, narrow) for width, narrow in pairwise(widths))
        self.decoder = nn.ModuleList(
            TransposedLinear(wide) if config.tied else Linear(width, wide) for width, wide in back
        )

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the codes (batch, code_size) of inputs (batch, ...)."""
        *layers, last = self.encoder
        hidden = inputs.flatten(1)
        for layer in layers:
            hidden = self.activation(layer(hidden))
        return last(hidden)

    def outputs(self, codes: Tensor) -> Tensor:
        """Return what codes (batch, code_size) stand for, (batch, in_features); its logits where it is logistic."""
        hidden = codes
        for number, (layer, forth) in enumerate(zip(self.decoder, reversed(self.encoder), strict=True)):
            hidden = self.activation(hidden) if number else hidden
            hidden = layer(hidden, forth) if isinstance(layer, TransposedLinear) else layer(hidden)
        return hidden


SMALL = Config(hidden_features=(512, 256, 128), code_size=2)
TINY = Config(in_features=16, hidden_features=(32,), code_size=2, descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    network = Autoencoder(config)
    return Reconstruction(network, config.descent, loss=config.loss, noise=config.noise, masking=config.masking)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_features),)}
