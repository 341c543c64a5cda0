"""Bags of words: counted and weighed as scikit-learn does, pairs of neighbours among them."""

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfTransformer

from ganglion.nn.language.bags import HASH, WordCounts

TEXTS = torch.tensor([[2, 2, 3, 1, 0], [4, 3, 5, 5, 5]])
WORDS, PAIRS = 6, 1000


def fitted(pairs: int) -> WordCounts:
    torch.manual_seed(0)
    counts = WordCounts(WORDS, 3, pairs)
    counts.rarity.uniform_(1, 3)
    counts.weight.normal_()
    counts.bias.normal_()
    return counts


def test_words_are_weighed_as_scikit_learn_does() -> None:
    counts = WordCounts(WORDS, 2)
    seen = torch.stack([torch.bincount(row, minlength=WORDS + 1) for row in TEXTS])[:, 2:]
    reference = TfidfTransformer(sublinear_tf=True).fit(seen.numpy())
    counts.rarity[2:] = torch.from_numpy(reference.idf_)
    expected = torch.from_numpy(reference.transform(seen.numpy()).toarray()).float()
    torch.testing.assert_close(counts.features(TEXTS)[:, 2:], expected)
    assert not counts.features(TEXTS)[:, :2].any()


def test_it_only_counts_whether_a_word_is_there_where_nothing_is_weighed() -> None:
    counts = WordCounts(WORDS, 2)
    counts.weighed.zero_()
    assert counts.features(TEXTS).tolist() == [[0, 0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1, 0]]


def test_neighbours_count_like_words_unless_one_is_unknown() -> None:
    counts = WordCounts(WORDS, 2, PAIRS)
    counts.weighed.zero_()
    found = [set(np.flatnonzero(row)) - set(range(WORDS + 1)) for row in counts.features(TEXTS).numpy()]
    numbers = [{(2, 2), (2, 3)}, {(4, 3), (3, 5), (5, 5)}]
    assert found == [{WORDS + 1 + (HASH[0] * u + HASH[1] * w) % PAIRS for u, w in pairs} for pairs in numbers]
    counts.with_pairs.zero_()
    assert not counts.features(TEXTS)[:, WORDS + 1 :].any()


@pytest.mark.parametrize("pairs", [0, PAIRS])
@pytest.mark.parametrize("weighed", [0.0, 1.0])
def test_the_answer_is_a_product_with_what_was_counted_and_padding_changes_nothing(pairs: int, weighed: float) -> None:
    counts = fitted(pairs)
    counts.weighed.fill_(weighed)
    expected = counts.features(TEXTS) @ counts.weight.T + counts.bias
    torch.testing.assert_close(counts(TEXTS), expected)
    torch.testing.assert_close(counts(torch.nn.functional.pad(TEXTS, (0, 3))), expected)
    torch.testing.assert_close(counts(torch.tensor([[1, 0]])), counts.bias[None])
