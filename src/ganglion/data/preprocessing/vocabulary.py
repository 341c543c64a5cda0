"""Characters and words as numbers: a vocabulary of the training part, with a sign for whatever is not in it."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self, final

import numpy as np

from ganglion.errors import DataError

UNKNOWN = "\N{REPLACEMENT CHARACTER}"
"""How an unknown character or word is written; its number is always 0."""
JOINED = "\N{WORD JOINER}"
"""Stands before a word or sign that has no space before it, where a text is to be written again as it was."""
CODE_POINTS = 0x110000
SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Letters of Thai, Lao, Burmese, Khmer, Japanese and Chinese, which are written without spaces between words."""
SIGNS_ABOVE = "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u17b6-\u17d3"
"""Vowels and tones of these scripts, which belong to the letter before them."""
WORD = re.compile(
    rf"[{SPACELESS}][{SIGNS_ABOVE}]*|(?:(?![{SPACELESS}])[^\W_])+(?:['’](?:(?![{SPACELESS}])[^\W_])+)*|[^\w\s]|_"
)
"""A word with its apostrophes, a letter of a script without spaces, or one sign of punctuation."""


@final
@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """Tokens by number; 0 stands for all that are unknown.

    A token that occurs less than `least` times in the training part is unknown as well, so that the unknown is
    something that training has seen.

    >>> vocabulary = Vocabulary.fit("to be or not to be", least=2)
    >>> vocabulary.tokens
    ('�', ' ', 'o', 't', 'b', 'e')
    >>> vocabulary.encode("beet").tolist(), vocabulary.decode([4, 5, 0])
    ([4, 5, 5, 3], ['b', 'e', '�'])
    """

    tokens: tuple[str, ...]
    """The token of every number."""

    @classmethod
    def fit(cls, tokens: Iterable[str], *, least: int = 2, most: int | None = None) -> Self:
        """Number the tokens of the training part, the commonest first.

        Args:
            least: how often a token must occur.
            most: how many tokens are kept at most, the unknown among them.

        Raises `DataError` if no token occurs often enough.
        """
        counts = Counter(tokens)
        known = [token for token, count in counts.most_common() if count >= least and token != UNKNOWN]
        if not known:
            raise DataError(
                "there is nothing to learn from: no character or word occurs often enough",
                expected=f"some that occur at least {least} times in the training part",
                found=f"{len(counts)} different ones",
                remedy="give more text",
            )
        return cls(tokens=(UNKNOWN, *known[: None if most is None else most - 1]))

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._numbers

    def encode(self, tokens: str | Sequence[str]) -> np.ndarray:
        """Return the number of each token `(tokens,)` int64; a string is taken character by character."""
        if isinstance(tokens, str):
            return self._by_code_point[np.frombuffer(tokens.encode("utf-32-le", "surrogatepass"), dtype="<u4")]
        return np.array([self._numbers.get(token, 0) for token in tokens], dtype=np.int64)

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Return the tokens of numbers."""
        return [self.tokens[number] for number in numbers]

    def unknown(self, tokens: Iterable[str]) -> list[str]:
        """Return those tokens that are not known, each once, in their order."""
        return [token for token in dict.fromkeys(tokens) if token not in self._numbers]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: number for number, token in enumerate(self.tokens)}

    @cached_property
    def _by_code_point(self) -> np.ndarray:
        table = np.zeros(CODE_POINTS, dtype=np.int64)
        for number, token in enumerate(self.tokens):
            if len(token) == 1:
                table[ord(token)] = number
        return table


def words(text: str) -> list[str]:
    """Return the words and signs of a text in small letters.

    >>> words("Don't you like it?  I do!")
    ["don't", 'you', 'like', 'it', '?', 'i', 'do', '!']
    """
    return WORD.findall(text.lower())


def joined_words(text: str) -> list[str]:
    """Return the words and signs of a text as they are written, each with `JOINED` before it if it has no space there.

    >>> [word.replace(JOINED, "+") for word in joined_words("A T-shirt, please.")]
    ['A', 'T', '+-', '+shirt', '+,', 'please', '+.']
    """
    found, end = [], -1
    for match in WORD.finditer(text.replace(JOINED, "")):
        found.append(JOINED + match.group() if match.start() == end else match.group())
        end = match.end()
    return found
