"""Search by pictures: an encoder whose codes lie close together for pictures that look alike.

Idea:
    Pictures are compared badly pixel by pixel: a shirt that lies two pixels lower is another picture then. A code of a
    few dozen numbers that a picture can be rebuilt from says what is in it rather than where each pixel is. So the
    codes of a folder of pictures are an index: whoever wants to find what looks like a picture computes one code and
    takes those whose direction is nearest.

Equations:
    h_0 = x,  h_k = a(W_k *_2 h_{k-1} + b_k),  c = A flat(h_n) + b       stride 2: a side of s becomes ceil(s / 2)
    y = g(c),  L = mean (y - x)^2                                        decoder g, mirrored
    likeness of x and z = c(x) . c(z) / (|c(x)| |c(z)|)
    precision@10 = share of the ten likest pictures that are of the class of the one that is asked about

Networks:
    network: `ImageSearch`, convolutional, `encode`, `decode`, `reconstruct`.

Learning rule:
    Reconstruction, Adam. No label is learnt from.

Data it expects:
    Images of any size and number of channels (above 128 pixels they are shrunk). Where they have classes, precision is
    measured; without classes the reconstruction is judged instead.

What to expect:
    Test pictures are searched among test pictures, none of which the network has seen. On Fashion-MNIST after three
    passes precision@10 is 0.787, that of raw pixels 0.760 and of as many principal components 0.771 (seed 0),
    each by the better of cosine and distance. `ganglion search RUN query.jpg --among photos/ --out page.html` searches
    a folder; any other run on images with an encoder, and any classifier, can do so, too, and one that was taught
    classes finds more of them.

Departures from the paper:
    1. Codes of real numbers compared one with all others, which takes milliseconds for a hundred thousand of them;
       Krizhevsky and Hinton made them binary.

References:
    Krizhevsky and Hinton, Using very deep autoencoders for content-based image retrieval (2011).
    Masci, Meier, Ciresan and Schmidhuber, Stacked convolutional auto-encoders for hierarchical feature extraction
    (2011).
"""

from typing import Annotated, ClassVar

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.activations import SearchedPlainActivation
from ganglion.nn.coding.convolutional import ConvolutionalCoder
from ganglion.rules.autoencoder.reconstruction import Reconstruction
from ganglion.rules.descend import Descent
from ganglion.settings import Count, at_least, settings


@settings
class Config:
    """Convolutions down to a code by which pictures are found, and up again."""

    in_channels: Count = 1
    """Channels of an image: 1 grey, 3 colour; decided by the data."""
    image_height: Count = 28
    """Pixels from top to bottom; decided by the data."""
    image_width: Count = 28
    """Pixels from left to right; decided by the data."""
    channels: tuple[Count, ...] = (32, 64)
    """Maps of each convolution, each of which halves the sides; the decoder mirrors them."""
    hidden_features: tuple[Count, ...] = ()
    """Widths of dense layers between the smallest maps and the code."""
    code_size: Count = 64
    """Numbers in the code."""
    activation: SearchedPlainActivation = "relu"
    """Function of every layer but the code and the output."""
    noise: Annotated[float, at_least(0)] = 0.0
    """Standard deviation of Gaussian noise on the images that must be removed."""
    descent: Descent = Descent(optimizer="adam", learning_rate=2e-3)
    """How a gradient becomes an update."""
    largest_image: ClassVar[int] = 128
    """Pixels of the longer side that larger images are shrunk to."""


class ImageSearch(ConvolutionalCoder):
    """Convolutions to a code, and transposed convolutions back.

    >>> network = ImageSearch(Config(in_channels=3, image_height=9, image_width=14))
    >>> network.encode(torch.zeros(5, 3, 9, 14)).shape
    torch.Size([5, 64])
    """

    def __init__(self, config: Config) -> None:
        shape = config.in_channels, config.image_height, config.image_width
        super().__init__(
            shape, config.channels, config.hidden_features, config.code_size, activation_name=config.activation
        )


SMALL = Config(code_size=32, noise=0.2)
TINY = Config(image_height=4, image_width=4, channels=(8,), code_size=2, descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    return Reconstruction(ImageSearch(config), config.descent, noise=config.noise)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_channels, config.image_height, config.image_width),)}
