"""The reader of texts: what padding cannot change, what pooling keeps, its size by hand, and its row."""

from dataclasses import replace
from functools import cache
from typing import get_args

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.preprocessing.vocabulary import Vocabulary, words
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.models.recurrent.sentiment import TINY, Config, Pooling, build
from ganglion.rules.losses import accuracy
from tests.contract.rows import Row
from tests.contract.toys import sequences


@cache
def film_opinions() -> tuple[list[np.ndarray], np.ndarray]:
    """Opinions as numbers of words from 1 on, and their classes."""
    dataset = generate("opinions", count=600)
    vocabulary = Vocabulary.fit(word for text in dataset.inputs for word in words(text))
    assert dataset.targets is not None
    return [vocabulary.encode(words(text)) + 1 for text in dataset.inputs], dataset.targets


@torch.no_grad()
def share_of_opinions_understood(rule: LearningRule) -> float:
    loader = sequences(*film_opinions(), batch_size="all", shuffle=False)
    batch = next(iter(loader))
    return float(accuracy(rule.home.eval()(batch["inputs"]), batch["targets"]))


ROW = Row(
    loader=lambda: sequences(*film_opinions(), batch_size=20),
    steps=250,
    measure=share_of_opinions_understood,
    threshold=0.85,  # Word counts, which know no order, have 0.65.
    # Vectors of words; in two directions three gates, with a second bias for one of them; the decision.
    counts=(({}, "network", 5001 * 64 + 2 * (3 * 64 * (64 + 64 + 1) + 64) + 128 * 2 + 2),),
    data=generate("opinions", count=120),
)


@pytest.mark.parametrize("pooling", get_args(Pooling))
def test_what_stands_past_the_end_changes_nothing(pooling: Pooling) -> None:
    torch.manual_seed(0)
    network = build(replace(TINY, pooling=pooling)).home.eval()
    text = torch.randint(1, 5000, (1, 7))
    padded = torch.cat([text, torch.zeros(1, 4, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(network(padded), network(text))


def test_the_maximum_finds_a_sign_wherever_it_stands() -> None:
    """Of cells that remember nothing, the decision does not depend on the order of the words."""
    torch.manual_seed(0)
    network = build(replace(TINY, cell="elman")).home.eval()
    for cell in network.recurrent.cells:
        torch.nn.init.zeros_(cell.recurrent_weight)
    text = torch.randint(1, 5000, (1, 9))  # no longer than what is read in order
    torch.testing.assert_close(network(text), network(text[:, torch.randperm(9)]))


def test_order_and_words_vote_and_words_are_counted_beyond_those_that_are_read() -> None:
    torch.manual_seed(0)
    network = build(replace(TINY, words_read=4)).home.eval()
    network.counts.weight.normal_()
    text = torch.randint(2, 5000, (3, 9))
    both, alone = network.heads(text)
    torch.testing.assert_close(both, (alone + network.counts(text)) / 2)
    torch.testing.assert_close(alone, network.heads(text[:, :4])[1])
    unlike = network.heads(text[:, :4])[0] - both
    assert unlike.abs().min() > 1e-3
    assert build(replace(TINY, bag_of_words=False)).home.counts is None


def test_words_are_left_out_while_training_only() -> None:
    torch.manual_seed(0)
    network = build(replace(TINY, word_dropout=0.5)).home
    text = torch.randint(1, 5000, (1, 20))
    assert not torch.equal(network(text), network(text))
    network.eval()
    assert torch.equal(network(text), network(text))


@pytest.mark.parametrize("wrong", [{"window": 0}, {"most_words": 1}, {"dropout": 1.0}, {"word_dropout": -0.1}])
def test_refuses_impossible_configurations(wrong: dict) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Config(**wrong)
