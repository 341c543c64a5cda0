"""The colouriser: gives grey pictures colours that such pictures usually have.

Idea:
    Take the colour out of photographs and let a network guess it from what is left, the lightness. Grass, sky and skin
    are told by their texture and place. Often several colours are possible: a network that must name one number says
    their mean, which is brownish grey. One that says how likely each of many colours is, and for which rare strong
    colours count more, may decide; what is taken is nearly, not quite, the likeliest.

Equations:
    L, a, b = the picture in CIE Lab
    regression      (a, b) / 100 = f(L)             squared error
    classification  p = softmax(f(L)) over Q bins of the a, b plane, cross-entropy with rare colours weighed up
                    (a, b) = sum_q c_q softmax(f(L) / T)_q          c_q the middle of bin q, T temperature
    f: three times halved (3 x 3 convolutions, normalised, relu), dilated in the middle, twice doubled again, each time
    beside what was there at that size; the colours come at half the size and are interpolated

Networks:
    network: `Colouriser`, from lightness (batch, 1, height, width), 0 to 100, to logits or colours (batch, values,
    height / 2, width / 2); `colours` gives a and b at the full size.

Learning rule:
    `ganglion.rules.autoencoder.colouring.Colouring`, Adam.

Data it expects:
    Coloured photographs, of any size; large ones are learnt from in pieces. Files that are asked about may be grey or
    coloured: only their lightness is looked at.

What to expect:
    Regression has the better PSNR, classification the stronger colours. Neither knows which of two colours a car had.

Departures from the paper:
    1. A network of 0.5 million weights with connections across, instead of 32 million in a row of eight blocks.
    2. Bins are the squares in which sRGB has colours, 260; the paper counts 313. A colour is shared among all of them
       by its distance, not among the ten nearest only, which differs by less than a thousandth.
    3. How common colours are is counted while training.

References:
    Zhang, Isola and Efros, Colorful image colorization (2016).
"""

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn.images.colour import colour_bins
from ganglion.rules.autoencoder.colouring import FULL, Colouring
from ganglion.rules.descend import Descent
from ganglion.settings import Count, Share, above, at_least, settings

UNIT = 8
"""What heights and widths are continued to a multiple of."""
MIDDLE = 50.0
"""Lightness that is 0 to the network."""


@settings
class Config:
    """Colours as bins, rare ones weighed up."""

    design: Literal["classification", "regression"] = "classification"
    """Say how likely each of many colours is, or one colour."""
    image_size: Annotated[int, at_least(8)] | None = None
    """Side of the pieces that it learns from; that of the smallest picture, at most 64, if not given."""
    channels: tuple[Count, Count, Count] = (64, 128, 256)
    """Maps at a half, a quarter and an eighth of the size."""
    step: Annotated[int, at_least(2)] = 10
    """Side of a bin of colours, in Lab."""
    uniform: Share = 0.5
    """How little rare colours count more: 0 weighs them all up to the same, with 1 every pixel counts alike."""
    temperature: Annotated[float, above(0)] = 0.38
    """Between the likeliest colour, near 0, and the mean of all, 1."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3)
    """How a gradient becomes an update."""


class Colouriser(nn.Module):
    """Convolutions that say the colours of a picture of which they see the lightness.

    >>> network = Colouriser(Config(channels=(4, 4, 4)))
    >>> network(torch.zeros(2, 1, 16, 24)).shape, network.colours(torch.zeros(2, 1, 15, 21)).shape
    (torch.Size([2, 260, 8, 12]), torch.Size([2, 2, 15, 21]))
    """

    bins: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        half, quarter, eighth = config.channels
        self.classifies, self.temperature = config.design == "classification", config.temperature
        bins = colour_bins(config.step) if self.classifies else torch.zeros(2, 2)
        self.register_buffer("bins", bins, persistent=False)
        self.to_half = nn.Sequential(_layer(1, half, stride=2), _layer(half, half))
        self.to_quarter = nn.Sequential(_layer(half, quarter, stride=2), _layer(quarter, quarter))
        self.to_eighth = nn.Sequential(
            _layer(quarter, eighth, stride=2), _layer(eighth, eighth, dilation=2), _layer(eighth, eighth, dilation=2)
        )
        self.back_to_quarter = _layer(eighth + quarter, quarter)
        self.back_to_half = _layer(quarter + half, half)
        self.answer = nn.Conv2d(half, len(self.bins) if self.classifies else 2, 1)

    def forward(self, lightness: Tensor) -> Tensor:
        """Return logits of bins, or a / 100 and b / 100, at half the size (batch, values, height / 2, width / 2)."""
        height, width = lightness.shape[2:]
        whole = F.pad((lightness - MIDDLE) / MIDDLE, (0, -width % UNIT, 0, -height % UNIT), mode="replicate")
        half = self.to_half(whole)
        quarter = self.to_quarter(half)
        eighth = self.to_eighth(quarter)
        up = self.back_to_quarter(torch.cat([F.interpolate(eighth, scale_factor=2), quarter], dim=1))
        up = self.back_to_half(torch.cat([F.interpolate(up, scale_factor=2), half], dim=1))
        answer: Tensor = self.answer(up)
        return answer[..., : (height + 1) // 2, : (width + 1) // 2]

    def colours(self, lightness: Tensor) -> Tensor:
        """Return a and b (batch, 2, height, width) of pictures of which L (batch, 1, height, width) is given."""
        said = self(lightness)
        if self.classifies:
            colours = torch.einsum("qc,bqhw->bchw", self.bins, (said / self.temperature).softmax(1))
        else:
            colours = said * FULL
        height, width = lightness.shape[2:]
        return F.interpolate(colours, scale_factor=2, mode="bilinear")[..., :height, :width]


def _layer(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


SMALL = Config(channels=(32, 64, 128))
TINY = Config(channels=(8, 8, 8), step=20, descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    network = Colouriser(config)
    bins = network.bins if network.classifies else None
    return Colouring(network, config.descent, bins=bins, uniform=config.uniform)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    side = config.image_size or 64
    return {"network": (torch.zeros(1, 1, side, side),)}
