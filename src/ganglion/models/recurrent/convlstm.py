"""ConvLSTM: a recurrent network over maps watches a film and goes on with it.

Idea:
    What is at a place of a frame comes from what was there and around it a moment before. So the states of the memory
    cells are maps, and the products in their equations are convolutions: each place remembers for itself and hears
    from its neighbours, and the same few weights serve all places. One stack of layers reads the frames that there
    are; another starts from the states that the first has come to, gets nothing more to read, and unrolls the frames
    that follow.

Equations:
    X_t = p x p pixels of frame t as channels of one place
    i_t = s(W * X_t + U * H_{t-1} + p . C_{t-1} + b), f_t likewise;  Z_t = tanh(W * X_t + U * H_{t-1} + b)
    C_t = f_t . C_{t-1} + i_t . Z_t
    o_t = s(W * X_t + U * H_{t-1} + p . C_t + b);  H_t = o_t . tanh(C_t)            each with its own W, U, p, b
    encoder:     layer l reads H of layer l - 1, the first one X_1 .. X_J
    forecaster:  layer l starts from C, H of the encoder's layer l and reads H of layer l - 1, the first one nothing
    P_t = s(V [H_t of all layers] + d)                  a 1 x 1 convolution; pixels of frame J + t
    L = -sum over pixels of x log P + (1 - x) log(1 - P)        in nats a frame, mean over frames and films
    With `memory` dense, the states are vectors and the products are those of matrices, and P_t is read from the
    highest layer alone: an FC-LSTM.

Networks:
    network: `FilmForecaster`, from frames (batch, frames, channels, height, width) of 0 to 1 to logits of those that
    follow, of the same form. `forecast` goes on for any number of frames.

Learning rule:
    Supervised, cross-entropy of pixels, back-propagation through all frames; RMSProp.

Data it expects:
    Films: animated GIF, WebP or PNG files, videos, folders of frames, or NPZ arrays (films, frames, height, width);
    longer ones are cut into pieces. Frames keep their proportions.

What to expect:
    After about a minute of training one sees where a digit that bounces off the edges of 32 x 32 pixels will be, as a
    blurred spot: 172 nats a frame, where the last frame has 210, the mean frame 229, and the dense form, with more
    than ten times the weights, 214. After some minutes (20 passes, the default) it is 139, and the spot has the
    outline of the digit. Sharp digits take longer still (`--epochs 60`), and far frames blur always, because small
    doubts about the way add up.

Departures from the paper:
    1. Peepholes have one weight for each channel instead of one for each place. This gives the published numbers of
       parameters, and fits films of any size.
    2. The published cross-entropies are sums over the ten frames of a film; here it is that of a frame, a tenth.
    3. Training starts from a smaller net, with Adam.
    4. Moving MNIST is 2,000 films here, not 10,000.

References:
    Shi, Chen, Wang, Yeung, Wong and Woo, Convolutional LSTM network: a machine learning approach for precipitation
    nowcasting (2015).
    Srivastava, Mansimov and Salakhutdinov, Unsupervised learning of video representations using LSTMs (2015), for the
    data and for the dense form.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn import ConvLSTM, Recurrent
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent import LSTMCell
from ganglion.rules.descend import Descent
from ganglion.rules.losses import frame_cross_entropy
from ganglion.rules.supervised import Supervised
from ganglion.settings import Bound, Count, at_least, settings

Odd = Annotated[int, Bound("an odd number from 1 on", lambda side: side > 0 and side % 2 == 1)]


@settings
class Config:
    """The best net of the paper: three layers of 128, 64 and 64 maps, kernels of 5 x 5, patches of 4 x 4 pixels."""

    in_channels: Count = 1
    """Channels of a frame: 1 grey, 3 colour; decided by the data."""
    image_height: Count = 64
    """Height of a frame; decided by the data."""
    image_width: Count = 64
    """Width of a frame; decided by the data."""
    longest_side: Annotated[int, at_least(8)] = 64
    """Pixels that the longer side of frames is brought down to."""
    patch_size: Count = 4
    """Side of the squares of pixels that are one place of the maps."""
    input_frames: Count = 10
    """Frames that are read."""
    output_frames: Count = 10
    """Frames that are forecast in training."""
    memory: Literal["convolutional", "dense"] = "convolutional"
    """Whether states are maps, or vectors that know of no places."""
    hidden_channels: tuple[Count, ...] = (128, 64, 64)
    """Maps of the state of each layer, or numbers where memory is dense, from the lowest to the highest."""
    kernel_size: Odd = 5
    """Side of the kernels over states: how far a place hears in a step."""
    input_kernel_size: Odd | None = None
    """Side of the kernels over inputs; that of the others when not given."""
    descent: Descent = Descent(optimizer="rmsprop", learning_rate=1e-3, optimizer_arguments=("alpha=0.9",))
    """How a gradient becomes an update."""


class FilmForecaster(nn.Module):
    """Logits of the frames that follow, from frames `(batch, frames, channels, height, width)` of 0 to 1.

    Raises `ConfigurationError` where patches do not cover a frame.

    >>> network = FilmForecaster(SMALL)
    >>> network(torch.zeros(2, 10, 1, 64, 64)).shape, network.forecast(torch.zeros(1, 10, 1, 32, 48), 3).shape
    (torch.Size([2, 5, 1, 64, 64]), torch.Size([1, 3, 1, 32, 48]))
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.patch_size, self.output_frames = config.patch_size, config.output_frames
        if config.image_height % config.patch_size or config.image_width % config.patch_size:
            raise ConfigurationError(
                "patches must cover a frame",
                where="patch_size",
                expected="a divisor of height and width",
                found=f"{config.patch_size} for frames of {config.image_height} x {config.image_width}",
            )
        channels, widths = config.in_channels * config.patch_size**2, config.hidden_channels
        sides = (config.kernel_size, config.input_kernel_size)
        self.encoder = _layers_of_maps(channels, widths, *sides)
        self.forecaster = nn.ModuleList(
            _layers_of_maps(below, (width,), *sides) for below, width in pairwise((0, *widths))
        )
        self.head = nn.Conv2d(sum(widths), channels, 1)

    def forward(self, films: Tensor) -> Tensor:
        return self.forecast(films, self.output_frames)

    def forecast(self, films: Tensor, steps: int) -> Tensor:
        """Return logits (batch, steps, channels, height, width) of the frames that follow."""
        patches = pixel_unshuffle(films, self.patch_size)  # (batch, frames, channels, rows, columns)
        _, states = self.encoder(patches)
        maps = patches[:, :1, :0].expand(-1, steps, -1, -1, -1)  # of no channels: there is nothing more to read
        found = []
        for layer, state in zip(self.forecaster, states, strict=True):
            maps, _ = layer(maps, (state,))
            found.append(maps)
        logits = self.head(torch.cat(found, dim=2).flatten(0, 1)).unflatten(0, (-1, steps))
        return pixel_shuffle(logits, self.patch_size)


def _layers_of_maps(
    in_channels: int, widths: tuple[int, ...], kernel_size: int, input_kernel_size: int | None
) -> ConvLSTM:
    return ConvLSTM(in_channels, widths, kernel_size, input_kernel_size=input_kernel_size)


class DenseForecaster(nn.Module):
    """The same by cells without places: an encoder and a forecaster of dense memory cells, read at the highest layer.

    >>> network = DenseForecaster(Config(memory="dense", hidden_channels=(8, 8)))
    >>> network(torch.zeros(2, 10, 1, 64, 64)).shape
    torch.Size([2, 10, 1, 64, 64])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.output_frames = config.output_frames
        pixels = config.in_channels * config.image_height * config.image_width
        self.encoder = _dense_layers(pixels, config.hidden_channels)
        self.forecaster = _dense_layers(0, config.hidden_channels)
        self.head = Linear(config.hidden_channels[-1], pixels)

    def forward(self, films: Tensor) -> Tensor:
        return self.forecast(films, self.output_frames)

    def forecast(self, films: Tensor, steps: int) -> Tensor:
        """Return logits (batch, steps, channels, height, width) of the frames that follow."""
        pixels = films.flatten(2)
        _, states = self.encoder(pixels)
        remembered, _ = self.forecaster(pixels[:, :1, :0].expand(-1, steps, -1), states)
        return self.head(remembered).unflatten(2, films.shape[2:])


def _dense_layers(in_features: int, widths: tuple[int, ...]) -> Recurrent:
    return Recurrent([LSTMCell(*pair, peepholes=True) for pair in pairwise((in_features, *widths))])


SMALL = Config(
    longest_side=32,
    input_frames=5,
    output_frames=5,
    hidden_channels=(32, 32),
    kernel_size=3,
    descent=Descent(learning_rate=5e-3, clip_norm=1.0),
)
TINY = Config(
    image_height=8,
    image_width=8,
    longest_side=8,
    input_frames=4,
    output_frames=3,
    patch_size=2,
    hidden_channels=(16,),
    kernel_size=3,
    descent=Descent(learning_rate=2e-2),
)
FORMS = {
    "256": Config(hidden_channels=(256,)),
    "128-128": Config(hidden_channels=(128, 128)),
    "9x9-128-128": Config(hidden_channels=(128, 128), kernel_size=1, input_kernel_size=9),
    "9x9-128-64-64": Config(kernel_size=1, input_kernel_size=9),
    "fc-lstm": Config(memory="dense", hidden_channels=(2048, 2048)),
    "dense": replace(SMALL, memory="dense", hidden_channels=(256, 256), descent=Descent(learning_rate=1e-3)),
}


def build(config: Config) -> LearningRule:
    network = DenseForecaster(config) if config.memory == "dense" else FilmForecaster(config)
    return Supervised(network, config.descent, loss=frame_cross_entropy)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    size = (config.in_channels, config.image_height, config.image_width)
    return {"network": (torch.zeros(1, config.input_frames, *size),)}
