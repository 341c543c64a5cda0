"""Sequences with a tag for each token, as numbers of both."""

from collections.abc import Sequence
from typing import Self, final

import torch

from ganglion.data.fields import UNJUDGED
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.data.preprocessing.texts import TextPreprocessing
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

    text: TextPreprocessing
    """The tokens."""
    tags: tuple[str, ...]
    """What tag 0, 1, ... is."""

    @classmethod
    def fit(cls, sequences: Sequence[Tagged], *, least: int = 2) -> Self:
        """Number the tokens of the training part that occur `least` times, and its tags."""
        tags = sorted({tag for sequence in sequences for _, tag in sequence})
        if len(tags) < 2:
            raise DataError("all tokens have the same tag", found=", ".join(tags), expected="two tags at least")
        tokens = Vocabulary.fit((token for sequence in sequences for token, _ in sequence), least=least).tokens
        return cls(text=TextPreprocessing(tokens=tokens, unit="spaced"), tags=tuple(tags))

    def __call__(self, raw: Sequence[Tagged]) -> Ragged:
        """Return the numbers of the tokens of every sequence `(tokens,)`."""
        tokens = [[token for token, _ in sequence] for sequence in raw]
        return Ragged.of([torch.from_numpy(self.text.numbers(one)) for one in tokens])

    def targets(self, raw: Sequence[Tagged]) -> Ragged:
        """Return the numbers of the tags of every sequence `(tokens,)`; one that training lacks is `len(tags)`."""
        numbers = {tag: number for number, tag in enumerate(self.tags)}
        rows = [[numbers.get(tag, len(numbers)) for _, tag in sequence] for sequence in raw]
        return Ragged.of([torch.tensor(row, dtype=torch.int64) for row in rows], UNJUDGED)
