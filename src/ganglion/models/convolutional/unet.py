"""U-Net: says of every pixel what it belongs to, from a wide view and from the finest detail at once.

Idea:
    A contracting path of convolutions and poolings sees more and more of the image, and less and less where things
    are. An expanding path brings the maps back to the size of the image, and at each size is shown the maps that the
    contracting path had there. Thirty images are enough where they are bent and mirrored afresh in every epoch, and
    touching cells are kept apart by a loss that counts the pixels between them most.

Equations:
    contracting   c_l = relu(W' * relu(W * p_l)),  p_{l+1} = max of 2 x 2 of c_l
    expanding     u_l = relu(W' * relu(W * [c_l, U_l e_{l+1}])),  U doubles the sides, [,] crops and joins
    answer        z = V u_0,  p_k(x) = softmax(z(x))_k
    L             = mean over pixels of w(x) (-log p_t(x)(x))
    w(x)          = w_t(x) + w_0 exp(-(d_1(x) + d_2(x))^2 / (2 s^2)) outside of cells
    d_1, d_2      distances of a pixel to the nearest and to the second nearest cell

Networks:
    network: `UNet`, from images (batch, channels, height, width) to logits (batch, classes, height', width'). Without
    padding the answer is 184 pixels smaller than the image at four poolings: 572 x 572 gives 388 x 388. At
    prediction the image is continued by reflection and cut into overlapping tiles, so any size will do.

Learning rule:
    Pixelwise cross-entropy with the weights above; gradient descent with momentum.

Data it expects:
    Images with a mask for each, in folders `images/` and `masks/` or in two folders that `--columns` names; masks are
    grey, coloured or have a palette, and `classes.txt` names their classes. Class 0 is what surrounds the objects.
    It learns from windows of the images, cut at random places.

What to expect:
    The small form on the drawn `cells`: intersection over union above 0.9 within twenty seconds on two cores.

Departures from the paper:
    1. The extra weight is given to pixels outside of cells only, as its figure shows.
    2. The rate of learning is not printed there; 0.001 is ours.
    3. The small form that training starts from is an eighth as wide and has three poolings, pads its maps,
       normalises them by the batch and learns by Adam.
    4. Elastic deformation is `--augment elastic`: cubic between displacements at nine points, as there; their
       deviation is 10 pixels for windows of 250 pixels and more, and a twenty-fifth of the side of smaller ones.

References:
    Ronneberger, Fischer and Brox, U-Net: convolutional networks for biomedical image segmentation (2015).
"""

from typing import Annotated

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError, ShapeError
from ganglion.nn.convolution import Padding, cropped
from ganglion.rules.descend import Descent
from ganglion.rules.pixelwise import Pixelwise
from ganglion.settings import Count, Dropout, Units, above, at_least, settings

KERNEL = 3


@settings
class Config:
    """U-Net as published."""

    in_channels: Count = 1
    """Channels of an image: 1 grey, 3 colour; decided by the data."""
    num_classes: Annotated[int, at_least(2)] = 2
    """Classes of pixels; decided by the data."""
    image_size: Annotated[int, at_least(1)] | None = None
    """Side of the windows that it learns from; what the images have, at most 256 pixels of answer, if not given."""
    width: Units = 64
    """Maps of the first convolutions; each pooling doubles them."""
    depth: Count = 4
    """Poolings."""
    padding: Padding = "valid"
    """`same` pads every map with zeros, so that the answer has the size of the image."""
    normalised: bool = False
    """Normalise the maps of each batch."""
    dropout: Dropout = 0.5
    """Share of the maps at the end of the contracting path that is dropped while training."""
    balanced: bool = True
    """Let all classes count alike in the loss in sum, however many pixels are of each."""
    border_weight: Annotated[float, at_least(0)] = 10.0
    """w_0, by how much pixels between touching cells count more."""
    border_distance: Annotated[float, above(0)] = 5.0
    """s, the distance in pixels over which that fades."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=1e-3, optimizer_arguments=("momentum=0.99",))
    """How a gradient becomes an update."""

    def __post_init__(self) -> None:
        side = self.image_size
        if side is not None and side != (larger := self.side_for(max(1, side - 2 * self.margin))):
            raise ConfigurationError(
                f"{self.depth} poolings do not divide windows of this side evenly",
                where="image_size",
                expected=f"such as {max(larger - (1 << self.depth), self.side_for(1))} or {larger}",
                found=str(side),
            )

    @property
    def margin(self) -> int:
        """Pixels at each side of a window that have no answer: 92 for four poolings without padding."""
        return 0 if self.padding == "same" else 6 * (1 << self.depth) - 4

    def side_for(self, answer: int) -> int:
        """Return the side of the smallest window whose answer has so many pixels along a side at least.

        >>> Config().side_for(388), Config(padding="same").side_for(250)
        (572, 256)
        """
        step = 1 << self.depth
        if self.padding == "same":
            return max(1, -(-answer // step)) * step
        lowest = max(5, -(-(answer + 8 * step - 4) // step))  # of the maps after the last pooling
        return step * lowest + 4 * (step - 1)


class UNet(nn.Module):
    """Logits of every pixel of images.

    >>> network = UNet(Config())
    >>> sum(parameter.numel() for parameter in network.parameters())
    31030658
    >>> UNet(Config(width=2))(torch.zeros(1, 1, 572, 572)).shape
    torch.Size([1, 2, 388, 388])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        widths = [config.width << level for level in range(config.depth + 1)]
        self.in_channels, self.side_for = config.in_channels, config.side_for
        self.margin = config.margin
        self.reach = 6 * (1 << config.depth) - 4 + (1 << config.depth)
        before = [config.in_channels, *widths[:-1]]
        self.contracting = nn.ModuleList(_convolutions(*sizes, config) for sizes in zip(before, widths, strict=True))
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(config.dropout)
        rising = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.enlarging = nn.ModuleList(nn.ConvTranspose2d(wide, narrow, 2, stride=2) for wide, narrow in rising)
        self.expanding = nn.ModuleList(_convolutions(wide, narrow, config) for wide, narrow in rising)
        self.output = nn.Conv2d(config.width, config.num_classes, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes, height', width') of images (batch, channels, height, width)."""
        self._refuse_unfit(images)
        kept, maps = [], images
        for level, layer in enumerate(self.contracting):
            maps = layer(self.pool(maps) if level else maps)
            if level >= len(self.contracting) - 2:
                maps = self.dropout(maps)
            kept.append(maps)
        for enlarge, layer, seen in zip(self.enlarging, self.expanding, kept[-2::-1], strict=True):
            maps = enlarge(maps)
            seen = cropped(seen, maps.shape[2], maps.shape[3]) if self.margin else seen
            maps = layer(torch.cat([seen, maps], dim=1))
        answer: Tensor = self.output(maps)
        return answer

    def at_every_pixel(self, images: Tensor) -> Tensor:
        """Return logits (batch, classes, height, width) of images of any size, continued by reflection as needed."""
        height, width = images.shape[2:]
        below, right = (self.side_for(side) - side - self.margin for side in (height, width))
        mirrored = _mirrored(_mirrored(images, self.margin, below, 2), self.margin, right, 3)
        answer: Tensor = self(mirrored)[..., :height, :width]
        return answer

    def _refuse_unfit(self, images: Tensor) -> None:
        sides = tuple(images.shape[2:])
        fit = tuple(self.side_for(max(1, side - 2 * self.margin)) for side in sides)
        if images.shape[1] != self.in_channels or sides != fit:
            raise ShapeError(
                "the network cannot take images of this shape",
                expected=f"(batch, {self.in_channels}, {', '.join(map(str, fit))})",
                found=str(tuple(images.shape)),
                remedy="`at_every_pixel` takes images of any size",
            )


def _convolutions(inputs: int, outputs: int, config: Config) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in (inputs, outputs):
        layers.append(nn.Conv2d(size, outputs, KERNEL, padding=config.padding, bias=not config.normalised))
        layers += [nn.BatchNorm2d(outputs)] if config.normalised else []
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _mirrored(images: Tensor, before: int, after: int, axis: int) -> Tensor:
    """Continue images along an axis by reflection, again and again where they are small."""
    size = images.shape[axis]
    places = torch.arange(-before, size + after, device=images.device).abs()
    period = max(1, 2 * (size - 1))
    places = size - 1 - (size - 1 - places % period).abs()
    return images.index_select(axis, places)


SMALL = Config(
    width=8,
    depth=3,
    padding="same",
    normalised=True,
    dropout=0.0,
    balanced=False,
    border_weight=2.0,
    border_distance=3.0,
    descent=Descent(optimizer="adam", learning_rate=1e-2),
)
TINY = Config(
    width=4,
    depth=1,
    padding="same",
    normalised=True,
    dropout=0.0,
    image_size=32,
    descent=Descent(optimizer="adam", learning_rate=1e-2),
)


def build(config: Config) -> LearningRule:
    return Pixelwise(UNet(config), config.descent)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    side = config.image_size or config.side_for(388 if config.padding == "valid" else 256)
    return {"network": (torch.zeros(1, config.in_channels, side, side),)}
