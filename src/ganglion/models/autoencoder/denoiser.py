"""The denoiser: takes the noise off pictures of any size, by learning what noise looks like.

Idea:
    Show a network a picture with noise and ask for the picture without. It is easier to say what must be taken away
    than to draw the whole picture again, so the network's output is the noise, which is subtracted. The noise is
    drawn afresh in every epoch, so that it cannot be learnt by heart. Nothing but convolutions and functions of each
    value: what was learnt on small pieces works on pictures of any size.

Equations:
    y = x + s n,  n drawn from N(0, 1)                             picture x, Gaussian noise of deviation s
    or y = 0 with chance p, else x                                 masking
    or y = 0 and y = 1 with chance p / 2 each, else x              salt and pepper
    or y = c / k,  c drawn from Poisson(k x)                       k photons where the picture is white
    h_1 = relu(W_1 * y + b_1)
    h_k = relu(batchnorm(W_k * h_{k-1})),  k = 2 ... depth - 1     3 x 3 windows
    f(y) = y - W_depth * h_{depth-1}                               the last layer gives the noise
    with block 2, y is first cut into blocks of 2 x 2 pixels whose values become maps, and in the end put back
    with most_noise, s is drawn for each picture between noise and most_noise
    L = mean (f(y) - x)^2

Networks:
    network: `Denoiser`, from noisy to clean pictures (batch, channels, height, width), of any height and width.

Learning rule:
    Supervised, squared error, Adam.

Data it expects:
    Pictures without noise, which it adds itself, of one of four kinds (`noise_kind`); or pairs of pictures, noisy and
    clean. Pixels in [0, 1].

What to expect:
    On the bundled photographs at noise of deviation 25 of 255 (20.2 dB) 28 to 30 dB within a minute on two cores
    of a CPU in the small form. A picture of any size is then cleaned in overlapping tiles. Lost values are harder to
    learn from a few photographs: at a rate of 1e-3, with which the small form does not fall into a mean, three in ten
    values black bring 13.6 dB to 20.4, black or white 9.6 dB to 19.8, after 336 updates.
    It does not come near non-local means (32.8 dB) on the sky of these photographs in so short a time; the report shows
    both. For small images of one size a dense denoiser is the autoencoder with its `noise` or `masking`.

Departures from the paper:
    1. Adam with a falling rate instead of gradient descent with momentum.
    2. The small form that training starts from has 7 layers of 32 maps, not normalised, instead of 17 of 64.
    3. `block` is FFDNet's; its map of noise levels is not there, a network learns from many levels instead.

References:
    Zhang, Zuo, Chen, Meng and Zhang, Beyond a Gaussian denoiser: residual learning of deep CNN for image denoising
    (2017).
    Zhang, Zuo and Zhang, FFDNet: toward a fast and flexible solution for CNN-based image denoising (2018).
    Vincent et al., Extracting and composing robust features with denoising autoencoders (2008).
"""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised
from ganglion.settings import Count, Share, Units, at_least, between, settings

KERNEL = 3


@settings
class Config:
    """The denoiser for one level of noise, as published for grey pictures."""

    in_channels: Count = 1
    """Channels of a picture: 1 grey, 3 colour; decided by the data."""
    image_size: Annotated[int, at_least(8)] | None = None
    """Side of the pieces that it learns from; the smallest side of any picture, at most 128, if not given."""
    depth: Annotated[int, at_least(2)] = 17
    """Convolutions."""
    channels: Units = 64
    """Maps between them."""
    normalised: bool = True
    """Normalise the maps of each batch; without, a short training comes further."""
    noise_kind: Literal["gaussian", "masking", "salt-and-pepper", "poisson"] = "gaussian"
    """What is done to pictures: noise added, values blanked out, made black or white, or few photons counted."""
    noise: Annotated[float, between(0, 255)] = 25.0
    """Standard deviation of Gaussian noise, where white is 255."""
    most_noise: Annotated[float, between(0, 255)] | None = None
    """Largest standard deviation: learn from levels between `noise` and this, for pictures whose noise is unknown."""
    block: Literal[1, 2] = 1
    """Side of the blocks of pixels that become maps before the first layer. With 2 it sees twice as far and is about
    twice as fast, but needs many more steps, and a learning rate of 1e-3 at most."""
    lost: Share = 0.3
    """Share of the values that masking, or salt and pepper, take."""
    photons: Annotated[float, between(0.1, 500)] = 30.0
    """Photons that a white value is counted from on average, for Poisson noise."""
    descent: Descent = Descent(optimizer="adam", learning_rate=3e-3)
    """How a gradient becomes an update."""


class Denoiser(nn.Module):
    """Convolutions that say what the noise is, and the picture less that.

    >>> network = Denoiser(Config())
    >>> network(torch.zeros(2, 1, 40, 50)).shape
    torch.Size([2, 1, 40, 50])
    >>> sum(parameter.numel() for parameter in network.parameters())
    556096
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        width, normalised, values = config.channels, config.normalised, config.in_channels * config.block**2
        layers: list[nn.Module] = [nn.Conv2d(values, width, KERNEL, padding="same"), nn.ReLU()]
        for _ in range(config.depth - 2):
            layers.append(nn.Conv2d(width, width, KERNEL, padding="same", bias=not normalised))
            layers += [nn.BatchNorm2d(width), nn.ReLU()] if normalised else [nn.ReLU()]
        layers.append(nn.Conv2d(width, values, KERNEL, padding="same", bias=False))
        self.layers = nn.Sequential(*layers)
        self.block = config.block
        self.reach = self.block * config.depth * (KERNEL // 2) + self.block - 1

    def forward(self, images: Tensor) -> Tensor:
        """Return the pictures (batch, channels, height, width) without what the network takes for noise."""
        if self.block == 1:
            return images - self.layers(images)
        height, width = images.shape[2:]
        whole = F.pad(images, (0, width % self.block, 0, height % self.block), mode="replicate")
        noise = F.pixel_shuffle(self.layers(F.pixel_unshuffle(whole, self.block)), self.block)
        return images - noise[..., :height, :width]


SMALL = Config(depth=7, channels=32, normalised=False)
TINY = Config(depth=3, channels=8, normalised=False, noise=50.0, descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    return Supervised(Denoiser(config), config.descent, loss="squared-error")


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    side = config.image_size or 64
    return {"network": (torch.zeros(1, config.in_channels, side, side),)}
