"""Texts as numbers of words or characters, and back."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Annotated, Literal, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.preprocessing.ragged import Ragged
from ganglion.data.preprocessing.vocabulary import UNKNOWN, Vocabulary, words
from ganglion.errors import ConfigurationError, DataError
from ganglion.settings import at_least, settings

Unit = Literal["words", "characters"]
BEGIN, END = "\N{START OF TEXT}", "\N{END OF TEXT}"
"""Control characters that no text contains, for where a text that is written begins and ends."""
PADDING = 0


@final
@settings
class TextPreprocessing:
    """Texts as numbers of their words or characters; 0 pads, 1 is whatever training has not seen often enough.

    With `marked`, each text begins with 2 and ends with 3, for networks that write texts.

    >>> reader = TextPreprocessing.fit(["to be", "or not to be"], least=1)
    >>> reader(["be it"])[0].tolist(), reader.inverse(torch.tensor([[3, 2, 0]]))
    ([3, 1], ['be to'])
    """

    tokens: tuple[str, ...]
    """What number 1, 2, ... stand for."""
    unit: Unit = "words"
    """What a number stands for."""
    marked: bool = False
    """Whether beginning and end have numbers of their own."""
    window: Annotated[int, at_least(1)] | None = None
    """Words or characters of a text that are read at most, without the marks; all where none is given."""

    def __post_init__(self) -> None:
        if self.marked and self.tokens[1:3] != (BEGIN, END):
            raise ConfigurationError(
                "these tokens lack the marks of beginning and end", expected=f"{(UNKNOWN, BEGIN, END)} at first"
            )

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        *,
        unit: Unit = "words",
        marked: bool = False,
        window: int | None = None,
        least: int = 2,
        most: int | None = None,
    ) -> Self:
        """Number the words or characters of the training texts, the commonest first.

        Args:
            least: how often one must occur.
            most: how many are kept at most, the unknown among them.
        """
        known = Vocabulary.fit((token for text in texts for token in _split(text, unit)), least=least, most=most)
        tokens = (UNKNOWN, BEGIN, END, *known.tokens[1:]) if marked else known.tokens
        return cls(tokens=tokens, unit=unit, marked=marked, window=window)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(tokens=self.tokens)

    @property
    def num_tokens(self) -> int:
        """Numbers that there are, the padding among them."""
        return len(self.tokens) + 1

    def __call__(self, raw: Sequence[str]) -> Ragged:
        """Return the numbers of every text `(tokens,)`; one without any token is one unknown token."""
        return Ragged.of([torch.from_numpy(self.encode(text)) for text in raw], PADDING)

    def encode(self, text: str) -> np.ndarray:
        """Return the numbers of one text `(tokens,)` int64."""
        numbers: np.ndarray = self.vocabulary.encode(_split(text, self.unit)[: self.window]) + 1
        if self.marked:
            return np.concatenate([[2], numbers, [3]])
        return numbers if len(numbers) else np.ones(1, dtype=np.int64)

    def inverse(self, numbers: Tensor) -> list[str]:
        """Return the texts of numbers `(texts, tokens)`, each as far as its end; words stand one space apart."""
        return [self.decode(row) for row in numbers.tolist()]

    def decode(self, numbers: Sequence[int]) -> str:
        """Return the text of the numbers of one."""
        kept = list(numbers)
        if self.marked:
            kept = kept[: kept.index(3)] if 3 in kept else kept
            kept = [number for number in kept if number != 2]
        tokens = self.vocabulary.decode(number - 1 for number in kept if number != PADDING)
        return ("" if self.unit == "characters" else " ").join(tokens)


def _split(text: str, unit: Unit) -> str | list[str]:
    return text if unit == "characters" else words(text)


@final
@settings
class TokenPreprocessing:
    """Sequences of whole numbers from 0 on, as numbers from 2 on; 0 pads, 1 is one that training has not seen.

    >>> reader = TokenPreprocessing.fit([np.array([0, 1, 2])])
    >>> reader([np.array([2, 7])])[0].tolist()
    [4, 1]
    """

    count: Annotated[int, at_least(1)]
    """Numbers that training has seen, from 0 on."""

    @classmethod
    def fit(cls, tokens: Sequence[np.ndarray]) -> Self:
        """Count the numbers in the training sequences."""
        return cls(count=1 + max((int(np.max(one, initial=0)) for one in tokens), default=0))

    @property
    def num_tokens(self) -> int:
        """Numbers that there are, the padding among them."""
        return self.count + 2

    def __call__(self, raw: Sequence[np.ndarray]) -> Ragged:
        """Return the numbers of every sequence `(tokens,)`. Raises `DataError` for a number below 0."""
        samples = []
        for sequence in raw:
            numbers = np.asarray(sequence, dtype=np.int64)
            if (numbers < 0).any():
                raise DataError("these are no tokens", expected="whole numbers from 0 on", found=str(numbers.min()))
            samples.append(torch.from_numpy(np.where(numbers < self.count, numbers + 2, 1)))
        return Ragged.of(samples, PADDING)

    def inverse(self, numbers: Tensor) -> list[np.ndarray]:
        """Return the sequences of numbers `(sequences, tokens)`, -1 where one is unknown."""
        rows = numbers.cpu().numpy()
        return [np.where(row > 1, row - 2, -1)[row != PADDING] for row in rows]
