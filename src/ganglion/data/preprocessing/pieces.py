"""Pieces of words as tokens: pairs of neighbours that are common in the training part become one, again and again.

Words are taken apart into bytes of UTF-8, so that any text of any script is made of known pieces and comes back as it
was. Every byte of a piece is written as the character of its number.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise

WORD = re.compile(r" ?[^\W_]+| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")
"""A word or a row of signs with the space before it, or white space: no piece goes beyond one of these."""
BYTES = tuple(map(chr, range(256)))
"""What every text can be made of."""
FEWEST = 2
"""Times that a pair must occur to become one piece."""
REMEMBERED = 1 << 16
"""Words whose pieces a cutter remembers."""


def learn_pieces(texts: Iterable[str], count: int) -> tuple[str, ...]:
    """Return up to so many pieces, the bytes among them, each of two before it, in the order in which they were joined.

    Source: Sennrich, Haddow and Birch, Neural machine translation of rare words with subword units (2016).

    >>> [as_text(piece) for piece in learn_pieces(["low lower lowest"] * 2, 259)[256:]]
    ['lo', 'low', ' low']
    """
    counts = Counter(word for text in texts for word in WORD.findall(text))
    words = [(list(as_bytes(word)), times) for word, times in counts.items()]
    pairs: Counter[tuple[str, str]] = Counter()
    holders: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for place, (parts, times) in enumerate(words):
        for pair in pairwise(parts):
            pairs[pair] += times
            holders[pair].add(place)
    order = [(-times, pair) for pair, times in pairs.items()]
    heapify(order)
    pieces = dict.fromkeys(BYTES)
    while len(pieces) < count and order:
        times, best = heappop(order)
        if -times != pairs[best]:  # It has become rarer since, and stands further back as well.
            continue
        if -times < FEWEST:
            break
        joined = "".join(best)
        pieces[joined] = None
        changes: defaultdict[tuple[str, str], int] = defaultdict(int)
        for place in holders.pop(best):
            parts, times = words[place]
            for pair in pairwise(parts):
                changes[pair] -= times
            parts[:] = _joined(parts, best)
            for pair in pairwise(parts):
                changes[pair] += times
                if pair[0] == joined or pair[1] == joined:
                    holders[pair].add(place)
        for pair, change in changes.items():
            if change:
                pairs[pair] += change
                heappush(order, (-pairs[pair], pair))
    return tuple(pieces)


class Cutter:
    """Cuts texts into pieces: in each word the pair that was joined first is joined first. Words are remembered.

    Args:
        pieces: in the order in which they were joined.

    >>> cutter = Cutter(learn_pieces(["low lower lowest"] * 2, 259))
    >>> [as_text(piece) for piece in cutter("a low one")]
    ['a', ' low', ' ', 'o', 'n', 'e']
    """

    def __init__(self, pieces: Iterable[str]) -> None:
        self.ranks = {piece: rank for rank, piece in enumerate(pieces)}
        self.known: dict[str, tuple[str, ...]] = {}

    def __call__(self, text: str) -> list[str]:
        """Return the pieces of a text, which joined are all of it."""
        return [piece for word in WORD.findall(text) for piece in self._pieces_of(word)]

    def _pieces_of(self, word: str) -> tuple[str, ...]:
        if word not in self.known:
            if len(self.known) >= REMEMBERED:
                self.known.clear()
            parts = list(as_bytes(word))
            while len(parts) > 1:
                found = [pair for pair in pairwise(parts) if "".join(pair) in self.ranks]
                if not found:
                    break
                parts = _joined(parts, min(found, key=lambda pair: self.ranks["".join(pair)]))
            self.known[word] = tuple(parts)
        return self.known[word]


def as_bytes(text: str) -> str:
    """Return a text with a character for each of its bytes."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def as_text(pieces: str) -> str:
    """Return the text of characters for bytes; bytes that make none are shown as unknown.

    >>> as_text(as_bytes("Grüße 日本 🙂"))
    'Grüße 日本 🙂'
    """
    return pieces.encode("latin-1").decode("utf-8", "replace")


def _joined(parts: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """Return parts with each pair of these neighbours as one, from the left."""
    found: list[str] = []
    place = 0
    while place < len(parts):
        together = place + 1 < len(parts) and (parts[place], parts[place + 1]) == pair
        found.append("".join(pair) if together else parts[place])
        place += 1 + together
    return found
