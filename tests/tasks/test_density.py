"""The density task: binarising, honest scores against enumeration, and answers of a restored task."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.dataset import Dataset
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError
from ganglion.models.energy.rbm import TINY, Config, build
from ganglion.nn.energy.restricted import BernoulliRBM, binary_states
from ganglion.rules.descend import Descent
from ganglion.runs.writing import write
from ganglion.tasks.density import Density, Predict
from ganglion.tasks.measures.pseudo_likelihood import pseudo_log_likelihood
from tests.tasks.asking import ask


def digits(count: int = 300) -> Dataset:
    """Noisy crosses and rings, enough alike to be learnt at once."""
    random = np.random.default_rng(0)
    cross, ring = (
        np.eye(6, dtype=bool) | np.eye(6, dtype=bool)[::-1],
        np.pad(np.zeros((4, 4), bool), 1, constant_values=True),
    )
    chosen = np.where(random.random(count)[:, None, None] < 0.5, cross, ring)
    flipped = chosen ^ (random.random(chosen.shape) < 0.05)
    return Dataset.of(name="marks", kind="image", inputs=(flipped * 255).astype(np.uint8)[..., None])


def trained(dataset: Dataset, steps: int = 600) -> tuple[Density, LearningRule]:
    config = Config(hidden_units=12, descent=Descent(optimizer="sgd", learning_rate=0.2))
    task = Density.prepare(dataset, config, DataSettings(batch_size=32), seed=0)
    torch.manual_seed(0)
    rule = build(task.config)
    loader, done = task.loader(rule, seed=0), 0
    while done < steps:
        for batch in loader:
            rule.step(batch)
            done += 1
    return task, rule


def test_codes_are_probabilities_of_the_hidden_units_and_stand_beside_the_users_columns(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 2, (40, 3)).astype(np.float32)
    table = Dataset.of(name="units", kind="tabular", inputs=rows, column_names=("a", "b", "c"))
    task = Density.prepare(table, replace(TINY, in_features=3, hidden_units=2), DataSettings(), seed=0)
    machine = build(task.config).home
    (tmp_path / "asked.csv").write_text("a,own,b,c\n1,hello,0,1\n0,there,0,0\n")
    answer = task.ask("predict", machine, Predict(inputs=[tmp_path / "asked.csv"]))
    write(answer, tmp_path / "answers.csv")
    with (tmp_path / "answers.csv").open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [row["own"] for row in written] == ["hello", "there"]
    expected = torch.sigmoid(torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]) @ machine.weight.T + machine.hidden_bias)
    found = [[float(row[f"code {number}"]) for number in (1, 2)] for row in written]
    assert found == pytest.approx(expected.detach().numpy(), abs=1e-6)


def test_fills_in_the_units_and_binarises_at_half_brightness() -> None:
    pixels = np.array([0, 127, 128, 255], dtype=np.uint8).reshape(1, 2, 2, 1).repeat(10, 0)
    pixels[::2, 0, 0] = 255
    everything = DataSettings(validation=0, test=0)
    task = Density.prepare(Dataset.of(name="x", kind="image", inputs=pixels), TINY, everything, seed=0)
    assert task.config.in_features == 4
    assert task.visible["train"][:, 1:].unique(dim=0).tolist() == [[0.0, 1.0, 1.0]]


def test_rows_are_on_above_their_training_mean() -> None:
    rows = np.random.default_rng(0).normal(100, 20, (200, 3)).astype(np.float32)
    task = Density.prepare(Dataset.of(name="x", kind="tabular", inputs=rows), TINY, DataSettings(), seed=0)
    assert 0.4 < task.visible["train"].mean() < 0.6
    (answer,) = ask(task, build(task.config).home, "predict", inputs=rows[:1])
    assert set(answer) == {"free_energy", "reconstruction_error", "code"}


def test_large_and_coloured_images_are_shrunk_and_made_grey() -> None:
    images = np.random.default_rng(0).integers(0, 255, (10, 100, 50, 3)).astype(np.uint8)
    task = Density.prepare(Dataset.of(name="x", kind="image", inputs=images), TINY, DataSettings(), seed=0)
    assert task.config.in_features == 64 * 32
    assert "64 x 32" in task.notes[-1]


def test_refuses_series() -> None:
    series = Dataset.of(name="x", kind="series", inputs=np.arange(50, dtype=np.float32)[:, None])
    with pytest.raises(DataError, match="series"):
        Density.prepare(series, TINY, DataSettings(), seed=0)


def test_beats_independent_pixels_by_every_score() -> None:
    task, rule = trained(digits())
    found, baseline = task.evaluate(rule, "test"), task.baseline()
    assert found["pseudo_log_likelihood"] > baseline["pseudo_log_likelihood"] + 5
    assert found["log_likelihood"] > baseline["log_likelihood"] + 5
    assert found["reconstruction_error"] < 0.5 * baseline["reconstruction_error"]
    assert task.evaluate(rule, "train")["free_energy_gap"] == 0


def test_the_baseline_is_the_best_machine_without_weights() -> None:
    """A machine whose weights are zero and whose biases are the training means has the baseline's scores."""
    task = Density.prepare(digits(), Config(hidden_units=3), DataSettings(), seed=0)
    rule = build(task.config)
    torch.nn.init.zeros_(rule.home.weight)
    with torch.no_grad():
        rule.home.visible_bias.copy_(task.base_bias)
    found, baseline = task.evaluate(rule, "test"), task.baseline()
    for name in ("pseudo_log_likelihood", "log_likelihood"):
        assert found[name] == pytest.approx(baseline[name], rel=1e-5)


def test_estimated_likelihood_is_the_enumerated_one() -> None:
    task, rule = trained(digits())
    machine, test = rule.home, task.visible["test"]
    with torch.no_grad():
        exact = float(-machine.free_energy(test).mean() - machine.log_partition())
    assert task.evaluate(rule, "test")["log_likelihood"] == pytest.approx(exact, abs=0.1)


def test_judging_is_repeatable_and_leaves_the_random_state_alone() -> None:
    task, rule = trained(digits(), steps=20)
    before = torch.get_rng_state()
    first = task.evaluate(rule, "test")
    task.figures(rule)
    assert torch.equal(torch.get_rng_state(), before)
    assert task.evaluate(rule, "test") == first


def test_asking_for_fewer_units_estimates_the_same_pseudo_likelihood() -> None:
    torch.manual_seed(0)
    machine, visible = BernoulliRBM(10, 5, deviation=1.0), binary_states(10).float().repeat(4, 1)
    full = pseudo_log_likelihood(machine, visible)
    fewer = pseudo_log_likelihood(machine, visible, judged=len(visible) * 5 * 3)
    assert fewer == pytest.approx(full, rel=0.03)


def test_a_restored_task_answers_like_the_prepared_one() -> None:
    task, rule = trained(digits(), steps=50)
    restored = Density.restore(json.loads(json.dumps(task.state())), task.config)
    images = digits().inputs[:3]
    assert ask(restored, rule.home, "predict", inputs=images) == ask(task, rule.home, "predict", inputs=images)
    assert ask(restored, rule.home, "generate", count=3, seed=1).shape == (3, 6, 6, 1)


def test_unlikely_inputs_have_a_higher_free_energy() -> None:
    task, rule = trained(digits())
    noise = np.random.default_rng(1).integers(0, 2, (20, 6, 6, 1)).astype(np.uint8) * 255
    energy = lambda images: np.mean([row["free_energy"] for row in ask(task, rule.home, "predict", inputs=images)])  # noqa: E731
    assert energy(noise) > energy(digits().inputs[:20]) + 5


def test_draws_what_the_machine_has_learnt() -> None:
    task, rule = trained(generate("bars-and-stripes"), steps=100)
    assert set(task.figures(rule)) == {"receptive_fields", "reconstructions", "samples"}


def test_without_held_back_parts_the_training_part_is_judged() -> None:
    task = Density.prepare(digits(), TINY, DataSettings(validation=0, test=0), seed=0)
    assert not task.has_validation
    assert task.evaluate(build(task.config), "test")["free_energy_gap"] == 0
    assert "no test part" in task.notes[-1]


def test_numbers_are_modelled_as_they_are_and_come_back_in_the_users_units() -> None:
    random = np.random.default_rng(0)
    side = np.where(random.random((300, 1)) < 0.5, -1.0, 1.0)
    rows = (np.array([[170.0, 70.0]]) + side * [[10.0, 12.0]] + random.normal(0, 3, (300, 2))).astype(np.float32)
    table = Dataset.of(name="people", kind="tabular", inputs=rows, column_names=("height", "weight"))
    config = Config(
        visible="gaussian", hidden_units=4, gibbs_steps=1, num_chains=64, descent=Descent(learning_rate=3e-3)
    )
    task = Density.prepare(table, config, DataSettings(batch_size=32), seed=0)
    torch.manual_seed(0)
    rule, done = build(task.config), 0
    loader = task.loader(rule, seed=0)
    while done < 1200:
        for batch in loader:
            rule.step(batch)
            done += 1
    measured, baseline = task.evaluate(rule, "test"), task.baseline()
    with torch.no_grad():
        exact = float((-rule.home.free_energy(task.visible["test"])).mean() - rule.home.log_partition())  # type: ignore[operator]
    assert measured["log_likelihood"] == pytest.approx(exact, abs=0.1)
    assert exact > baseline["log_likelihood"] + 0.5
    assert measured["pseudo_log_likelihood"] > baseline["pseudo_log_likelihood"] + 0.5
    pictures = task.figures(rule)
    assert {*pictures} == {"receptive_fields", "reconstructions", "samples"}
    for picture in pictures.values():
        assert [label.get_text() for label in picture.axes[0].get_xticklabels()] == ["height", "weight"]
    shown = pictures["reconstructions"].axes[0].images[0].get_array()
    np.testing.assert_allclose(shown, task.visible["test"][: len(shown)])
    restored = Density.restore(json.loads(json.dumps(task.state())), task.config)
    drawn = ask(restored, rule.home, "generate", count=64)
    heights, weights = (np.array([row[name] for row in drawn]) for name in ("height", "weight"))
    assert abs(heights.mean() - 170) < 6
    assert np.corrcoef(heights, weights)[0, 1] > 0.6


def test_pictures_of_numbers_keep_their_greys() -> None:
    marks = digits(60).inputs // 3 + 40
    grey = Dataset.of(name="greys", kind="image", inputs=marks.astype(np.uint8))
    task = Density.prepare(grey, Config(visible="gaussian", hidden_units=4), DataSettings(), seed=0)
    seen = task.visible["train"]
    assert seen.mean().abs() < 1e-5
    assert seen.std().item() == pytest.approx(1, abs=1e-5)
    shown = task._in_their_range(seen) * 255
    assert sorted(shown.round().unique().tolist()) == [40.0, 125.0]
    rule = build(task.config)
    assert ask(task, rule.home, "generate", count=2).shape == (2, 6, 6, 1)
