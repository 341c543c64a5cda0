"""Word-level language model: reads a text word by word, or in pieces of words, and says what comes next.

Idea:
    A network of memory cells reads a text word by word and says after each how likely every word of its vocabulary is
    to come next. Words that are used alike get vectors that lie close together, so what is learnt of one holds for
    the others, which counts of triples of words can never know. With pieces of words, learnt from the training part,
    no word is unknown.

Equations:
    x_t = E w_t                                        the vector of word w_t
    h_t, s_t = cells(x_t, s_{t-1})                     recurrent layers with the state s
    p(w_{t+1} | w_1 .. w_t) = softmax(V h_t + a)       what is expected next; V = E where they are tied
    L = mean -log p(w_{t+1} | w_1 .. w_t)              over streams and steps of a window, in nats per word
    perplexity = e^L

Networks:
    network: `NextToken`, from numbers of words (batch, time) to logits (batch, time, words); `read` also takes and
    returns the state, to read on.

Learning rule:
    Truncated back-propagation through time: the text is read as parallel streams, a window at a time; the state is
    carried on, the gradient ends at the window. As published by plain gradient descent with clipping; the small form
    learns by Adam.

Data it expects:
    Any text, cut into training, validation and test part in its own order; or a folder with a file for each part, as
    ptb.train.txt, ptb.valid.txt, ptb.test.txt. `unit` says what a token is: words and signs as they are written
    (words), whatever stands between spaces (spaced, for texts that are cut already, as the Penn Treebank is), or
    pieces. A line's end is a token of its own. Words that training has not met twice are one unknown word.

What to expect:
    Every evaluation prints two rivals: triples of words counted and smoothed by Kneser and Ney, and these with a cache
    of the last words beside them. On the Penn Treebank (not shipped) the published forms reach test perplexities of
    114.5 (small), 82.7 (medium) and 78.4 (large). Perplexities compare only where the vocabulary is the same; bits per
    character compare across units, as far as few words are unknown. On texts below some ten thousand words the
    counts are hard to beat.

Departures from the paper:
    1. Zaremba et al. add the loss up over the steps of a window, here it is their mean: the rate is as many times
       theirs as a window has steps, and the norm at which gradients are clipped as many times smaller.
    2. They keep the rate for some passes and then divide it after each; here it follows `--schedule`.
    3. Windows end at other places in every epoch.
    4. The small form ties V to E and uses dropout, neither of which their small network does.

References:
    Mikolov, Karafiat, Burget, Cernocky and Khudanpur, Recurrent neural network based language model (2010).
    Zaremba, Sutskever and Vinyals, Recurrent neural network regularization (2014).
    Press and Wolf, Using the output embedding to improve language models (2017), for tied vectors.
    Sennrich, Haddow and Birch, Neural machine translation of rare words with subword units (2016), for pieces.
    Kuhn and De Mori, A cache-based natural language model for speech recognition (1990).
    Chen and Goodman, An empirical study of smoothing techniques for language modeling (1999).
"""

from typing import Annotated, Literal

import torch
from torch import Tensor

from ganglion.core import LearningRule
from ganglion.nn.language.next_token import NextToken
from ganglion.nn.recurrent.named_cells import CellName
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from ganglion.rules.recurrent.truncated import TruncatedBackpropagation
from ganglion.settings import Count, Dropout, Layers, Units, above, at_least, settings


@settings
class Config:
    """The small network for the Penn Treebank: two layers of 200 memory cells over 10,000 words."""

    vocabulary_size: Count = 10_000
    """Different tokens, the unknown one among them; decided by the data."""
    unit: Literal["words", "spaced", "pieces"] = "words"
    """What a token is: a word or sign as it is written, what stands between spaces, or a piece as byte pairs make."""
    lower_case: bool = False
    """Read and write small letters only."""
    most_tokens: Annotated[int, at_least(300)] = 10_000
    """Tokens in the vocabulary at most: the commonest words, or as many pieces as are learnt."""
    cell: CellName = "lstm"
    """What the recurrent layers are made of: the simple cells of Elman, memory cells, or gated recurrent units."""
    window: Count = 20
    """Steps that a gradient goes back."""
    embedding_features: Units = 200
    """Width of a token's vector."""
    hidden_features: Units = 200
    """Cells in each recurrent layer."""
    num_layers: Layers = 2
    """Recurrent layers."""
    dropout: Dropout = 0.0
    """Share of values zeroed while training: of vectors, between layers and before the readout."""
    tied: bool = False
    """Read out through the vectors of the tokens, which then are as wide as a layer."""
    initial_range: Annotated[float, above(0)] | None = 0.1
    """Draw all weights evenly from -r to r; as is usual for each layer where none is given."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=20.0, clip_norm=0.25)
    """How a gradient becomes an update; clipped, because gradients through time can explode."""


FORMS = {
    "medium": Config(
        window=35,
        embedding_features=650,
        hidden_features=650,
        dropout=0.5,
        initial_range=0.05,
        descent=Descent(optimizer="sgd", learning_rate=35.0, clip_norm=1 / 7),
    ),
    "large": Config(
        window=35,
        embedding_features=1500,
        hidden_features=1500,
        dropout=0.65,
        initial_range=0.04,
        descent=Descent(optimizer="sgd", learning_rate=35.0, clip_norm=2 / 7),
    ),
}
"""The other two networks of the paper."""
SMALL = Config(
    window=35,
    embedding_features=256,
    hidden_features=256,
    num_layers=1,
    dropout=0.4,
    tied=True,
    initial_range=None,
    descent=Descent(learning_rate=4e-3, clip_norm=1.0),
)
TINY = Config(
    vocabulary_size=100,
    window=10,
    embedding_features=24,
    hidden_features=24,
    num_layers=1,
    tied=True,
    initial_range=None,
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
        tied=config.tied,
        initial_range=config.initial_range,
    )
    return TruncatedBackpropagation(network, config.descent, measures={"accuracy": accuracy})


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.zeros(1, config.window, dtype=torch.int64),)}
