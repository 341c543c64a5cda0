"""The scikit-learn estimators against scikit-learn's own checks, and inside its tools."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from ganglion.errors import ConfigurationError, DataError, UsageError
from ganglion.runs.estimator import Classifier, Regressor

FAST = {"hidden_features": (32,), "learning_rate": 0.01, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")


UNLIKE = {
    "check_sample_weight_equivalence_on_dense_data": "a sample that is repeated makes other batches than one that "
    "counts twice, and inputs are scaled by all samples alike"
}


@parametrize_with_checks(
    [Classifier(**FAST), Regressor(epochs=100, **FAST)], expected_failed_checks=lambda estimator: UNLIKE
)
def test_passes_the_checks_of_scikit_learn(estimator: BaseEstimator, check: Callable[[Any], None]) -> None:
    check(estimator)


def test_tells_the_bundled_flowers_apart_by_name() -> None:
    iris = load_iris()
    names = iris.target_names[iris.target]
    seen, unseen, labels, truth = train_test_split(iris.data, names, test_size=0.3, random_state=0, stratify=names)
    classifier = Classifier("mlp", **FAST).fit(seen, labels)
    assert classifier.score(unseen, truth) > 0.9
    assert classifier.classes_.tolist() == sorted(set(names))
    np.testing.assert_allclose(classifier.predict_proba(unseen).sum(axis=1), 1)
    assert classifier.n_features_in_ == 4
    assert classifier.history_[-1]["loss"] < classifier.history_[0]["loss"]


def test_predicts_values_in_their_own_units_better_than_a_line() -> None:
    random = np.random.default_rng(0)
    rows = random.uniform(-2, 2, (400, 2))
    values = 1000 + 100 * np.stack([np.sin(2 * rows[:, 0]), rows[:, 0] * rows[:, 1]], axis=1)
    regressor = Regressor("mlp", epochs=100, **FAST).fit(rows[:300], values[:300])
    assert regressor.score(rows[300:], values[300:]) > 0.95
    assert regressor.predict(rows[300:]).shape == (100, 2)
    single = Regressor("mlp", epochs=1, **FAST).fit(rows, values[:, 0])
    assert single.predict(rows).shape == (400,)


@pytest.mark.parametrize("unit", [1 / 16, 255 // 16], ids=["up to 1", "up to 255"])
def test_convolutional_systems_take_images(unit: float) -> None:
    digits = load_digits()
    chosen = digits.target < 3
    images, labels = digits.images[chosen] * unit, digits.target[chosen]
    classifier = Classifier("convnet", epochs=5, batch_size=16, random_state=0).fit(images[:300], labels[:300])
    assert classifier.score(images[300:], labels[300:]) > 0.9
    # The scale is that of training, also for images that have no bright pixel.
    dim = images[300:] / 2
    np.testing.assert_array_equal(classifier.predict(dim), classifier.predict(dim[..., None]))
    assert not hasattr(classifier, "n_features_in_")


def test_rows_are_no_images() -> None:
    with pytest.raises(Exception, match="images"):
        Classifier("lenet5", epochs=1).fit(np.zeros((10, 4)), np.arange(10) % 2)


def test_works_inside_pipelines_and_searches_over_options() -> None:
    rows, values = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), Regressor("mlp", epochs=5, **FAST))
    assert len(cross_val_score(pipeline, rows, values, cv=3)) == 3
    search = GridSearchCV(Regressor("mlp", epochs=30, **FAST), {"learning_rate": [1e-6, 0.01], "epochs": [5]}, cv=2)
    search.fit(rows, values)
    assert search.best_params_ == {"learning_rate": 0.01, "epochs": 5}


def test_parameters_survive_cloning_and_setting() -> None:
    classifier = Classifier("mlp", hidden_features=(8,), dropout=0.1, random_state=3)
    copied = clone(classifier).set_params(dropout=0.2, epochs=7)
    assert copied.get_params() == {
        "system": "mlp",
        "epochs": 7,
        "batch_size": None,
        "random_state": 3,
        "hidden_features": (8,),
        "dropout": 0.2,
    }
    assert classifier.get_params()["dropout"] == 0.1
    assert "dropout=0.2" in repr(copied)


def test_a_seed_decides_everything_and_the_callers_random_state_is_left_alone() -> None:
    rows, labels = load_iris(return_X_y=True)
    torch.manual_seed(5), np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = Classifier(epochs=2, **FAST).fit(rows, labels).predict_proba(rows)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()
    np.testing.assert_array_equal(Classifier(epochs=2, **FAST).fit(rows, labels).predict_proba(rows), first)
    other = Classifier(epochs=2, **(FAST | {"random_state": 1})).fit(rows, labels).predict_proba(rows)
    assert not np.array_equal(other, first)


def test_holds_a_share_back_and_stops_early_when_told_to() -> None:
    rows, labels = load_iris(return_X_y=True)
    classifier = Classifier(epochs=200, validation=0.3, patience=2, **FAST).fit(rows, labels)
    assert "validation_accuracy" in classifier.history_[-1]
    assert len(classifier.history_) < 200


def test_what_is_predicted_from_contradicting_samples_is_their_weighted_mean() -> None:
    rows, values = np.repeat([[-1.0], [1.0]], 20, axis=0), np.tile([0.0, 1.0], 20)
    weights = np.where((rows[:, 0] < 0) & (values == 0), 3.0, 1.0)
    regressor = Regressor("mlp", batch_size="all", epochs=300, **FAST)
    found = regressor.fit(rows, values, sample_weight=weights).predict([[-1.0], [1.0]])
    np.testing.assert_allclose(found, [0.25, 0.5], atol=0.02)
    alike = regressor.fit(rows, values, sample_weight=np.full(40, 7.0)).predict(rows)
    np.testing.assert_allclose(alike, regressor.fit(rows, values).predict(rows), atol=1e-3)


def test_classes_are_weighted_as_scikit_learn_spells_it() -> None:
    random = np.random.default_rng(0)
    rows, labels = random.normal(size=(400, 1)), (random.random(400) < 0.1).astype(int)
    rows[labels == 1] += 1
    found = {
        str(weight): Classifier(epochs=10, class_weight=weight, **FAST).fit(rows, labels).predict(rows).mean()
        for weight in (None, "balanced", {0: 0.0001})
    }
    assert found["None"] < 0.1 < found["balanced"] < found["{0: 0.0001}"] == 1


def test_one_column_for_each_class_is_learnt_and_answered_as_such() -> None:
    rows, labels = load_iris(return_X_y=True)
    columns = np.eye(3)[labels]
    one, other = Classifier("mlp", epochs=5, **FAST), Classifier("mlp", epochs=5, **FAST)
    said = one.fit(rows, columns).predict(rows)
    assert np.array_equal(said, np.eye(3)[other.fit(rows, labels).predict(rows)])
    assert one.score(rows, columns) == other.score(rows, labels)
    assert one.fit(rows, labels).predict(rows).ndim == 1
    with pytest.raises(ValueError, match="no label for 1 samples, the first of them 4"):
        one.fit(rows[:8], np.array([*"abca", None, *"abc"], dtype=object))


def test_channels_may_come_first() -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 9, 3), dtype=np.uint8)
    labels = np.arange(40) % 2
    last = Classifier("mlp", epochs=2, **FAST).fit(images, labels)
    first = Classifier("mlp", epochs=2, **FAST).fit(np.moveaxis(images, 3, 1), labels)
    assert np.array_equal(last.predict_proba(images), first.predict_proba(np.moveaxis(images, 3, 1)))


def test_writes_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Classifier(epochs=1, **FAST).fit(*load_iris(return_X_y=True))
    assert not list(tmp_path.iterdir())


def test_refuses_unknown_options_and_unsupervised_systems() -> None:
    rows, labels = load_iris(return_X_y=True)
    with pytest.raises(ConfigurationError, match="hidden_features"):
        Classifier("mlp", hidden_feature=(3,)).fit(rows, labels)
    with pytest.raises(UsageError, match="lenet5"):
        Classifier("rbm").fit(rows, labels)
    with pytest.raises(UsageError, match="regression"):
        Regressor("perceptron").fit(rows, labels)
    with pytest.raises(DataError, match="images"):
        Regressor("lenet5").fit(rows, labels)


def test_missing_numbers_are_read_as_those_of_a_table() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(5, 2, (120, 3))
    labels = (rows[:, 0] > 5).astype(int)
    gaps = rows.copy()
    gaps[::7, 1] = np.nan
    classifier = Classifier("mlp", epochs=30, random_state=0).fit(gaps, labels)
    assert classifier.score(gaps, labels) > 0.9
    one = np.array([[9.0, np.nan, 5.0]])
    mean = np.array([[9.0, np.nanmean(gaps[:, 1]), 5.0]])
    np.testing.assert_allclose(classifier.predict_proba(one), classifier.predict_proba(mean), atol=1e-6)
    with pytest.raises(ValueError, match="infinity"):
        classifier.predict(np.array([[9.0, np.inf, 5.0]]))
