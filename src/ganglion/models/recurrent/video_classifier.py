"""Video classifier: a convolutional network looks at every frame, a recurrent one puts together what it saw.

Idea:
    A frame is a picture, and a convolutional network says what is in it. What happens in a film is in no frame: it
    is in how they follow each other. So memory cells read what was seen frame by frame, and after each frame there is
    an answer to what the film shows as far as it went.

Equations:
    v_t = CNN(x_t)                                     what is seen in frame x_t, the same network for all frames
    s_t = cells(v_t, s_{t-1})                          what is remembered of all frames so far
    z_t = V s_t + a                                    the answer at frame t
    p(class | x_1 .. x_T) = softmax(z_T)               `answer` last; with mean, softmax of (z_1 + .. + z_T) / T
    p(class_t | x_1 .. x_t) = softmax(z_t)             where every frame has a class of its own
    L = mean -log p(true class)
    With `memory` convlstm, v_t and s_t are maps, each place remembers for itself what was there and around it, and
    z_t = V m_t + a, where m_t are the largest values of the maps s_t.

Networks:
    network: `VideoClassifier`, from films (batch, frames, channels, height, width) to logits (batch, classes), or
    (batch, frames, classes) where every frame has a class.

Learning rule:
    Supervised, cross-entropy, back-propagation through all frames, Adam with clipping.

Data it expects:
    Clips with labels: animated GIF, WebP or PNG files, videos or folders of frames, in a folder for each class; or
    NPZ arrays (films, frames, height, width). A table with the columns clip, frame and label, or an array of labels
    (films, frames), gives every frame a class. So many frames are taken of each clip, evenly spread over it.

What to expect:
    Which of eight ways a digit goes is learnt to 97 % and more in about a minute, where no single frame says anything
    about it. Every evaluation on the test part also shows the network the frames in another order, and its middle
    frame alone again and again: where these are as good, time is not needed.

Departures from the paper:
    1. The networks that look at frames are small and learnt with the rest; the papers take large ones that learnt
       from photographs.
    2. No optical flow is computed beforehand.
    3. The maps of the ConvLSTM form are summed up by their largest values.

References:
    Donahue et al., Long-term recurrent convolutional networks for visual recognition and description (2015).
    Ng et al., Beyond short snippets: deep networks for video classification (2015).
    Shi et al., Convolutional LSTM network (2015).
"""

from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn import ConvLSTM, Recurrent, dropout
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent.named_cells import CellName, recurrent_layers
from ganglion.nn.stages import in_stages
from ganglion.rules.descend import Descent
from ganglion.rules.recurrent.sequences import steps_accuracy, steps_cross_entropy
from ganglion.rules.supervised import Supervised, classifier
from ganglion.settings import Count, Dropout, Units, at_least, settings

POOL = 2


@settings
class Config:
    """Two convolutions for each frame, one layer of memory cells."""

    in_channels: Count = 1
    """Channels of a frame: 1 grey, 3 colour; decided by the data."""
    image_size: Annotated[int, at_least(8)] = 32
    """Side that frames are resized to; that of the data within bounds when not given."""
    num_frames: Annotated[int, at_least(2)] = 10
    """Frames that are taken of each clip, evenly spread over it; as many as most clips have when not given."""
    num_classes: Count = 8
    """Classes; decided by the data."""
    by_frame: bool = False
    """Whether every frame has a class of its own; decided by the data."""
    channels: tuple[Count, ...] = (16, 32)
    """Maps of the convolutions, each of which halves height and width."""
    features: Units = 128
    """What is seen in a frame, in so many numbers."""
    memory: CellName | Literal["convlstm"] = "lstm"
    """What remembers: cells of numbers, by name, or maps."""
    hidden_features: Units = 128
    """Cells; with convlstm the maps of its state."""
    answer: Literal["last", "mean"] = "last"
    """What is said of a clip: the answer at its last frame, or the mean of the answers at all."""
    dropout: Dropout = 0.0
    """Share of what is seen in frames that is dropped while training."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3, clip_norm=1.0)
    """How a gradient becomes an update; clipped, because gradients through time can explode."""

    smallest_image: ClassVar[int] = 8
    largest_image: ClassVar[int] = 64
    most_frames: ClassVar[int] = 32
    """Of each clip, where the user does not say."""


class VideoClassifier(nn.Module):
    """Logits `(batch, classes)` for films `(batch, frames, channels, height, width)`, or one for every frame.

    >>> network = VideoClassifier(Config())
    >>> network(torch.zeros(2, 10, 1, 32, 32)).shape, network.at_every_frame(torch.zeros(2, 10, 1, 32, 32)).shape
    (torch.Size([2, 8]), torch.Size([2, 10, 8]))
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.by_frame, self.answer, self.dropout = config.by_frame, config.answer, config.dropout
        channels = pairwise((config.in_channels, *config.channels))
        self.convolutions = nn.ModuleList(nn.Conv2d(*pair, 3, padding=1) for pair in channels)
        self.pool, self.activation = nn.MaxPool2d(POOL), nn.ReLU()
        hidden = config.hidden_features
        self.looks_at_maps = config.memory == "convlstm"
        if config.memory == "convlstm":
            self.recurrent: Recurrent = ConvLSTM(config.channels[-1], (hidden,))
        else:
            side = config.image_size // POOL ** len(config.channels)
            self.features = Linear(config.channels[-1] * side * side, config.features)
            self.recurrent = recurrent_layers(config.memory, config.features, hidden)
        self.head = Linear(hidden, config.num_classes)

    def forward(self, films: Tensor) -> Tensor:
        if self.by_frame:
            return self._frame_by_frame(films)
        return self.at_every_frame(films)[:, -1]

    def at_every_frame(self, films: Tensor) -> Tensor:
        """Return what is answered after each frame, logits `(batch, frames, classes)`: the last is that of the film."""
        logits = self._frame_by_frame(films)
        if self.by_frame or self.answer == "last":
            return logits
        seen = torch.arange(1, logits.shape[1] + 1, device=logits.device)
        return logits.cumsum(1) / seen[:, None]

    def _frame_by_frame(self, films: Tensor) -> Tensor:
        """Return z_t (batch, frames, classes)."""
        maps = films.flatten(0, 1)
        for convolution in self.convolutions:
            maps = in_stages(maps, convolution, self.pool, self.activation)
        seen = maps if self.looks_at_maps else self.activation(self.features(maps.flatten(1)))
        seen = dropout(seen, self.dropout, self.training).unflatten(0, (-1, films.shape[1]))
        remembered, _ = self.recurrent(seen)
        return self.head(remembered.amax((3, 4)) if self.looks_at_maps else remembered)


SMALL = Config()
TINY = Config(
    image_size=8,
    num_frames=5,
    num_classes=2,
    channels=(8,),
    features=32,
    hidden_features=32,
    descent=Descent(learning_rate=1e-2),
)
FORMS = {"convlstm": Config(memory="convlstm", hidden_features=32)}


def build(config: Config) -> LearningRule:
    network = VideoClassifier(config)
    if not config.by_frame:
        return classifier(network, config.descent)
    return Supervised(network, config.descent, loss=steps_cross_entropy, measures={"accuracy": steps_accuracy})


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    size = (config.in_channels, config.image_size, config.image_size)
    return {"network": (torch.zeros(1, config.num_frames, *size),)}
