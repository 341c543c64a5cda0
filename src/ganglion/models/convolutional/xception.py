"""Xception, which looks at each map by itself before it mixes them, and so needs far fewer weights.

Idea:
    An inception block looks through windows at few mixtures of the maps. Taken to the extreme, every map has a window
    of its own and a convolution of 1 x 1 mixes what they find: the same kernels with far fewer weights, which pay
    for more layers. Sums along the way let the gradient reach them all.

Equations:
    separable  y_k = sum_c p_kc (d_c * x_c), with a kernel d_c for each map and a matrix p; normalised over the batch
    block      y = F(x) + s(x), with F of rectifiers and separable convolutions, pooled where maps shrink; s is x, or a
               normalised convolution of 1 x 1
    momentum   v <- m v + g,  w <- w - r v

Networks:
    `Xception`: two convolutions of 3 x 3; three blocks that make 128, 256 and 728 maps, eight of 728 maps, one of
    1,024; two separable convolutions of 1,536 and 2,048 maps; the mean of each map, dropout, logits. With small images
    the first strides become 1, so that 4 x 4 positions are left at the end.

Learning rule:
    Supervised, cross-entropy of the softmax; gradient descent with momentum and weight decay. Labels are learnt by
    binary cross-entropy, values by squared error.

Data it expects:
    Square images, grey or colour; 1,000 classes of photographs of 299 x 299 in the paper.

What to expect:
    scikit-learn's digits: about 98 % of the test part after the default run, of an eighth of the maps. Parameters with
    1,000 classes: 22,855,952.

Departures from the paper:
    1. The learning rate falls along half a cosine; the paper lowers it by 6 % every two passes.
    2. Dropout is a choice: the paper has it at 0.5 before the logits.

References:
    Chollet: Xception: Deep learning with depthwise separable convolutions. CVPR (2017), figure 5, section 4.
"""

from itertools import pairwise
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.convolution import (
    NormalisedConvolution,
    SeparableConvolution2d,
    check_images,
    fitting_strides,
    scaled_channels,
)
from ganglion.nn.initialisers import initialise
from ganglion.nn.linear import Linear
from ganglion.rules.descend import Descent
from ganglion.rules.outputs import OutputSettings, supervised
from ganglion.settings import SHARE, Count, Dropout, above, settings

LEAST_SIDE = 4
"""Quotient of the side of an image and all strides."""


@settings
class Config(OutputSettings):
    """Xception."""

    in_channels: Count = 3
    """Channels of an image: 1 grey, 3 colour."""
    image_size: Count = 299
    """Side of the images; a size given by hand is what the data is resized to."""
    width: Annotated[float, above(0)] = 1.0
    """Factor of all numbers of maps."""
    middle_blocks: Count = 8
    """Blocks that keep the maps as they are."""
    dropout: Dropout = 0.5
    """Share of the features before the logits that is dropped while training."""
    epsilon: Annotated[float, above(0)] = 1e-3
    """Added to variances; 1e-5 with the weights that timm has."""
    momentum: Annotated[float, SHARE] = 0.01
    """Share of the newest batch in running means and variances."""
    descent: Descent = Descent(
        optimizer="sgd", learning_rate=0.045, weight_decay=1e-5, optimizer_arguments=("momentum=0.9",)
    )
    """How the gradient becomes an update."""

    smallest_image: ClassVar[int] = 8
    largest_image: ClassVar[int] = 299


class NormalisedSeparable(nn.Module):
    """Return a separable convolution of 3 x 3, normalised over the batch, of `(batch, in_channels, height, width)`.

    No activation stands between its two factors, which the paper found to be better.

    >>> layer = NormalisedSeparable(8, 16, (1e-3, 0.01))
    >>> sum(weight.numel() for weight in layer.parameters()), 8 * 9 + 8 * 16 + 2 * 16
    (232, 232)
    """

    def __init__(self, in_channels: int, out_channels: int, norm: tuple[float, float]) -> None:
        super().__init__()
        self.convolution = SeparableConvolution2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.normalisation = nn.BatchNorm2d(out_channels, *norm)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.normalisation(self.convolution(inputs))

    @staticmethod
    def named(place: str, convolution: str, normalisation: str) -> dict[str, str]:
        """Return what timm calls the three layers of the one at `place` in a network."""
        inner = {f"{place}.convolution.depthwise": f"{convolution}.conv1"}
        inner |= {f"{place}.convolution.pointwise": f"{convolution}.pointwise"}
        return inner | {f"{place}.normalisation": normalisation}


class Block(nn.Module):
    """Return F(x) + s(x) for maps `(batch, widths[0], height, width)`.

    Args:
        widths: maps before and after each separable convolution.
        stride: of the pooling after them.
        norm: epsilon and momentum of the normalisations.
        begins_rectified: whether a rectifier comes before the first of them.

    >>> Block((64, 128, 128), 2, (1e-3, 0.01))(torch.zeros(1, 64, 9, 9)).shape
    torch.Size([1, 128, 5, 5])
    """

    def __init__(
        self, widths: tuple[int, ...], stride: int, norm: tuple[float, float], *, begins_rectified: bool = True
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(widths)):
            layers += [nn.ReLU()] if number or begins_rectified else []
            layers.append(NormalisedSeparable(before, after, norm))
        if stride > 1:
            layers.append(nn.MaxPool2d(3, stride, padding=1))
        self.residual = nn.Sequential(*layers)
        self.shortcut: nn.Module = nn.Identity()
        if widths[0] != widths[-1] or stride > 1:
            self.shortcut = NormalisedConvolution(widths[0], widths[-1], 1, stride, detector="linear", norm=norm)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.residual(inputs) + self.shortcut(inputs)


class Xception(nn.Module):
    """Logits or values `(batch, outputs)` for images `(batch, channels, size, size)`.

    >>> with torch.device("meta"):
    ...     network = Xception(Config())
    >>> sum(parameter.numel() for parameter in network.parameters())
    22855952
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.in_channels, self.image_size = config.in_channels, config.image_size

        def maps(channels: int) -> int:
            return scaled_channels(channels, config.width)

        stem, *entry, leaving = fitting_strides(config.image_size, (2,) * 5, LEAST_SIDE)
        norm, border = (config.epsilon, config.momentum), 0 if stem > 1 else 1
        self.stem = nn.Sequential(
            NormalisedConvolution(config.in_channels, maps(32), 3, stem, norm=norm, padding=border),
            NormalisedConvolution(maps(32), maps(64), 3, norm=norm, padding=border),
        )
        widths = [maps(channels) for channels in (64, 128, 256, 728)]
        self.entry = nn.Sequential(
            *(
                Block((before, after, after), stride, norm, begins_rectified=number > 0)
                for number, (before, after, stride) in enumerate(zip(widths[:-1], widths[1:], entry, strict=True))
            )
        )
        middle = maps(728)
        self.middle = nn.Sequential(*(Block((middle,) * 4, 1, norm) for _ in range(config.middle_blocks)))
        self.leaving = Block((middle, middle, maps(1024)), leaving, norm)
        self.last = nn.Sequential(
            NormalisedSeparable(maps(1024), maps(1536), norm),
            nn.ReLU(inplace=True),
            NormalisedSeparable(maps(1536), maps(2048), norm),
            nn.ReLU(inplace=True),
        )
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(config.dropout)
        self.output = Linear(maps(2048), config.outputs)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                initialise(layer, "he-normal")

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.image_size)
        # Shapes at the published size.
        maps = self.entry(self.stem(images))  # (batch, 728, 19, 19)
        maps = self.leaving(self.middle(maps))  # (batch, 1024, 10, 10)
        features = self.mean(self.last(maps)).flatten(1)  # (batch, 2048)
        return self.output(self.dropout(features))

    def trunk(self) -> list[str]:
        """Return the names of the layers that make maps of images, in order."""
        parts = ("stem", self.stem), ("entry", self.entry), ("middle", self.middle)
        blocks = [f"{name}.{place}" for name, part in parts for place in range(len(part))]
        return [*blocks, "leaving", *(f"last.{place}" for place in range(len(self.last)))]

    def published_names(self) -> dict[str, dict[str, str]]:
        """Return what timm calls the layers."""
        names = {"output": "fc"}
        for number in (1, 2):
            names |= NormalisedConvolution.named(f"stem.{number - 1}", f"conv{number}", f"bn{number}")
            names |= NormalisedSeparable.named(f"last.{2 * number - 2}", f"conv{number + 2}", f"bn{number + 2}")
        places = [*(f"entry.{number}" for number in range(len(self.entry)))]
        places += [*(f"middle.{number}" for number in range(len(self.middle))), "leaving"]
        for number, place in enumerate(places, start=1):
            theirs, position = f"block{number}", 0
            for layer, part in self.get_submodule(f"{place}.residual").named_children():
                separable = isinstance(part, NormalisedSeparable)
                if separable:
                    both = f"{theirs}.rep.{position}", f"{theirs}.rep.{position + 1}"
                    names |= NormalisedSeparable.named(f"{place}.residual.{layer}", *both)
                position += 2 if separable else 1
            names |= NormalisedConvolution.named(f"{place}.shortcut", f"{theirs}.skip", f"{theirs}.skipbn")
        return {"timm": names}


SMALL = Config(width=0.125, middle_blocks=2, momentum=0.1, descent=Descent(learning_rate=3e-3))
TINY = Config(
    width=0.02,
    middle_blocks=1,
    in_channels=1,
    image_size=8,
    num_classes=3,
    momentum=0.1,
    dropout=0.1,
    descent=Descent(learning_rate=1e-2),
)


def build(config: Config) -> LearningRule:
    return supervised(Xception(config), config, config.descent)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_channels, config.image_size, config.image_size),)}
