"""Fast R-CNN: what is in each of many proposed boxes, from one pass of the convolutions over the whole picture.

Idea:
    Something else proposes boxes that may show an object, some hundreds for a picture. Convolutions go over the
    picture once; of their maps each box is cut out and pooled to a grid of fixed size, dense layers say what it shows,
    and how it has to be moved to lie on the object. Boxes that say the same of the same place are reduced to the
    surest one.

Equations:
    m       = convolutions(picture)
    r_i     = max of m in each of 7 x 7 parts of box i                  region pooling
    h_i     = relu(V' relu(V r_i))
    p_i     = softmax(A h_i)                                            classes, background first
    t_i     = B h_i                                                     offsets of the box, for each class
    L       = mean over boxes of -log p_u + [u > 0] sum smooth(t^u - v)
    v       = ((x' - x) / w, (y' - y) / h, log w' / w, log h' / h)      the object's x', y', w', h'

Networks:
    network: `FastRCNN`, from pictures (batch, channels, height, width) and boxes (batch, boxes, 4) to a logit and four
    offsets for each class (batch, boxes, classes + 1, 5). Its convolutions are those of `--backbone`: VGG of sixteen
    layers as published, or AlexNet, GoogLeNet, a residual network, Xception or EfficientNet, as far as one place of
    the maps stands for `--stride` pixels at most. The pooling of VGG that would come next is then that of the boxes.

Learning rule:
    Detection: of each picture 64 boxes, at most a quarter of which overlap an object by a half or more; the others
    overlap one by a tenth where there are such. Gradient descent with momentum.

Data it expects:
    Pictures with boxes: Pascal VOC (`Annotations/*.xml` beside `JPEGImages/`) or COCO (a JSON file and the folder of
    pictures). Proposals are found by `proposals`: `blobs` looks for round things of all sizes, `selective-search`
    merges regions of like colour and texture (needs scikit-image), `both` takes those of both, `file` reads those of
    a file `proposals.csv`, `.json`, `.npz` or `.mat` beside the pictures.

What to expect:
    The small form on the drawn `shapes`: mean average precision at an overlap of one half about 0.9 in 40 seconds;
    half as long reaches 0.6 to 0.9. How many objects some proposal covers is printed before training: no more can be
    found.

Departures from the paper:
    1. Weights are drawn; `--start-from` takes those of a run of the backbone's system, or of a file with the names of
       torchvision or timm, the two dense layers of VGG and AlexNet among them.
    2. The share of a region in the map is rounded outwards, so that no part of it is empty.
    3. The small form that training starts from has five plain convolutions normalised by the batch, and learns by Adam.

References:
    Girshick, Fast R-CNN (2015).
    Uijlings et al., Selective search for object recognition (2013).
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.models.backbones import BackboneName, borrow
from ganglion.nn.images.regions import RegionPooling
from ganglion.nn.images.trunk import Trunk
from ganglion.rules.descend import Descent
from ganglion.rules.detection import Detection, Sampling
from ganglion.settings import Count, Dropout, Units, at_least, settings

LARGEST_SIDE = 320
"""Longer side of pictures, where none is given."""


@settings
class Config:
    """Fast R-CNN upon the convolutions of a network of sixteen layers, as published for twenty classes."""

    in_channels: Count = 3
    """Channels of a picture: 1 grey, 3 colour; decided by the data."""
    num_classes: Count = 20
    """Classes of objects; decided by the data."""
    image_size: Annotated[int, at_least(8)] | None = None
    """Longer side that pictures are brought to; their own, at most 320, if not given."""
    backbone: Literal["plain"] | BackboneName = "vgg"
    """System whose convolutions look at the picture; plain are blocks of 3 x 3 as `channels` and `depths` say."""
    backbone_form: Literal["small", "published"] = "published"
    """Form of that system that its settings start from."""
    backbone_settings: tuple[str, ...] = ()
    """Settings of that system as name=value, such as depth=50 or variant=b1."""
    stride: Count = 16
    """Pixels for one place of the maps at most; layers of the backbone that would make them more are left out."""
    channels: tuple[Count, ...] = (64, 128, 256, 512, 512)
    """Of a plain backbone, maps of the convolutions of each block; between blocks the largest of 2 x 2 is taken."""
    depths: tuple[Count, ...] = (2, 2, 3, 3, 3)
    """Of a plain backbone, convolutions of each block."""
    normalised: bool = False
    """Of a plain backbone, normalise the maps of each batch."""
    pooled: Count = 7
    """Side of the grid that each box is pooled to."""
    hidden_features: Units = 4096
    """Width of the two dense layers."""
    dropout: Dropout = 0.5
    """Share of their outputs that is dropped while training."""
    proposals: Literal["blobs", "selective-search", "both", "file"] = "selective-search"
    """What proposes boxes; `file` is proposals.csv, .json, .npz or .mat beside the pictures."""
    most_proposals: Count = 2000
    """Boxes proposed for a picture at most."""
    boxes: Count = 64
    """Boxes of a picture that each step learns from."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=1e-3, optimizer_arguments=("momentum=0.9",))
    """How a gradient becomes an update."""

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.depths):
            raise ConfigurationError(
                "each block has a width and a depth",
                where="channels, depths",
                expected=f"{len(self.channels)} depths",
                found=str(len(self.depths)),
            )


class FastRCNN(nn.Module):
    """What proposed boxes show, and how they come to lie on it.

    >>> with torch.device("meta"):
    ...     network = FastRCNN(Config())
    >>> sum(parameter.numel() for parameter in network.parameters())
    134690729
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._names: dict[str, dict[str, str]] = {}
        if config.backbone == "plain":
            self.convolutions = Trunk(_plain(config), config.in_channels, config.stride)
        else:
            self.convolutions, self._names = borrow(
                config.backbone,
                config.backbone_form,
                config.backbone_settings,
                in_channels=config.in_channels,
                side=config.image_size or LARGEST_SIDE,
                most_stride=config.stride,
                place="convolutions",
                dense=("dense.0", "dense.3"),
            )
        self.pooling = RegionPooling(config.pooled, 1 / self.convolutions.stride)
        hidden, outputs = config.hidden_features, config.num_classes + 1
        self.dense = nn.Sequential(
            nn.Linear(self.convolutions.channels * config.pooled**2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(config.dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(config.dropout),
        )
        self.classes, self.offsets = nn.Linear(hidden, outputs), nn.Linear(hidden, 4 * outputs)
        for last, deviation in ((self.classes, 0.01), (self.offsets, 0.001)):
            nn.init.normal_(last.weight, std=deviation)
            nn.init.zeros_(last.bias)

    def forward(self, images: Tensor, boxes: Tensor | None = None) -> Tensor:
        """Return the logit of each class, background first, and its four offsets (batch, boxes, classes + 1, 5).

        Args:
            images: `(batch, channels, height, width)`.
            boxes: left, top, right, bottom `(batch, boxes, 4)` in pixels; one around the whole image when not given.
        """
        if boxes is None:
            height, width = images.shape[2:]
            boxes = images.new_tensor([0, 0, width, height]).expand(len(images), 1, 4)
        features = self.dense(self.pooling(self.convolutions(images), boxes).flatten(2))
        logits, offsets = self.classes(features).unsqueeze(3), self.offsets(features).unflatten(2, (-1, 4))
        return torch.cat([logits, offsets], dim=3)

    def borrowed_names(self) -> dict[str, dict[str, str]]:
        """Return what the layers of the backbone are called in its system and in packages that publish it."""
        return self._names


def _plain(config: Config) -> list[nn.Module]:
    """Return blocks of convolutions of 3 x 3 that keep the size of maps, and a pooling between two blocks."""
    layers: list[nn.Module] = []
    channels = config.in_channels
    for block, (width, depth) in enumerate(zip(config.channels, config.depths, strict=True)):
        layers += [nn.MaxPool2d(2)] if block else []
        for _ in range(depth):
            convolution = nn.Conv2d(channels, width, 3, padding=1, bias=not config.normalised)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            layers += [convolution, nn.BatchNorm2d(width)] if config.normalised else [convolution]
            layers.append(nn.ReLU(inplace=True))
            channels = width
    return layers


SMALL = Config(
    backbone="plain",
    backbone_form="small",
    stride=4,
    channels=(16, 32, 64),
    depths=(1, 2, 2),
    normalised=True,
    pooled=5,
    hidden_features=128,
    dropout=0.0,
    proposals="blobs",
    most_proposals=150,
    boxes=32,
    descent=Descent(optimizer="adam", learning_rate=2e-3, clip_norm=5.0),
)
TINY = Config(
    num_classes=3,
    image_size=32,
    backbone="plain",
    channels=(8, 16),
    depths=(1, 1),
    normalised=True,
    pooled=4,
    hidden_features=32,
    dropout=0.0,
    proposals="blobs",
    most_proposals=60,
    boxes=32,
    descent=Descent(optimizer="adam", learning_rate=1e-2),
)


def build(config: Config) -> LearningRule:
    return Detection(FastRCNN(config), config.descent, Sampling(boxes=config.boxes))


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    side = config.image_size or LARGEST_SIDE
    box = torch.tensor([[[0.0, 0.0, side / 2, side / 2]]])
    return {"network": (torch.zeros(1, config.in_channels, side, side), box)}
