"""The machine of ratings as an entry of the index: its published size, and tastes that it learns."""

from functools import cache

import numpy as np
import torch

from ganglion.core import LearningRule
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.sources.generators import generate
from ganglion.rules.ratings import filled
from ganglion.tasks.shared.ratings import Known
from tests.contract.rows import Row

USERS, ITEMS, LEVELS = 12, 60, 5


@cache
def opinions() -> tuple[np.ndarray, np.ndarray]:
    """Return levels that 12 users of two opposite tastes give 60 items, (items, users), and which of it is known."""
    random = np.random.default_rng(0)
    taste = np.where(np.arange(USERS) % 2, 1, -1)
    said = 3 + random.choice([-1, 1], size=(ITEMS, 1)) * taste + random.choice([-1, 0, 0, 1], size=(ITEMS, USERS))
    return said, random.random((ITEMS, USERS)) < 0.6


def loader(seed: int = 0) -> InMemoryLoader:
    said, known = opinions()
    items, users = np.nonzero(known)
    ratings = Known(users, items, said[items, users].astype(float), (USERS, ITEMS))
    places, entries, _ = ratings.rows(by_items=True, values=ratings.values)
    return InMemoryLoader({"places": places, "ratings": entries}, batch_size=20, seed=seed)


@torch.no_grad()
def share_of_unknown_explained(rule: LearningRule) -> float:
    """Share of the variance of the ratings that nobody gave that the machine foretells."""
    said, known = opinions()
    answers = rule.home(torch.from_numpy(said * known).float()).numpy() * (LEVELS - 1) + 1
    return float(1 - ((answers - said)[~known] ** 2).mean() / ((said[~known] - said.mean()) ** 2).mean())


ROW = Row(
    loader=loader,
    steps=400,
    measure=share_of_unknown_explained,
    threshold=0.4,
    counts=(({}, "machine", 17770 * 5 * 100 + 17770 * 5 + 100),),
    data=generate("film-ratings", count=1500),
)


def test_rows_come_from_places_and_levels() -> None:
    batch = next(iter(loader()))
    rows = filled(batch["places"], batch["ratings"], USERS)
    assert set(rows.unique().tolist()) <= {0.0, 1.0, 2.0, 3.0, 4.0, 5.0}
