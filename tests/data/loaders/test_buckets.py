"""Buckets: every sequence once an epoch, about equal lengths together, padding that nobody judges, a saved place."""

import numpy as np
import pytest
import torch

from ganglion.data.fields import UNJUDGED
from ganglion.data.loaders.in_memory import InMemoryLoader
from ganglion.data.preprocessing import Ragged
from ganglion.errors import DataError


def sequences(count: int = 300) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(1, 50, size=random.integers(1, 40)) for _ in range(count)]


def by_length(
    inputs: list[np.ndarray], targets: np.ndarray | list[np.ndarray], batch_size: int, seed: int
) -> InMemoryLoader:
    answers = torch.from_numpy(targets) if isinstance(targets, np.ndarray) else ragged(targets, UNJUDGED)
    return InMemoryLoader({"inputs": ragged(inputs), "targets": answers}, batch_size, seed, by_length="inputs")


def ragged(samples: list[np.ndarray], padding: float = 0) -> Ragged:
    return Ragged.of([torch.from_numpy(one) for one in samples], padding)


def test_every_sequence_comes_once_with_its_target() -> None:
    known = sequences()
    loader = by_length(known, np.arange(len(known)), batch_size=16, seed=0)
    met = []
    for batch in loader:
        assert torch.equal(batch["index"], batch["targets"])
        for row, place in zip(batch["inputs"].tolist(), batch["index"].tolist(), strict=True):
            own = known[place].tolist()
            assert row == own + [0] * (len(row) - len(own))
            met.append(place)
    assert sorted(met) == list(range(len(known)))
    assert loader.epoch == 1


def test_targets_of_each_token_are_padded_as_unjudged() -> None:
    known = sequences()
    loader = by_length(known, [sequence * 2 for sequence in known], batch_size=16, seed=0)
    for batch in loader:
        there = batch["inputs"] > 0
        assert torch.equal(batch["targets"][there], 2 * batch["inputs"][there])
        assert (batch["targets"][~there] == UNJUDGED).all()


def test_little_is_padded_and_the_order_changes() -> None:
    known = sequences(1000)
    loader = by_length(known, np.zeros(1000, dtype=np.int64), batch_size=16, seed=0)
    orders, padded = [], []
    for _ in range(2):
        batches = list(loader)
        orders.append(torch.cat([batch["index"] for batch in batches]))
        padded += [float((batch["inputs"] == 0).float().mean()) for batch in batches]
    assert np.mean(padded) < 0.12  # in any order it is about a half
    assert not torch.equal(orders[0], orders[1])
    lengths = torch.tensor([len(sequence) for sequence in known])[orders[0][:992]].view(-1, 16).float().mean(1)
    assert abs(float(torch.corrcoef(torch.stack([lengths, torch.arange(62.0)]))[0, 1])) < 0.4  # short ones not first


def test_goes_on_from_a_saved_place() -> None:
    known, targets = sequences(), np.zeros(300, dtype=np.int64)
    loader = by_length(known, targets, batch_size=16, seed=1)
    whole = [batch["index"] for _ in range(2) for batch in loader]
    loader = by_length(known, targets, batch_size=16, seed=1)
    taken = [batch["index"] for _, batch in zip(range(7), loader, strict=False)]
    again = by_length(known, targets, batch_size=16, seed=1)
    again.load_state_dict(loader.state_dict())
    taken += [batch["index"] for _ in range(2) for batch in again]
    assert all(torch.equal(one, other) for one, other in zip(whole, taken, strict=True))


def test_refuses_an_empty_sequence() -> None:
    with pytest.raises(DataError, match="empty"):
        by_length([np.array([1]), np.array([], dtype=np.int64)], np.array([0, 1]), batch_size=2, seed=0)
