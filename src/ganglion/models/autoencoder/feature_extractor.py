"""The feature extractor: codes that make samples easy to tell apart for whatever method comes after.

Idea:
    What an autoencoder keeps in its code is what tells samples apart, found without a single label. So its encoder is
    a way to turn pictures or rows into a few good numbers for another method: a classifier that has few labels, a
    clustering, a search, a plot. How good they are is asked of the simplest of classifiers, a linear probe: if classes
    can be told apart by a plane in the codes, the codes have done the work. To make the encoder look at what belongs
    together instead of at single values, some of them are blanked out and have to be filled in.

Equations:
    x~ = x m,  m_i = 0 for a share of the values, else 1
    c = f(x~),  y = g(c)                                         encoder f, decoder g
    L = mean (y - x)^2
    probe: p(class | x) = softmax(W f(x) + b)                    f fixed, W and b learnt from the training part

Networks:
    network: `FeatureExtractor`. Rows pass dense layers that narrow down to a code and widen again; images pass
    convolutions of stride two before, and transposed ones after them. `encode`, `decode`, `reconstruct`.

Learning rule:
    Reconstruction, Adam, with a share of the inputs blanked out (`masking`) and Gaussian `noise` on them.

Data it expects:
    Images of any size (above 128 pixels they are shrunk) or rows of numbers, with classes to be judged by; the network
    never sees them. Without classes the reconstruction is judged instead.

What to expect:
    The accuracy of the probe stands beside that on the raw values and on as many principal components. On small images
    the three lie close together, and a code of a tenth of the numbers does about as well as all pixels; on tables of a
    few good columns there is nothing to be gained. `ganglion features RUN INPUT --out codes.csv` writes the codes, of
    this network as of any other run.

Departures from the paper:
    1. Trained as a whole instead of layer by layer, and without labels to the end.

References:
    Vincent, Larochelle, Bengio and Manzagol, Extracting and composing robust features with denoising autoencoders
    (2008).
    Alain and Bengio, Understanding intermediate layers using linear classifier probes (2016).
"""

from typing import Annotated, ClassVar

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.activations import SearchedPlainActivation
from ganglion.nn.coding.convolutional import Coder, shape_of
from ganglion.rules.autoencoder.reconstruction import Reconstruction
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Share, at_least, settings


@settings
class Config:
    """An encoder and a decoder, of which the encoder is what is wanted."""

    in_features: Count = 64
    """Values of one sample; decided by the data."""
    in_channels: Count | None = None
    """Channels of an image, none for rows; decided by the data."""
    image_height: Count = 8
    """Pixels from top to bottom; decided by the data."""
    image_width: Count = 8
    """Pixels from left to right; decided by the data."""
    channels: tuple[Count, ...] = (32, 64)
    """Maps of each convolution for images."""
    hidden_features: tuple[Count, ...] = ()
    """Widths of the dense layers between input, or maps, and code; the decoder mirrors them."""
    code_size: Count = 64
    """Numbers in the code."""
    activation: SearchedPlainActivation = "relu"
    """Function of every layer but the code and the output."""
    noise: Annotated[float, at_least(0)] = 0.0
    """Standard deviation of Gaussian noise on the inputs that must be removed."""
    masking: Share = 0.25
    """Share of the input values blanked out that must be filled in."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3)
    """How a gradient becomes an update."""
    largest_image: ClassVar[int] = 128
    """Pixels of the longer side that larger images are shrunk to."""


class FeatureExtractor(Coder):
    """An encoder and a decoder: convolutional for images (batch, channels, height, width), dense for all else.

    >>> network = FeatureExtractor(Config(in_channels=3, image_height=9, image_width=14))
    >>> network.encode(torch.zeros(5, 3, 9, 14)).shape
    torch.Size([5, 64])
    """

    def __init__(self, config: Config) -> None:
        shape = _shape(config)
        super().__init__(shape, config.channels, config.hidden_features, config.code_size, config.activation)


def _shape(config: Config) -> tuple[int, ...]:
    return shape_of(config.in_features, config.in_channels, config.image_height, config.image_width)


SMALL = Config(code_size=32, descent=Descent(learning_rate=2e-3))
TINY = Config(in_features=16, hidden_features=(16,), code_size=2, channels=(8,), descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    network = FeatureExtractor(config)
    return Reconstruction(network, config.descent, noise=config.noise, masking=config.masking)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, *_shape(config)),)}
