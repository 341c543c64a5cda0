"""Latent variables: bounds by hand, answers without the data, classes, ways between images, rows in their own units."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from ganglion.data.catalogue import read
from ganglion.data.settings import DataSettings
from ganglion.errors import ConfigurationError, GanglionError, UsageError
from ganglion.figures import save
from ganglion.models.autoencoder.vae import TINY, Config, build
from ganglion.rules.autoencoder.variational import divergence_from_normal
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.answers import Film, Rows
from ganglion.tasks.variational import Variational
from tests.tasks.asking import ask
from tests.tasks.training import trained

PLANE = replace(TINY, latent_features=2, binarised=False)


def prepared(config: Config = TINY, data: str = "digits") -> Variational:
    return Variational.prepare(data, config, DataSettings(batch_size=64), seed=0)


def network_of(task: Variational, epochs: int) -> torch.nn.Module:
    return trained(task, build, epochs).home.eval()


def digits(count: int) -> np.ndarray:
    return read("digits", DataSettings()).inputs[:count]


def test_pixels_are_drawn_anew_in_every_epoch_and_judged_on_the_same() -> None:
    task = prepared()
    loader = task.loader(build(task.config), seed=0)
    first, second = (torch.cat([batch["inputs"][batch["index"].argsort()] for batch in loader]) for _ in range(2))
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert (first != second).any()
    once, again = (next(iter(task.data.batches("test")))["inputs"] for _ in range(2))
    assert torch.equal(once, again)
    grey = next(iter(prepared(PLANE).data.batches("test")))["inputs"]
    assert len(grey.unique()) > 2


@torch.no_grad()
def test_measures_are_those_of_the_equations() -> None:
    task = prepared()
    rule = build(task.config)
    measures = task.evaluate(rule, "test")
    assert measures["negative_elbo"] == pytest.approx(measures["reconstruction"] + measures["divergence"])
    assert measures["negative_log_likelihood"] < measures["negative_elbo"] + 0.1
    inputs = task.data.whole("test")["inputs"]
    divergence = divergence_from_normal(*rule.home.posterior(inputs)).mean().item()
    assert measures["divergence"] == pytest.approx(divergence, rel=1e-4)
    assert "negative_log_likelihood" not in task.evaluate(rule)
    assert task.evaluate(rule, "test") == measures


def test_more_draws_come_nearer_to_the_likelihood() -> None:
    task = prepared()
    rule = build(task.config)
    few = task.evaluate(rule, "test")["negative_log_likelihood"]
    task.config = replace(task.config, importance_samples=200)
    assert task.evaluate(rule, "test")["negative_log_likelihood"] < few


def test_baselines_by_hand() -> None:
    task = prepared()
    train, test = (task.data.whole(part)["inputs"].flatten(1).double().numpy() for part in ("train", "test"))
    means = (train.sum(0) + 1) / (len(train) + 2)
    expected = -stats.bernoulli.logpmf(test, means).sum(1).mean()
    assert task.baseline()["negative_elbo"] == pytest.approx(expected, rel=1e-6)
    task = prepared(replace(TINY, likelihood="gaussian"), "wine")
    train, test = (task.data.whole(part)["inputs"].double().numpy() for part in ("train", "test"))
    expected = -stats.norm.logpdf(test, train.mean(0), np.sqrt(train.var(0).mean())).sum(1).mean()
    assert task.baseline()["negative_log_likelihood"] == pytest.approx(expected, rel=1e-6)


def test_a_restored_task_answers_the_same(tmp_path: Path) -> None:
    task = prepared(replace(PLANE, conditional=True))
    network = network_of(task, epochs=1)
    again = Variational.restore(json.loads(json.dumps(task.state())), from_dict(Config, to_dict(task.config)))
    assert again.state() == task.state()
    for verb, question in (
        ("predict", {"inputs": digits(3)}),
        ("generate", {"count": 3, "class_": "7"}),
        ("interpolate", {"inputs": digits(3), "count": 4}),
    ):
        np.testing.assert_array_equal(ask(task, network, verb, **question), ask(again, network, verb, **question))


def test_draws_by_class_and_sees_classes_in_what_it_is_asked_about() -> None:
    task = prepared(replace(TINY, conditional=True, binarised=False, hidden_features=(128,)))
    network = network_of(task, epochs=25)
    images, labels = task.data["test"].inputs[:100], task.data["test"].targets[:100]
    answer = task.ask("predict", network, from_dict(task.verbs["predict"], {"inputs": images}, where="predict"))
    said = [row["label"] for row in answer.rows]
    assert np.mean([one == str(label) for one, label in zip(said, labels, strict=True)]) > 0.75  # a tenth by chance
    sevens = ask(task, network, "generate", count=20, seed=0, class_="7")
    typical = task.data["train"].inputs[task.data["train"].targets == 7].mean(axis=0)
    others = [task.data["train"].inputs[task.data["train"].targets == one].mean(axis=0) for one in (0, 3, 6)]
    far = [np.abs(sevens.mean(axis=0) - mean).mean() for mean in (typical, *others)]
    assert far[0] == min(far)
    with pytest.raises(GanglionError, match="class"):
        ask(task, network, "generate", count=1, seed=0, class_="seven")


def test_figures_of_a_plane_and_of_more_latents(tmp_path: Path) -> None:
    task = prepared(PLANE)
    for name, figure in task.figures(build(task.config)).items():
        save(figure, tmp_path / f"{name}.png")
    assert {path.stem for path in tmp_path.iterdir()} == set(task.captions)
    more = prepared()
    assert set(more.figures(build(more.config))) == set(task.captions) - {"manifold"}


def test_a_way_begins_and_ends_with_the_images_that_were_asked_about() -> None:
    task = prepared(PLANE)
    network = network_of(task, epochs=1)
    rebuilt = ask(task, network, "predict", inputs=digits(3))
    question = from_dict(task.verbs["interpolate"], {"inputs": digits(3), "count": 5}, where="interpolate")
    answer = task.ask("interpolate", network, question)
    np.testing.assert_array_equal(answer.value[[0, 4, 5, 9]], rebuilt[[0, 1, 1, 2]])
    assert isinstance(answer.also[0], Film) and len(answer.also[0].frames) == 10
    with pytest.raises(UsageError, match="two images"):
        ask(task, network, "interpolate", inputs=digits(1), count=5)


def test_rows_are_explained_and_drawn_in_their_own_units() -> None:
    task = prepared(data="wine")
    assert task.config.likelihood == "gaussian" and task.config.in_features == 13
    network = network_of(task, epochs=60)
    rows = ask(task, network, "predict", inputs=task.data["test"].inputs[:4])
    assert len(rows) == 4 and len(rows[0]["code"]) == TINY.latent_features
    answer = task.ask("generate", network, from_dict(task.verbs["generate"], {"count": 200}, where="generate"))
    assert isinstance(answer, Rows)
    drawn, alcohol = [row["alcohol"] for row in answer.rows], task.data["train"].inputs[:, 0]
    assert np.mean(drawn) == pytest.approx(alcohol.mean(), abs=alcohol.std())
    assert set(task.figures(build(task.config))) == {"code_map"}
    with pytest.raises(UsageError, match="cannot interpolate"):
        ask(task, network, "interpolate", inputs=task.data["test"].inputs[:2], count=5)


def test_refuses_what_cannot_be() -> None:
    with pytest.raises(ConfigurationError, match=r"\[0, 1\]"):
        prepared(replace(TINY, likelihood="bernoulli"), "wine")
    with pytest.raises(ConfigurationError, match="needs to know classes"):
        prepared(replace(TINY, conditional=True), "bars-and-stripes")
    task = prepared()
    with pytest.raises(UsageError, match="knows no classes"):
        ask(task, build(task.config).home, "generate", count=1, seed=0, class_="3")
