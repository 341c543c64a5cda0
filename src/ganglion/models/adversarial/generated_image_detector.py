"""The detector of generated images: a classifier of what generators leave in pictures, wherever it is.

Idea:
    A generator enlarges small maps step by step, and each step leaves regular traces between neighbouring pixels that
    no camera makes. A network that is trained to tell pictures of one generator from photographs finds such traces in
    those of others, too, if its training pictures were blurred and compressed at random: else it learns what the first
    JPEG file wipes away. So pictures are never resized, only cut; and the answer for a picture is the mean of what
    speaks for a generator at each place, so that it can be shown where.

Equations:
    e_p(x) = w . f_p(x) + b                  the evidence at place p, of maps f of a residual network
    z(x) = 1/P sum_p e_p(x)                  the logit, exactly the mean of what is shown
    L = mean -t log s(z) - (1 - t) log(1 - s(z)),  t = 1 for a generated picture, s the logistic function
    P(generated | x) = s(a z + c)            a and c from held-out pictures (Platt), half of them taken as generated

Networks:
    network: `GeneratedImageDetector`, the stem and stages of a residual network, and a convolution of 1 x 1 that gives
    one map of evidence. It takes images of any size; what it learnt from are windows of `window` pixels.

Learning rule:
    Supervised, binary cross-entropy, Adam. Each training picture is mirrored or not, blurred with a chance of
    `distorted` (deviation 0 to 3 pixels), and with the same chance compressed (JPEG, quality 30 to 100).

Data it expects:
    A folder with a folder for each kind: `real`, and one for each generator, or one for all. Or real pictures as data,
    and runs of generators as `--generators RUN ...`, which then draw as many. The default data are photographs and the
    same drawn anew by four decoders of one layer each, which stand for the last layers of generators; none of them is a
    trained generator. `--folds N`, N being the number of generators, trains once without each of them and is judged on
    that one: who has never seen a generator finds less.

What to expect:
    On the default data `--epochs 25 --schedule constant`, seed 0, came to `average_precision` 0.9999 and
    `balanced_accuracy` 0.97 on the test part; after JPEG 0.86, after a blur 0.61, resized 0.71, each a mean over all
    amounts of the figure. A blur of one pixel, or doubling the size, leaves nothing to be found: 0.5 is guessing. The
    answer is a mean over the picture: one of which a part is generated may be called real, and `--out where.png` shows
    the part. Accuracy on a generator that was never seen can be far lower than average precision says: look at both.

Departures from the paper:
    1. Nothing is pre-trained on ImageNet, since nothing is downloaded.
    2. The last dense layer stands at every place, and its outputs are averaged instead of its inputs: the same number,
       and a map of where it comes from.
    3. Probabilities are calibrated.
    4. `ganglion train generated-image-detector` without flags trains 8 layers on windows of 16 pixels instead of 50
       layers on 224, with distortions of one picture in ten, the lesser of the paper's two settings.
    5. With so few layers it also sees the `residual`, as those do who look for hidden messages in pictures: from pixels
       alone it finds traces in what is rich in detail, and takes flat real pictures for generated ones.

References:
    Wang, Wang, Zhang, Owens, Efros: CNN-generated images are surprisingly easy to spot... for now. CVPR (2020).
    Zhang, Karaman, Chang: Detecting and simulating artifacts in GAN fake images. WIFS (2019), for the default data.
    Fridrich, Kodovsky: Rich models for steganalysis of digital images (2012), for the residual.
    Platt: Probabilistic outputs for support vector machines (1999).
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganglion.core import LearningRule
from ganglion.nn.convolution import NormalisedConvolution
from ganglion.nn.convolution.residual import residual_stages
from ganglion.nn.initialisers import initialise
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from ganglion.rules.supervised import Supervised
from ganglion.settings import Count, Share, settings

BLOCKS: dict[int, tuple[int, ...]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 8: (1, 1, 1), 14: (2, 2, 2)}
"""Blocks of each stage, by the number of layers with weights."""
ENLARGED = 16.0
"""Times that differences from the surroundings are enlarged: a hundredth of white becomes a third of the full range."""
LARGE_WIDTHS, SMALL_WIDTHS = (64, 128, 256, 512), (16, 32, 64)


@settings
class Config:
    """A residual network that looks for traces of generators, and what it learns from."""

    depth: Literal[50, 34, 18, 14, 8] = 50
    """Layers with weights: 50, 34 and 18 begin with a convolution of 7 x 7 and halve maps early, 14 and 8 do not."""
    in_channels: Count = 3
    """Channels of an image: 1 grey, 3 colour; the data decides."""
    image_size: Count | None = None
    """Side of the square that is kept of the middle of each picture; as large as all have it, to 256, if not given."""
    window: Count = 224
    """Side of what is cut out of that at a random place in training."""
    residual: bool = False
    """Show the network beside each pixel how it differs from the mean of those around it, enlarged and bounded."""
    distorted: Share = 0.5
    """Chance of each training picture to be blurred, and likewise to be compressed."""
    real: str = "real"
    """Class or folder of the pictures that no network made."""
    leave_out: str = ""
    """Generator whose pictures are not learnt from, and are tested on."""
    generators: tuple[str, ...] = ()
    """Folders of runs that draw what is told from the data, all of which is then real."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-4)
    """How the gradient becomes an update."""


def residual(images: Tensor) -> Tensor:
    """Return tanh(16 (x - m)), with m the mean of the 3 x 3 pixels around each of x (batch, channels, height, width).

    >>> residual(torch.full((1, 1, 4, 4), 0.3)).abs().max().item() < 1e-5
    True
    """
    means = functional.avg_pool2d(functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return torch.tanh(ENLARGED * (images - means))


class GeneratedImageDetector(nn.Module):
    """One logit (batch, 1), above zero for generated ones, of images (batch, channels, height, width) of any size.

    >>> network = GeneratedImageDetector(Config())
    >>> sum(parameter.numel() for parameter in network.parameters())  # ResNet-50 with one output
    23510081
    >>> small = GeneratedImageDetector(Config(depth=8)).eval()
    >>> images = torch.rand(2, 3, 40, 24)
    >>> torch.allclose(small(images), small.evidence(images).mean(dim=(2, 3)))
    True
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        blocks = BLOCKS[config.depth]
        small = len(blocks) == len(SMALL_WIDTHS)
        widths = SMALL_WIDTHS if small else LARGE_WIDTHS
        seen = config.in_channels * (2 if config.residual else 1)
        self.residual = config.residual
        self.stem = NormalisedConvolution(seen, widths[0], 3 if small else 7, 1 if small else 2)
        self.pool = nn.Identity() if small else nn.MaxPool2d(3, 2, padding=1)
        strides = (1, 2, 2) if small else (1, 2, 2, 2)
        self.stages, channels = residual_stages(
            widths[0], widths, blocks, strides, bottleneck=config.depth == 50, projection=not small
        )
        self.output = nn.Conv2d(channels, 1, 1)
        for layer in self.stages.modules():
            if isinstance(layer, nn.Conv2d):
                initialise(layer, "he-normal")

    def evidence(self, images: Tensor) -> Tensor:
        """Return what speaks for a generator, (batch, 1, places down, places across), in images as `forward` takes."""
        if self.residual:
            images = torch.cat([images, residual(images)], dim=1)
        maps: Tensor = self.output(self.stages(self.pool(self.stem(images))))
        return maps

    def forward(self, images: Tensor) -> Tensor:
        return self.evidence(images).mean(dim=(2, 3))


SMALL = Config(depth=8, window=16, residual=True, distorted=0.1, descent=Descent(optimizer="adam", learning_rate=4e-3))
TINY = Config(
    depth=8, in_channels=1, image_size=8, window=8, residual=True, descent=Descent(optimizer="adam", learning_rate=1e-2)
)


def build(config: Config) -> LearningRule:
    return Supervised(
        GeneratedImageDetector(config),
        config.descent,
        loss="binary-cross-entropy",
        measures={"accuracy": accuracy},
    )


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    side = min(config.window, config.image_size or config.window)
    return {"network": (torch.zeros(1, config.in_channels, side, side),)}
