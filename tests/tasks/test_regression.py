"""Regression from raw data to answers, in the units of the data."""

import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.errors import DataError
from ganglion.models.feedforward.mlp import Config, build
from ganglion.rules.descend import Descent
from ganglion.tasks.regression import Regression
from ganglion.training.settings import TrainerSettings
from ganglion.training.trainer import Trainer
from tests.tasks.asking import ask

CONFIG = Config(hidden_features=(32,), descent=Descent(learning_rate=1e-2))


def plane(outputs: int = 2) -> Dataset:
    """Linear functions of three columns, far from zero and of different sizes."""
    random = np.random.default_rng(0)
    inputs = random.normal(50, 10, size=(300, 3)).astype(np.float32)
    targets = inputs @ random.normal(size=(3, outputs)) * [10, 0.1][:outputs] + 1000
    names = ("large", "small")[:outputs]
    return Dataset.of(
        name="plane", kind="tabular", inputs=inputs, targets=targets.astype(np.float32), target_names=names
    )


def trained(task: Regression, epochs: int) -> LearningRule:
    torch.manual_seed(0)
    rule = build(task.config)
    Trainer(rule, task.loader(rule, 0), TrainerSettings(epochs=epochs, threads=1)).fit()
    return rule


def test_learns_several_values_in_their_own_units() -> None:
    task = Regression.prepare(plane(), CONFIG, DataSettings(batch_size=20), seed=0)
    assert (task.config.in_features, task.config.num_classes, task.config.out_features) == (3, None, 2)
    rule = trained(task, epochs=40)
    found, baseline = task.evaluate(rule, "test"), task.baseline()
    assert found["r2"] > 0.98
    assert found["rmse"] < 0.2 * baseline["rmse"]
    assert found["mae"] <= found["rmse"]
    assert baseline["r2"] == pytest.approx(0, abs=0.1)
    test = task.data["test"]
    rows = ask(task, rule.home, "predict", inputs=test.inputs)
    said = np.array([[row["large"], row["small"]] for row in rows])
    assert found["r2"] == pytest.approx(r2_score(test.targets, said), abs=1e-4)
    assert found["rmse"] == pytest.approx(np.sqrt(((test.targets - said) ** 2).mean(axis=0)).mean(), rel=1e-3)
    restored = Regression.restore(json.loads(json.dumps(task.state())), task.config)
    assert ask(restored, rule.home, "predict", inputs=test.inputs) == rows
    assert set(task.figures(rule)) == {"predictions"}


def test_without_hidden_layers_it_is_linear_regression() -> None:
    config = Config(hidden_features=(), descent=Descent(learning_rate=3e-2))
    task = Regression.prepare("diabetes", config, DataSettings(batch_size="all"), seed=0)
    found = task.evaluate(trained(task, epochs=1500), "test")
    train, test = task.data["train"], task.data["test"]
    exact = LinearRegression().fit(train.inputs, train.targets)
    assert found["r2"] == pytest.approx(exact.score(test.inputs, test.targets), abs=0.01)
    assert found["r2"] > 0.3 > task.baseline()["r2"]


def test_one_value_may_come_as_a_flat_array() -> None:
    data = plane(outputs=1)
    flat = Dataset.of(name="plane", kind="tabular", inputs=data.inputs, targets=data.targets[:, 0])
    task = Regression.prepare(flat, CONFIG, DataSettings(batch_size=20), seed=0)
    assert task.config.out_features == 1
    assert ask(task, build(task.config).home, "predict", inputs=data.inputs[:2])[0].keys() == {"value 1"}


def test_classes_are_refused() -> None:
    with pytest.raises(DataError, match="needs values"):
        Regression.prepare("iris", CONFIG, DataSettings(), seed=0)
