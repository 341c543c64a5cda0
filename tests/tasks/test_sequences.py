"""Sequences: what is read as what, how much is rebuilt by hand, answers for series and texts, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganglion.core import LearningRule
from ganglion.data.settings import DataSettings
from ganglion.data.sources.generators import generate
from ganglion.errors import DataError, ShapeError
from ganglion.figures import save
from ganglion.models.autoencoder.sequence_autoencoder import Config, build
from ganglion.rules.descend import Descent
from ganglion.settings import from_dict, to_dict
from ganglion.tasks.sequences import Sequences
from tests.tasks.asking import ask

CONFIG = Config(hidden_features=16, code_size=4, embedding_features=8, descent=Descent(learning_rate=1e-2))


def prepared(data: Any, config: Config = CONFIG, **settings: Any) -> tuple[Sequences, LearningRule]:
    task = Sequences.prepare(data, config, DataSettings(**settings), seed=0)
    torch.manual_seed(0)
    rule = build(task.config)
    for batch in task.loader(rule, seed=0):
        rule.step(batch)
    return task, rule


@pytest.fixture(scope="module")
def series() -> tuple[Sequences, LearningRule]:
    return prepared(generate("waves", count=160))


@pytest.fixture(scope="module")
def texts() -> tuple[Sequences, LearningRule]:
    return prepared(generate("opinions", count=200), Config(**to_dict(CONFIG) | {"window": 12, "descent": Descent()}))


def test_the_share_of_series_that_is_rebuilt_by_hand(series: tuple[Sequences, LearningRule]) -> None:
    task, rule = series
    train, test = (task.data.columns(part)["inputs"] for part in ("train", "test"))  # type: ignore[arg-type]
    with torch.no_grad():
        lost = (rule.home.eval()(test) - test).square().sum()
    expected = 1 - lost / (test - train.mean(0)).square().sum()
    measures = task.evaluate(rule, "test")
    assert measures["rebuilt"] == pytest.approx(float(expected), rel=1e-4)
    assert set(measures) == {measure.name for measure in task.measures}
    assert 0.2 < measures["components_rebuilt"] < 0.8


def test_the_share_of_tokens_that_are_rebuilt_by_hand(texts: tuple[Sequences, LearningRule]) -> None:
    task, rule = texts
    right, whole = 0, 0
    for text in task._some("test", 1000):
        with torch.no_grad():
            said = rule.home.eval()(text[None]).argmax(2)[0]
        wanted = torch.cat([text, torch.zeros(1, dtype=torch.int64)])
        right, whole = right + int((said == wanted).sum()), whole + len(wanted)
    measures = task.evaluate(rule, "test")
    assert measures["rebuilt"] == pytest.approx(right / whole, rel=1e-6)
    assert {"probe_accuracy", "raw_probe_accuracy"} <= set(measures)
    assert 0 < task.baseline()["rebuilt"] < 0.5


def test_both_kinds_are_drawn(
    series: tuple[Sequences, LearningRule], texts: tuple[Sequences, LearningRule], tmp_path: Path
) -> None:
    for (task, rule), own in ((series, "rebuilt"), (texts, "texts")):
        drawn = task.figures(rule)
        assert set(drawn) == {own, "code_map", "probes"} and set(drawn) <= set(task.captions)
        for name, figure in drawn.items():
            save(figure, tmp_path / f"{name}.png")


def test_answers_and_features_of_a_restored_task(
    series: tuple[Sequences, LearningRule], texts: tuple[Sequences, LearningRule]
) -> None:
    for (task, rule), inputs in (
        (series, generate("waves", count=5).inputs),
        (texts, ["the film is very funny .", "the ending seems dull ."]),
    ):
        again = Sequences.restore(json.loads(json.dumps(task.state())), from_dict(Config, to_dict(task.config)))
        rows = ask(again, rule.home, "predict", inputs=inputs)
        assert rows == ask(task, rule.home, "predict", inputs=inputs) and len(rows) == len(inputs)
        codes = ask(again, rule.home, "features", inputs=inputs)
        assert [row["code"] for row in codes] == [row["code"] for row in rows]
        alone = ask(again, rule.home, "predict", inputs=inputs[:1])
        assert alone == rows[:1]


def test_tables_of_numbers_are_series_and_files_of_lines_are_texts(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    table = tmp_path / "waves.csv"
    lines = [",".join(f"step{n}" for n in range(9))]
    lines += [",".join(f"{value:.4f}" for value in row) for row in random.normal(size=(60, 9))]
    table.write_text("\n".join(lines))
    source = Sequences.read(str(table), DataSettings(), None)
    assert source.kind == "short-series" and source.main.values.shape == (60, 9, 1)
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"{random.choice(['Anna', 'Ben', 'Cleo'])} the {n % 7}th" for n in range(60)))
    task, rule = prepared(str(names), Config(**to_dict(CONFIG) | {"unit": "characters", "descent": Descent()}))
    assert task.of_texts
    (row,) = ask(task, rule.home, "predict", inputs=["Anna the 3th"])
    assert set(row) == {"text", "rebuilt", "right", "code"}


def test_empty_texts_and_series_of_another_length_are_refused(
    series: tuple[Sequences, LearningRule], texts: tuple[Sequences, LearningRule]
) -> None:
    task, rule = texts
    with pytest.raises(DataError, match="text is empty"):
        ask(task, rule.home, "predict", inputs=["  "])
    task, rule = series
    with pytest.raises(ShapeError, match="shape of the training data"):
        ask(task, rule.home, "predict", inputs=np.zeros((2, 7, 1)))
