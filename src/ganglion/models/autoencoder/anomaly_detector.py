"""The anomaly detector: an autoencoder that has only ever seen what is normal, and is bad at rebuilding all else.

Idea:
    Whoever squeezes samples through a narrow code learns what they have in common, and nothing about what none of them
    has. So an autoencoder that is shown normal samples alone rebuilds normal ones well, and leaves out of the others
    what makes them odd: the difference says that something is wrong, and where. How large an error is too large is
    decided by normal samples that were held back: the threshold is chosen so that no more of them are marked than one
    is ready to look at in vain.

Equations:
    c = f(x),  y = g(c)                                          encoder f, decoder g
    L = mean (y - x)^2                                           over normal samples
    e(x) = mean (g(f(x)) - x)^2                                  the error of a sample; of a picture the mean over the
                                                                 `worst` share of its 3 x 3 pixels
    p(x) = (1 + #{i: e(x_i) >= e(x)}) / (1 + n)                  x_1 ... x_n normal samples held back
    x is marked where p(x) <= a                                  a, the share of false alarms that is asked for

Networks:
    network: `AnomalyDetector`. Rows and series pass dense layers that narrow down to a code and widen again; images
    pass convolutions of stride two before, and transposed ones after them. `encode`, `decode`, `reconstruct`.

Learning rule:
    Reconstruction, Adam. A little `noise` on what the network sees keeps it from merely passing inputs on.

Data it expects:
    Images of any size (above 128 pixels they are shrunk), rows of numbers, or series: many short ones, or one long one
    that is cut into windows. Where samples have classes, those of `normal` are learnt from, the commonest where none is
    named, and all others are what must be found; none of them is learnt from. Without classes everything counts as
    normal, and the score is measured on samples a part of which is taken from others.

What to expect:
    The area under the ROC curve is printed beside that of an isolation forest, the usual method for tables. On
    pictures the network is far ahead, and shows where something is wrong; on small tables of numbers the two are about
    as good as each other. `false_alarm_rate` on the test part says whether the promise was kept.

Departures from the paper:
    1. The threshold is a rank among held-out errors (conformal prediction), so that it keeps its promise whatever the
       distribution of the errors is.
    2. The best weights are chosen by the error of normal validation samples; no odd sample decides anything.

References:
    Japkowicz, Myers and Gluck, A novelty detection approach to classification (1995).
    Hawkins, He, Williams and Baxter, Outlier detection using replicator neural networks (2002).
    Laxhammar and Falkman, Conformal prediction for distribution-independent anomaly detection in streaming vessel data
    (2010).
"""

from typing import Annotated, ClassVar

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.activations import SearchedPlainActivation
from ganglion.nn.coding.convolutional import Coder, shape_of
from ganglion.rules.autoencoder.reconstruction import Reconstruction
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Widths, above, at_least, at_most, settings, strictly_between


@settings
class Config:
    """An encoder and a decoder that learn from normal samples, and the false alarms that one puts up with."""

    normal: tuple[str, ...] = ()
    """Classes that are normal; the commonest when none is named."""
    false_alarms: Annotated[float, strictly_between(0, 1)] = 0.05
    """Share of normal samples that may be marked as odd."""
    worst: Annotated[float, above(0), at_most(1)] = 1.0
    """Share of the pixels of a picture, the worst ones, whose mean error counts; a little of it finds small faults."""
    in_features: Count = 64
    """Values of one sample; decided by the data."""
    in_channels: Count | None = None
    """Channels of an image, none for rows and series; decided by the data."""
    image_height: Count = 8
    """Pixels from top to bottom; decided by the data."""
    image_width: Count = 8
    """Pixels from left to right; decided by the data."""
    window: Count = 32
    """Steps that are looked at together in one long series; many short ones have a length of their own."""
    channels: tuple[Count, ...] = (32, 64)
    """Maps of each convolution for images."""
    hidden_features: Widths = (128, 32)
    """Widths of the dense layers between input, or maps, and code; the decoder mirrors them."""
    code_size: Count = 8
    """Numbers in the code: with too many of them odd samples are rebuilt, too."""
    activation: SearchedPlainActivation = "relu"
    """Function of every layer but the code and the output."""
    noise: Annotated[float, at_least(0)] = 0.1
    """Standard deviation of Gaussian noise on the inputs that must be removed."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3)
    """How a gradient becomes an update."""
    largest_image: ClassVar[int] = 128
    """Pixels of the longer side that larger images are shrunk to."""


class AnomalyDetector(Coder):
    """An encoder and a decoder: convolutional for images (batch, channels, height, width), dense for all else.

    >>> detector = AnomalyDetector(Config(in_features=6))
    >>> detector.encode(torch.zeros(5, 6)).shape, detector.reconstruct(torch.zeros(5, 2, 3)).shape
    (torch.Size([5, 8]), torch.Size([5, 2, 3]))
    """

    def __init__(self, config: Config) -> None:
        shape = _shape(config)
        super().__init__(shape, config.channels, config.hidden_features, config.code_size, config.activation)


def _shape(config: Config) -> tuple[int, ...]:
    return shape_of(config.in_features, config.in_channels, config.image_height, config.image_width)


SMALL = Config(worst=0.02, channels=(16, 32), hidden_features=(128,), code_size=16, descent=Descent(learning_rate=2e-3))
TINY = Config(in_features=16, hidden_features=(16,), code_size=2, channels=(8,), descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    return Reconstruction(AnomalyDetector(config), config.descent, noise=config.noise)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, *_shape(config)),)}
