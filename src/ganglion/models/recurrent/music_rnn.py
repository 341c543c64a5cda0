"""Network that writes tunes: memory cells read ABC notation sign by sign and write on.

Idea:
    ABC notation writes a tune as a short text: its metre, its key, then letters for notes, numbers for their lengths,
    bar lines and the names of chords. A recurrent network that has read many such tunes sign by sign knows what may
    come next, in this bar, in this key, at this place of a phrase, and so writes tunes of its own. Nothing tells it
    what a bar or a key is.

Equations:
    x_t = E c_t                                        the vector of sign c_t
    h_t, s_t = cells(x_t, s_{t-1})                     recurrent layers with the state s
    p(c_{t+1} | c_1 .. c_t) = softmax(V h_t + a)       what is expected next
    L = mean -log p(c_{t+1} | c_1 .. c_t)              over streams and steps of a window, in nats per sign
    writing: c_{t+1} ~ softmax((V h_t + a) / T)        until the sign that ends a tune

Networks:
    network: `NextToken`, from numbers of signs (batch, time) to logits (batch, time, signs); `read` also takes and
    returns the state, to read on.

Learning rule:
    Truncated back-propagation through time. All training tunes, each with a sign behind it, are read as parallel
    streams, a window at a time; the state is carried on, the gradient ends at the window.

Data it expects:
    A file of tunes in ABC, or a folder of such files. Of each tune its metre, unit of length, key and music are learnt;
    titles, sources and comments are not. Tunes that are no valid ABC are left out, and the lines said. Whole tunes are
    held back for validation and test. Without data it learns 500 tunes of a small grammar.

What to expect:
    Each evaluation lets it write tunes and says how many can be read, how many of their bars have the right length,
    how many notes belong to the key, and how many rows of eight notes stand in the training part, beside the same of
    a Markov chain of the third order. Folk tunes of the Nottingham collection need some passes: bars are right soon,
    phrases and endings follow, a tune that is remembered comes last.

Departures from the paper:
    1. Signs are characters of ABC; Sturm et al. cut it into notes and lengths, and transpose all tunes to one keynote.
    2. Spaces that say nothing are left out, and the unit of length stands in every tune.
    3. `generate` draws a tune again that cannot be read or has bars of wrong length, a few times; measures count
       first drafts only.

References:
    Sturm, Santos, Ben-Tal and Korshunova, Music transcription modelling and composition using deep learning (2016).
    Eck and Schmidhuber, A first look at music composition using LSTM recurrent neural networks (2002).
    Boulanger-Lewandowski, Bengio and Vincent, Modeling temporal dependencies in high-dimensional sequences (2012),
    for the Nottingham tunes as piano rolls.
    Walshaw, The ABC music standard 2.1 (2011).
"""

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.language.next_token import NextToken
from ganglion.nn.recurrent.named_cells import CellName
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from ganglion.rules.recurrent.truncated import TruncatedBackpropagation
from ganglion.settings import Count, Dropout, Layers, Units, settings


@settings
class Config:
    """Three layers of 512 memory cells, as those of Sturm et al."""

    vocabulary_size: Count = 80
    """Different signs, the unknown one among them; decided by the data."""
    cell: CellName = "lstm"
    """What the recurrent layers are made of: the simple cells of Elman, memory cells, or gated recurrent units."""
    window: Count = 150
    """Steps that a gradient goes back."""
    embedding_features: Units = 64
    """Width of a sign's vector."""
    hidden_features: Units = 512
    """Cells in each recurrent layer."""
    num_layers: Layers = 3
    """Recurrent layers."""
    dropout: Dropout = 0.5
    """Share of values zeroed while training, of vectors and between layers, never on the recurrence."""
    descent: Descent = Descent(
        optimizer="rmsprop", learning_rate=2e-3, optimizer_arguments=("alpha=0.95",), clip_value=5.0
    )
    """How a gradient becomes an update; clipped, because gradients through time can explode."""


SMALL = Config(
    window=100, hidden_features=256, num_layers=1, dropout=0.1, descent=Descent(learning_rate=5e-3, clip_norm=1.0)
)
TINY = Config(
    window=20,
    embedding_features=8,
    hidden_features=32,
    num_layers=1,
    dropout=0.0,
    descent=Descent(learning_rate=2e-2, clip_norm=1.0),
)


def build(config: Config) -> LearningRule:
    network = NextToken(
        config.vocabulary_size,
        config.embedding_features,
        config.hidden_features,
        config.num_layers,
        cell=config.cell,
        dropout=config.dropout,
    )
    return TruncatedBackpropagation(network, config.descent, measures={"accuracy": accuracy})


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.window, dtype=torch.int64),)}
