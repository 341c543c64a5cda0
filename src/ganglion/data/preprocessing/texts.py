"""Texts as numbers of words or characters, and back."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import Annotated, Literal, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.preprocessing.ragged import Ragged
from ganglion.data.preprocessing.vocabulary import UNKNOWN, Vocabulary, words
from ganglion.errors import ConfigurationError, DataError
from ganglion.settings import at_least, settings

Unit = Literal["words", "characters", "spaced"]
"""`words` are words and signs in small letters, `spaced` is whatever stands between spaces."""
BEGIN, END = "\N{START OF TEXT}", "\N{END OF TEXT}"
"""Control characters that no text contains, for where a text that is written begins and ends."""
PADDING = 0


@final
@settings
class TextPreprocessing:
    """Texts as numbers of their tokens, and back: all that any system knows of words and characters.

    0 pads and the next number is whatever training has not seen often enough; where nothing is ever padded, as in one
    long text, that is 0. With `marked`, each text begins with 2 and ends with 3, for networks that write texts. Of
    known characters `inverse` gives back exactly the text, of other tokens the text with one space between them.

    >>> reader = TextPreprocessing.fit(["to be", "or not to be"], least=1)
    >>> reader(["be it"])[0].tolist(), reader.inverse(torch.tensor([[3, 2, 0]]))
    ([3, 1], ['be to'])
    """

    tokens: tuple[str, ...]
    """What the numbers stand for, the first of them for what is unknown."""
    unit: Unit = "words"
    """What a number stands for."""
    padded: bool = True
    """Whether 0 is the padding, and tokens are numbered from 1 on."""
    marked: bool = False
    """Whether beginning and end have numbers of their own."""
    window: Annotated[int, at_least(1)] | None = None
    """Tokens of a text that are read at most, without the marks; all where none is given."""

    def __post_init__(self) -> None:
        if self.marked and (self.tokens[1:3] != (BEGIN, END) or not self.padded):
            raise ConfigurationError(
                "these tokens lack the marks of beginning and end", expected=f"{(UNKNOWN, BEGIN, END)} at first"
            )

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        *,
        unit: Unit = "words",
        padded: bool = True,
        marked: bool = False,
        window: int | None = None,
        least: int = 2,
        most: int | None = None,
    ) -> Self:
        """Number the tokens of the training texts, the commonest first.

        Args:
            least: how often one must occur.
            most: how many are kept at most, the unknown among them.
        """
        known = Vocabulary.fit(chain.from_iterable(_split(text, unit) for text in texts), least=least, most=most)
        tokens = (UNKNOWN, BEGIN, END, *known.tokens[1:]) if marked else known.tokens
        return cls(tokens=tokens, unit=unit, padded=padded, marked=marked, window=window)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        return Vocabulary(tokens=self.tokens)

    @property
    def num_tokens(self) -> int:
        """Numbers that there are, the padding among them."""
        return len(self.tokens) + self.padded

    def __call__(self, raw: Sequence[str]) -> Ragged:
        """Return the numbers of every text `(tokens,)`; one without any token is one unknown token."""
        return Ragged.of([torch.from_numpy(self.encode(text)) for text in raw], PADDING)

    def split(self, text: str) -> Sequence[str]:
        """Return the tokens of a text, as far as it is read."""
        return _split(text, self.unit)[: self.window]

    def encode(self, text: str) -> np.ndarray:
        """Return the numbers of one text `(tokens,)` int64."""
        numbers = self.numbers(self.split(text))
        if self.marked:
            return np.concatenate([[2], numbers, [3]])
        return numbers if len(numbers) else self.numbers([UNKNOWN])

    def numbers(self, tokens: Sequence[str]) -> np.ndarray:
        """Return the number of each token `(tokens,)` int64."""
        numbers: np.ndarray = self.vocabulary.encode(tokens) + int(self.padded)
        return numbers

    def unknown(self, text: str) -> list[str]:
        """Return the tokens of a text that are read as unknown, each once, in their order."""
        return self.vocabulary.unknown(self.split(text))

    def inverse(self, numbers: Tensor) -> list[str]:
        """Return the texts of numbers `(texts, tokens)`, each as far as its end."""
        return [self.decode(row) for row in numbers.tolist()]

    def decode(self, numbers: Iterable[int]) -> str:
        """Return the text of the numbers of one."""
        kept = list(numbers)
        if self.marked:
            kept = kept[: kept.index(3)] if 3 in kept else kept
            kept = [number for number in kept if number != 2]
        return ("" if self.unit == "characters" else " ").join(self.named(kept))

    def named(self, numbers: Iterable[int]) -> list[str]:
        """Return the token of each number, padding left out."""
        if not self.padded:
            return self.vocabulary.decode(numbers)
        return self.vocabulary.decode(number - 1 for number in numbers if number != PADDING)


def _split(text: str, unit: Unit) -> Sequence[str]:
    if unit == "characters":
        return text
    return words(text) if unit == "words" else text.split()


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
