"""Language models that only count, as rivals of networks: n-grams smoothed by Kneser and Ney, and a cache."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

CACHE = 500
"""Tokens that a cache looks back on."""
ROUNDS = 30
"""Of estimating how much a cache counts."""
LARGEST = 2**62


@dataclass(frozen=True)
class _Level:
    """The grams of one length: their numbers in order, and of each its share beyond what shorter grams say."""

    grams: np.ndarray
    shares: np.ndarray
    """max(c(h w) - D(c), 0) / c(h), of grams h w."""
    contexts: np.ndarray
    left: np.ndarray
    """What is left of 1 after each context h, for shorter grams."""


class KneserNey:
    """p(w | n-1 tokens before), interpolated with that of ever shorter pasts, by modified Kneser-Ney smoothing.

    p(w | h) = max(c(h w) - D(c), 0) / c(h) + left(h) p(w | h'), where h' is h without its first token. c counts the
    grams of the longest kind, and for shorter ones after how many different tokens they occur. D has values for counts
    of 1, of 2 and of more, which follow from how many grams occur once, twice, and so on.

    Args:
        train: tokens (tokens,) below `size`.
        order: n, tokens of the longest gram; fewer where their numbers would not fit.

    Source: Chen and Goodman, An empirical study of smoothing techniques for language modeling (1999).

    >>> model = KneserNey(np.array([0, 1, 2] * 20), size=4, order=2)
    >>> model(np.array([0, 1])).round(2), float(model.over_all(np.array([0, 1])).sum().round(6))
    (array([0.94]), 1.0)
    """

    def __init__(self, train: np.ndarray, size: int, order: int = 3) -> None:
        while size**order > LARGEST:
            order -= 1
        self.size, self.order = size, order
        grams, counts = np.unique(_numbers(train, order, size), return_counts=True)
        self.levels = [self._level(grams, counts)]
        for length in range(order - 1, 0, -1):
            grams, counts = np.unique(grams % size**length, return_counts=True)
            self.levels.insert(0, self._level(grams, counts))

    def __call__(self, tokens: np.ndarray) -> np.ndarray:
        """Return p of each of `tokens` (tokens,) from number n-1 on (tokens - n + 1,), given those before it."""
        return self._shares(_numbers(tokens, self.order, self.size))

    def over_all(self, past: np.ndarray) -> np.ndarray:
        """Return p of every token (size,) after the last n-1 of `past`."""
        before = _numbers(past, self.order - 1, self.size)[-1] if self.order > 1 else 0
        return self._shares(before * self.size + np.arange(self.size))

    def _shares(self, asked: np.ndarray) -> np.ndarray:
        shares = np.full(len(asked), 1 / self.size)
        for length, level in enumerate(self.levels, 1):
            gram = asked % self.size**length
            shares = _found(level.grams, level.shares, gram, 0.0) + shares * _found(
                level.contexts, level.left, gram // self.size, 1.0
            )
        return shares

    def _level(self, grams: np.ndarray, counts: np.ndarray) -> _Level:
        discounts = _discounts(counts)[np.minimum(counts, 3)]
        contexts, places = np.unique(grams // self.size, return_inverse=True)
        totals = np.bincount(places, weights=counts)
        return _Level(
            grams, (counts - discounts) / totals[places], contexts, np.bincount(places, weights=discounts) / totals
        )


def _numbers(tokens: np.ndarray, length: int, size: int) -> np.ndarray:
    """Return a number for each run of so many tokens (tokens - length + 1,)."""
    numbers: np.ndarray = sliding_window_view(tokens.astype(np.int64), length) @ size ** np.arange(length)[::-1]
    return numbers


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Return what is taken from counts of 0, 1, 2 and more (4,), between nothing and the whole."""
    once, twice, thrice, four = (max(1, int((counts == times).sum())) for times in (1, 2, 3, 4))
    share = once / (once + 2 * twice)
    taken = [0, 1 - 2 * share * twice / once, 2 - 3 * share * thrice / twice, 3 - 4 * share * four / thrice]
    return np.clip(taken, [0, 0.1, 0.1, 0.1], [0, 0.9, 1.8, 2.7])


def _found(known: np.ndarray, values: np.ndarray, asked: np.ndarray, missing: float) -> np.ndarray:
    """Return the values of those asked for, which are looked up among known ones in their order."""
    places = np.searchsorted(known, asked).clip(max=len(known) - 1)
    return np.where(known[places] == asked, values[places], missing)


@dataclass(frozen=True)
class Cache:
    """p(w) = (1 - l) p_counted(w) + l c(w) / C, where c counts w among the last C tokens: what was said comes again.

    Source: Kuhn and De Mori, A cache-based natural language model for speech recognition (1990).
    """

    weight: float
    """l."""

    @classmethod
    def fit(cls, counted: KneserNey, tokens: np.ndarray) -> Self:
        """Return the cache with the likeliest weight on tokens (tokens,) that were not counted."""
        shares, recent, weight = counted(tokens), recently(tokens)[counted.order - 1 :], 0.1
        for _ in range(ROUNDS):
            by_cache = weight * recent
            weight = float(np.mean(by_cache / (by_cache + (1 - weight) * shares)))
        return cls(weight)

    def __call__(self, counted: KneserNey, tokens: np.ndarray) -> np.ndarray:
        """Return p of each of `tokens` from number n-1 on, as `counted` does."""
        return (1 - self.weight) * counted(tokens) + self.weight * recently(tokens)[counted.order - 1 :]


def recently(tokens: np.ndarray, length: int = CACHE) -> np.ndarray:
    """Return how often each token stands among those before it (tokens,), as a share of the last `length` of them.

    >>> recently(np.array([1, 2, 1, 1])).round(2).tolist()
    [0.0, 0.0, 0.5, 0.67]
    """
    places, count = np.arange(len(tokens)), len(tokens) + 1
    first = np.maximum(0, places - length)
    order = np.sort(tokens.astype(np.int64) * count + places)
    begin, end = (np.searchsorted(order, tokens.astype(np.int64) * count + at) for at in (first, places))
    shares: np.ndarray = (end - begin) / np.maximum(1, places - first)
    return shares
