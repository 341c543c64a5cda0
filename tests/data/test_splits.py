"""Splits stay put, keep equal samples together and give every class its share."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganglion.data.dataset import Dataset
from ganglion.data.formats.stored import store, stored
from ganglion.data.settings import DataSettings
from ganglion.data.sources.bundled import read_bundled
from ganglion.data.splits import PARTS, split, split_series
from ganglion.errors import DataError


def rows(count: int, classes: int = 3, seed: int = 0) -> Dataset:
    random = np.random.default_rng(seed)
    return Dataset.of(
        name="rows",
        kind="tabular",
        inputs=random.normal(size=(count, 4)).astype(np.float32),
        targets=random.integers(0, classes, count),
        label_names=tuple(map(str, range(classes))),
    )


def chosen(dataset: Dataset, places: np.ndarray) -> Dataset:
    return dataset.take(places)


def with_test_part(dataset: Dataset, inputs: np.ndarray, targets: np.ndarray) -> Dataset:
    return replace(dataset, test_fields=dataset.with_values(inputs=inputs, targets=targets).fields)


def membership(dataset: Dataset, seed: int = 0, **options: object) -> np.ndarray:
    parts = split(dataset, DataSettings(**options), seed)  # type: ignore[arg-type]
    found = np.full(len(dataset), -1)
    for number, name in enumerate(PARTS):
        assert (found[parts[name].index] == -1).all()
        found[parts[name].index] = number
    return found


def test_parts_are_disjoint_complete_and_of_the_right_size() -> None:
    found = membership(rows(20_000))
    shares = np.bincount(found) / len(found)
    assert (found >= 0).all()
    assert np.allclose(shares, [0.7, 0.1, 0.2], atol=5 * (0.25 / 20_000) ** 0.5)


def test_every_class_has_its_share() -> None:
    iris = read_bundled("iris")
    found = membership(iris)
    assert iris.targets is not None
    for label in range(3):
        # One of the 150 flowers stands there twice, and equal samples count once.
        assert np.allclose(np.bincount(found[iris.targets == label]), [35, 5, 10], atol=1)


def test_samples_are_the_ones_that_the_index_names() -> None:
    dataset = rows(100)
    for part in split(dataset, DataSettings(), 0).values():
        assert np.array_equal(part.inputs, np.asarray(dataset.inputs)[part.index])
        assert np.array_equal(part.targets, dataset.targets[part.index])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), dropped=st.integers(0, 9), order=st.randoms(use_true_random=False))
def test_reordering_moves_no_sample_and_removing_one_few(seed: int, dropped: int, order: object) -> None:
    dataset = rows(400)
    places = list(range(len(dataset)))
    order.shuffle(places)  # type: ignore[attr-defined]
    fewer = np.array(places[dropped:])
    moved = membership(dataset, seed)[fewer] != membership(chosen(dataset, fewer), seed)
    assert moved.sum() <= 2 * dropped  # one over each of the two borders of a class


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.integers(0, 15), min_size=40, max_size=80), seed=st.integers(0, 100))
def test_equal_samples_never_part(values: list[int], seed: int) -> None:
    inputs = np.array(values, dtype=np.float32)[:, None]
    targets = np.arange(len(values)) % 2  # Equal samples with unequal targets, too.
    dataset = Dataset.of(name="repeated", kind="tabular", inputs=inputs, targets=targets)
    try:
        found = membership(dataset, seed)
    except DataError:
        return  # So few distinct values that a part stayed empty.
    for value in set(values):
        assert len(set(found[inputs[:, 0] == value])) == 1


@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(3, 6), min_size=2, max_size=4), seed=st.integers(0, 1000))
def test_small_classes_are_in_every_part(counts: list[int], seed: int) -> None:
    targets = np.repeat(np.arange(len(counts)), counts)
    inputs = np.arange(len(targets), dtype=np.float32)[:, None]
    found = membership(Dataset.of(name="small", kind="tabular", inputs=inputs, targets=targets), seed)
    for label in range(len(counts)):
        assert set(found[targets == label]) == {0, 1, 2}


def test_the_seed_matters() -> None:
    assert not np.array_equal(membership(rows(100), 0), membership(rows(100), 1))


def test_a_published_test_part_is_left_alone() -> None:
    dataset = with_test_part(rows(100), np.ones((7, 4), np.float32), np.zeros(7, np.int64))
    parts = split(dataset, DataSettings(), 0)
    assert parts["test"].inputs is dataset.test_inputs
    assert len(parts["train"]) + len(parts["validation"]) == 100


def test_a_published_validation_part_is_used_as_it_is(tmp_path: Path) -> None:
    dataset = with_test_part(rows(100), np.ones((7, 4), np.float32), np.zeros(7, np.int64))
    dataset = replace(dataset, validation=np.arange(90, 100))
    store(dataset, tmp_path)
    for one in (dataset, stored(tmp_path)):
        parts = split(one, DataSettings(), 0)
        assert parts["validation"].index.tolist() == list(range(90, 100)) and len(parts["train"]) == 90
    assert len(split(dataset, DataSettings(validation=0.0), 0)["train"]) == 100
    assert len(split(dataset, DataSettings(folds=5, fold=1), 0)["test"]) == 20


def test_limit_touches_only_training_and_keeps_every_class() -> None:
    dataset = read_bundled("digits")
    whole, limited = (split(dataset, DataSettings(limit=limit), 0) for limit in (None, 50))
    assert np.array_equal(np.bincount(limited["train"].targets), np.full(10, 5))
    assert np.array_equal(whole["test"].index, limited["test"].index)
    assert set(limited["train"].index) < set(whole["train"].index)


def test_shares_of_nothing_leave_parts_empty() -> None:
    parts = split(rows(50), DataSettings(validation=0, test=0), 0)
    assert [len(part) for part in parts.values()] == [50, 0, 0]


@pytest.mark.parametrize("count", [0, 1])
def test_one_sample_cannot_be_divided(count: int) -> None:
    with pytest.raises(DataError, match="too few samples"):
        split(rows(count), DataSettings(), 0)


def test_an_empty_part_is_an_error_with_a_remedy() -> None:
    with pytest.raises(DataError, match="set validation to 0"):
        split(rows(2, classes=1), DataSettings(), 0)


def test_a_class_only_outside_training_is_named() -> None:
    two = rows(50, classes=2)
    targets = replace(two.fields["targets"], names=("cat", "dog", "emu"))
    dataset = replace(two, fields={**two.fields, "targets": targets})
    with pytest.raises(DataError, match="emu"):
        split(with_test_part(dataset, np.ones((1, 4), np.float32), np.array([2])), DataSettings(), 0)


def test_texts_and_rows_of_text_are_divided() -> None:
    texts = Dataset.of(name="texts", kind="text", inputs=[f"text {number}" for number in range(50)])
    objects = Dataset.of(
        name="objects", kind="tabular", inputs=np.array([["a", float(n)] for n in range(50)], dtype=object)
    )
    for dataset in (texts, objects):
        parts = split(dataset, DataSettings(), 0)
        assert sum(len(part.inputs) for part in parts.values()) == 50


@given(steps=st.integers(10, 200), validation=st.floats(0.05, 0.4), test=st.floats(0.1, 0.4))
def test_a_series_is_cut_in_order_without_overlap(steps: int, validation: float, test: float) -> None:
    series = Dataset.of(name="count", kind="series", inputs=np.arange(steps, dtype=np.float32)[:, None])
    try:
        parts = split_series(series, DataSettings(validation=validation, test=test))
    except DataError:
        assert round(steps * validation) == 0 or round(steps * test) == 0
        return
    assert np.concatenate([part.index for part in parts.values()]).tolist() == list(range(steps))
    assert len(parts["test"]) == round(steps * test)


def test_a_limited_series_keeps_its_latest_training_steps() -> None:
    series = Dataset.of(name="count", kind="series", inputs=np.arange(100, dtype=np.float32)[:, None])
    assert split_series(series, DataSettings(limit=10))["train"].index.tolist() == list(range(60, 70))


@pytest.mark.parametrize(("count", "folds"), [(150, 5), (53, 10), (10, 2)])
def test_folds_hold_every_sample_once_and_every_class_in_its_share(count: int, folds: int) -> None:
    dataset = rows(count)
    assert dataset.targets is not None
    found = np.array([membership(dataset, folds=folds, fold=fold + 1) for fold in range(folds)]) == PARTS.index("test")
    assert (found.sum(axis=0) == 1).all()
    for label in range(3):
        sizes = found[:, dataset.targets == label].sum(axis=1)
        assert sizes.max() - sizes.min() <= 1
    sizes = found.sum(axis=1)
    assert sizes.max() - sizes.min() <= 3
    validated = membership(dataset, folds=folds, fold=1) == PARTS.index("validation")
    assert validated.sum() == pytest.approx(0.1 * count, abs=3)


def test_folds_move_with_content_alone() -> None:
    dataset = rows(60)
    order = np.random.default_rng(5).permutation(60)
    for fold in (1, 4):
        found = membership(dataset, folds=4, fold=fold)
        assert (membership(chosen(dataset, order), folds=4, fold=fold) == found[order]).all()
    twice = chosen(dataset, np.arange(120) % 60)
    found = membership(twice, folds=4, fold=2)
    assert (found[:60] == found[60:]).all()


def test_a_published_test_part_is_no_fold() -> None:
    dataset = with_test_part(rows(40), rows(10, seed=1).inputs, rows(10, seed=1).targets)
    parts = split(dataset, DataSettings(folds=4, fold=1), seed=0)
    assert sum(len(part) for part in parts.values()) == 40
    assert len(split(dataset, DataSettings(), seed=0)["test"]) == 10


def test_a_class_of_one_sample_is_learnt_and_never_tested() -> None:
    dataset = rows(41, classes=2)
    assert dataset.targets is not None
    targets = dataset.targets.copy()
    targets[7] = 2
    dataset = dataset.with_values(targets=targets)
    assert all(membership(dataset, folds=4, fold=fold)[7] == 0 for fold in (1, 2, 3, 4))


def test_few_distinct_rows_are_divided_row_by_row_in_the_shares_of_the_classes() -> None:
    random = np.random.default_rng(0)
    rows = random.integers(0, 2, size=(2000, 3)).astype(np.float64)
    targets = (random.random(2000) < 0.2 + 0.5 * rows[:, 0]).astype(np.int64)
    dataset = Dataset.of(name="survey", kind="tabular", inputs=rows, targets=targets, label_names=("no", "yes"))
    parts = split(dataset, DataSettings(), seed=0)
    assert [len(parts[name]) for name in ("train", "validation", "test")] == [1400, 200, 400]
    for part in parts.values():
        assert np.mean(part.targets) == pytest.approx(targets.mean(), abs=0.005)
        assert len(np.unique(part.inputs, axis=0)) == 8
    order = random.permutation(2000)
    again = split(dataset.take(order), DataSettings(), seed=0)
    assert np.array_equal(np.sort(again["test"].inputs, axis=0), np.sort(parts["test"].inputs, axis=0))
