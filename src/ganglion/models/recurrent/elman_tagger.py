"""Elman's network as a tagger: reads a sentence word by word and says of each what it is.

Idea:
    A simple recurrent network has one layer whose activity is fed back to it with the next input: its memory of what
    was read. At each word a linear layer on that memory gives an answer, one for each step. What a word is can
    depend on all the words before it, here even on those after it where the network also reads backwards.

Equations:
    x_t = E w_t                                        the vector of word w_t
    h_t = tanh(U x_t + W h_{t-1} + b)                  what is remembered
    p(tag_t | w_1 .. w_t) = softmax(V h_t + a)         one answer at each step
    L = mean -log p(true tag_t)                        over the words of the batch

Networks:
    network: `ElmanTagger`, from numbers of words (batch, words), 0 past the end of a sentence, to logits (batch, words,
    tags).

Learning rule:
    Supervised, cross-entropy at every step, back-propagation through the whole sentence, Adam with clipping.

Data it expects:
    Sentences with a tag for each word: a file with a word and its tag on each line and an empty line after each
    sentence, as the shared tasks of CoNLL have them. Words that training has not twice are one unknown word.

What to expect:
    Compare with the commonest tag of each word, which every evaluation prints: all that a network adds to it comes
    from context. Words that are now a noun, now a verb are told apart by the word before them.

Departures from the paper:
    1. Elman copied the hidden layer to context units and did not propagate errors through the copies; here errors are
       propagated through the whole sentence.
    2. Words are read as learnt vectors, and any cell can be taken instead.

References:
    Elman, Finding structure in time (1990).
    Schuster and Paliwal, Bidirectional recurrent neural networks (1997).
    Tjong Kim Sang and Buchholz, Introduction to the CoNLL-2000 shared task: chunking (2000), for the form of files.
"""

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn import dropout
from ganglion.nn.language.tokens import lengths_of
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent.named_cells import CellName, recurrent_layers
from ganglion.rules.descend import Descent
from ganglion.rules.recurrent.sequences import steps_accuracy, steps_cross_entropy
from ganglion.rules.supervised import Supervised
from ganglion.settings import Count, Dropout, Layers, Units, settings


@settings
class Config:
    """One layer of Elman's cells, reading forwards."""

    vocabulary_size: Count = 5000
    """Different words; decided by the data."""
    num_classes: Count = 10
    """Different tags; decided by the data."""
    window: Count = 200
    """Words of a sentence that are read; a longer one is cut into several."""
    cell: CellName = "elman"
    """What the recurrent layers are made of: the simple cells of Elman, memory cells, or gated recurrent units."""
    embedding_features: Units = 32
    """Width of a word's vector."""
    hidden_features: Units = 64
    """Cells in each recurrent layer, in each direction."""
    num_layers: Layers = 1
    """Recurrent layers."""
    bidirectional: bool = False
    """Read each sentence from its end as well."""
    dropout: Dropout = 0.1
    """Share of values zeroed while training, of vectors, between layers and before the answers."""
    descent: Descent = Descent(optimizer="adam", learning_rate=3e-3, clip_norm=1.0)
    """How a gradient becomes an update; clipped, because gradients through time can explode."""


class ElmanTagger(nn.Module):
    """Vectors of words, recurrent layers over them, and logits of the tags at every word.

    >>> import torch
    >>> network = ElmanTagger(Config(vocabulary_size=100, num_classes=7))
    >>> network(torch.tensor([[5, 7, 2, 0], [9, 1, 1, 1]])).shape
    torch.Size([2, 4, 7])
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.dropout = config.dropout
        self.embedding = nn.Embedding(config.vocabulary_size + 1, config.embedding_features, padding_idx=0)
        self.recurrent = recurrent_layers(
            config.cell,
            config.embedding_features,
            config.hidden_features,
            config.num_layers,
            bidirectional=config.bidirectional,
            dropout=config.dropout,
        )
        self.head = Linear(config.hidden_features * (2 if config.bidirectional else 1), config.num_classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (batch, words, tags) of sentences as numbers of words (batch, words), padded with 0."""
        lengths = lengths_of(inputs)
        vectors = dropout(self.embedding(inputs), self.dropout, self.training)
        hidden, _ = self.recurrent(vectors, lengths=lengths)
        return self.head(dropout(hidden, self.dropout, self.training))


SMALL = Config()
TINY = Config(
    window=20, embedding_features=8, hidden_features=16, dropout=0.0, descent=Descent(learning_rate=1e-2, clip_norm=1.0)
)


def build(config: Config) -> LearningRule:
    network = ElmanTagger(config)
    return Supervised(network, config.descent, loss=steps_cross_entropy, measures={"accuracy": steps_accuracy})


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.ones(1, config.window, dtype=torch.int64),)}
