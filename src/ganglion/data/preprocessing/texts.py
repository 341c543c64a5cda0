"""Texts as numbers of words or characters, and back."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import chain, groupby
from typing import Annotated, Literal, Self, final

import numpy as np
import torch
from torch import Tensor

from ganglion.data.preprocessing.pieces import Cutter, as_text, learn_pieces
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.data.preprocessing.vocabulary import JOINED, UNKNOWN, Vocabulary, joined_words, words
from ganglion.errors import ConfigurationError, DataError
from ganglion.settings import at_least, settings

Unit = Literal["words", "characters", "spaced", "joined", "pieces"]
"""`words` are words and signs in small letters, `spaced` is whatever stands between spaces. What is to be written again
as it was is `joined`: words and signs that know whether a space stands before them; or `pieces` of words."""
MOST_PIECES = 8000
"""Pieces that are learnt where nothing is said."""
BEGIN, END = "\N{START OF TEXT}", "\N{END OF TEXT}"
"""Control characters that no text contains, for where a text that is written begins and ends."""
PADDING = 0


@final
@settings
class TextPreprocessing:
    """Texts as numbers of their tokens, and back: all that any system knows of words and characters.

    0 pads and the next number is whatever training has not seen often enough; where nothing is ever padded, as in one
    long text, that is 0. With `marked`, each text begins with 2 and ends with 3, for networks that write texts. Of
    known characters and of pieces `inverse` gives back exactly the text, of joined words the text with single spaces,
    of other tokens the text with one space between them.

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
    lower: bool = False
    """Whether capitals are read as small letters; words always are."""
    lines: bool = False
    """Whether the end of a line is a token of its own, as it always is of characters and pieces."""
    by_line: bool = False
    """Whether each line of a text is one by itself, with marks of its own: turns of talk, captions of one picture."""

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
        lower: bool = False,
        lines: bool = False,
        by_line: bool = False,
    ) -> Self:
        """Number the tokens of the training texts, the commonest first; pieces in the order in which they were joined.

        Args:
            least: how often one must occur; pieces are at least all bytes.
            most: how many are kept at most, the unknown among them.
        """
        single = chain.from_iterable(text.splitlines() for text in texts) if by_line else texts
        read = (text.lower() for text in single) if lower else single
        if unit == "pieces":
            known = (UNKNOWN, *learn_pieces(read, (most or MOST_PIECES) - 1))
        else:
            split = chain.from_iterable(_split(text, unit, lines) for text in read)
            known = Vocabulary.fit(split, least=least, most=most).tokens
        tokens = (UNKNOWN, BEGIN, END, *known[1:]) if marked else known
        marks = {"marked": marked, "lines": lines, "by_line": by_line}
        return cls(tokens=tokens, unit=unit, padded=padded, window=window, lower=lower, **marks)

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
        read = text.lower() if self.lower else text
        return (self._cutter(read) if self.unit == "pieces" else _split(read, self.unit, self.lines))[: self.window]

    @cached_property
    def _cutter(self) -> Cutter:
        return Cutter(self.tokens[3 if self.marked else 1 :])

    def encode(self, text: str) -> np.ndarray:
        """Return the numbers of one text `(tokens,)` int64."""
        if self.by_line:
            return np.concatenate([self._line(line) for line in text.splitlines() or [""]])
        return self._line(text)

    def _line(self, text: str) -> np.ndarray:
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
        return self.joined(self.named(kept))

    def joined(self, tokens: Sequence[str]) -> str:
        """Return the text that is made of tokens.

        >>> reader = TextPreprocessing.fit(["Don't, please!"], unit="joined", least=1)
        >>> reader.joined(reader.split("Don't,  please!"))
        "Don't, please!"
        """
        match self.unit:
            case "characters":
                return "".join(tokens)
            case "pieces":
                runs = groupby(tokens, key=lambda token: token == UNKNOWN)  # a letter may be several pieces
                return "".join("".join(run) if unknown else as_text("".join(run)) for unknown, run in runs)
            case "joined":
                text = "".join(f" {token}" for token in tokens).replace(f" {JOINED}", "").removeprefix(" ")
            case _:
                text = " ".join(tokens)
        return text.replace(" \n", "\n").replace("\n ", "\n") if self.lines else text

    def shown(self, tokens: Iterable[str]) -> list[str]:
        """Return what tokens are called for a reader: without marks of joining, bytes of pieces as their letters."""
        if self.unit == "pieces":
            return [token if token == UNKNOWN else as_text(token) for token in tokens]
        return [token.removeprefix(JOINED) for token in tokens] if self.unit == "joined" else list(tokens)

    def named(self, numbers: Iterable[int]) -> list[str]:
        """Return the token of each number, padding left out."""
        if not self.padded:
            return self.vocabulary.decode(numbers)
        return self.vocabulary.decode(number - 1 for number in numbers if number != PADDING)


def _characters(text: str) -> str:
    return text


def _split(text: str, unit: Unit, lines: bool) -> Sequence[str]:
    """Return the tokens of a text, with those for the ends of its lines where they are wanted."""
    if not lines or unit == "characters":
        return SPLIT[unit](text)
    first, *others = text.split("\n")
    return [*SPLIT[unit](first), *(token for line in others for token in ("\n", *SPLIT[unit](line)))]


SPLIT: dict[Unit, Callable[[str], Sequence[str]]] = {
    "words": words,
    "characters": _characters,
    "spaced": str.split,
    "joined": joined_words,
}
"""How a text is cut into tokens of every unit but pieces, which have to be learnt."""


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
