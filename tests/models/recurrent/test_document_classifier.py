"""The classifier of documents: sentences, padding, the votes of counts, sizes by hand, and its row."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.preprocessing.vocabulary import Vocabulary, words
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.models.recurrent.document_classifier import TINY, Config, DocumentClassifier, build
from ganglion.rules.losses import accuracy
from ganglion.tasks.categorisation import Categorisation
from tests.contract.rows import Row
from tests.contract.toys import sequences


@cache
def film_opinions() -> tuple[list[np.ndarray], np.ndarray]:
    """Opinions as numbers of words from 1 on, and their classes."""
    dataset = generate("opinions", count=400)
    vocabulary = Vocabulary.fit(word for text in dataset.inputs for word in words(text))
    assert dataset.targets is not None
    return [vocabulary.encode(words(text)) + 1 for text in dataset.inputs], dataset.targets


@torch.no_grad()
def share_of_opinions_understood(rule: LearningRule) -> float:
    batch = next(iter(sequences(*film_opinions(), batch_size="all", shuffle=False)))
    right = float(accuracy(rule.home.eval()(batch["inputs"]), batch["targets"]))
    rule.home.train()
    return right


# In two directions three gates, with a second bias for one of them; attention; likewise for sentences.
LAYER = 3 * 50 + 50
ROW = Row(
    loader=lambda: sequences(*film_opinions(), batch_size=20),
    steps=150,
    measure=share_of_opinions_understood,
    threshold=0.8,  # Word counts, which know no order, have 0.65.
    counts=(
        (
            {},
            "network",
            5001 * 200
            + 2 * (3 * 50 * (200 + 50) + LAYER)
            + 2 * (3 * 50 * (100 + 50) + LAYER)
            + 2 * (100 * 100 + 100 + 100)
            + (100 + 1) * 5,
        ),
    ),
    data=generate("opinions", count=120),
)
ENDS = (4, 5)


def small(**fields: Any) -> DocumentClassifier:
    torch.manual_seed(0)
    config = replace(TINY, vocabulary_size=30, num_classes=3, sentence_ends=ENDS, **fields)
    network = build(config).home.eval()
    assert isinstance(network, DocumentClassifier)
    return network


@pytest.mark.parametrize("fields", [{}, {"structure": "plain"}, {"bag_of_words": True, "pairs": 50}])
def test_what_stands_past_the_end_changes_nothing(fields: dict) -> None:
    network = small(**fields)
    text = torch.tensor([[7, 8, 4, 9, 10, 11, 5, 12]])
    padded = torch.cat([text, torch.zeros(1, 4, dtype=torch.int64)], dim=1)
    torch.testing.assert_close(network(padded), network(text))


def test_sentences_end_at_their_signs_and_rows_of_signs_end_one() -> None:
    found = small().in_sentences(torch.tensor([[7, 8, 9, 4, 9, 9, 9, 5, 4, 7, 7, 7]]))[0]
    assert not found[3:].any()
    assert found[:3].tolist() == [
        [True] * 4 + [False] * 8,
        [False] * 4 + [True] * 5 + [False] * 3,
        [False] * 9 + [True] * 3,
    ]
    short = small().in_sentences(torch.tensor([[7, 4, 7, 4, 7, 4, 7, 4]]))[0]
    assert short.any(0).all() and short.sum(0).tolist() == [1] * 8  # every word is in one sentence


def test_a_task_lets_the_counts_vote_before_anything_is_learnt() -> None:
    config = replace(TINY, bag_of_words=True)
    texts = [f"{name} {'and so on ' * (n % 3)}{n % 7} end." for n, name in enumerate(["good film", "bad day"] * 60)]
    labels = np.arange(120) % 2
    films = Dataset.of(name="films", kind="documents", inputs=texts, targets=labels, label_names=("yes", "no"))
    task = Categorisation.prepare(films, config, DataSettings(), seed=0)
    assert len(task.config.sentence_ends) == 1
    torch.manual_seed(0)
    rule = build(task.config)
    task.begin(rule)
    network: Any = rule.home.eval()
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    measured = task.evaluate(rule, "test")
    assert measured["accuracy"] == measured["bag_of_words_accuracy"] == 1
    kept = network.counts.weight.clone()
    for batch in task.loader(rule, 0):
        rule.step(batch)
    assert torch.equal(network.counts.weight, kept) and network.head.weight.any()


@pytest.mark.parametrize("wrong", [{"window": 0}, {"most_words": 1}, {"dropout": 1.0}, {"word_dropout": -0.1}])
def test_refuses_impossible_configurations(wrong: dict) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Config(**wrong)
