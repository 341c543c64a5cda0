"""EfficientNet, which grows in depth, width and resolution together, by one number.

Idea:
    A small network is found by search; larger ones are the same with more layers, more maps and larger images, and it
    pays to raise the three together. Blocks widen the maps, look at each by itself, weigh the maps by what the whole
    image is like, and make them few again.

Equations:
    block       y = x + W_2 (e(d) * d), d = f(D f(W_1 x)); W convolutions of 1 x 1 and D of k x k on each map by itself,
                all normalised over the batch; without x where maps shrink or change in number
    excitation  e(d) = sigmoid(V f(U mean(d))), one factor for each map
    swish       f(a) = a sigmoid(a)
    depth       a block is left out of a sample with probability 0.2 l / L, its l-th of L; what stays is enlarged
    scaling     depth 1.2^phi, width 1.1^phi, resolution 1.15^phi, with 1.2 * 1.1^2 * 1.15^2 about 2

Networks:
    `EfficientNet` in the variants b0 to b7: a convolution of 3 x 3, sixteen to fifty-five blocks in seven stages, a
    convolution of 1 x 1, the mean of each map, dropout, logits. The released sizes are those of `VARIANTS`, which do
    not follow the rule of scaling exactly. With small images the first strides become 1, so that 4 x 4 positions are
    left at the end.

Learning rule:
    Supervised, cross-entropy of the softmax; RMSProp with momentum and weight decay. Labels are learnt by
    binary cross-entropy, values by squared error.

Data it expects:
    Square images, grey or colour; 1,000 classes of photographs in the paper, of 224 x 224 (b0) to 600 x 600 (b7).

What to expect:
    scikit-learn's digits: about 98 % of the test part after the default run, of a narrow network. Parameters with 1,000
    classes: 5,288,548, 7,794,184, 9,109,994, 12,233,232, 19,341,616, 30,389,784, 43,040,704 and 66,347,960.

Departures from the paper:
    1. The learning rate falls along half a cosine; the paper lowers it by 3 % every 2.4 passes.
    2. No augmentation is searched for; the moving average of weights is `--ema-decay 0.9999`.

References:
    Tan, Le: EfficientNet: Rethinking model scaling for convolutional neural networks. ICML (2019), sections 3 to 5.
    Huang, Sun, Liu, Sedra, Weinberger: Deep networks with stochastic depth. ECCV (2016).
    Hu, Shen, Sun: Squeeze-and-excitation networks. CVPR (2018).
"""

import math
from collections.abc import Iterable
from typing import Annotated, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.convolution import NormalisedConvolution, check_images, fitting_strides, scaled_channels
from ganglion.nn.linear import Linear
from ganglion.rules.descend import Descent
from ganglion.rules.outputs import OutputSettings, supervised
from ganglion.settings import SHARE, Count, Share, above, settings

STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
"""Side of the kernels, stride of the first block, how much it widens, maps and blocks of each stage of b0."""
VARIANTS = {
    "b0": (1.0, 1.0, 224, 0.2),
    "b1": (1.0, 1.1, 240, 0.2),
    "b2": (1.1, 1.2, 260, 0.3),
    "b3": (1.2, 1.4, 300, 0.3),
    "b4": (1.4, 1.8, 380, 0.4),
    "b5": (1.6, 2.2, 456, 0.4),
    "b6": (1.8, 2.6, 528, 0.5),
    "b7": (2.0, 3.1, 600, 0.5),
}
"""Factor of the maps, factor of the blocks, side of the images and dropout, as released."""
DEPTH, WIDTH, RESOLUTION = 1.2, 1.1, 1.15
FIRST, LAST, DIVISOR = 32, 1280, 8
LEAST_SIDE = 4
"""Positions of a side that the last maps have at least."""


def compound_scaling(phi: float) -> tuple[float, float, float]:
    """Return depth, width and resolution for phi times the work doubled, as the paper's rule has it.

    >>> depth, width, resolution = compound_scaling(1)
    >>> round(depth * width**2 * resolution**2, 2)
    1.92
    """
    return DEPTH**phi, WIDTH**phi, RESOLUTION**phi


@settings
class Config(OutputSettings):
    """EfficientNet."""

    variant: Literal["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"] = "b0"
    """Which of the released sizes."""
    width: Annotated[float, above(0)] | None = None
    """Factor of all numbers of maps; that of the variant when not given."""
    depth: Annotated[float, above(0)] | None = None
    """Factor of the number of blocks in each stage; that of the variant when not given."""
    in_channels: Count = 3
    """Channels of an image: 1 grey, 3 colour."""
    image_size: Count = 224
    """Side of the images; a size given by hand is what the data is resized to. Published are 224, 240, 260, 300, 380,
    456, 528 and 600."""
    dropout: Annotated[float, SHARE] | None = None
    """Share of the features before the logits that is dropped while training; that of the variant when not given."""
    left_out: Share = 0.2
    """Probability with which the last block is left out of a sample while training; of those before it, less."""
    epsilon: Annotated[float, above(0)] = 1e-3
    """Added to variances; 1e-5 with the weights that torchvision has for b0 to b4."""
    momentum: Annotated[float, SHARE] = 0.01
    """Share of the newest batch in running means and variances."""
    label_smoothing: Share = 0.1
    descent: Descent = Descent(
        optimizer="rmsprop",
        learning_rate=0.016,
        weight_decay=1e-5,
        optimizer_arguments=("momentum=0.9", "alpha=0.9", "eps=1e-3"),
    )
    """How the gradient becomes an update; the learning rate is for batches of 256."""

    @property
    def smallest_image(self) -> int:
        return 8

    @property
    def largest_image(self) -> int:
        return VARIANTS[self.variant][2]


class StochasticDepth(nn.Module):
    """Return s x / (1 - p), with s of each sample 0 with probability p and else 1; just x where nothing is trained.

    Source: Huang et al., Deep networks with stochastic depth (2016), section 3.

    >>> layer = StochasticDepth(0.5)
    >>> sorted(set(layer(torch.ones(64, 3, 1, 1)).flatten().tolist())), layer.eval()(torch.ones(1, 1, 1, 1)).item()
    ([0.0, 2.0], 1.0)
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, inputs: Tensor) -> Tensor:
        if not (self.training and self.probability):
            return inputs
        return inputs * F.dropout(inputs.new_ones(len(inputs), 1, 1, 1), self.probability)  # a draw for each sample

    def extra_repr(self) -> str:
        return f"probability={self.probability}"


class Excitation(nn.Module):
    """Multiply each map of `(batch, channels, height, width)` by a factor that the means of all maps decide.

    Args:
        channels: maps.
        squeezed: units between the means and the factors.

    >>> Excitation(8, 2)(torch.ones(1, 8, 5, 5)).shape
    torch.Size([1, 8, 5, 5])
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.activation = nn.SiLU()
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.excite(self.activation(self.squeeze(self.mean(inputs)))).sigmoid()


class Block(nn.Module):
    """Widen, look, weigh, narrow: maps `(batch, in_channels, height, width)` to as many or fewer.

    Args:
        in_channels: channels of the inputs, a quarter of which are the units of the excitation.
        out_channels: channels of what comes out.
        kernel_size: side of the kernels that look at one map.
        stride: their step.
        expansion: how much the maps are widened.
        left_out: probability with which a sample goes by this block, where that is possible.
        norm: epsilon and momentum of the normalisations.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        expansion: int,
        left_out: float,
        norm: tuple[float, float],
    ) -> None:
        super().__init__()
        between = in_channels * expansion
        self.widen: nn.Module = nn.Identity()
        if expansion > 1:
            self.widen = NormalisedConvolution(in_channels, between, 1, detector="swish", norm=norm)
        self.look = NormalisedConvolution(
            between, between, kernel_size, stride, groups=between, detector="swish", norm=norm
        )
        self.weigh = Excitation(between, max(1, in_channels // 4))
        self.narrow = NormalisedConvolution(between, out_channels, 1, detector="linear", norm=norm)
        self.has_shortcut = stride == 1 and in_channels == out_channels
        self.depth = StochasticDepth(left_out)

    def forward(self, inputs: Tensor) -> Tensor:
        maps = self.narrow(self.weigh(self.look(self.widen(inputs))))
        return inputs + self.depth(maps) if self.has_shortcut else maps


class EfficientNet(nn.Module):
    """Logits or values `(batch, outputs)` for images `(batch, channels, size, size)`.

    >>> with torch.device("meta"):
    ...     network = EfficientNet(Config(variant="b0"))
    >>> sum(parameter.numel() for parameter in network.parameters())
    5288548
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.in_channels, self.image_size = config.in_channels, config.image_size
        released_width, released_depth, _, dropout = VARIANTS[config.variant]
        width, depth = config.width or released_width, config.depth or released_depth
        norm = config.epsilon, config.momentum
        published = (2, *(stride for _, stride, *_ in STAGES))
        first_stride, *strides = fitting_strides(config.image_size, published, LEAST_SIDE)
        repeats = [math.ceil(depth * count) for *_, count in STAGES]
        channels = scaled_channels(FIRST, width, DIVISOR)
        self.stem = NormalisedConvolution(config.in_channels, channels, 3, first_stride, detector="swish", norm=norm)
        stages, number = [], 0
        for (kernel, _, expansion, maps, _), stride, count in zip(STAGES, strides, repeats, strict=True):
            blocks = []
            for place in range(count):
                left_out = config.left_out * number / sum(repeats)
                wider = scaled_channels(maps, width, DIVISOR)
                blocks.append(Block(channels, wider, kernel, 1 if place else stride, expansion, left_out, norm))
                channels, number = wider, number + 1
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        last = scaled_channels(LAST, width, DIVISOR)
        self.last = NormalisedConvolution(channels, last, 1, detector="swish", norm=norm)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout if config.dropout is None else config.dropout)
        self.output = Linear(last, config.outputs)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                fan_out = layer.weight[:, 0].numel() // layer.groups
                nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_out))
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        check_images(images, self.in_channels, self.image_size)
        # Shapes of b0 at the published size.
        maps = self.stages(self.stem(images))  # (batch, 320, 7, 7)
        features = self.mean(self.last(maps)).flatten(1)  # (batch, 1280)
        return self.output(self.dropout(features))

    def trunk(self) -> list[str]:
        """Return the names of the layers that make maps of images, in order."""
        blocks = [f"stages.{stage}.{place}" for stage, part in enumerate(self.stages) for place in range(len(part))]  # type: ignore[arg-type]
        return ["stem", *blocks, "last"]

    def published_names(self) -> dict[str, dict[str, str]]:
        """Return what torchvision calls the layers."""

        def normalised(ours: str, theirs: str) -> dict[str, str]:
            return NormalisedConvolution.named(ours, f"{theirs}.0", f"{theirs}.1")

        names = normalised("stem", "features.0") | normalised("last", f"features.{len(self.stages) + 1}")
        for stage, blocks in enumerate(self.stages):
            for number, block in enumerate(cast(Iterable[Block], blocks)):
                ours, theirs = f"stages.{stage}.{number}", f"features.{stage + 1}.{number}.block"
                first = 0 if isinstance(block.widen, nn.Identity) else 1  # which is where a block that widens looks
                names |= normalised(f"{ours}.widen", f"{theirs}.0") if first else {}
                names |= normalised(f"{ours}.look", f"{theirs}.{first}")
                names |= {f"{ours}.weigh.squeeze": f"{theirs}.{first + 1}.fc1"}
                names |= {f"{ours}.weigh.excite": f"{theirs}.{first + 1}.fc2"}
                names |= normalised(f"{ours}.narrow", f"{theirs}.{first + 2}")
        return {"torchvision": names | {"output": "classifier.1"}}


SMALL = Config(width=0.25, depth=0.5, momentum=0.1, descent=Descent(learning_rate=5e-3))
TINY = Config(
    width=0.2,
    depth=0.1,
    in_channels=1,
    image_size=8,
    num_classes=3,
    momentum=0.1,
    descent=Descent(learning_rate=1e-2),
)


def build(config: Config) -> LearningRule:
    return supervised(EfficientNet(config), config, config.descent)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.in_channels, config.image_size, config.image_size),)}
