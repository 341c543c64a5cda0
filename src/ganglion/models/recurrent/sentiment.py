"""Sentiment: a recurrent network reads a text in both directions and says which class it belongs to.

Idea:
    Words become vectors that are learnt with the rest. One layer of cells reads them from the first word to the last,
    another from the last to the first, so that what stands at a word depends on all the others. The strongest sign
    that any place gives in each feature is kept, and a linear layer decides on that: many steps in, one answer out.

Equations:
    x_t = E w_t                                        the vector of word w_t
    f_t = cells(x_t, f_{t-1}),  b_t = cells(x_t, b_{t+1})     reading forwards and backwards
    s = max over t of [f_t; b_t]                       or [f_T; b_1], or the mean over t
    p(class | w_1 .. w_T) = softmax(V s + a)
    L = mean -log p(true class)

Networks:
    network: `SentimentRNN`, from numbers of words (batch, words), 0 past the end of a text, to logits (batch, classes).

Learning rule:
    Supervised, cross-entropy, back-propagation through the whole text, Adam with clipping.

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
from ganglion.nn.linear import Linear
from ganglion.nn.named_cells import CellName, recurrent_layers
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from ganglion.rules.supervised import Supervised
from ganglion.settings import Count, Share, at_least, settings

Pooling = Literal["last", "max", "mean"]


@settings
class Config:
    """One small layer that reads in both directions."""

    vocabulary_size: Count = 5000
    """Different words; decided by the data."""
    num_classes: Count = 2
    """Classes; decided by the data."""
    window: Count = 400
    """Words of a text that are read; the rest of a longer one is left out."""
    most_words: Annotated[int, at_least(2)] = 20000
    """Words in the vocabulary at most, the commonest."""
    cell: CellName = "gru"
    """What the recurrent layers are made of: the simple cells of Elman, memory cells, or gated recurrent units."""
    embedding_features: Count = 64
    """Width of a word's vector."""
    hidden_features: Count = 64
    """Cells in each direction."""
    num_layers: Count = 1
    """Recurrent layers."""
    pooling: Pooling = "max"
    """How many steps become one answer: the last of each direction, the maximum or the mean over time."""
    word_dropout: Share = 0.3
    """Share of words left out while training."""
    dropout: Share = 0.5
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
        self.embedding = nn.Embedding(config.vocabulary_size + 1, config.embedding_features, padding_idx=0)
        nn.init.uniform_(self.embedding.weight[1:].detach(), -0.25, 0.25)  # rare words shall not drown the others
        self.recurrent = recurrent_layers(
            config.cell,
            config.embedding_features,
            config.hidden_features,
            config.num_layers,
            bidirectional=True,
            dropout=config.dropout,
            returns="last" if config.pooling == "last" else "all",
        )
        self.head = Linear(2 * config.hidden_features, config.num_classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (batch, classes) of texts as numbers of words (batch, words), padded with 0."""
        past_end = (inputs == 0).index_fill(1, inputs.new_zeros(1), False)  # a text has a word at least
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


SMALL = Config()
TINY = Config(
    window=20,
    embedding_features=16,
    hidden_features=16,
    word_dropout=0.0,
    dropout=0.0,
    descent=Descent(learning_rate=1e-2),
)


def build(config: Config) -> LearningRule:
    return Supervised(SentimentRNN(config), config.descent, measures={"accuracy": accuracy})


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.ones(1, config.window, dtype=torch.int64),)}
