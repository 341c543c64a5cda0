"""Sentiment: a recurrent network reads a text in both directions and says which class it belongs to.

Idea:
    Words become vectors that are learnt with the rest. One layer of cells reads them from the first word to the last,
    another from the last to the first, so that what stands at a word depends on all the others. The strongest sign
    that any place gives in each feature is kept, and a linear layer decides on that: many steps in, one answer out.

Equations:
    x_t = E w_t                                        the vector of word w_t
    f_t = cells(x_t, f_{t-1}),  b_t = cells(x_t, b_{t+1})     reading forwards and backwards
    s = max over t of [f_t; b_t]                       or [f_T; b_1], or the mean over t
    z = V s + a
    x_w = (1 + log n_w) idf_w / |x|,  y = B x + f      n_w times of word, or of pair of neighbours, w
          or x_w = 1 for each that is there, with pairs or without: whichever foretells texts held back best;
          B and f of logistic regression
    p(class | w_1 .. w_T) = softmax((z + y) / 2)       a geometric mean of what both say; without words softmax(z)
    L = -log p(class) - log softmax(z)_class           so that the recurrent part learns to answer by itself, too

Networks:
    network: `SentimentRNN`, from numbers of words (batch, words), 0 past the end of a text, to logits (batch, classes).

Learning rule:
    Supervised, cross-entropy, back-propagation through the whole text, Adam with clipping. What words alone say, B and
    f, is fitted once before the first step.

Data it expects:
    Texts with labels: a CSV, Parquet or JSON-lines file with a column of each, a folder of text files for each class,
    or a file for each class with one text a line. The vocabulary is that of the training part; words that it has not
    twice are one unknown word. Texts of similar length share a batch.

What to expect:
    Compare with the commonest class, and with a linear model of word counts, which knows no order and which every
    evaluation on the test part prints: on a few thousand short texts it is hard to beat. Small networks soon know
    the training texts by heart; whole words dropped at random, and a mean over the weights of many updates, help most.

Departures from the paper:
    1. Weights are averaged over updates (Polyak and Juditsky 1992).
    2. Vectors of words begin small, so that words which are hardly ever met say little.
    3. Whole words are dropped while training (Iyyer et al. 2015), and no vectors of words are taken from elsewhere.

References:
    Schuster and Paliwal, Bidirectional recurrent neural networks (1997).
    Graves and Schmidhuber, Framewise phoneme classification with bidirectional LSTM networks (2005).
    Collobert, Weston, Bottou, Karlen, Kavukcuoglu and Kuksa, Natural language processing (almost) from scratch (2011),
    for the maximum over time.
    Iyyer, Manjunatha, Boyd-Graber and Daume, Deep unordered composition rivals syntactic methods for text
    classification (2015).
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn import dropout
from ganglion.nn.language.bags import WordCounts
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent.named_cells import CellName, recurrent_layers
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from ganglion.rules.supervised import Supervised
from ganglion.settings import Count, Dropout, Layers, Share, Units, above, at_least, settings

Pooling = Literal["last", "max", "mean"]


@settings
class Config:
    """One small layer that reads in both directions."""

    vocabulary_size: Count = 5000
    """Different words; decided by the data."""
    num_classes: Count = 2
    """Classes; decided by the data."""
    window: Count = 400
    """Words of a text that are counted; the rest of a longer one is left out."""
    words_read: Count | None = None
    """Words of a text that are read in order; all that are counted when not given."""
    most_words: Annotated[int, at_least(2)] = 20000
    """Words in the vocabulary at most, the commonest."""
    cell: CellName = "gru"
    """What the recurrent layers are made of: the simple cells of Elman, memory cells, or gated recurrent units."""
    gate_slope: Annotated[float, above(0)] = 1.0
    """Slope of the sigmoid in the gates: steep gates are nearly open or shut, and open ones let errors pass."""
    learned_slope: bool = False
    """Learn the slope of each gate, from that on."""
    embedding_features: Units = 64
    """Width of a word's vector."""
    hidden_features: Units = 64
    """Cells in each direction."""
    num_layers: Layers = 1
    """Recurrent layers."""
    bag_of_words: bool = False
    """Let what words there are vote, too."""
    pairs: Annotated[int, at_least(0)] = 0
    """Numbers that pairs of neighbouring words are counted under, where words vote; 0 counts no pairs."""
    pooling: Pooling = "max"
    """How many steps become one answer: the last of each direction, the maximum or the mean over time."""
    word_dropout: Share = 0.3
    """Share of words left out while training."""
    dropout: Dropout = 0.5
    """Share of values zeroed while training, of vectors, between layers and before the decision."""
    descent: Descent = Descent(optimizer="adam", learning_rate=2e-3, clip_norm=1.0)
    """How a gradient becomes an update; clipped, because gradients through time can explode."""


class SentimentRNN(nn.Module):
    """Vectors of words, recurrent layers in both directions, and a decision on what they found.

    >>> network = SentimentRNN(Config(vocabulary_size=100))
    >>> network(torch.tensor([[5, 7, 2, 0], [9, 1, 1, 1]])).shape
    torch.Size([2, 2])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.pooling, self.word_dropout, self.dropout = config.pooling, config.word_dropout, config.dropout
        self.words_read = config.words_read
        self.embedding = nn.Embedding(config.vocabulary_size + 1, config.embedding_features, padding_idx=0)
        nn.init.uniform_(self.embedding.weight[1:].detach(), -0.25, 0.25)  # rare words shall not drown the others
        self.recurrent = recurrent_layers(
            config.cell,
            config.embedding_features,
            config.hidden_features,
            config.num_layers,
            bidirectional=True,
            gate_slope=config.gate_slope,
            learned_slope=config.learned_slope,
            dropout=config.dropout,
            returns="last" if config.pooling == "last" else "all",
        )
        self.head = Linear(2 * config.hidden_features, config.num_classes)
        self.counts = None
        if config.bag_of_words:
            self.counts = WordCounts(config.vocabulary_size, config.num_classes, config.pairs)
        self.auxiliary = nn.ModuleList()

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (batch, classes) of texts as numbers of words (batch, words), padded with 0."""
        return self.heads(inputs)[0]

    def heads(self, inputs: Tensor) -> list[Tensor]:
        """Return the logits (batch, classes) of both parts together, and then those of the recurrent part alone."""
        alone = self._in_order(inputs[:, : self.words_read])
        return [alone] if self.counts is None else [(alone + self.counts(inputs)) / 2, alone]

    def _in_order(self, inputs: Tensor) -> Tensor:
        """Return the logits z (batch, classes) of the recurrent part."""
        past_first = torch.arange(inputs.shape[1], device=inputs.device) > 0
        past_end = (inputs == 0) & past_first  # a text has a word at least
        lengths = (~past_end).sum(1)
        vectors = self.embedding(inputs)  # (batch, words, features)
        if self.training and self.word_dropout:
            kept = torch.rand(inputs.shape, device=inputs.device) >= self.word_dropout
            vectors = vectors * kept[..., None]
        vectors = dropout(vectors, self.dropout, self.training)
        hidden, _ = self.recurrent(vectors, lengths=lengths)
        if self.pooling == "max":
            hidden = hidden.masked_fill(past_end[..., None], -torch.inf).amax(1)
        elif self.pooling == "mean":
            hidden = hidden.sum(1) / lengths[:, None]
        return self.head(dropout(hidden, self.dropout, self.training))


SMALL = Config(window=5000, words_read=400, bag_of_words=True, pairs=2**15)
TINY = Config(
    window=20,
    words_read=16,
    bag_of_words=True,
    pairs=64,
    embedding_features=16,
    hidden_features=16,
    word_dropout=0.0,
    dropout=0.0,
    descent=Descent(learning_rate=1e-2),
)


def build(config: Config) -> LearningRule:
    network, both = SentimentRNN(config), 1.0 if config.bag_of_words else 0.0
    return Supervised(network, config.descent, measures={"accuracy": accuracy}, auxiliary=both)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.ones(1, config.window, dtype=torch.int64),)}
