"""The tree of sums against running sums, and drawing by priority against the formula of the paper."""

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from ganglion.data.environments.priorities import SMALLEST, Priorities, SumTree
from ganglion.data.environments.replay import ReplayLoader
from ganglion.data.environments.vector import Environments
from ganglion.training.checkpoint import digest, load, save
from tests.environments import Chain


@pytest.mark.parametrize("capacity", [1, 2, 5, 64, 100])
def test_the_tree_finds_what_a_running_sum_finds(capacity: int) -> None:
    source = np.random.default_rng(capacity)
    tree, masses = SumTree(capacity), np.zeros(capacity)
    for _ in range(20):
        rows = source.integers(capacity, size=source.integers(1, 9))
        fresh = source.integers(0, 8, len(rows)).astype(float)  # whole numbers, whose sums are exact; some are 0
        fresh[0] = 1.0
        for row, mass in zip(rows, fresh, strict=True):
            masses[row] = mass
        tree.set(rows, fresh)
        assert tree.total == masses.sum()
        np.testing.assert_array_equal(tree.masses(np.arange(capacity)), masses)
        if tree.total:
            places = np.concatenate([source.uniform(0, tree.total, 50), np.arange(tree.total)])
            np.testing.assert_array_equal(tree.find(places), np.searchsorted(masses.cumsum(), places, side="right"))


def test_a_place_that_rounding_puts_at_the_very_end_is_still_a_row_with_mass() -> None:
    tree = SumTree(5)
    tree.set(np.arange(2), np.array([0.1, 0.2]))
    assert tree.find(np.array([tree.total])).tolist() == [1]


def drawing(errors: list[float], exponent: float, importance: float = 0.5) -> Priorities:
    """Priorities of a full memory whose rows had these errors."""
    made = Priorities(len(errors), exponent, lambda _: importance, lambda: torch.tensor(errors))
    made.add(np.arange(len(errors)))
    made.drawn = torch.arange(len(errors))
    made.learn()
    return made


@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.0])
def test_rows_are_drawn_as_often_as_their_errors_say_and_count_as_little(exponent: float) -> None:
    errors, importance = [0.5, -2.0, 0.0, 4.0, 1.0], 0.7
    powers = (np.abs(errors) + SMALLEST) ** exponent
    expected = powers / powers.sum()
    count = 20_000
    rows, weights = drawing(errors, exponent, importance).draw(count, 5, 0, Generator().manual_seed(0))
    # Cut into equal parts, each row is drawn as often as its mass says, but for the parts that two rows share.
    np.testing.assert_allclose(np.bincount(rows, minlength=5), count * expected, atol=2)
    counted = (5 * expected) ** -importance
    drawn = np.unique(rows)
    np.testing.assert_allclose(weights, (counted / counted[drawn].max())[rows], rtol=1e-5)
    assert weights.max() == 1


def test_a_new_row_is_as_urgent_as_the_most_urgent_so_far() -> None:
    made = drawing([3.0, 0.5, 0.5], 1.0)
    made.add(np.array([2]))
    np.testing.assert_allclose(made.tree.masses(np.arange(3)), [3.0, 0.5, 3.0], atol=2 * SMALLEST)


def loader(errors: list[Tensor]) -> ReplayLoader:
    return ReplayLoader(
        Environments(Chain, 3, seed=0),
        lambda shown: torch.zeros(len(shown), dtype=torch.int64),
        capacity=64,
        batch_size=8,
        seed=0,
        epsilon=lambda _: 1.0,
        discount=0.9,
        steps_ahead=2,
        train_every=2,
        learning_starts=10,
        prioritise=lambda capacity: Priorities(capacity, 0.6, lambda steps: min(1.0, steps / 100), lambda: errors[-1]),
    )


def surprise(batch: dict[str, Tensor]) -> Tensor:
    return batch["rewards"] * 3 - batch["actions"]


def learn(source: ReplayLoader, errors: list[Tensor], count: int) -> list[dict[str, Tensor]]:
    """Take batches, and let what is surprising in them be known."""
    batches = []
    for batch in itertools.islice(source, count):
        errors.append(surprise(batch))
        batches.append(batch)
    return batches


@pytest.mark.parametrize("at", [0, 1, 20])
def test_resuming_is_exact(at: int, tmp_path) -> None:
    errors = [torch.empty(0)]
    whole = loader(errors)
    expected = learn(whole, errors, 60)
    assert all(batch["weights"].shape == (8,) for batch in expected)
    before = [torch.empty(0)]
    first = loader(before)
    learn(first, before, at)
    path = save(tmp_path, at, {"loader": first.state_dict()})
    after = before[-1:]
    second = loader(after)
    second.load_state_dict(load(path)["loader"])
    assert digest({"batches": learn(second, after, 60 - at)}) == digest({"batches": expected[at:]})
    assert digest(second.state_dict()) == digest(whole.state_dict())


def test_errors_of_a_batch_change_the_priorities_of_its_rows_and_of_no_others() -> None:
    errors = [torch.empty(0)]
    source = loader(errors)
    batch = learn(source, errors, 1)[0]
    priorities = source.priorities
    assert priorities is not None
    before = copy.deepcopy(priorities.tree)
    priorities.learn()
    rows = np.arange(source.memory.capacity)
    changed = np.flatnonzero(priorities.tree.masses(rows) != before.masses(rows))
    assert set(changed) <= set(batch["index"].tolist()) and len(changed)
    for row, error in zip(batch["index"].tolist(), errors[-1].tolist(), strict=True):
        assert priorities.tree.masses(np.array([row]))[0] == pytest.approx((abs(error) + SMALLEST) ** 0.6, rel=1e-6)
    learnt = copy.deepcopy(priorities.tree.nodes)
    priorities.learn()
    assert (priorities.tree.nodes == learnt).all(), "errors count once"
