"""Character-level recurrent network: reads a text character by character, foretells the next one, and so writes.

Idea:
    A recurrent network reads one character at a time and keeps what it has read in its state. After each it says how
    likely every character is to come next. Trained on any text it learns spelling, words, layout and brackets, one
    after the other, from nothing but characters. Drawing a character from what it says and feeding that back makes it
    write.

Equations:
    x_t = E c_t                                        the vector of character c_t
    h_t, s_t = cells(x_t, s_{t-1})                     one or more recurrent layers with the state s
    p(c_{t+1} | c_1 .. c_t) = softmax(V h_t + a)       what is expected next
    L = mean -log p(c_{t+1} | c_1 .. c_t)              over streams and steps of a window, in nats per character
    writing: c_{t+1} ~ softmax((V h_t + a) / T)        at temperature T, over the k likeliest where k is given

Networks:
    network: `NextToken`, from numbers of characters (batch, time) to logits (batch, time, characters); `read` also
    takes and returns the state, to read on.

Learning rule:
    Truncated back-propagation through time. The text is cut into as many parallel streams as a batch has rows; each
    batch is the next window of all of them. The state is carried from window to window and is zero only at the
    beginning of an epoch; the gradient ends at the window. RMSprop, in the small form Adam, with clipping.

Data it expects:
    Any text file. It is cut into training, validation and test part in its own order. The vocabulary is that of the
    training part and is saved with the run; characters that training has not met twice are read as one unknown sign.

What to expect:
    Compare with the frequencies of single characters and of pairs, which every evaluation prints. On a megabyte of
    Shakespeare the loss falls below that of pairs within the first passes; words are right soon, sense never comes.
    A text of some kilobytes is learnt by heart: then watch the validation loss, and use dropout and fewer cells.

Departures from the paper:
    1. Characters are read as learnt vectors; a one-hot input is the same with vectors as wide as the first layer.
    2. Elman's nets of 1990 were trained without propagating errors back through time; here they are propagated
       through the whole window.
    3. Windows end at other places in every epoch.
    4. The published form is Karpathy's network of about 3.5 million parameters with the optimizer of his char-rnn
       (`train.lua`); his reads one-hot characters, starts all weights within 0.08 and lets the rate fall.

References:
    Elman, Finding structure in time (1990).
    Williams and Peng, An efficient gradient-based algorithm for on-line training of recurrent network trajectories
    (1990).
    Sutskever, Martens and Hinton, Generating text with recurrent neural networks (2011).
    Graves, Generating sequences with recurrent neural networks (2013).
    Karpathy, The unreasonable effectiveness of recurrent neural networks (2015).
"""

from typing import Annotated, ClassVar

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.language.next_token import NextToken
from ganglion.nn.recurrent.named_cells import CellName
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from ganglion.rules.recurrent.truncated import TruncatedBackpropagation
from ganglion.settings import Count, Dropout, Layers, Units, above, settings


@settings
class Config:
    """Two wide layers of memory cells over characters."""

    vocabulary_size: Count = 66
    """Different characters, the unknown sign among them; decided by the data."""
    cell: CellName = "lstm"
    """What the recurrent layers are made of: the simple cells of Elman, memory cells, or gated recurrent units."""
    gate_slope: Annotated[float, above(0)] = 1.0
    """Slope of the sigmoid in the gates: steep gates are nearly open or shut, and open ones let errors pass."""
    learned_slope: bool = False
    """Learn the slope of each gate, from that on."""
    window: Count = 100
    """Steps that a gradient goes back."""
    embedding_features: Units = 64
    """Width of a character's vector."""
    hidden_features: Units = 512
    """Cells in each recurrent layer."""
    num_layers: Layers = 2
    """Recurrent layers."""
    dropout: Dropout = 0.5
    """Share of values zeroed while training, of vectors and between layers, never on the recurrence."""
    descent: Descent = Descent(
        optimizer="rmsprop", learning_rate=2e-3, optimizer_arguments=("alpha=0.95",), clip_value=5.0
    )
    """How a gradient becomes an update; clipped, because gradients through time can explode."""

    bf16_is_safe: ClassVar[bool] = True
    """Products of sixteen-bit numbers score as well, over seeds, as those of 32-bit ones."""


SMALL = Config(hidden_features=384, num_layers=1, dropout=0.2, descent=Descent(learning_rate=3e-3, clip_norm=1.0))
TINY = Config(
    window=20,
    embedding_features=8,
    hidden_features=32,
    num_layers=1,
    dropout=0.0,
    descent=Descent(learning_rate=1e-2, clip_norm=1.0),
)


def build(config: Config) -> LearningRule:
    network = NextToken(
        config.vocabulary_size,
        config.embedding_features,
        config.hidden_features,
        config.num_layers,
        cell=config.cell,
        gate_slope=config.gate_slope,
        learned_slope=config.learned_slope,
        dropout=config.dropout,
    )
    return TruncatedBackpropagation(network, config.descent, measures={"accuracy": accuracy})


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.window, dtype=torch.int64),)}
