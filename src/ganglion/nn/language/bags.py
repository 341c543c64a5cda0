"""Bags of words: what can be said of a text by which words, and which pairs of neighbours, there are in it."""

import torch
from torch import Tensor, nn

FIRST_WORD = 2
"""Number of the first word that is known; 0 pads, 1 is unknown."""
HASH = (1_000_003, 92_821)
"""Factors by which the numbers of two neighbours become one."""


class WordCounts(nn.Module):
    """Logits by which words there are, in no order: y = B x + f. Fitted before training, not learnt by steps.

    x_w = (1 + log n_w) r_w / |x|       of word w that stands n_w times in the text, r_w its rarity
    x_w = 1                             where it only counts whether a word is there

    A pair of known neighbours (u, w) counts like a word, under the number (1000003 u + 92821 w) mod `pairs`; those that
    share a number are taken for one another.

    Args:
        vocabulary_size: words that are known, the unknown one among them.
        num_classes: rows of B.
        pairs: numbers that pairs of neighbours are counted under; 0 counts none.

    Sources: Wang and Manning, Baselines and bigrams: simple, good sentiment and topic classification (2012);
    Weinberger, Dasgupta, Langford, Smola and Attenberg, Feature hashing for large scale multitask learning (2009).

    >>> counts = WordCounts(10, 2)
    >>> counts.features(torch.tensor([[2, 2, 3, 0]]))[0, 2:4]
    tensor([0.8610, 0.5085])
    """

    rarity: Tensor
    weighed: Tensor
    with_pairs: Tensor
    weight: Tensor
    bias: Tensor

    def __init__(self, vocabulary_size: int, num_classes: int, pairs: int = 0) -> None:
        super().__init__()
        self.words, self.pairs = vocabulary_size + 1, pairs
        self.register_buffer("rarity", torch.ones(self.words + pairs))
        self.register_buffer("weighed", torch.ones(1))  # 0 where it only counts whether a word is there
        if pairs:
            self.register_buffer("with_pairs", torch.ones(1))  # 0 where it does not count which neighbours there are
        self.register_buffer("weight", torch.zeros(num_classes, self.words + pairs))
        self.register_buffer("bias", torch.zeros(num_classes))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return y `(batch, classes)` of numbers of words (batch, words), 0 past the end."""
        numbers, shares = self.shares(inputs)
        return (shares[:, None] @ self.weight.T[numbers])[:, 0] + self.bias

    def features(self, inputs: Tensor) -> Tensor:
        """Return x `(batch, words known and pairs)` of numbers of words (batch, words)."""
        numbers, shares = self.shares(inputs)
        return shares.new_zeros(len(inputs), len(self.rarity)).scatter_add(1, numbers, shares)

    def shares(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the numbers of what is counted at each place of texts, and its share of x, (batch, places) both.

        A word that stands at n places has an n-th of x_w at each; padding and the unknown word have nothing.
        """
        numbers = torch.cat([inputs, self._neighbours(inputs)], 1) if self.pairs else inputs
        there = (numbers >= FIRST_WORD).to(self.rarity.dtype)
        if self.pairs:
            there = there * torch.where(numbers < self.words, 1.0, self.with_pairs)
        counts = self.rarity.new_zeros(inputs.shape[0], len(self.rarity)).scatter_add(1, numbers, there)
        times = counts.gather(1, numbers).clamp(min=1)
        weighed = there * (1 + times.log()) * self.rarity[numbers]
        length = (weighed.square() / times).sum(1, keepdim=True).sqrt().clamp(min=1e-12)
        return numbers, (there + self.weighed * (weighed / length - there)) / times

    def _neighbours(self, inputs: Tensor) -> Tensor:
        """Return the number of each pair of neighbours (batch, words - 1), 0 where one of them is unknown."""
        first, second = inputs[:, :-1], inputs[:, 1:]
        known = (first >= FIRST_WORD) & (second >= FIRST_WORD)
        return known * (self.words + (HASH[0] * first + HASH[1] * second) % self.pairs)
