"""Temporal convolutional network: dilated convolutions that see only the past forecast a series, or classify many.

Idea:
    A kernel slides along a series and looks at the present step and some before it, never at one that comes later.
    Each block looks at steps twice as far apart as the block below, so the past that the last step sees doubles with
    every block while the weights grow by one block only. All steps are computed at once: nothing is carried from step
    to step, so there is no state through which an error could vanish.

Equations:
    causal convolution  z_t = b + sum_k w_k x_{t - d k},  k = 0 ... f - 1, with x = 0 before the series begins
    dilation            d = 2^l in block l = 0 ... n - 1
    weight              w = g v / |v|, for each kernel
    block               h = max(0, x + max(0, C_2(max(0, C_1(x))))), x through a 1 x 1 convolution if widths differ
    receptive field     1 + 2 (f - 1)(2^n - 1) steps
    forecast            y = V h_T + a, the next values of every column, from the last step T
    L                   mean (y - s_{T+1})^2, over samples, steps and columns, in standardised units
    relative            x_t = s_t - s_T and y + s_T is the forecast; else x_t = s_t, for a series s and T steps of it
    quantiles           L = mean max(q (s - y_q), (q - 1) (s - y_q)), y_q having the share q of the values below
    classes             logits V h_T + a, or V mean_t h_t + a; L = cross-entropy of their softmax

Networks:
    network: `SeriesConvNet`, from windows (batch, window, columns) to next values (batch, columns), for several steps
    or quantiles (batch, steps, columns, quantiles); where there are classes, to their logits (batch, classes).

Learning rule:
    Supervised, squared error, the error of quantiles or cross-entropy, Adam.

Data it expects:
    To forecast, a series in the order of time: a CSV with one row for each step and any numeric columns, or a
    generator. Everything is as for `lstm-forecaster`: parts in the order of time, columns standardised on the training
    part, every column forecast, scores of the target column. Windows of a few hundred steps cost little.
    To classify, many short series of one length with a class each: arrays (samples, steps, channels) with targets, or,
    with `--task classification`, a table with a series in each row.

What to expect:
    `mackey-glass` after 12 passes: a mean error of 0.12 changes from step to step, in 12 s on a CPU, where the last
    value has 0.99. Airline passengers, windows of 24 and 100 passes: 0.69 (a recurrent network of 48 cells 0.98, naive
    methods 1.99). The generated `waves`, to classify: 99 % of the test part, where the nearest neighbour has 61 %.
    `ganglion forecast RUN RUN` takes the mean with another run, such as a recurrent one, by weights that are best on
    the validation part. Where the two are about as good it helps a little there, less on the test part; where one is
    much better it has all the weight. What lies further back than the receptive field is not seen: more blocks or
    wider kernels see further.

Departures from the paper:
    1. Windows are taken relative to their last value, as by Zeng et al. (2023); it has no parameters and can be
       switched off.
    2. The default is the paper's network for digits read pixel by pixel, of 66,910 weights with ten classes; what
       training starts from is smaller.
    3. Series can also be classified from the mean over all steps, as by Wang et al. (2017).

References:
    Bai, Kolter and Koltun, An empirical evaluation of generic convolutional and recurrent networks for sequence
    modeling (2018).
    van den Oord et al., WaveNet: a generative model for raw audio (2016), for dilated causal convolutions.
    Salimans and Kingma, Weight normalization (2016).
    Tompson et al., Efficient object localization using convolutional networks (2015), for dropping whole channels.
    Wang, Yan and Oates, Time series classification from scratch with deep neural networks (2017).
    Zeng, Chen, Zhang and Xu, Are transformers effective for time series forecasting? (2023).
"""

from functools import partial
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent.known_ahead import with_known_ahead
from ganglion.rules.descend import Descent
from ganglion.rules.losses import Quantiles, quantile_loss
from ganglion.rules.supervised import Supervised, classifier
from ganglion.settings import Count, Dropout, Share, Units, at_least, between, settings


@settings
class Config:
    """Blocks of two dilated causal convolutions, and a dense layer on what they make of the last step."""

    in_features: Count = 1
    """Columns of the series; decided by the data."""
    out_features: Count = 1
    """Columns forecast; decided by the data: every one, so that a forecast can be continued."""
    known_features: Annotated[int, at_least(0)] = 0
    """Columns that a forecast knows in advance, of the calendar and others; decided by the data."""
    num_classes: Annotated[int, at_least(2)] | None = None
    """Classes to tell apart; none where a series is forecast."""
    window: Count = 784
    """Steps of the past that a forecast is made from; the length of series that are classified, decided by the data."""
    horizon: Count = 1
    """Steps forecast at once."""
    quantiles: Quantiles = ()
    """Forecast these quantiles instead of the mean, the median 0.5 among them: 0.1 0.5 0.9 is a band of 80 percent."""
    channels: Units = 25
    """Features of every convolution."""
    num_blocks: Annotated[int, between(1, 20)] = 8
    """Blocks, each with twice the dilation of the one before."""
    kernel_size: Annotated[int, at_least(2)] = 7
    """Steps that a convolution sees at once."""
    dropout: Dropout = 0.05
    """Share of the features that is zeroed after each convolution while training, each at all steps."""
    weight_normalisation: bool = True
    """Learn the length of every kernel apart from its direction."""
    readout: Literal["last", "mean"] = "last"
    """What classes are read from: the last step, or the mean over all steps. Forecasts are read from the last step."""
    relative: bool = True
    """Read windows relative to their last value, so that levels can be forecast that training never saw."""
    label_smoothing: Share = 0.0
    """Share of a class's probability that is spread over all classes."""
    descent: Descent = Descent(optimizer="adam", learning_rate=2e-3)
    """How a gradient becomes an update."""


class CausalConvolution(nn.Module):
    """Convolve series (batch, channels, steps) without looking ahead: z_t = b + sum_k w_k x_{t - d k}.

    The weights of `layer` stand in the order of time: the last is that of the present step, k = 0.

    Args:
        in_channels: channels of the series.
        out_channels: kernels, and channels of what comes out.
        kernel_size: f, the steps that a kernel sees.
        dilation: d, how far these lie apart.
        weight_normalisation: write the weight as g v / |v| for each kernel, and learn g and v.

    Source: van den Oord et al. (2016), section 2.1.

    >>> layer = CausalConvolution(1, 1, kernel_size=2, dilation=2)
    >>> layer.layer.weight.data[:] = torch.tensor([10.0, 1.0])
    >>> layer.layer.bias.data.zero_()
    tensor([0.])
    >>> layer(torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])).tolist()
    [[[1.0, 2.0, 13.0, 24.0]]]
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        dilation: int = 1,
        weight_normalisation: bool = False,
    ) -> None:
        super().__init__()
        self.before = (kernel_size - 1) * dilation
        layer = nn.Conv1d(in_channels, out_channels, kernel_size, dilation=dilation)
        self.layer = weight_norm(layer) if weight_normalisation else layer

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(functional.pad(inputs, (self.before, 0)))


class TemporalBlock(nn.Module):
    """Two causal convolutions of one dilation with a way past them, for series (batch, channels, steps).

    h = max(0, x + max(0, C_2(max(0, C_1(x))))), with dropout of whole channels after each rectifier inside.

    Args:
        in_channels: channels of the series; where they are not `channels`, x goes through a 1 x 1 convolution.
        channels: kernels of both convolutions.
        kernel_size: steps that a kernel sees.
        dilation: how far these lie apart.
        dropout: share of the channels that is dropped while training.
        weight_normalisation: of both convolutions.

    Source: Bai, Kolter and Koltun (2018), figure 1 (b).

    >>> TemporalBlock(3, 8, kernel_size=3, dilation=4)(torch.zeros(2, 3, 20)).shape
    torch.Size([2, 8, 20])
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        kernel_size: int,
        dilation: int,
        dropout: float = 0.0,
        weight_normalisation: bool = True,
    ) -> None:
        super().__init__()
        self.convolution1 = CausalConvolution(in_channels, channels, kernel_size, dilation, weight_normalisation)
        self.convolution2 = CausalConvolution(channels, channels, kernel_size, dilation, weight_normalisation)
        self.past = nn.Identity() if in_channels == channels else nn.Conv1d(in_channels, channels, 1)
        self.activation, self.dropout = nn.ReLU(), nn.Dropout1d(dropout)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.dropout(self.activation(self.convolution1(inputs)))
        hidden = self.dropout(self.activation(self.convolution2(hidden)))
        return self.activation(self.past(inputs) + hidden)


class SeriesConvNet(nn.Module):
    """Blocks of causal convolutions over a window, and a dense layer on the last step, or on the mean of all.

    Raises:
        ConfigurationError: a relative forecast that is not one of every column.

    >>> network = SeriesConvNet(Config(window=60))
    >>> network(torch.zeros(5, 60, 1)).shape, network.receptive_field
    (torch.Size([5, 1]), 3061)
    >>> classifier = SeriesConvNet(Config(num_classes=10))
    >>> sum(parameter.numel() for parameter in classifier.parameters())
    66910
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        columns, forecasts, levels = config.in_features, config.out_features, max(1, len(config.quantiles))
        classes = config.num_classes
        self.relative = config.relative and classes is None
        if self.relative and columns != forecasts:
            raise ConfigurationError(
                "a relative forecast is one of every column",
                found=f"{columns} columns, {forecasts} forecasts",
                remedy="set relative to false, or forecast every column",
            )
        self.classifies, self.readout = classes is not None, config.readout
        self.columns, self.knows = columns, config.known_features > 0
        self.shape = (config.horizon, forecasts, levels)
        self.receptive_field = 1 + 2 * (config.kernel_size - 1) * (2**config.num_blocks - 1)
        read = columns + config.known_features + 1 if self.knows else columns
        widths = [read] + [config.channels] * config.num_blocks
        self.blocks = nn.Sequential(
            *(
                TemporalBlock(
                    widths[level],
                    widths[level + 1],
                    config.kernel_size,
                    2**level,
                    config.dropout,
                    config.weight_normalisation,
                )
                for level in range(config.num_blocks)
            )
        )
        self.output = Linear(config.channels, classes or (1 if self.knows else config.horizon) * forecasts * levels)

    def forward(self, inputs: Tensor) -> Tensor:
        """Forecast the values that follow windows (batch, window, in_features): (batch, out_features), or
        (batch, horizon, out_features, levels) where several steps or levels are asked for; or return logits of
        classes (batch, num_classes)."""
        horizon = self.shape[0]
        last = inputs[:, -1 - horizon if self.knows else -1, : self.columns]  # (batch, in_features)
        if self.knows:
            inputs = with_known_ahead(inputs, self.columns, horizon, last if self.relative else None)
        elif self.relative:
            inputs = inputs - last[:, None]
        hidden = self.blocks(inputs.transpose(1, 2)).transpose(1, 2)  # (batch, steps, channels)
        if self.classifies:
            return self.output(hidden.mean(1) if self.readout == "mean" else hidden[:, -1])
        outputs = self.output(hidden[:, -horizon:] if self.knows else hidden[:, -1]).flatten(1).unflatten(1, self.shape)
        outputs = outputs + last[:, None, :, None] if self.relative else outputs
        return outputs[:, 0, :, 0] if horizon == self.shape[2] == 1 else outputs


SMALL = Config(window=60, channels=32, num_blocks=4, kernel_size=3, readout="mean", descent=Descent(learning_rate=2e-3))
TINY = Config(window=16, channels=8, num_blocks=2, kernel_size=3, dropout=0.0, descent=Descent(learning_rate=1e-2))


def build(config: Config) -> LearningRule:
    network = SeriesConvNet(config)
    if config.num_classes is not None:
        return classifier(network, config.descent, config.label_smoothing)
    loss = partial(quantile_loss, quantiles=config.quantiles) if config.quantiles else "squared-error"
    return Supervised(network, config.descent, loss=loss)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    ahead = config.horizon if config.known_features else 0
    return {"network": (torch.zeros(1, config.window + ahead, config.in_features + config.known_features),)}
