"""Counted language models against a second, slow writing of their definition."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import pytest

from ganglion.tasks.measures.counted import Cache, KneserNey, recently

RANDOM = np.random.default_rng(0)
TRAIN = np.minimum(RANDOM.geometric(0.3, 400) - 1, 7)
SIZE = 9


def by_definition(train: Sequence[int], order: int, past: tuple[int, ...], token: int) -> float:
    """Return p(token | past) by Chen and Goodman, by dictionaries."""
    grams = Counter(tuple(train[at : at + order]) for at in range(len(train) - order + 1))
    counts = {order: grams}
    for length in range(order - 1, 0, -1):
        counts[length] = Counter(gram[1:] for gram in counts[length + 1])
    share = 1 / SIZE
    for length in range(1, order + 1):
        times = Counter(counts[length].values())
        n = [max(1, times[count]) for count in (1, 2, 3, 4)]
        y = n[0] / (n[0] + 2 * n[1])
        taken = [i + 1 - (i + 2) * y * n[i + 1] / n[i] for i in range(3)]
        taken = [min(max(one, 0.1), most) for one, most in zip(taken, (0.9, 1.8, 2.7), strict=True)]
        context, after = past[len(past) - length + 1 :], defaultdict(int)
        for gram, count in counts[length].items():
            if gram[:-1] == context:
                after[gram[-1]] = count
        if total := sum(after.values()):
            off = {word: taken[min(count, 3) - 1] for word, count in after.items()}
            share = (after[token] - off.get(token, 0)) / total + sum(off.values()) / total * share
    return share


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kneser_ney_as_defined(order: int) -> None:
    model, asked = KneserNey(TRAIN, SIZE, order), RANDOM.integers(SIZE, size=30)
    expected = [
        by_definition(TRAIN.tolist(), order, tuple(asked[at - order + 1 : at].tolist()), int(asked[at]))
        for at in range(order - 1, 30)
    ]
    np.testing.assert_allclose(model(asked), expected, rtol=1e-9)


def test_probabilities_of_all_tokens_add_up_to_one() -> None:
    model = KneserNey(TRAIN, SIZE, 3)
    for past in ([0, 0], [7, 7], [8, 8], [8, 0]):
        assert model.over_all(np.array(past)).sum() == pytest.approx(1)


def test_grams_whose_numbers_would_not_fit_are_shorter() -> None:
    assert KneserNey(np.arange(50), size=2**30, order=3).order == 2


def test_a_cache_counts_what_came_again() -> None:
    tokens = np.array([5, 1, 5, 2, 5, 5])
    np.testing.assert_allclose(recently(tokens, 3), [0, 0, 1 / 2, 0, 1 / 3, 2 / 3])
    model = KneserNey(TRAIN, SIZE, 2)
    bursts = np.repeat(RANDOM.integers(8, size=12), 40)
    assert Cache.fit(model, bursts).weight > 0.5 > Cache.fit(model, TRAIN).weight
    share = Cache(0.25)(model, tokens)
    np.testing.assert_allclose(share, 0.75 * model(tokens) + 0.25 * recently(tokens)[1:])
