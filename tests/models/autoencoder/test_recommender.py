"""The recommender: its published size, what it learns of tastes, and both kinds of order."""

from functools import cache

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.sources.generators import generate
from ganglion.errors import ConfigurationError
from ganglion.models.autoencoder.recommender import AutoRec, Config, build
from ganglion.rules.descend import Descent
from ganglion.rules.ratings import filled
from ganglion.tasks.shared.ratings import Known
from tests.contract.rows import Row

USERS, ITEMS = 12, 60


@cache
def opinions() -> tuple[np.ndarray, np.ndarray]:
    """Return what 12 users of two opposite tastes say of 60 items, (items, users), and which of it is known."""
    random = np.random.default_rng(0)
    taste = np.where(np.arange(USERS) % 2, 1.0, -1.0)
    said = random.choice([-0.5, 0.5], size=(ITEMS, 1)) * taste + random.normal(0, 0.05, (ITEMS, USERS))
    return said, random.random((ITEMS, USERS)) < 0.6


def loader(seed: int = 0) -> InMemoryLoader:
    said, known = opinions()
    items, users = np.nonzero(known)
    ratings = Known(users, items, said[items, users], (USERS, ITEMS))
    places, entries, _ = ratings.rows(by_items=True, values=ratings.values)
    return InMemoryLoader({"places": places, "ratings": entries}, batch_size=20, seed=seed)


@torch.no_grad()
def share_of_unknown_explained(rule: LearningRule) -> float:
    """Share of the variance of the ratings that nobody gave that the network foretells."""
    said, known = opinions()
    answers = rule.home(torch.from_numpy(said * known).float()).numpy()
    return float(1 - ((answers - said)[~known] ** 2).mean() / (said[~known] ** 2).mean())


ROW = Row(
    loader=loader,
    steps=200,
    measure=share_of_unknown_explained,
    threshold=0.6,
    counts=(({"in_features": 6040}, "network", 2 * 6040 * 500 + 6040 + 500),),  # 2mk + m + k
    data=generate("film-ratings", count=1500),
)


@pytest.mark.parametrize("loss", ["listwise", "pairwise"])
def test_orders_put_what_was_chosen_by_the_like_minded_first(loss: str) -> None:
    torch.manual_seed(0)
    rule = build(
        Config(in_features=20, hidden_features=8, loss=loss, masking=0.3, descent=Descent(learning_rate=0.02))  # type: ignore[arg-type]
    )
    # Half of the users choose the first ten items, the others the last ten; each has chosen six of them.
    draws = [torch.randperm(10)[:6] + 1 + 10 * (user % 2) for user in range(40)]
    places = torch.stack(draws)
    for _ in range(150):
        rule.step({"places": places, "ratings": torch.ones(40, 6)})
    with torch.no_grad():
        scores = rule.home.eval()(filled(places, torch.ones(40, 6), 20))
    own = torch.stack([scores[user, 10 * (user % 2) : 10 * (user % 2) + 10] for user in range(40)])
    other = torch.stack([scores[user, 10 * ((user + 1) % 2) : 10 * ((user + 1) % 2) + 10] for user in range(40)])
    assert float((own.min(dim=1).values > other.max(dim=1).values).float().mean()) > 0.95


def test_the_length_of_a_row_does_not_matter_where_an_order_is_learnt() -> None:
    network = AutoRec(Config(in_features=5, hidden_features=3, loss="listwise"))
    row = torch.tensor([[1.0, 0, 1, 0, 0]])
    torch.testing.assert_close(network(row), network(7 * row))
    with pytest.raises(ConfigurationError, match="learnt of users"):
        Config(loss="listwise", rows="items")
