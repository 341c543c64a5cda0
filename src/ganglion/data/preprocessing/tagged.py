"""Sequences with a tag for each token, as numbers of both."""

from collections.abc import Sequence
from functools import cached_property
from typing import Self, final

import numpy as np
import torch

from ganglion.data.fields import UNJUDGED
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.data.preprocessing.vocabulary import Vocabulary
from ganglion.errors import DataError
from ganglion.settings import settings

Tagged = Sequence[tuple[str, str]]
"""Tokens, each with its tag."""


@final
@settings
class TaggedPreprocessing:
    """Tokens as numbers from 1 on, where 1 is unknown and 0 pads, and tags as numbers from 0 on.

    >>> reader = TaggedPreprocessing.fit([[("the", "D"), ("cat", "N")]] * 2)
    >>> reader([[("a", "D"), ("cat", "N")]])[0].tolist(), reader.targets([[("a", "D"), ("cat", "N")]])[0].tolist()
    ([1, 3], [0, 1])
    """

    tokens: tuple[str, ...]
    """What token 1, 2, ... is."""
    tags: tuple[str, ...]
    """What tag 0, 1, ... is."""

    @classmethod
    def fit(cls, sequences: Sequence[Tagged], *, least: int = 2) -> Self:
        """Number the tokens of the training part that occur `least` times, and its tags."""
        pairs = [pair for sequence in sequences for pair in sequence]
        tags = sorted({tag for _, tag in pairs})
        if len(tags) < 2:
            raise DataError("all tokens have the same tag", found=", ".join(tags), expected="two tags at least")
        return cls(tokens=Vocabulary.fit((token for token, _ in pairs), least=least).tokens, tags=tuple(tags))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(tokens=self.tokens)

    def __call__(self, raw: Sequence[Tagged]) -> Ragged:
        """Return the numbers of the tokens of every sequence `(tokens,)`."""
        return Ragged.of([torch.from_numpy(self.encode([token for token, _ in sequence])) for sequence in raw])

    def encode(self, tokens: Sequence[str]) -> np.ndarray:
        """Return the numbers of one sequence's tokens `(tokens,)` int64."""
        numbers: np.ndarray = self.vocabulary.encode(list(tokens)) + 1
        return numbers

    def targets(self, raw: Sequence[Tagged]) -> Ragged:
        """Return the numbers of the tags of every sequence `(tokens,)`; one that training lacks is `len(tags)`."""
        numbers = {tag: number for number, tag in enumerate(self.tags)}
        rows = [[numbers.get(tag, len(numbers)) for _, tag in sequence] for sequence in raw]
        return Ragged.of([torch.tensor(row, dtype=torch.int64) for row in rows], UNJUDGED)
