"""Spoken words: a network hears a word as a picture of time and pitch, and says which it is, or spells it.

Idea:
    A sound is cut into frames of some hundredths of a second, and of each is kept how strong it is in bands of pitch
    that are as wide as the ear's. Layers of memory cells read the frames forwards and backwards, so that what they
    say at a time depends on all before and after it. What they find is collected over time, and a linear layer
    decides which word it was. Convolutions before them may look for short patterns that move up and down in pitch
    from voice to voice. With letters in place of classes, the network says at every step which letter it hears or
    that it hears none, and learns from the spelling alone, without being told when each letter is spoken.

Equations:
    P_tm = sum_k F_mk |sum_n w_n x_{h t + n} e^(-2 pi i k n / N)|^2      power in band m of frame t
    s_t = log P_t, less its mean over time, divided by one deviation; for cepstra D log P_t
    f_t = LSTM(s_t, f_{t-1}),  b_t = LSTM(s_t, b_{t+1})
    words     p = softmax(V mean_t [f_t; b_t] + a),  L = -log p(word)
    letters   y_t = softmax(V [f_t; b_t] + a) over all letters and the blank,
              L = -log sum over paths pi with B(pi) = spelling of prod_t y_t(pi_t)
              where B takes away repetitions, and then blanks
    time delays (Waibel et al.)   u_t = sigmoid(b + sum_{d=0..2} W_d s_{t+d}),
              v_t = sigmoid(c + sum_{d=0..4} U_d u_{t+d}),  p = softmax(g mean_t v_t + a)

Networks:
    network: `SpokenWords`, from waveforms (batch, time), not a number past the end of each, to logits (batch, classes);
    for letters (batch, steps, letters), letter 0 being the blank, which is certain past the end.

Learning rule:
    Supervised, cross-entropy or connectionist temporal classification, Adam with clipping.

Data it expects:
    Sounds with labels: a folder of WAV files for each class, files named after their class, or a table beside them.
    To spell, a table beside the sounds with a column of texts: then the task is transcription.

What to expect:
    The generated `voices`, 1,000 made-up words by eight synthetic voices: 99 of 100 in half a minute of one core, where
    templates of each word have 46. Spoken digits of six people: 98 of 100 where the test takes are of the same people
    (97 without convolutions, 87 by time delays of 3,198 weights); of a voice that was never heard 54 to 89, since five
    voices are few. The generated `syllables` are spelled with 1 letter of 100 wrong.

Departures from the paper:
    1. Frames are standardised within each word, so that loudness and microphone do not matter.
    2. While training, words are spoken a little faster or slower, moved in time, mixed with noise, and bands and
       stretches of time are covered (Ko et al. 2015, Park et al. 2019).
    3. Convolutions before the memory cells are the default; `--form lstm` is without, `--form time-delay` the network
       of 1989, whose 15 frames become as many as there are and whose squared error becomes cross-entropy.

References:
    Graves and Schmidhuber, Framewise phoneme classification with bidirectional LSTM networks (2005).
    Waibel, Hanazawa, Hinton, Shikano and Lang, Phoneme recognition using time-delay neural networks (1989).
    Graves, Fernandez, Gomez and Schmidhuber, Connectionist temporal classification (2006).
    Davis and Mermelstein, Comparison of parametric representations for monosyllabic word recognition (1980).
    Ko, Peddinti, Povey and Khudanpur, Audio augmentation for speech recognition (2015), for other speeds.
    Park et al., SpecAugment: a simple data augmentation method for automatic speech recognition (2019).
"""

from dataclasses import replace
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn import dropout
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent.named_cells import CellName, recurrent_layers
from ganglion.nn.recurrent.sequences import padding
from ganglion.nn.sound.spectra import Spectrogram
from ganglion.rules.ctc import ctc_loss
from ganglion.rules.descend import Descent
from ganglion.rules.supervised import Supervised, classifier
from ganglion.settings import Count, Dropout, Search, Share, Units, above, at_least, between, settings

CERTAIN = 1e4
"""Logits past the end of a sound by which the blank is certain."""


@settings
class Config:
    """Two layers of memory cells that read log-mel frames in both directions."""

    num_classes: Annotated[int, at_least(2)] | None = 10
    """Words to tell apart; decided by the data, none where words are spelled."""
    vocabulary_size: Count | None = None
    """Letters to spell with; decided by the data, none where words are told apart."""
    sample_rate: Count = 8000
    """Amplitudes a second; decided by the data."""
    window: Annotated[float, above(0)] = 10.0
    """Seconds of a sound that are heard; the rest of a longer one is left out."""
    features: Literal["log-mel", "mfcc"] = "log-mel"
    """What a frame is to the network: its log power in bands of pitch, or the cepstrum of that."""
    bands: Annotated[int, at_least(4)] = 40
    """Bands of pitch."""
    coefficients: Annotated[int, at_least(2)] = 13
    """Coefficients of the cepstrum."""
    frame: Annotated[float, between(0.002, 1.0)] = 0.025
    """Seconds that a frame sees."""
    hop: Annotated[float, between(0.001, 1.0)] = 0.01
    """Seconds from frame to frame."""
    time_delays: bool = False
    """Read frames by the two layers of time delays of Waibel et al. instead of all that follows."""
    delay_units: Count = 8
    """Units of the first layer of time delays."""
    channels: tuple[Count, ...] = ()
    """Kernels of the convolutions before the memory cells, each of which halves pitch; the first halves time, too."""
    cell: CellName = "lstm"
    """What the recurrent layers are made of."""
    hidden_features: Units = 128
    """Cells in each direction."""
    num_layers: Annotated[int, at_least(0), Search(low=1, high=3, usual=True)] = 2
    """Recurrent layers; 0 decides on what the convolutions find alone."""
    dropout: Dropout = 0.1
    """Share of values zeroed while training, between layers and before the decision."""
    speed: Share = 0.1
    """Share by which words are spoken faster or slower while training, at most."""
    shift: Share = 0.1
    """Share of its length by which a word is moved in time while training, at most."""
    noise: Share = 0.05
    """Loudness of the noise that is mixed in while training, as a share of the word's own, at most."""
    covered: Share = 0.1
    """Share of the bands and of the frames that is covered while training, at most."""
    descent: Descent = Descent(optimizer="adam", learning_rate=4e-3, clip_norm=1.0)
    """How a gradient becomes an update; clipped, because gradients through time can explode."""

    def __post_init__(self) -> None:
        if (self.num_classes is None) == (self.vocabulary_size is None):
            raise ConfigurationError("a word is told apart or spelled", expected="num_classes or vocabulary_size")
        if self.time_delays and self.vocabulary_size is not None:
            raise ConfigurationError(
                "time delays tell words apart and cannot spell",
                where="time_delays",
                remedy="spell with recurrent layers",
            )
        if not self.time_delays and not self.num_layers and not self.channels:
            raise ConfigurationError(
                "there is no layer between sound and decision", remedy="set channels or num_layers"
            )


class Convolutions(nn.Module):
    """Convolutions of time and pitch, each 3 x 3, normalised, rectified and halved in pitch, the first also in time.

    Args:
        features: bands of a frame.
        channels: kernels of each.
    """

    def __init__(self, features: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        pairs = zip((1, *channels), channels, strict=False)
        self.layers = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1, bias=False) for before, after in pairs)
        self.norms = nn.ModuleList(map(nn.BatchNorm2d, channels))
        for _ in channels:
            features = -(-features // 2)
        self.width = features * channels[-1] if channels else features

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (batch, steps, width), and the steps of each sound, of frames (batch, frames, bands)."""
        maps = inputs[:, None]
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            maps = covered_past(torch.relu(norm(layer(maps))), lengths, dim=2)
            maps = nn.functional.max_pool2d(maps, (2 if number == 0 else 1, 2), ceil_mode=True)
            lengths = (lengths + 1) // 2 if number == 0 else lengths
        return maps.transpose(1, 2).flatten(2), lengths


class TimeDelays(nn.Module):
    """Two layers of units that see some frames each, the same at every time; the second has a unit for each class.

    u_t = sigmoid(b + sum_d W_d s_{t+d}) over 3 frames, v_t = sigmoid(c + sum_d U_d u_{t+d}) over 5.

    Source: Waibel et al. (1989), section II.

    >>> layers = TimeDelays(16, 8, 3)
    >>> hidden, steps = layers(torch.zeros(1, 15, 16), torch.tensor([15]))
    >>> hidden.shape, steps.tolist()
    (torch.Size([1, 9, 3]), [9])
    """

    def __init__(self, features: int, units: int, classes: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(features, units, 3), nn.Conv1d(units, classes, 5)
        self.width = classes

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return v (batch, steps, classes), and the steps of each sound, of frames (batch, frames, features)."""
        missing = max(0, 7 - inputs.shape[1])  # a sound shorter than what one unit sees ends in mean frames
        frames = nn.functional.pad(inputs.transpose(1, 2), (0, missing))
        hidden = self.second(self.first(frames).sigmoid()).sigmoid()
        return hidden.transpose(1, 2), (lengths - 6).clamp_min(1)


class SpokenWords(nn.Module):
    """A spectrogram, layers that read it, and a decision on what they found.

    >>> network = SpokenWords(Config(channels=(8, 16)))
    >>> network(torch.randn(2, 4000)).shape
    torch.Size([2, 10])
    >>> SpokenWords(Config(num_classes=None, vocabulary_size=28))(torch.randn(2, 4000)).shape
    torch.Size([2, 51, 29])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dropout, self.covered, self.spells = config.dropout, config.covered, config.num_classes is None
        coefficients = config.coefficients if config.features == "mfcc" else None
        self.spectrogram = Spectrogram(config.sample_rate, config.bands, coefficients, config.frame, config.hop)
        width = self.spectrogram.features
        outputs = config.num_classes or (config.vocabulary_size or 0) + 1
        self.front: nn.Module | None = None
        self.recurrent: nn.Module | None = None
        if config.time_delays:
            self.front = TimeDelays(width, config.delay_units, outputs)
            self.gains, self.biases = nn.Parameter(torch.full((outputs,), 10.0)), nn.Parameter(torch.zeros(outputs))
            return
        if config.channels:
            self.front = Convolutions(width, config.channels)
            width = self.front.width
        if config.num_layers:
            self.recurrent = recurrent_layers(
                config.cell,
                width,
                config.hidden_features,
                config.num_layers,
                bidirectional=True,
                dropout=config.dropout,
            )
            width = 2 * config.hidden_features
        self.head = Linear(width, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (batch, classes), or (batch, steps, letters), of waveforms (batch, time)."""
        features, frames = self.hear(inputs)
        if self.training and self.covered:
            features = with_covers(features, frames, self.covered)
        return self.answer(features, frames)

    def hear(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return frames (batch, frames, features), and how many there are of each sound (batch,)."""
        past_end = inputs.isnan().index_fill(1, torch.zeros(1, dtype=torch.int64, device=inputs.device), False)
        found: tuple[Tensor, Tensor] = self.spectrogram(inputs.nan_to_num(0.0), (~past_end).sum(1))
        return found

    def answer(self, features: Tensor, frames: Tensor) -> Tensor:
        """Return logits of frames (batch, frames, features), of which each sound has some (batch,)."""
        hidden, lengths = features, frames
        if self.front is not None:
            hidden, lengths = self.front(hidden, lengths)
        if self.recurrent is not None:
            hidden, _ = self.recurrent(dropout(hidden, self.dropout, self.training), lengths=lengths)
        if self.spells:
            logits = self.head(dropout(hidden, self.dropout, self.training))
            certain = logits.new_full((logits.shape[2],), -CERTAIN).index_fill(0, lengths.new_zeros(1), 0.0)
            past_end = padding(lengths, logits.shape[1]).T
            return torch.where(past_end[..., None], certain, logits)
        collected = covered_past(hidden, lengths, dim=1).sum(1) / lengths[:, None]
        if isinstance(self.front, TimeDelays):
            return self.gains * collected + self.biases
        return self.head(dropout(collected, self.dropout, self.training))


def covered_past(values: Tensor, lengths: Tensor, dim: int) -> Tensor:
    """Return values (batch, ...) with 0 past the end of each sample `(batch,)`, whose steps lie along an axis."""
    past_end = padding(lengths, values.shape[dim]).T
    shape = [values.shape[axis] if axis == dim else 1 for axis in range(1, values.dim())]
    return values.masked_fill(past_end.view(-1, *shape), 0.0)


def with_covers(features: Tensor, frames: Tensor, share: float) -> Tensor:
    """Return frames (batch, frames, features) with a stretch of time and some bands side by side set to their mean, 0.

    Args:
        frames: of each sound `(batch,)`.
        share: of the frames and of the bands that are covered at most.

    Source: Park et al. (2019), section 2, without the warp.
    """
    width, first, band_width, band = torch.rand(4, len(features), 1, device=features.device)
    total = frames[:, None]
    start, bands = first * total, band * features.shape[2]
    times, pitches = (torch.arange(size, device=features.device) for size in features.shape[1:])
    in_time = (times >= start) & (times < start + width * share * total)
    in_pitch = (pitches >= bands) & (pitches < bands + band_width * share * features.shape[2])
    return features.masked_fill(in_time[..., None] | in_pitch[:, None], 0.0)


SMALL = Config(channels=(16, 32, 32), hidden_features=64, num_layers=1)
FORMS = {
    "lstm": Config(hidden_features=64, num_layers=2),
    "time-delay": Config(
        time_delays=True,
        delay_units=32,
        bands=16,
        covered=0.0,
        dropout=0.0,
        descent=Descent(optimizer="adam", learning_rate=1e-2, clip_norm=1.0),
    ),
    "convolutional": Config(channels=(16, 32, 64, 64), num_layers=0),
}
TINY = replace(
    SMALL,
    channels=(4,),
    hidden_features=12,
    bands=16,
    dropout=0.0,
    speed=0.0,
    shift=0.0,
    noise=0.0,
    covered=0.0,
    descent=Descent(learning_rate=1e-2, clip_norm=1.0),
)


def build(config: Config) -> LearningRule:
    network = SpokenWords(config)
    if config.num_classes is None:
        return Supervised(network, config.descent, loss=ctc_loss)
    return classifier(network, config.descent)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.sample_rate // 2),)}
