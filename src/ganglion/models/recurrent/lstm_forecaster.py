"""Long short-term memory: two recurrent layers forecast a time series from a window of its past.

Idea:
    A recurrent network reads a window of the series value by value. Its cells decide by gates what to keep, what to
    add and what to show, so that an error can flow back over many steps without vanishing. The state after the last
    step is a summary of the window, from which two dense layers read the next value.

Equations:
    i_t, f_t, o_t = sigmoid(W x_t + U h_{t-1} + b)     input, forget and output gate, each with its own W, U, b
    z_t = tanh(W x_t + U h_{t-1} + b)                  what could be added
    c_t = f_t * c_{t-1} + i_t * z_t                    the cell: an error passes unchanged where f_t is 1
    h_t = o_t * tanh(c_t)                              the hidden state, input of the layer above
    y = V_2 relu(V_1 h_T + a_1) + a_2                  the next values of every column, from the last step T
    L = mean (y - s_{T+1})^2                           over samples, steps and columns, in standardised units
    relative: x_t = s_t - s_T and y + s_T is the forecast; else x_t = s_t, for a series s and a window of T steps
    quantiles: L = mean max(q (s - y_q), (q - 1) (s - y_q))   for each quantile q, y_q having it of the values below
    known in advance: x_t = [s_t - s_T, k_t, 0], and for the H steps ahead x_{T+j} = [0, k_{T+j}, j / H], each of which
    is answered from its own h_{T+j}
    convolution: x_t is first relu(K * x) over neighbouring steps (CNN-LSTM)

Networks:
    network: `LSTMForecaster`, from windows (batch, window, columns) to next values (batch, columns); for several steps
    or quantiles (batch, steps, columns, quantiles). What is known in advance is read beside the window, and goes on
    over the steps to forecast: (batch, window + horizon, columns + known).

Learning rule:
    Supervised, squared error or the error of quantiles, back-propagation through the whole window, Adam.

Data it expects:
    A series in the order of time: a CSV with one row for each step and any numeric columns, or a generator. It is cut
    into training, validation and test part in that order. Columns are standardised with means and deviations of the
    training part only. A series of several columns is forecast as a whole, so that a forecast can be continued by
    feeding it back; scores are those of the target column, over all steps that are forecast at once.
    Many series in one table: `--key store` learns one network from all of them, each cut in time and standardised on
    its own. `--known price,holiday` names columns that are known in advance; hours, days of the week and months are
    taken from the dates.

What to expect:
    Compare with the last value, the value one season before and the drift, which every evaluation prints: a network
    that does not beat them has learnt nothing of use. Smooth or periodic series (`sine`, `mackey-glass`) are forecast
    with a fraction of their error; on daily prices nothing is expected to beat the last value. Dropout makes the
    training loss larger than the validation loss. A window relative to its last value lets the network forecast
    levels that training never saw, as every series with a trend demands; without it, noise on a level that stays is
    smoothed better. Bands between quantiles are widened after training by how far the truth lay outside on the
    validation part; on a series that goes on changing, such as a growing one, they still hold less than they promise.

Departures from the paper:
    1. The memory of 1997 had no forget gate, and several cells could share the gates of one block. Here every cell has
       gates of its own, the forget gate of Gers et al. (2000) among them; peepholes, Elman's cells and gated
       recurrent units can be chosen.
    2. The whole gradient is propagated; the original truncated it at the gates.
    3. One bias per gate, as in the papers; `torch.nn.LSTM` has two that only act as their sum.
    4. Dropout acts between layers, and after the last, as in Zaremba et al. (2014), never on the recurrence.
    5. Windows are taken relative to their last value, as by Zeng et al. (2023) for linear networks; it has no
       parameters and can be switched off.
    6. Steps ahead are read with what is known of them, as by DeepAR, but no value is fed back within a horizon.

References:
    Hochreiter and Schmidhuber, Long short-term memory (1997).
    Gers, Schmidhuber and Cummins, Learning to forget: continual prediction with LSTM (2000).
    Zaremba, Sutskever and Vinyals, Recurrent neural network regularization (2014).
    Zeng, Chen, Zhang and Xu, Are transformers effective for time series forecasting? (2023).
    Koenker and Bassett, Regression quantiles (1978); Romano, Patterson and Candes, Conformalized quantile regression
    (2019), for what widens the bands.
    Shi, Chen, Wang, Yeung, Wong and Woo, Convolutional LSTM network (2015); Sainath, Vinyals, Senior and Sak,
    Convolutional, long short-term memory, fully connected deep neural networks (2015), for convolutions below.
    Salinas, Flunkert and Gasthaus, DeepAR: probabilistic forecasting with autoregressive recurrent networks (2017).
    Hyndman and Koehler, Another look at measures of forecast accuracy (2006), for the scaled error.
"""

from functools import partial
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.errors import ConfigurationError
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent.known_ahead import with_known_ahead
from ganglion.nn.recurrent.named_cells import CellName, recurrent_layers
from ganglion.rules.descend import Descent
from ganglion.rules.losses import Quantiles, quantile_loss
from ganglion.rules.supervised import Supervised
from ganglion.settings import Count, Dropout, Layers, Units, above, at_least, settings


@settings
class Config:
    """Two layers of memory cells and a dense head."""

    in_features: Count = 1
    """Columns of the series; decided by the data."""
    out_features: Count = 1
    """Columns forecast; decided by the data: every one, so that a forecast can be continued."""
    known_features: Annotated[int, at_least(0)] = 0
    """Columns that a forecast knows in advance, of the calendar and others; decided by the data."""
    window: Count = 60
    """Steps of the past that a forecast is made from."""
    horizon: Count = 1
    """Steps forecast at once."""
    quantiles: Quantiles = ()
    """Forecast these quantiles instead of the mean, the median 0.5 among them: 0.1 0.5 0.9 is a band of 80 percent."""
    cell: CellName = "lstm"
    """What the recurrent layers are made of: the simple cells of Elman, memory cells, or gated recurrent units."""
    gate_slope: Annotated[float, above(0)] = 1.0
    """Slope of the sigmoid in the gates: steep gates are nearly open or shut, and open ones let errors pass."""
    learned_slope: bool = False
    """Learn the slope of each gate, from that on."""
    hidden_features: Units = 256
    """Cells in each recurrent layer."""
    num_layers: Layers = 2
    """Recurrent layers."""
    channels: Annotated[int, at_least(0)] = 0
    """Features of a convolution over time below the recurrent layers (CNN-LSTM); 0 for none."""
    kernel_size: Count = 3
    """Steps that the convolution sees at once."""
    dense_features: Count = 64
    """Units of the dense layer before the output."""
    dropout: Dropout = 0.4
    """Share of hidden states zeroed after each recurrent layer while training."""
    relative: bool = True
    """Read windows relative to their last value, so that levels can be forecast that training never saw."""
    descent: Descent = Descent(optimizer="adam", learning_rate=1e-3, clip_norm=1.0)
    """How a gradient becomes an update; clipped, because gradients through time can explode."""

    bf16_is_safe: ClassVar[bool] = True
    """Products of sixteen-bit numbers score as well, over seeds, as those of 32-bit ones."""

    def __post_init__(self) -> None:
        if self.channels and self.kernel_size > self.window:
            raise ConfigurationError(
                "this convolution does not fit into the window",
                expected=f"a kernel of at most {self.window} steps",
                found=f"a kernel of {self.kernel_size}",
            )


class LSTMForecaster(nn.Module):
    """Recurrent layers over a window, and two dense layers on the last hidden state.

    Raises:
        ConfigurationError: a relative forecast that is not one of every column.

    >>> import torch
    >>> network = LSTMForecaster(Config(hidden_features=8))
    >>> network(torch.zeros(5, 60, 1)).shape
    torch.Size([5, 1])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        columns, forecasts, levels = config.in_features, config.out_features, max(1, len(config.quantiles))
        if config.relative and columns != forecasts:
            raise ConfigurationError(
                "a relative forecast is one of every column",
                found=f"{columns} columns, {forecasts} forecasts",
                remedy="set relative to false, or forecast every column",
            )
        self.relative, self.shape = config.relative, (config.horizon, forecasts, levels)
        self.columns, self.knows = columns, config.known_features > 0
        read = columns + config.known_features + 1 if self.knows else columns
        self.convolution = None
        if config.channels:
            self.convolution = nn.Sequential(nn.Conv1d(read, config.channels, config.kernel_size), nn.ReLU())
        self.recurrent = recurrent_layers(
            config.cell,
            config.channels or read,
            config.hidden_features,
            config.num_layers,
            gate_slope=config.gate_slope,
            learned_slope=config.learned_slope,
            dropout=config.dropout,
        )
        self.head = nn.Sequential(
            nn.Dropout(config.dropout),
            Linear(config.hidden_features, config.dense_features),
            nn.ReLU(),
            Linear(config.dense_features, (1 if self.knows else config.horizon) * forecasts * levels),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Forecast the values that follow windows (batch, window, in_features): (batch, out_features), or
        (batch, horizon, out_features, levels) where several steps or levels are asked for. Where columns are known
        in advance, inputs are (batch, window + horizon, in_features + known_features)."""
        horizon = self.shape[0]
        last = inputs[:, -1 - horizon if self.knows else -1, : self.columns]  # (batch, in_features)
        if self.knows:
            inputs = with_known_ahead(inputs, self.columns, horizon, last if self.relative else None)
        elif self.relative:
            inputs = inputs - last[:, None]
        if self.convolution is not None:
            inputs = self.convolution(inputs.transpose(1, 2)).transpose(1, 2)
        hidden, _ = self.recurrent(inputs)  # (batch, steps, hidden)
        outputs = self.head(hidden[:, -horizon:] if self.knows else hidden[:, -1]).flatten(1).unflatten(1, self.shape)
        outputs = outputs + last[:, None, :, None] if self.relative else outputs
        return outputs[:, 0, :, 0] if horizon == self.shape[2] == 1 else outputs


SMALL = Config()
TINY = Config(
    window=16, hidden_features=16, num_layers=2, dense_features=8, dropout=0.0, descent=Descent(learning_rate=1e-2)
)


def build(config: Config) -> LearningRule:
    network = LSTMForecaster(config)
    if config.quantiles:
        return Supervised(network, config.descent, loss=partial(quantile_loss, quantiles=config.quantiles))
    return Supervised(network, config.descent, loss="squared-error")


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    ahead = config.horizon if config.known_features else 0
    return {"network": (torch.zeros(1, config.window + ahead, config.in_features + config.known_features),)}
