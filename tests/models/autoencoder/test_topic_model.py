"""The topic model: its published size, its divergence against torch, and topics that it finds by itself."""

from functools import cache

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import Ragged
from ganglion.data.sources.generators import generate
from ganglion.models.autoencoder.topic_model import Config, TopicModel, divergence
from tests.contract.rows import Row

WORDS, GROUPS = 24, 3


@cache
def bags() -> np.ndarray:
    """Return 120 bags of 24 words (texts, words): twelve words of a third of the vocabulary, and four of any."""
    random = np.random.default_rng(0)
    of_group = random.integers(0, 8, (120, 12)) + 8 * (np.arange(120) % GROUPS)[:, None]
    numbers = np.concatenate([of_group, random.integers(0, WORDS, (120, 4))], axis=1)
    return np.stack([np.bincount(row, minlength=WORDS) for row in numbers]).astype(np.float32)


def loader() -> InMemoryLoader:
    rows = [np.flatnonzero(row) for row in bags()]
    places = Ragged.of([torch.from_numpy(row + 1) for row in rows])
    counts = Ragged.of([torch.from_numpy(bag[row]) for bag, row in zip(bags(), rows, strict=True)])
    return InMemoryLoader({"places": places, "counts": counts}, batch_size=40, seed=0)


def groups_found(rule: LearningRule) -> float:
    """Share of the eight leading words of each topic that are of one group, when the topics share the groups out."""
    network = rule.home.eval()
    with torch.no_grad():
        leading = network.topics().argsort(dim=1, descending=True)[:, :8] // 8  # type: ignore[operator]
    network.train()
    counts = np.array([np.bincount(row, minlength=GROUPS) for row in leading.numpy()])
    return float(counts.max(axis=0).min() / 8)


ROW = Row(
    loader=loader,
    steps=200,
    measure=groups_found,
    threshold=0.8,
    counts=(({}, "network", 319_550),),
    data=generate("notices", count=160),
)


def test_the_published_size() -> None:
    """V 1,995, K 50: two layers of 100, two heads of 50, and the words of the topics, whose norm has no weights."""
    network = TopicModel(Config())
    count = 1995 * 100 + 100 + 100 * 100 + 100 + 2 * (100 * 50 + 50) + 50 * 1995
    assert sum(parameter.numel() for parameter in network.parameters()) == count


def test_the_divergence_is_that_of_normals() -> None:
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    ours = torch.distributions.Normal(mean, (log_variance / 2).exp())
    prior = torch.distributions.Normal(torch.zeros(3), torch.full((3,), 0.6) ** 0.5)
    expected = torch.distributions.kl_divergence(ours, prior).sum(dim=1)
    torch.testing.assert_close(divergence(mean, log_variance, torch.tensor(0.6)), expected)


@pytest.mark.parametrize("concentration", [0.5, 2.0])
def test_the_prior_is_laplaces_approximation(concentration: float) -> None:
    """Of a Dirichlet in the softmax basis: v = (1/a)(1 - 2/K) + (1/K^2) sum 1/a, which is (1/a)(1 - 1/K)."""
    topics = 7
    expected = (1 - 2 / topics) / concentration + topics / concentration / topics**2
    assert float(TopicModel(Config(topics=topics, concentration=concentration)).prior_variance) == pytest.approx(
        expected
    )


def test_words_are_scored_as_by_torch() -> None:
    torch.manual_seed(0)
    network = TopicModel(Config(vocabulary_size=6, topics=2, hidden_features=4)).eval()
    bags, noise = torch.tensor([[2.0, 0, 1, 0, 0, 0]]), torch.zeros(1, 2)
    scored, _ = network.negative_bound(bags, noise)
    logits = network(bags)
    expected = 2 * torch.nn.functional.cross_entropy(logits, torch.tensor([0]))
    expected = expected + torch.nn.functional.cross_entropy(logits, torch.tensor([2]))
    torch.testing.assert_close(scored[0], expected)
