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
    sparse by rate: L + w sum_j r log(r / m_j) + (1 - r) log((1 - r) / (1 - m_j)),  m_j the mean of code_j in a batch
    sparse by size: L + w mean sum_j |code_j|
    contractive: L + w mean sum_ij (d code_j / d x_i)^2

Networks:
    network: `Autoencoder`, from inputs (batch, ...) to outputs of the same shape; `encode`, `decode`, `reconstruct`,
    and `encoder_jacobian`, the exact d code / d x.

Learning rule:
    Reconstruction, Adam. With `noise` or `masking` the network sees corrupted inputs and must give back clean ones
    (a denoising autoencoder). A sparse code may have more numbers than the inputs, of which few are used at a time
    (`sparsity`); a contractive one hardly moves where inputs move in directions that no sample takes (`contraction`).

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
    Ng, Sparse autoencoder (2011).
    Rifai et al., Contractive auto-encoders: explicit invariance during feature extraction (2011).
"""

from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.core.team import coupled
from ganglion.errors import ConfigurationError
from ganglion.nn.activations import PlainActivation, SearchedPlainActivation
from ganglion.nn.coding.codes import DenseCoder
from ganglion.rules.autoencoder.code_penalties import absolute_sum, contraction, divergence_from_rate
from ganglion.rules.autoencoder.reconstruction import Reconstruction, ReconstructionLoss
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Share, Widths, at_least, settings, strictly_between


@settings
class Config:
    """Dense layers that narrow down to a code."""

    in_features: Count = 784
    """Values of one input; decided by the data."""
    hidden_features: Widths = (1000, 500, 250)
    """Widths of the layers between input and code; the decoder mirrors them."""
    code_size: Count = 30
    """Numbers in the code; two make a map."""
    activation: SearchedPlainActivation = "relu"
    """Function of every layer but the code and the output."""
    code_activation: PlainActivation = "linear"
    """Function of the code; a rate needs sigmoid."""
    tied: bool = False
    """Let the decoder use the transposed weights of the encoder: half the parameters."""
    loss: ReconstructionLoss = "squared-error"
    """Squared error, or binary cross-entropy for inputs in [0, 1]."""
    noise: Annotated[float, at_least(0)] = 0.0
    """Standard deviation of Gaussian noise on the inputs that must be removed."""
    masking: Share = 0.0
    """Share of the input values blanked out that must be filled in."""
    sparsity: Literal["none", "rate", "size"] = "none"
    """Ask that each number of the code is near 1 for a share of the samples, or that numbers are small."""
    sparsity_rate: Annotated[float, strictly_between(0, 1)] = 0.05
    """That share."""
    sparsity_weight: Annotated[float, at_least(0)] = 1e-3
    """What sparsity counts beside the loss."""
    contraction: Annotated[float, at_least(0)] = 0.0
    """What the squared derivatives of the code count beside the loss."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3)
    """How a gradient becomes an update."""

    def __post_init__(self) -> None:
        if self.sparsity == "rate" and self.code_activation != "sigmoid":
            raise ConfigurationError(
                "a rate is a share, and this code is none",
                where="sparsity",
                expected="a code in (0, 1)",
                found=f"code_activation {self.code_activation}",
                remedy="code_activation sigmoid, or sparsity size",
            )


class Autoencoder(DenseCoder):
    """A dense encoder and its mirror image.

    Where the loss is the binary cross-entropy, reconstructions are squashed into (0, 1), and what `forward` returns
    are their logits.

    >>> network = Autoencoder(Config(in_features=64, hidden_features=(32,), code_size=2))
    >>> images = torch.zeros(5, 1, 8, 8)
    >>> network.encode(images).shape, network.reconstruct(images).shape
    (torch.Size([5, 2]), torch.Size([5, 1, 8, 8]))
    """

    def __init__(self, config: Config) -> None:
        widths = [config.in_features, *config.hidden_features, config.code_size]
        logistic = config.loss == "binary-cross-entropy"
        super().__init__(widths, config.activation, config.code_activation, tied=config.tied, logistic=logistic)


SMALL = Config(hidden_features=(512, 256, 128), code_size=2)
TINY = Config(in_features=16, hidden_features=(32,), code_size=2, descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    network, penalties = Autoencoder(config), {}
    if config.sparsity != "none":
        rate = config.sparsity_rate if config.sparsity == "rate" else None
        sparsity = partial(_sparsity, rate=rate)
        penalties["sparsity"] = config.sparsity_weight, sparsity if rate is None else coupled()(sparsity)
    if config.contraction:
        penalties["contraction"] = config.contraction, partial(_contraction, network)
    corruption = {"noise": config.noise, "masking": config.masking}
    return Reconstruction(network, config.descent, loss=config.loss, penalties=penalties, **corruption)


def _sparsity(seen: Tensor, codes: Tensor, rate: float | None) -> Tensor:
    return absolute_sum(codes) if rate is None else divergence_from_rate(codes, rate)


def _contraction(network: Autoencoder, seen: Tensor, codes: Tensor) -> Tensor:
    return contraction(network.encoder_jacobian(seen))


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_features),)}
