"""The stacked autoencoder: a deep one whose layers were each an autoencoder of the layer before, before all learnt on.

Idea:
    Through eight layers of sigmoids hardly any gradient arrives from random weights. So each layer is first trained by
    itself, with a mirror image of its own, to rebuild what the layer before gives: a shallow and easy problem. Set on
    top of each other, there and back, they already rebuild the inputs, and descending the error of the whole starts
    from there.

Equations:
    h_0 = x,  h_k = a(W_k h_{k-1} + b_k),  code = W_n h_{n-1} + b_n        there, activation a
    g_n = code,  g_{k-1} = a(V_k g_k + c_k),  y = V_1 g_1 + c_1            and back
    layer k: L_k = mean (a(V_k h_k + c_k) - h_{k-1})^2 over W_k, b_k, V_k, c_k alone;  L_1 = L(V_1 h_1 + c_1, x)
    fine-tuning: L(y, x) over all
    squared error: L = mean (y - x)^2
    binary cross-entropy: L = mean -x log s(y) - (1 - x) log(1 - s(y)),  logistic s; the reconstruction is s(y)

Networks:
    network: `StackedAutoencoder`, from inputs (batch, ...) to outputs of the same shape; `encode`, `decode`,
    `reconstruct`, and `forth` and `back` through a single layer.

Learning rule:
    Layer by layer, Adam. Each layer is a phase of the run, and so is fine-tuning: `pretraining` is the share of the run
    that the layers have together. With `noise` or `masking` every layer is a denoising autoencoder.

Data it expects:
    Images of any size and number of channels, as pixels in [0, 1], or rows of numbers, standardised (squared error
    only). Labels are not learnt from; where there are any, they colour the map.

What to expect:
    With sigmoids, less error than the same network trained at once from the same weights for as long: on MNIST, in the
    published form after 12 passes over 15,000 images, 0.0256, and at once 0.0400 with as many steps and more time. The
    mean image has 0.0675; 30 principal components have 0.0178: neither had learnt for long. With swish or tanh
    on the digits training at once (`pretraining` 0) was as good or better.

Departures from the paper:
    1. Hinton and Salakhutdinov trained each layer as a restricted Boltzmann machine; here it is an autoencoder, as in
       Bengio and others.
    2. Adam throughout, instead of stochastic and conjugate gradients.

References:
    Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks (2006).
    Bengio, Lamblin, Popovici and Larochelle, Greedy layer-wise training of deep networks (2007).
    Vincent et al., Stacked denoising autoencoders (2010).
"""

from typing import Annotated

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.activations import SearchedPlainActivation
from ganglion.nn.coding.codes import DenseCoder
from ganglion.rules.autoencoder.layer_by_layer import LayerByLayer
from ganglion.rules.autoencoder.reconstruction import ReconstructionLoss
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Share, Widths, at_least, settings


@settings
class Config:
    """Dense layers that narrow down to a code, each trained by itself first."""

    in_features: Count = 784
    """Values of one input; decided by the data."""
    hidden_features: Widths = (1000, 500, 250)
    """Widths of the layers between input and code; the decoder mirrors them."""
    code_size: Count = 30
    """Numbers in the code; two or three make a map."""
    activation: SearchedPlainActivation = "sigmoid"
    """Function of every layer but the code and the output."""
    loss: ReconstructionLoss = "squared-error"
    """Squared error, or binary cross-entropy for inputs in [0, 1]."""
    pretraining: Share = 0.5
    """Share of the run in which single layers learn, the same for each; 0 trains all at once."""
    noise: Annotated[float, at_least(0)] = 0.0
    """Standard deviation of Gaussian noise on what each layer sees, which must be removed."""
    masking: Share = 0.0
    """Share of what each layer sees that is blanked out and must be filled in."""
    pretraining_descent: Descent = Descent(optimizer="adam", learning_rate=1e-2)
    """How a gradient becomes an update while single layers learn."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3)
    """How a gradient becomes an update while all learn."""


class StackedAutoencoder(DenseCoder):
    """A dense encoder and its mirror image, whose layers can be gone through one by one.

    >>> network = StackedAutoencoder(Config())
    >>> sum(parameter.numel() for parameter in network.parameters())
    2837314
    >>> images = torch.zeros(5, 1, 28, 28)
    >>> network.back(network.forth(images.flatten(1), 0), 0).shape
    torch.Size([5, 784])
    """

    def __init__(self, config: Config) -> None:
        widths = [config.in_features, *config.hidden_features, config.code_size]
        super().__init__(widths, config.activation, logistic=config.loss == "binary-cross-entropy")


SMALL = Config(hidden_features=(256, 128, 64), code_size=2, pretraining=0.4, descent=Descent(learning_rate=3e-3))
TINY = Config(in_features=16, hidden_features=(32, 16), code_size=4, descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    return LayerByLayer(
        StackedAutoencoder(config),
        config.descent,
        pretraining_descent=config.pretraining_descent,
        loss=config.loss,
        pretraining=config.pretraining,
        noise=config.noise,
        masking=config.masking,
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_features),)}
