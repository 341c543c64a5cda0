"""A run that is opened again."""

import multiprocessing
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion import figures
from ganglion.core import LearningRule, Phase
from ganglion.data.formats.arrays import from_arrays
from ganglion.errors import CheckpointError, ConfigurationError, DataError, UsageError
from ganglion.runs import run as runs
from ganglion.runs import session
from ganglion.runs.session import train


def test_a_rule_with_phases_is_judged_in_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    run = train("autoencoder", from_arrays(images, None, kind="image"), out=tmp_path / "run", steps=4, threads=1)
    told: list[str] = []
    build = runs.build

    def phased(*arguments: object) -> LearningRule:
        rule = build(*arguments)  # type: ignore[arg-type]
        rule.phases = (Phase(name="first"), Phase(name="last"))
        rule.begin = lambda phase: told.append(phase.name)  # type: ignore[method-assign]
        return rule

    monkeypatch.setattr(runs, "build", phased)
    judged = runs.open_run(run.folder).evaluate()
    assert told == ["last"]
    assert judged == pytest.approx(run.metrics)


def test_a_file_is_asked_about_as_the_flags_of_training_say(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = random.integers(1000, 9000, 40)[np.arange(120) % 40] / 1000
    lines = [f"{value:.3f};{-999 if n % 9 == 0 else n % 5};{'ab'[n % 2]}" for n, value in enumerate(values)]
    (tmp_path / "t.csv").write_text("size;age;kind\n" + "\n".join(lines) + "\n")
    flags = {"decimal": ",", "missing": ("-999",), "allow_problems": True}
    run = train("mlp", str(tmp_path / "t.csv"), out=tmp_path / "run", steps=2, threads=1, **flags)
    (tmp_path / "asked.csv").write_text("size;age\n1.234;-999\n5.678;3\n")
    said = [row["probability"] for row in runs.open_run(run.folder).predict(tmp_path / "asked.csv")]
    meant = run.predict(np.array([[1234.0, np.nan], [5678.0, 3.0]]))
    assert said == [row["probability"] for row in meant]


def test_a_series_is_asked_about_as_the_flags_of_training_say(tmp_path: Path) -> None:
    rows = "".join(f"{1 + n % 9}.{100 + n % 800}\n" for n in range(120))
    (tmp_path / "t.tsv").write_text("heat\n" + rows)
    run = train("lstm-forecaster", str(tmp_path / "t.tsv"), out=tmp_path / "run", steps=2, threads=1, decimal=",")
    values = [[float(row.replace(".", ""))] for row in rows.split()]
    assert run.predict(tmp_path / "t.tsv") == run.predict(values)


def test_a_question_says_how_its_file_is_written(tmp_path: Path) -> None:
    lines = [f"{n % 7}.5;{'ab'[n % 2]}" for n in range(60)]
    (tmp_path / "t.csv").write_text("size;kind\n" + "\n".join(lines) + "\n")
    run = train("mlp", str(tmp_path / "t.csv"), out=tmp_path / "run", steps=2, threads=1, allow_problems=True)
    (tmp_path / "asked.csv").write_text("size;kind\n1.234;a\n5.678;b\n")
    with pytest.raises(DataError, match="two ways") as caught:
        run.predict(tmp_path / "asked.csv")
    assert caught.value.remedy.startswith("say which with --decimal")
    said = [row["probability"] for row in run.predict(tmp_path / "asked.csv", decimal=",")]
    assert said == [row["probability"] for row in run.predict(np.array([[1234.0], [5678.0]]))]
    (tmp_path / "asked.csv").write_text("size;kind\n1 m;a\n2 kg;b\n")
    with pytest.raises(DataError) as caught:
        run.predict(tmp_path / "asked.csv")
    assert "--" not in caught.value.remedy or "train again" in caught.value.remedy


def test_a_run_goes_on_where_its_data_has_moved(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in ("old.csv", "new.csv", "other.csv"))
    table = "size,kind\n" + "".join(f"{n % 7}.5,{'ab'[n % 2]}\n" for n in range(60))
    old.write_text(table)
    other.write_text(table.replace("6.5", "8.5"))
    run = train("mlp", str(old), out=tmp_path / "run", steps=2, threads=1, allow_problems=True)
    old.rename(new)
    with pytest.raises(DataError, match="no such file") as lost:
        run.evaluate()
    assert f"ganglion resume {run.folder} --data" in lost.value.remedy
    with pytest.raises(CheckpointError, match="not the data"):
        session.resume(run.folder, data=other)
    assert run.evaluate(data=new) == pytest.approx(run.metrics)
    session.resume(run.folder, data=new)  # it has finished, and only remembers
    assert runs.open_run(run.folder).evaluate() == pytest.approx(run.metrics)
    assert session.resume(run.folder, steps=4).result["steps"] == 4


@pytest.mark.parametrize(
    ("system", "data", "given"), [("mlp", "iris", {"num_classes": 5}), ("lenet5", "digits", {"num_classes": 12})]
)
def test_a_size_that_is_not_that_of_the_data_is_refused(
    system: str, data: str, given: dict[str, int], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="not that of the data"):
        train(system, data, out=tmp_path / "run", steps=1, **given)
    assert not (tmp_path / "run").exists()


def test_trainings_in_threads_give_the_numbers_they_give_alone(tmp_path: Path) -> None:
    def learn(seed: int, name: str) -> dict[str, float]:
        options = {"steps": 30, "threads": 1, "dropout": 0.5, "hidden_features": (8,), "seed": seed}
        return train("mlp", "iris", out=tmp_path / f"{name}-{seed}", **options).metrics

    alone = [learn(seed, "alone") for seed in (1, 2)]
    with warnings.catch_warnings(), ThreadPoolExecutor(2) as pool:
        warnings.simplefilter("ignore")
        together = list(pool.map(learn, (1, 2), ("together", "together")))
    assert together == alone


def test_what_is_drawn_between_preparing_and_training_changes_nothing(tmp_path: Path) -> None:
    options = {"steps": 20, "threads": 1, "dropout": 0.5, "hidden_features": (8,)}
    prepared = session.prepare("mlp", "iris", out=tmp_path / "a", **options)
    torch.rand(7)
    assert prepared.fit().metrics == train("mlp", "iris", out=tmp_path / "b", **options).metrics


def test_a_worker_that_imports_the_script_does_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    with pytest.raises(UsageError, match="only imports it") as caught:
        train("mlp", "iris")
    assert "__main__" in caught.value.remedy


@pytest.mark.parametrize(("epochs", "axis"), [((0.5, 1.0), "epoch"), ((50.0, 100.0), "step")])
def test_curves_of_a_run_without_epochs_are_along_steps(epochs: tuple[float, float], axis: str) -> None:
    log = [{"step": step, "epoch": epoch, "loss": 1.0} for step, epoch in zip((50, 100), epochs, strict=True)]
    assert figures.curves(log).axes[0].get_xlabel() == axis
