"""Captioner: a convolutional network sees a picture, a recurrent one says in a sentence what is in it.

Idea:
    A picture is read by convolutions, which leave a vector for each region of it. A recurrent network writes the
    caption word by word. In the form *show and tell* it gets one vector of the whole picture before its first word. In
    the form *show, attend and tell* it looks at each word at those regions that it needs, so that one can see where it
    looked when it wrote "circle".

Equations:
    a_1 .. a_L = CNN(I), each with its place          regions of the picture
    attend:  e_tj = score(s_{t-1}, a_j),  w_tj = softmax over j of e_tj,  z_t = sum over j of w_tj a_j
             s_0 = tanh(W mean a),  s_t = cells([E y_{t-1}; z_t], s_{t-1})
             `query` after: s_t = cells(E y_{t-1}, s_{t-1}) asks, and layers above read z_t
    tell:    s_0 = cells(W [a_1; ..; a_L] of a coarser grid, 0),  s_t = cells(E y_{t-1}, s_{t-1})
    p(y_t | y_1 .. y_{t-1}, I) = softmax(V [s_t; z_t; E y_{t-1}] + d), or tied: softmax(E tanh(V [..]) + d)
    L = mean -log p(y_t)                              over all words, the end among them

Networks:
    network: `Captioner`, from pictures (batch, channels, size, size) and numbers of tokens (batch, steps) to logits
    (batch, steps, tokens) of what comes after each token. `remember` and `read` write step by step.

Learning rule:
    Back-propagation through both networks, led by the right words (`SequenceToSequence`). Adam with clipping. A
    picture with several captions is shown with another of them in every epoch.

Data it expects:
    A folder of pictures with a table or JSON lines beside them (`metadata.csv`, `captions.jsonl`), a row for each
    picture and caption; or with the captions of COCO. Pictures are brought to one size.

What to expect:
    Some 98 of 100 drawn scenes are described without any mistake after five to ten minutes on one core, pairs that
    training has not seen among them. What lies beside something is learnt first; the shape of a small thing on a large
    one comes late, and needs convolutions that do not halve at once (`--unhalved`). Photographs need tens of
    thousands of captions and networks that were trained on a million pictures before: from some hundreds it learns
    the commonest words.

Departures from the paper:
    1. Their convolutional networks were trained beforehand on ImageNet; this one starts from chance and is small.
    2. Each region knows its place, two numbers, since "left of" is learnt faster so.
    3. No gate weighs what is looked at, and nothing asks that each region be looked at once.
    4. What training starts from asks after the first layer and lets the second read what was found, so that all steps
       of a layer are computed at once; and it reads out through the words' own vectors.

References:
    Vinyals, Toshev, Bengio and Erhan, Show and tell: a neural image caption generator (2015).
    Xu et al., Show, attend and tell: neural image caption generation with visual attention (2015).
    Karpathy and Fei-Fei, Deep visual-semantic alignments for generating image descriptions (2015).
"""

from dataclasses import replace
from typing import Annotated, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn import NormalisedConvolution, check_images
from ganglion.nn.language.writer import Bridge, Writer, WriterSettings
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent.named_cells import CellName
from ganglion.rules.descend import Descent
from ganglion.rules.recurrent.translation import Sampling, SequenceToSequence
from ganglion.settings import Count, Share, Units, at_least, settings

PLACE = 2
"""Numbers that say where a region lies: across and down, from -1 to 1."""


@settings
class Config(WriterSettings):
    """Attention over regions, one layer of memory cells of 512."""

    in_channels: Count = 3
    """Channels of a picture: 1 grey, 3 colour."""
    image_size: Count = 96
    """Side of the pictures; a size given by hand is what the data is resized to."""
    window: Count = 40
    """Tokens of a caption that are learnt from."""
    channels: tuple[Count, ...] = (64, 128, 256, 512)
    """Maps of each convolution; the last are the features of a region."""
    regions: Count = 12
    """Convolutions halve the picture until its regions are at most so many across and down."""
    unhalved: Annotated[int, at_least(0)] = 0
    """Convolutions at the front that halve nothing, so that small things keep their outlines."""
    grid: Count = 1
    """Without attention: fields across and down of which the picture's vector is made, each a mean of regions."""
    cell: CellName = "lstm"
    embedding_features: Units = 512
    deep_output: bool = True
    """Read out what is looked at and the word before, too, and not the state alone."""
    label_smoothing: Share = 0.0
    """Share of a right token's probability that is spread evenly over all tokens while training."""
    sampling: Sampling = Sampling()
    """How the right words before are replaced by its own while training."""
    descent: Descent = Descent(optimizer="adam", learning_rate=4e-4, clip_norm=5.0)
    """How a gradient becomes an update."""

    smallest_image: ClassVar[int] = 32
    largest_image: ClassVar[int] = 96


class Captioner(Writer):
    """Logits of the words of a caption for pictures `(batch, channels, size, size)`.

    >>> network = Captioner(Config(image_size=32, regions=8, target_vocabulary_size=40)).eval()
    >>> pictures, captions = torch.zeros(2, 3, 32, 32), torch.tensor([[2, 11, 4], [2, 12, 3]])
    >>> network(pictures, captions).shape, network.attended(pictures, captions).shape
    (torch.Size([2, 3, 41]), torch.Size([2, 3, 64]))
    """

    def __init__(self, config: Config) -> None:
        features, looks = config.channels[-1] + PLACE, config.attention != "none"
        super().__init__(config, features if looks else 0, deep_output=config.deep_output)
        self.in_channels, self.image_size, self.grid = config.in_channels, config.image_size, config.grid
        layers, width, side = [], config.in_channels, config.image_size
        for number, channels in enumerate(config.channels):
            stride = 2 if side > config.regions and number >= config.unhalved else 1
            layers.append(NormalisedConvolution(width, channels, 3, stride))
            width, side = channels, -(-side // stride)
        self.encoder = nn.Sequential(*layers)
        self.side = side
        if looks:
            parts = tuple(self.lower.layers[0].state_features)
            self.bridge = Bridge((features,) * len(parts), parts, config.decoder_layers)
        else:
            self.whole = Linear(features * self.grid**2, config.embedding_features)

    def regions(self, pictures: Tensor) -> Tensor:
        """Return the features of the regions, their places last, as maps (batch, features, side, side)."""
        check_images(pictures, self.in_channels, self.image_size)
        maps = self.encoder(pictures)
        ends = torch.linspace(-1, 1, self.side, device=maps.device, dtype=maps.dtype)
        down, across = torch.meshgrid(ends, ends, indexing="ij")
        places = torch.stack([across, down]).expand(maps.shape[0], -1, -1, -1)
        return torch.cat([maps, places], 1)

    def remember(self, inputs: Tensor) -> dict[str, Any]:
        """Return the state that a caption of pictures (batch, channels, size, size) starts from."""
        maps = self.regions(inputs)
        if self.attention is None:
            seen = self.whole(F.adaptive_avg_pool2d(maps, self.grid).flatten(1))
            _, cells = self.lower(seen[:, None])
            return {"cells": cells, "summary": seen[:, :0]}
        memory = maps.flatten(2).transpose(1, 2)  # (batch, regions, features)
        mean = memory.mean(1)
        cells = self.bridge([(mean,) * len(self.lower.layers[0].state_features)])
        present = torch.ones_like(memory[..., 0], dtype=torch.bool)
        return {"cells": cells, **self.attending(memory, present)}


SMALL = Config(
    channels=(24, 48, 96, 96),
    unhalved=1,
    embedding_features=128,
    hidden_features=256,
    decoder_layers=2,
    attention_features=128,
    query="after",
    tied=True,
    dropout=0.0,
    descent=Descent(learning_rate=2e-3, clip_norm=1.0),
)
FORMS = {
    "show-and-tell": replace(
        SMALL, attention="none", query="before", grid=4, decoder_layers=1, tied=False, deep_output=False
    ),
}
"""The caption from one vector of the whole picture, at the size that training starts from."""
TINY = replace(
    SMALL,
    target_vocabulary_size=100,
    image_size=32,
    channels=(8, 16),
    unhalved=0,
    regions=8,
    window=12,
    embedding_features=24,
    hidden_features=32,
    attention_features=16,
    descent=Descent(learning_rate=1e-2, clip_norm=1.0),
)


def build(config: Config) -> LearningRule:
    network = Captioner(config)
    return SequenceToSequence(network, config.descent, sampling=config.sampling, label_smoothing=config.label_smoothing)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    pictures = torch.zeros(1, config.in_channels, config.image_size, config.image_size)
    return {"network": (pictures, torch.ones(1, config.window, dtype=torch.int64))}
