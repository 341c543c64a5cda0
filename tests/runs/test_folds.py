"""Cross-validation: every sample is judged once by a network that has not seen it; an interrupted one goes on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganglion
from ganglion.cli import main
from ganglion.data.catalogue import read
from ganglion.data.settings import DataSettings
from ganglion.errors import CheckpointError, UsageError
from ganglion.runs import folds
from ganglion.runs.run import Run
from ganglion.training.callback import Callback

EVERY = {"evaluate_every": 2, "report_every": 2, "checkpoint_every": 2}
QUICK: dict[str, Any] = {"steps": 6, "hidden_features": (8,), "batch_size": 32, **EVERY}
IRIS = read("iris", DataSettings())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> folds.CrossValidation:
    """Of arrays that a program handed over."""
    out = tmp_path_factory.mktemp("folds") / "iris"
    return ganglion.cross_validate("mlp", (IRIS.inputs, IRIS.targets), folds=2, out=out, **QUICK)


def test_every_sample_is_tested_once(finished: folds.CrossValidation) -> None:
    tested = []
    for run in finished.runs:
        parts = run.prepared_task().data
        tested += parts["test"].index.tolist()
        assert not set(parts["train"].index) & set(parts["test"].index)
        assert run.evaluate("test")["accuracy"] == pytest.approx(run.metrics["accuracy"])
    assert sorted(tested) == list(range(150))


def test_means_and_deviations(finished: folds.CrossValidation) -> None:
    scores = [run.metrics["accuracy"] for run in finished.runs]
    assert finished.is_finished
    assert next(iter(finished.measures)) == "accuracy"
    assert finished.measures["accuracy"].mean == pytest.approx(np.mean(scores))
    assert finished.measures["accuracy"].deviation == pytest.approx(np.std(scores, ddof=1))
    assert finished.baseline["accuracy"].mean < 0.5
    told = json.loads((finished.folder / folds.DESCRIPTION).read_text())["result"]
    assert told == json.loads(json.dumps(finished.to_dict()))
    assert [one["run"] for one in told["folds"]] == ["fold-1", "fold-2"]
    assert "fold-2" in (finished.folder / folds.REPORT).read_text(encoding="utf-8")


def test_the_length_is_that_of_the_best_mean(finished: folds.CrossValidation) -> None:
    curves = [[row["validation_loss"] for row in run.history if "validation_loss" in row] for run in finished.runs]
    means = np.mean(curves, axis=0)
    assert len(means) == 3
    assert finished.length is not None
    assert finished.length.monitor == "loss"  # by which the best weights of this system are chosen
    assert finished.length.steps == 2 * (1 + int(means.argmin()))
    assert finished.length.value.mean == pytest.approx(means.min())


def test_an_interrupted_one_goes_on_to_the_same_numbers(tmp_path: Path, finished: folds.CrossValidation) -> None:
    """Stopped within the second fold."""

    class Stop(Callback):
        def on_step(self, trainer: Any) -> None:
            if trainer.run.path.name == "fold-2" and trainer.iteration == 4:
                raise KeyboardInterrupt

    data, out = (IRIS.inputs, IRIS.targets), tmp_path / "halved"
    with pytest.raises(KeyboardInterrupt):
        ganglion.cross_validate("mlp", data, folds=2, out=out, callbacks=[Stop()], **QUICK)
    assert not folds.CrossValidation(out).is_finished
    told = []
    halved = folds.continue_folds(out, announce=lambda fold, of, session: told.append((fold, of)))
    assert told == [(2, 2)]
    assert halved.measures == finished.measures
    assert halved.length == finished.length


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "cli")
    assert main(["train", "perceptron", "--folds", "2", "--steps", "4", "--out", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["folds"]) == 2
    assert main(["resume", out, "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "deviation" in shown and "report" in shown
    command = next(line for line in shown.splitlines() if line.startswith("next")).split()[3:]
    assert command[-4:] == ["--validation", "0", "--test", "0"] and "--folds" not in command
    assert main(["train", *command, "--out", str(tmp_path / "everything"), "--quiet"]) == 0
    everything = Run(tmp_path / "everything").prepared_task().data
    assert len(everything["train"]) == sum(
        len(run.prepared_task().data["test"]) for run in folds.CrossValidation(out).runs
    )
    assert main(["resume", out, "--epochs", "3"]) == 2


def test_one_network_on_everything_takes_the_options_and_the_best_length(tmp_path: Path) -> None:
    options = {**QUICK, "hidden_features": (8, 4), "patience": 3, "test": 0.3}
    found = folds.cross_validate("mlp", "iris", folds=2, out=tmp_path / "folds", **options)
    assert found.length is not None and found.on_everything is not None
    words = found.on_everything.split()
    assert words[:5] == ["ganglion", "train", "mlp", "--data", "iris"]
    assert words[words.index("--hidden-features") :][:3] == ["--hidden-features", "8", "4"]
    assert words.count("--test") == 1 and "--patience" not in words
    assert words.count("--epochs") + words.count("--steps") == 1


def test_arrays_have_no_name_to_train_on_by_a_command(finished: folds.CrossValidation) -> None:
    assert finished.on_everything is None


def test_what_cannot_be_divided_is_refused(tmp_path: Path, finished: folds.CrossValidation) -> None:
    for system, options in (
        ("lstm-forecaster", {"data": "sine"}),
        ("dqn", {}),
        ("perceptron", {"data": "iris"}),
        ("mlp", {"data": "iris", "fold": 2}),
        ("mlp", {"data": "iris", "folds": 1}),
    ):
        with pytest.raises(UsageError):
            ganglion.cross_validate(system, **{"folds": 3, "out": tmp_path / system} | options)
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="cross_validate"):
        ganglion.train("mlp", "iris", folds=3, out=tmp_path / "train")
    with pytest.raises(UsageError, match="already holds"):
        ganglion.cross_validate("mlp", "iris", out=finished.folder)
    with pytest.raises(UsageError, match="not a cross-validation"):
        folds.continue_folds(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"format": 99}', '{"format": 1}', '{"format": 1, "folds": "x", "options": 3, "data": ""}'):
        (tmp_path / folds.DESCRIPTION).write_text(text)
        with pytest.raises(CheckpointError, match=r"folds\.json"):
            folds.continue_folds(tmp_path)
