"""Residual networks, which learn what to add to their inputs and so may be a hundred layers deep.

Idea:
    A deeper network can do all that a shallow one can, and yet plain ones of many layers fit even their training data
    worse. A block here adds something to what it was given instead of replacing it: what is hard to learn becomes
    nothing, and the gradient reaches every layer along the sums.

Equations:
    block       y = max(0, F(x) + x), with F two or three convolutions, each normalised over the batch
    shortcut    where maps shrink or grow in number: (A) every second pixel of x, and zeros for the new channels,
                or (B) a convolution of 1 x 1 with stride 2, normalised
    momentum    v <- m v + g,  w <- w - r v

Networks:
    `ResNet` in two forms, which the depth decides. For large images, 18, 34, 50, 101 and 152 layers: a convolution of
    7 x 7, pooling, four stages of 64, 128, 256 and 512 maps, the mean of each map, a dense layer; from 50 layers on,
    blocks are bottlenecks of 1 x 1, 3 x 3 and 1 x 1 that put out four times as many maps. For images of 32 x 32, 20,
    32, 44, 56 and 110 layers: a convolution of 3 x 3 and three stages of 16, 32 and 64 maps, with shortcuts that have
    nothing to learn. With small images the first strides of the large form become 1, so that 4 x 4 positions are left
    at the end.

Learning rule:
    Supervised, cross-entropy of the softmax; gradient descent with momentum and weight decay. Labels are learnt by
    binary cross-entropy, values by squared error.

Data it expects:
    Square images, grey or colour; 1,000 classes of photographs in the paper, or the ten of CIFAR-10.

What to expect:
    scikit-learn's digits: 97 to 99 % of the test part after the default run. Parameters with 1,000 classes: 11,689,512,
    21,797,672, 25,557,032, 44,549,160 and 60,192,808 for 18 to 152 layers; with ten classes: 269,722, 464,154, 658,586,
    853,018 and 1,727,962 for 20 to 110. The paper's errors on CIFAR-10 are 8.75, 7.51, 7.17, 6.97 and 6.43 %, after
    64,000 steps of 128 images with shifts of up to four pixels and flips, at rate 0.1 divided by ten after 32,000 and
    48,000.

Departures from the paper:
    1. A bottleneck makes maps smaller in its convolution of 3 x 3 and not in the first one, as everybody does who
       publishes weights.
    2. The learning rate falls along half a cosine; `--schedule step` falls in steps.

References:
    He, Zhang, Ren, Sun: Deep residual learning for image recognition. CVPR (2016), sections 3.3, 4.1, 4.2.
"""

from collections.abc import Iterable
from typing import Literal, cast

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.convolution import NormalisedConvolution, check_images, fitting_strides
from ganglion.nn.convolution.residual import Block, residual_stages
from ganglion.nn.initialisers import initialise
from ganglion.nn.linear import Linear
from ganglion.rules.descend import Descent
from ganglion.rules.outputs import OutputSettings, supervised
from ganglion.settings import Count, settings

BLOCKS: dict[int, tuple[int, ...]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    **{depth: ((depth - 2) // 6,) * 3 for depth in (8, 14, 20, 32, 44, 56, 110)},
}
"""Blocks of each stage, by the number of layers with weights."""
LARGE_WIDTHS, SMALL_WIDTHS = (64, 128, 256, 512), (16, 32, 64)
LEAST_SIDE = 4
"""Positions of a side that the last maps of the large form have at least."""


@settings
class Config(OutputSettings):
    """Residual network."""

    depth: Literal[18, 34, 50, 101, 152, 8, 14, 20, 32, 44, 56, 110] = 50
    """Layers with weights: 18, 34, 50, 101 and 152 in the form for large images, the others in the form for small
    ones, of which the paper has 20 and more."""
    shortcut: Literal["published", "A", "B"] = "published"
    """Shortcuts where maps change: (A) pixels and zeros, (B) a convolution; published is A in the form
    for small images and B in that for large ones."""
    in_channels: Count = 3
    """Channels of an image: 1 grey, 3 colour."""
    image_size: Count = 224
    """Side of the images; a size given by hand is what the data is resized to."""
    descent: Descent = Descent(
        optimizer="sgd", learning_rate=0.1, weight_decay=1e-4, optimizer_arguments=("momentum=0.9",)
    )
    """How the gradient becomes an update."""

    @property
    def is_for_small_images(self) -> bool:
        return len(BLOCKS[self.depth]) == 3

    @property
    def smallest_image(self) -> int:
        return 8

    @property
    def largest_image(self) -> int:
        return 64 if self.is_for_small_images else 224


class ResNet(nn.Module):
    """Logits or values `(batch, outputs)` for images `(batch, channels, size, size)`.

    >>> network = ResNet(Config(depth=20, image_size=32, num_classes=10))
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    >>> sum(parameter.numel() for parameter in network.parameters())
    269722
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.in_channels, self.image_size = config.in_channels, config.image_size
        small, blocks = config.is_for_small_images, BLOCKS[config.depth]
        widths = SMALL_WIDTHS if small else LARGE_WIDTHS
        published = (1, 1, 1, 2, 2) if small else (2, 2, 1, 2, 2, 2)
        stem, pool, *strides = published if small else fitting_strides(config.image_size, published, LEAST_SIDE)
        options = {
            "bottleneck": config.depth in (50, 101, 152),
            "projection": config.shortcut == "B" or (config.shortcut == "published" and not small),
        }
        self.stem = NormalisedConvolution(config.in_channels, widths[0], 3 if small else 7, stem)
        self.pool = nn.Identity() if small else nn.MaxPool2d(3, pool, padding=1)
        self.stages, channels = residual_stages(widths[0], widths, blocks, strides, **options)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.output = Linear(channels, config.outputs)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                initialise(layer, "he-normal")

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.image_size)
        # Shapes of 50 layers at the published size.
        maps = self.pool(self.stem(images))  # (batch, 64, 56, 56)
        maps = self.stages(maps)  # (batch, 2048, 7, 7)
        return self.output(self.mean(maps).flatten(1))

    def trunk(self) -> list[str]:
        """Return the names of the layers that make maps of images, in order."""
        blocks = [f"stages.{stage}.{place}" for stage, part in enumerate(self.stages) for place in range(len(part))]  # type: ignore[arg-type]
        return ["stem", "pool", *blocks]

    def published_names(self) -> dict[str, dict[str, str]]:
        """Return what torchvision calls the layers; nothing for the form for small images, which it does not have."""
        if len(self.stages) == len(SMALL_WIDTHS):
            return {}
        names = NormalisedConvolution.named("stem", "conv1", "bn1") | {"output": "fc"}
        for stage, blocks in enumerate(self.stages):
            for number, block in enumerate(cast(Iterable[Block], blocks)):
                ours, theirs = f"stages.{stage}.{number}", f"layer{stage + 1}.{number}"
                for place in range(len(block.residual)):
                    both = f"{theirs}.conv{place + 1}", f"{theirs}.bn{place + 1}"
                    names |= NormalisedConvolution.named(f"{ours}.residual.{place}", *both)
                both = f"{theirs}.downsample.0", f"{theirs}.downsample.1"
                names |= NormalisedConvolution.named(f"{ours}.shortcut", *both)
        return {"torchvision": names}


SMALL = Config(depth=20)
TINY = Config(depth=8, in_channels=1, image_size=8, num_classes=3, descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    return supervised(ResNet(config), config, config.descent)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_channels, config.image_size, config.image_size),)}
