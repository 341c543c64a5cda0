"""Document classifier: words make sentences, sentences make a document, and attention says which of them count.

Idea:
    A long text is read in two steps, as it is built. One recurrent layer reads the words, in both directions; of each
    sentence the words that count are kept. Another reads the sentences and keeps those that count. Beside it stands
    what is hard to beat on long texts: which words there are, weighed by how rare they are. Both vote.

Equations:
    h_t = cells(E w_t, ...)                            states at word t, read in both directions
    a_t = softmax over the words of sentence i of v . tanh(W h_t + b),  s_i = sum over t of a_t h_t
    g_i = cells(s_i, ...)                              states at sentence i, in both directions
    c_i = softmax over i of u . tanh(U g_i + d),  d = sum over i of c_i g_i
    z = V d + e                                        plain form: d is the mean of all h_t, weighed by a_t
    x_w = (1 + log n_w) idf_w / |x|,  y = B x + f      n_w times of word, or of pair of neighbours, w
          or x_w = 1 for each that is there, with pairs or without: whichever foretells texts held back best;
          B and f of logistic regression
    p(class | text) = softmax((z + y) / 2)              a geometric mean of what both say; without words softmax(z)
    L = -log p(class) - log softmax(z)_class           so that the recurrent part learns to answer by itself, too

Networks:
    network: `DocumentClassifier`, from numbers of words (batch, words), 0 past the end, to logits (batch, classes).

Learning rule:
    Supervised, cross-entropy; Adam with clipping. What words alone say, B and f, is fitted once before the first step.

Data it expects:
    Texts with labels, as `sentiment` does. Sentences end at . ! ? and their like.

What to expect:
    Compare with logistic regression on which words there are: every evaluation prints its accuracy. Reading in order
    adds little to it on news and mail, and more where words are negated and clauses weighed. Small sets are learnt
    by heart soon; dropout and words left out help.

Departures from the paper:
    1. The words of all sentences are read in one go, so that a sentence begins with what was read before it.
    2. Vectors of words are learnt with the rest instead of taken from elsewhere.
    3. The counts of words beside it; the published form leaves them out.

References:
    Yang, Yang, Dyer, He, Smola and Hovy, Hierarchical attention networks for document classification (2016).
    Wang and Manning, Baselines and bigrams: simple, good sentiment and topic classification (2012), for why words
    alone are hard to beat.
"""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from ganglion.core import LearningRule
from ganglion.nn import dropout
from ganglion.nn.language.attention import AttentivePooling
from ganglion.nn.language.bags import WordCounts
from ganglion.nn.language.tokens import lengths_of
from ganglion.nn.linear import Linear
from ganglion.nn.recurrent.named_cells import CellName, recurrent_layers
from ganglion.rules.descend import Descent
from ganglion.rules.losses import accuracy
from ganglion.rules.supervised import Supervised
from ganglion.settings import Count, Dropout, Share, Units, at_least, settings


@settings
class Config:
    """The widths of the paper."""

    vocabulary_size: Count = 5000
    """Different words; decided by the data."""
    num_classes: Count = 5
    """Classes; decided by the data."""
    sentence_ends: tuple[int, ...] = ()
    """Numbers of the signs that end a sentence; decided by the data."""
    window: Count = 1000
    """Words of a text that are counted; the rest of a longer one is left out."""
    words_read: Count = 1000
    """Words of a text that are read in order."""
    most_words: Annotated[int, at_least(2)] = 20000
    """Words in the vocabulary at most, the commonest."""
    structure: Literal["hierarchical", "plain"] = "hierarchical"
    """Words to sentences to document, or words to document."""
    cell: CellName = "gru"
    """What the recurrent layers are made of: the simple cells of Elman, memory cells, or gated recurrent units."""
    embedding_features: Units = 200
    """Width of a word's vector."""
    hidden_features: Units = 50
    """Cells in each direction."""
    attention_features: Count = 100
    """Width of the question that attention asks."""
    bag_of_words: bool = False
    """Let what words there are vote, too."""
    pairs: Annotated[int, at_least(0)] = 0
    """Numbers that pairs of neighbouring words are counted under, where words vote; 0 counts no pairs."""
    word_dropout: Share = 0.0
    """Share of words left out while training."""
    dropout: Dropout = 0.0
    """Share of values zeroed while training, of vectors and before the decision."""
    descent: Descent = Descent(optimizer="sgd", learning_rate=0.1, optimizer_arguments=("momentum=0.9",), clip_norm=1.0)
    """How a gradient becomes an update; clipped, because gradients through time can explode."""


class DocumentClassifier(nn.Module):
    """Words, sentences, a decision; and the counts of words beside it.

    >>> network = DocumentClassifier(Config(vocabulary_size=100, sentence_ends=(9,))).eval()
    >>> network(torch.tensor([[5, 7, 9, 4, 9, 0], [9, 1, 1, 1, 2, 2]])).shape
    torch.Size([2, 5])
    """

    ends: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.word_dropout, self.dropout, self.words_read = config.word_dropout, config.dropout, config.words_read
        width, wide = config.hidden_features, 2 * config.hidden_features
        self.embedding = nn.Embedding(config.vocabulary_size + 1, config.embedding_features, padding_idx=0)
        nn.init.uniform_(self.embedding.weight[1:].detach(), -0.25, 0.25)
        self.words = recurrent_layers(config.cell, config.embedding_features, width, bidirectional=True)
        self.word_attention = AttentivePooling(wide, config.attention_features)
        self.sentences = self.sentence_attention = None
        if config.structure == "hierarchical":
            self.sentences = recurrent_layers(config.cell, wide, width, bidirectional=True)
            self.sentence_attention = AttentivePooling(wide, config.attention_features)
        self.head = Linear(wide, config.num_classes)
        self.counts = None
        if config.bag_of_words:
            self.counts = WordCounts(config.vocabulary_size, config.num_classes, config.pairs)
        self.auxiliary = nn.ModuleList()
        self.register_buffer("ends", torch.tensor(config.sentence_ends, dtype=torch.int64), persistent=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return logits (batch, classes) of texts as numbers of words (batch, words), padded with 0."""
        return self.heads(inputs)[0]

    def heads(self, inputs: Tensor) -> list[Tensor]:
        """Return the logits (batch, classes) of both parts together, and then those of the recurrent part alone."""
        alone = self.head(dropout(self._document(inputs[:, : self.words_read]), self.dropout, self.training))
        return [alone] if self.counts is None else [(alone + self.counts(inputs)) / 2, alone]

    def _document(self, inputs: Tensor) -> Tensor:
        """Return the vector (batch, features) of every document."""
        lengths = lengths_of(inputs)
        vectors = self.embedding(inputs)
        if self.training and self.word_dropout:
            kept = torch.rand(inputs.shape, device=inputs.device) >= self.word_dropout
            vectors = vectors * kept[..., None]
        states, _ = self.words(dropout(vectors, self.dropout, self.training), lengths=lengths)
        there = torch.arange(inputs.shape[1], device=inputs.device) < lengths[:, None]
        if self.sentences is None or self.sentence_attention is None:
            return self.word_attention(states, there[:, None])[0][:, 0]
        groups = self.in_sentences(inputs) & there[:, None]
        sentences, _ = self.word_attention(states, groups)
        present = groups.any(2)
        states, _ = self.sentences(sentences, lengths=present.sum(1).clamp(min=1))
        return self.sentence_attention(states, present[:, None])[0][:, 0]

    def in_sentences(self, inputs: Tensor) -> Tensor:
        """Return which words belong to each sentence, (batch, sentences, words), of numbers of words (batch, words)."""
        ends = torch.isin(inputs, self.ends)
        # A row of signs, as in "?!", ends one sentence; what comes after it begins the next.
        begins = ends[:, :-1] & ~ends[:, 1:]
        number = nn.functional.pad(begins.long().cumsum(1), (1, 0))
        most = inputs.shape[1] // 2 + 1  # all but the first and the last have a word and a sign at least
        if self.training and inputs.device.type == "cpu":
            most = int((number * (inputs != 0)).max()) + 1
        return number[:, None] == torch.arange(most, device=inputs.device)[:, None]


SMALL = Config(
    embedding_features=64,
    hidden_features=48,
    attention_features=48,
    bag_of_words=True,
    pairs=2**15,
    window=5000,
    words_read=400,
    word_dropout=0.1,
    dropout=0.2,
    descent=Descent(optimizer="adam", learning_rate=2e-3, clip_norm=1.0),
)
TINY = Config(
    sentence_ends=(4, 8),
    window=24,
    embedding_features=16,
    hidden_features=16,
    attention_features=8,
    descent=Descent(optimizer="adam", learning_rate=1e-2, clip_norm=1.0),
)


def build(config: Config) -> LearningRule:
    network, both = DocumentClassifier(config), 1.0 if config.bag_of_words else 0.0
    return Supervised(network, config.descent, measures={"accuracy": accuracy}, auxiliary=both)


def examples(config: Config) -> dict[str, tuple[Tensor, ...]]:
    """Return blank inputs of every network, by role."""
    return {"network": (torch.ones(1, config.window, dtype=torch.int64),)}
