"""GoogLeNet, 22 layers whose blocks look at the same maps through windows of several sizes at once.

Idea:
    How large a feature is, nobody knows beforehand: so convolutions of 1 x 1, 3 x 3 and 5 x 5 and a pooling work side
    by side, and what they find is put behind one another. Convolutions of 1 x 1 make the maps few before the large
    windows see them, which keeps the whole affordable. Two further heads let the gradient in at half the depth.

Equations:
    inception  y = [f_1(x), f_3(g_3(x)), f_5(g_5(x)), g(pool(x))], along the channels; f of 1, 3, 5 pixels, g of one
    response   b_c = a_c / (k + alpha sum_j a_j^2)^beta, over the five channels j around c
    loss       L + 0.3 (L_1 + L_2), with L_1 and L_2 of the further heads, while training only
    momentum   v <- m v + g,  w <- w - r v

Networks:
    `GoogLeNet`: a convolution of 7 x 7, two more, nine inception blocks with poolings between them, the mean of each
    map, dropout, logits. `--auxiliary` adds two heads after the third and sixth block: average pooling, a convolution
    of 1 x 1, a dense layer of 1,024 units with dropout, logits. The variant `batch-normalised` is the one whose weights
    are published: convolutions without biases but normalised over the batch, 3 x 3 where the paper has 5 x 5. With
    small images the first strides become 1, so that 4 x 4 positions are left at the end.

Learning rule:
    Supervised, cross-entropy of the softmax; gradient descent with momentum. Labels are learnt by
    binary cross-entropy, values by squared error.

Data it expects:
    Square images, grey or colour; 1,000 classes of photographs of 224 x 224 in the paper.

What to expect:
    scikit-learn's digits: about 97 % of the test part after the default run, of the normalised variant with an eighth
    of the maps. Parameters with 1,000 classes: 6,998,552, and 13,378,280 with both heads.

Departures from the paper:
    1. Weights start with variance 2 / fan-in (He et al. 2015); the paper does not say how.
    2. Units that dropout keeps are enlarged while training.
    3. The learning rate falls along half a cosine; the paper lowers it by 4 % every eight passes.
    4. Images are not cropped from larger ones.

References:
    Szegedy et al.: Going deeper with convolutions. CVPR (2015), table 1, sections 5 and 6.
"""

from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.convolution import (
    LocalResponseNormalisation,
    NormalisedConvolution,
    Parallel,
    check_images,
    fitting_strides,
    output_size,
    scaled_channels,
)
from ganglion.nn.initialisers import initialise
from ganglion.nn.linear import Linear
from ganglion.rules.descend import Descent
from ganglion.rules.outputs import OutputSettings, supervised
from ganglion.settings import Count, Dropout, Share, above, at_least, settings

STAGES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Maps of each inception block as in table 1: 1 x 1, before 3 x 3, 3 x 3, before 5 x 5, 5 x 5, after pooling."""
HEADED = (0, 3)
"""Blocks of the second stage after which the further heads stand."""
LEAST_SIDE = 4
"""Positions of a side that the last maps have at least."""
Variant = Literal["2014", "batch-normalised"]


@settings
class Config(OutputSettings):
    """GoogLeNet."""

    variant: Variant = "2014"
    """The published network, or the one with batch normalisation whose weights are published."""
    auxiliary: bool = False
    """Learn with two further heads."""
    auxiliary_weight: Annotated[float, at_least(0)] = 0.3
    """Share that the loss of each of them counts."""
    in_channels: Count = 3
    """Channels of an image: 1 grey, 3 colour."""
    image_size: Count = 224
    """Side of the images; a size given by hand is what the data is resized to."""
    width: Annotated[float, above(0)] = 1.0
    """Factor of all numbers of maps."""
    dropout: Dropout = 0.4
    """Share of the features before the logits that is dropped while training."""
    auxiliary_dropout: Share = 0.7
    """The same of the further heads."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=1e-2, optimizer_arguments=("momentum=0.9",))
    """How the gradient becomes an update."""

    smallest_image: ClassVar[int] = 8
    largest_image: ClassVar[int] = 224


class RectifiedConvolution(nn.Module):
    """Return max(0, w * x + b) for maps `(batch, in_channels, height, width)`; the stride of 1 keeps their size.

    >>> RectifiedConvolution(3, 8, 5)(torch.zeros(1, 3, 9, 9)).shape
    torch.Size([1, 8, 9, 9])
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel_size, stride, kernel_size // 2)
        self.detector = nn.ReLU(inplace=True)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.detector(self.convolution(inputs))


def convolution(in_channels: int, out_channels: int, kernel_size: int, stride: int, variant: Variant) -> nn.Module:
    """Return a rectified convolution as the variant has it."""
    if variant == "2014":
        return RectifiedConvolution(in_channels, out_channels, kernel_size, stride)
    return NormalisedConvolution(in_channels, out_channels, kernel_size, stride, norm=(1e-3, 0.1))


class Inception(Parallel):
    """Put what four branches find in maps `(batch, in_channels, height, width)` behind one another.

    Args:
        in_channels: channels of the inputs.
        maps: the six numbers of table 1.
        variant: decides the side of the largest windows, and what a convolution is.

    >>> Inception(192, STAGES[0][0], "2014")(torch.zeros(1, 192, 28, 28)).shape
    torch.Size([1, 256, 28, 28])
    """

    def __init__(self, in_channels: int, maps: tuple[int, ...], variant: Variant) -> None:
        one, before_three, three, before_five, five, pooled = maps
        largest = 5 if variant == "2014" else 3
        super().__init__(
            convolution(in_channels, one, 1, 1, variant),
            nn.Sequential(
                convolution(in_channels, before_three, 1, 1, variant), convolution(before_three, three, 3, 1, variant)
            ),
            nn.Sequential(
                convolution(in_channels, before_five, 1, 1, variant),
                convolution(before_five, five, largest, 1, variant),
            ),
            nn.Sequential(nn.MaxPool2d(3, 1, padding=1), convolution(in_channels, pooled, 1, 1, variant)),
        )


class Head(nn.Module):
    """Logits or values `(batch, outputs)` from maps of half the depth, `(batch, in_channels, side, side)`."""

    def __init__(self, in_channels: int, side: int, config: Config) -> None:
        super().__init__()
        maps, features = scaled_channels(128, config.width), scaled_channels(1024, config.width)
        published = config.variant == "2014"
        side = output_size(side, 5, 3) if published else 4
        self.pool = nn.AvgPool2d(5, 3) if published else nn.AdaptiveAvgPool2d(side)
        self.convolution = convolution(in_channels, maps, 1, 1, config.variant)
        self.hidden = Linear(maps * side * side, features)
        self.activation = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(config.auxiliary_dropout)
        self.output = Linear(features, config.outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        maps = self.convolution(self.pool(inputs))  # (batch, 128, 4, 4) at the published size
        return self.output(self.dropout(self.activation(self.hidden(maps.flatten(1)))))


class GoogLeNet(nn.Module):
    """Logits or values `(batch, outputs)` for images `(batch, channels, size, size)`; `heads` those of all heads.

    >>> with torch.device("meta"):
    ...     network = GoogLeNet(Config(auxiliary=True))
    >>> sum(parameter.numel() for parameter in network.parameters())
    13378280
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.in_channels, self.image_size = config.in_channels, config.image_size
        published, variant = config.variant == "2014", config.variant
        strides = fitting_strides(config.image_size, (2, 2, 2, 2, 2), LEAST_SIDE)

        def pool(stride: int, window: int = 3) -> nn.Module:
            return nn.MaxPool2d(window, stride, ceil_mode=True) if stride > 1 else nn.Identity()

        first, second = scaled_channels(64, config.width), scaled_channels(192, config.width)
        normalise = LocalResponseNormalisation if published else nn.Identity
        self.stem = nn.Sequential(
            convolution(config.in_channels, first, 7, strides[0], variant),
            pool(strides[1]),
            normalise(),
            convolution(first, first, 1, 1, variant),
            convolution(first, second, 3, 1, variant),
            normalise(),
            pool(strides[2]),
        )
        channels, stages, widths = second, [], []
        for blocks in STAGES:
            stage = []
            for maps in blocks:
                scaled = tuple(scaled_channels(count, config.width) for count in maps)
                stage.append(Inception(channels, scaled, variant))
                channels = scaled[0] + scaled[2] + scaled[4] + scaled[5]
                widths.append(channels)
            stages.append(nn.Sequential(*stage))
        self.stage3, self.stage4, self.stage5 = stages
        self.pool3, self.pool4 = pool(strides[3]), pool(strides[4], 3 if published else 2)
        side = config.image_size
        for stride in strides[:4]:
            side = -(-side // stride)
        beside = [widths[len(STAGES[0]) + place] for place in HEADED] if config.auxiliary else []
        self.auxiliary = nn.ModuleList(Head(width, side, config) for width in beside)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(config.dropout)
        self.output = Linear(channels, config.outputs)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                initialise(layer, "he-normal")

    def forward(self, images: Tensor) -> Tensor:
        return self._logits(images)[0]

    def heads(self, images: Tensor) -> list[Tensor]:
        """Return the outputs `(batch, outputs)` of images, and then those of the further heads."""
        logits, halfway = self._logits(images)
        return [logits, *(head(maps) for head, maps in zip(self.auxiliary, halfway, strict=False))]

    def _logits(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the outputs, and the maps of half the depth that the further heads look at."""
        check_images(images, self.in_channels, self.image_size)
        # Shapes at the published size.
        maps = self.pool3(self.stage3(self.stem(images)))  # (batch, 480, 14, 14)
        halfway = []
        for number, block in enumerate(self.stage4):
            maps = block(maps)
            if number in HEADED:
                halfway.append(maps)
        maps = self.stage5(self.pool4(maps))  # (batch, 1024, 7, 7)
        return self.output(self.dropout(self.mean(maps).flatten(1))), halfway

    def trunk(self) -> list[str]:
        """Return the names of the layers that make maps of images, in order."""
        stem = [f"stem.{place}" for place in range(len(self.stem))]
        third, fourth, fifth = (
            [f"stage{stage}.{place}" for place in range(len(self.get_submodule(f"stage{stage}")))]  # type: ignore[arg-type]
            for stage in (3, 4, 5)
        )
        return [*stem, *third, "pool3", *fourth, "pool4", *fifth]

    def published_names(self) -> dict[str, dict[str, str]]:
        """Return what torchvision calls the layers of the batch-normalised variant, the only one that it has."""
        if not isinstance(self.stem[0], NormalisedConvolution):
            return {}
        parts = {"stem.0": "conv1", "stem.3": "conv2", "stem.4": "conv3"}
        for stage in (3, 4, 5):
            for number, letter in zip(range(len(getattr(self, f"stage{stage}"))), "abcde", strict=False):
                ours, theirs = f"stage{stage}.{number}.branches", f"inception{stage}{letter}.branch"
                parts |= {f"{ours}.0": f"{theirs}1", f"{ours}.3.1": f"{theirs}4.1"}
                parts |= {f"{ours}.{one}.{two}": f"{theirs}{one + 1}.{two}" for one in (1, 2) for two in (0, 1)}
        names = {"output": "fc"}
        for number in range(len(self.auxiliary)):
            ours, theirs = f"auxiliary.{number}", f"aux{number + 1}"
            parts[f"{ours}.convolution"] = f"{theirs}.conv"
            names |= {f"{ours}.hidden": f"{theirs}.fc1", f"{ours}.output": f"{theirs}.fc2"}
        for ours, theirs in parts.items():
            names |= NormalisedConvolution.named(ours, f"{theirs}.conv", f"{theirs}.bn")
        return {"torchvision": names}


SMALL = Config(
    variant="batch-normalised", width=0.125, auxiliary=True, auxiliary_dropout=0.2, dropout=0.2,
    descent=Descent(learning_rate=3e-3),
)  # fmt: skip
TINY = Config(
    in_channels=1,
    image_size=8,
    num_classes=3,
    width=0.05,
    auxiliary=True,
    dropout=0.1,
    auxiliary_dropout=0.1,
    descent=Descent(learning_rate=3e-3),
)


def build(config: Config) -> LearningRule:
    weight = config.auxiliary_weight if config.auxiliary else 0.0
    return supervised(GoogLeNet(config), config, config.descent, auxiliary=weight)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_channels, config.image_size, config.image_size),)}
