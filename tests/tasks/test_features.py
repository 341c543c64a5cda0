"""Features: codes of every kind of network, probes by hand, files of numbers, and the task that is judged by them."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from ganglion.data.catalogue import read
from ganglion.data.settings import DataSettings
from ganglion.errors import UsageError
from ganglion.figures import save
from ganglion.inspect.representation import representation
from ganglion.models import find
from ganglion.models.autoencoder.feature_extractor import Config, build
from ganglion.rules.descend import Descent
from ganglion.runs.writing import write
from ganglion.settings import from_dict
from ganglion.tasks.answers import Rows
from ganglion.tasks.classification import Classification
from ganglion.tasks.features import Features
from ganglion.tasks.measures.probes import few_of_each, probe, probed


@pytest.mark.parametrize(
    "name", ["mlp", "convnet", "lenet5", "resnet", "googlenet", "rbf", "rbm", "vae", "autoencoder"]
)
def test_networks_of_all_kinds_have_a_representation(name: str) -> None:
    module = find(name).load()
    network, (inputs,) = module.build(module.TINY).home.eval(), next(iter(module.examples(module.TINY).values()))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    said, call = representation(network, inputs)
    with torch.no_grad():
        codes = call(inputs.repeat(3, *[1] * (inputs.ndim - 1)))
    assert said and codes.shape[0] == 3 and codes.ndim == 2 and codes.isfinite().all()
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in network.modules())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_the_last_layer_answers_for_what_it_is_given() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 3))
    inputs = torch.rand(4, 1, 4, 4)
    _, call = representation(network, inputs)
    torch.testing.assert_close(network[5](call(inputs)), network(inputs))


def test_one_layer_makes_nothing_before_it_answers() -> None:
    with pytest.raises(UsageError, match="nothing of its inputs"):
        representation(nn.Linear(3, 2), torch.zeros(1, 3))


def test_a_probe_is_logistic_regression() -> None:
    digits = read("digits", DataSettings())
    rows, classes = digits.inputs.reshape(len(digits.inputs), -1).astype(float), digits.targets
    scale = StandardScaler().fit(rows[:500])
    model = LogisticRegression(max_iter=200).fit(scale.transform(rows[:500]), classes[:500])
    expected = model.score(scale.transform(rows[500:700]), classes[500:700])
    assert probe(rows[:500], classes[:500], rows[500:700], classes[500:700]) == pytest.approx(expected, abs=0.005)
    assert (np.bincount(classes[few_of_each(classes, 10)]) == 10).all()
    assert probed(rows[:4], rows[:4], classes[:4]) == {}


def test_the_task_judges_codes_and_draws(tmp_path: Path) -> None:
    config = Config(code_size=16, channels=(8,), descent=Descent(learning_rate=5e-3))
    task = Features.prepare("digits", config, DataSettings(limit=600), seed=0)
    torch.manual_seed(0)
    rule = build(task.config)
    loader = task.loader(rule, seed=0)
    for _ in range(12):
        for batch in loader:
            rule.step(batch)
    measures = task.evaluate(rule, "test")
    assert set(measures) == {measure.name for measure in task.measures}
    assert measures["probe_accuracy"] > 0.8 > measures["few_labels_probe_accuracy"] > 0.4
    for name, figure in task.figures(rule).items():
        save(figure, tmp_path / f"{name}.png")
    assert {path.stem for path in tmp_path.iterdir()} == {"probes", "code_map", "reconstructions"}


def answer(task: Any, network: nn.Module, **question: Any) -> Rows:
    found = task.ask("features", network, from_dict(task.verbs["features"], question, where="features"))
    assert isinstance(found, Rows)
    return found


def test_codes_of_a_classifier_go_into_files(tmp_path: Path) -> None:
    module = find("mlp").load()
    task = Classification.prepare("iris", module.TINY, DataSettings(), seed=0)
    network = module.build(task.config).home
    iris = read("iris", DataSettings())
    table = tmp_path / "flowers.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows(
            [[*iris.column_names, "kind"], *([*r, k] for r, k in zip(iris.inputs, iris.targets, strict=True))]
        )
    found = answer(task, network, inputs=[str(table)], classes="kind")
    assert any("linear probe" in note for note in found.notes)
    write(found, tmp_path / "codes.csv")
    write(found, tmp_path / "codes.npz")
    with (tmp_path / "codes.csv").open() as file:
        rows = list(csv.DictReader(file))
    with np.load(tmp_path / "codes.npz", allow_pickle=False) as arrays:
        codes, classes = arrays["codes"], arrays["classes"]
    assert len(rows) == len(codes) == 150 and set(classes) == {"0", "1", "2"}
    assert float(rows[7]["code 1"]) == pytest.approx(codes[7, 0], rel=1e-5) and rows[7]["kind"] == classes[7]
    again = answer(task, network, inputs=["iris"])
    np.testing.assert_allclose(again.also[0].value["codes"], codes, rtol=1e-5, atol=1e-6)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="no such column"):
        answer(task, network, inputs=[str(table)], classes="colour")


def test_folders_of_pictures_are_classes(tmp_path: Path) -> None:
    config = Config(code_size=4, channels=(4,))
    task = Features.prepare("digits", config, DataSettings(limit=100), seed=0)
    digits = read("digits", DataSettings())
    for number, (image, label) in enumerate(zip(digits.inputs[:40], digits.targets[:40] % 2, strict=True)):
        folder = tmp_path / ("odd" if label else "even")
        folder.mkdir(exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{number}.png")
    found = answer(task, build(task.config).home, inputs=[str(tmp_path)])
    assert sorted({row["class"] for row in found.beside}) == ["even", "odd"]
    assert any("linear probe" in note for note in found.notes)
